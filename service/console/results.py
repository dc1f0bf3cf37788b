"""What came of studies, as pages show it: figures beside a base, why they differ, duration curves, fronts, tables."""

import csv
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import HTTPException

from models.carriers import Carrier
from models.errors import DataError
from scenarios.cases.compare import COST_PARTS, Comparison, Difference, compare
from scenarios.cases.results import KPIS, Result, load_record, load_result, unit_of, words_of
from service.console.charts import Axis, Chart, Line, Look, Panel
from service.console.glance import Glance
from service.history import EPOCH
from service.jobs.job import Job, JobState
from service.jobs.work import BASE_RUN, CASE_RUN

ROWS_SHOWN = 100
BARS_SHOWN = 12
SHARE_MOST = 10.0
"""Beyond tenfold the base was next to nothing, and a share of it says nothing."""
FORMATS = ("json", "csv", "xlsx", "parquet", "nc")


def outcome_of(look: Glance, job: Job) -> dict[str, object]:
    """Return what the page of a study shows: nothing but its progress before it is done."""
    empty: dict[str, object] = {
        "rows": [],
        "sentences": [],
        "files": [],
        "table": [],
        "told": [],
        "charts": [],
        "reported": False,
    }
    if job.state is not JobState.DONE:
        return empty
    folder = job.folder(look.backing.results)
    files = [f for f in FORMATS if (folder / f"result.{f}").exists()]
    comparison = _comparison(folder)
    if comparison is None:
        charts = ["front"] if job.kind == "pareto" else []
        found = {"files": files, "table": _first_rows(folder), "told": _told(folder), "charts": charts}
        return empty | found | {"reported": job.kind == "sweep"}
    run = comparison.runs[0]
    rows = [_row(look, d) for d in comparison.differences(run)]
    sentences = list(comparison.why(run, look.language))
    charts = ["change", "costs", "import", "duration"]
    return empty | {
        "files": files,
        "rows": rows,
        "sentences": sentences,
        "charts": charts,
        "run": run,
        "reported": True,
    }


def _comparison(folder: Path) -> Comparison | None:
    base, run = folder / BASE_RUN, folder / CASE_RUN
    return compare(base, [run]) if base.exists() and run.exists() else None


def _row(look: Glance, d: Difference) -> dict[str, object]:
    """Return one figure beside the base's, in words."""
    share = f"{100 * d.share:+.1f} %".replace("-", "−") if abs(d.share) <= SHARE_MOST and not d.same else ""
    return {
        "title": KPIS[d.kpi].title_in(look.language),
        "base": words_of(d.kpi, d.base, d.currency),
        "value": words_of(d.kpi, d.value, d.currency),
        "share": share,
        "verdict": {True: "good", False: "alarm", None: ""}[d.better],
    }


def _first_rows(folder: Path) -> list[list[str]]:
    path = folder / "result.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(itertools.islice(csv.reader(file), ROWS_SHOWN + 1))


def _told(folder: Path) -> list[tuple[str, object]]:
    """Return the plain values of a JSON result by name, sentences of lists one by one."""
    path = folder / "result.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not isinstance(found, dict):
        return []
    told: list[tuple[str, object]] = []
    for name, value in found.items():
        if isinstance(value, str | int | float):
            told.append((name, value))
        elif isinstance(value, list):
            told += [
                (name, r.get("sentence", "") if isinstance(r, dict) else r) for r in value if isinstance(r, str | dict)
            ]
    return [(name, value) for name, value in told if value != ""][:ROWS_SHOWN]


def _runs(look: Glance, job: Job) -> tuple[Result, Result]:
    """Return a study's base and run with their arrays; 404 where it has none."""
    folder = job.folder(look.backing.results)
    try:
        return load_result(folder / BASE_RUN), load_result(folder / CASE_RUN)
    except DataError as fault:
        raise HTTPException(404, f"Job {job.id} has no runs to compare: {fault}") from None


def change_chart(look: Glance, job: Job) -> Chart:
    """Return by what share each figure differs from the base's, the largest first."""
    comparison = _comparison(job.folder(look.backing.results))
    found = [] if comparison is None else comparison.differences(comparison.runs[0])
    told = sorted((d for d in found if abs(d.share) <= SHARE_MOST and d.shown), key=lambda d: -abs(d.share))[
        :BARS_SHOWN
    ]
    names = [KPIS[d.kpi].title_in(look.language) for d in told]
    bars = Line(look.w["change"], names, [100 * d.share for d in told], Look.BARS)
    return Chart("change", [Panel(look.w["change_to_base"], "%")], [bars], Axis.NAMES, look.w["figure"], across=True)


def cost_chart(look: Glance, job: Job) -> Chart:
    """Return by how much each part of the cost differs from the base's."""
    comparison = _comparison(job.folder(look.backing.results))
    found = [] if comparison is None else comparison.differences(comparison.runs[0])
    parts = [d for d in found if d.kpi in COST_PARTS and d.shown]
    names = [KPIS[d.kpi].title_in(look.language) for d in parts]
    bars = Line(look.w["change"], names, [d.change for d in parts], Look.BARS, "--k-chp")
    unit = "" if comparison is None else comparison.currency
    return Chart("costs", [Panel(look.w["change_of_cost"], unit)], [bars], Axis.NAMES, look.w["figure"], across=True)


def _import_kw(run: Result) -> np.ndarray:
    grids = [name for name, kind in run.kinds.items() if kind == "grid_connection"]
    power = run.arrays["power_kw"].sel(carrier=Carrier.ELECTRICITY.value, asset=grids).sum("asset")
    return np.asarray(power.to_numpy(), dtype=float)


def import_chart(look: Glance, job: Job) -> Chart:
    """Return the import over time, of the base and of the run."""
    lines = []
    for run, word, colour in zip(_runs(look, job), ("base", "this_run"), ("--faint", "--accent"), strict=True):
        micros = run.arrays["time"].to_numpy().astype("datetime64[us]").astype(int)
        at = [EPOCH + timedelta(microseconds=int(t)) for t in micros]
        lines.append(Line(look.w[word], at, _import_kw(run), Look.STEP, colour))
    return Chart("import", [Panel(look.w["import_now"], "kW")], lines)


def duration_chart(look: Glance, job: Job) -> Chart:
    """Return the import by duration, of the base and of the run."""
    named = zip(_runs(look, job), ("base", "this_run"), ("--faint", "--accent"), strict=True)
    return _durations(look, [_duration(run, look.w[word], colour) for run, word, colour in named])


def _durations(look: Glance, lines: Sequence[Line]) -> Chart:
    return Chart("duration", [Panel(look.w["duration_curve"], "kW")], lines, Axis.NUMBER, "h")


def _duration(run: Result, title: str, colour: str) -> Line:
    kw = np.sort(_import_kw(run))[::-1]
    times = run.arrays["time"].to_numpy()
    step_h = float((times[1] - times[0]) / np.timedelta64(1, "h")) if len(times) > 1 else 1.0
    return Line(title, [k * step_h for k in range(len(kw))], kw, Look.STEP, colour)


def front_chart(look: Glance, job: Job) -> Chart:
    """Return plans from the cheapest to the cleanest as points."""
    path = job.folder(look.backing.results) / "result.json"
    plans: Sequence[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    numbers = [k for k, v in (plans[0] if plans else {}).items() if isinstance(v, int | float)]
    co2 = next((k for k in numbers if "co2" in k), None)
    cost = next((k for k in numbers if "cost" in k), None)
    if co2 is None or cost is None:
        return Chart("front", [Panel(look.w["front"], "")], [], Axis.NUMBER)
    points = Line(look.w["front"], [float(p[co2]) for p in plans], [float(p[cost]) for p in plans], Look.POINTS)
    return Chart("front", [Panel(cost, "")], [points], Axis.NUMBER, co2)


def beside_chart(look: Glance, named: Sequence[tuple[Job, str]], chart: str) -> Chart:
    """Return a chart of several runs: ``duration`` of their import, or ``front``, what each costs over what it emits."""
    folders = [(title, job.folder(look.backing.results) / CASE_RUN) for job, title in named]
    found = [(title, folder) for title, folder in folders if folder.exists()]
    colours = itertools.cycle(RUN_COLOURS)
    if chart == "duration":
        lines = [_duration(load_result(f), title, colour) for (title, f), colour in zip(found, colours, strict=False)]
        return _durations(look, lines)
    records = [(title, load_record(f), colour) for (title, f), colour in zip(found, colours, strict=False)]
    points = [_point(title, r, colour) for title, r, colour in records if {"co2_kg", "total_cost"} <= r["kpis"].keys()]
    currency = records[0][1]["currency"] if records else ""
    return Chart("front", [Panel(look.w["total_cost"], currency)], points, Axis.NUMBER, "CO₂, kg")


def _point(title: str, record: Mapping[str, Any], colour: str) -> Line:
    kpis = record["kpis"]
    return Line(title, [float(kpis["co2_kg"])], [float(kpis["total_cost"])], Look.POINTS, colour)


RUN_COLOURS = ("--faint", "--accent", "--k-chp", "--k-battery", "--k-pv", "--c-heat", "--c-cold", "--forecast")
"""The first run, with which the others are compared, is grey."""
BESIDE = ("duration", "front")
"""Charts of runs side by side."""


CHARTS: Mapping[str, Callable[[Glance, Job], Chart]] = {
    "change": change_chart,
    "costs": cost_chart,
    "import": import_chart,
    "duration": duration_chart,
    "front": front_chart,
}


def side_by_side(look: Glance, named: Sequence[tuple[Job, str]]) -> dict[str, object]:
    """Return the figures of several runs, each beside the first; a study that left no run is left out."""
    records = []
    for job, title in named:
        folder = job.folder(look.backing.results) / CASE_RUN
        if folder.exists():
            records.append((job, load_record(folder), title))
    names = [n for n in KPIS if any(n in r["kpis"] for _, r, _ in records)]
    table = [
        {
            "title": KPIS[n].title_in(look.language),
            "unit": unit_of(n, records[0][1]["currency"]),
            "cells": [_cell(n, r, records[0][1]) for _, r, _ in records],
        }
        for n in names
    ]
    return {"table": table, "runs": records, "spread": _spread([r for _, r, _ in records]), "beside": BESIDE}


def _cell(name: str, record: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, object]:
    value, base = record["kpis"].get(name), first["kpis"].get(name)
    if value is None:
        return {"text": "–", "verdict": ""}
    verdict = None if base is None else Difference(name, float(base), float(value), record["currency"]).better
    return {
        "text": words_of(name, float(value), record["currency"]),
        "verdict": {True: "good", False: "alarm", None: ""}[verdict],
    }


def _spread(records: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """Return, by parameter that differs between the runs, how far it moves the total cost: the rows of a tornado, widest first."""
    by_name: dict[str, list[tuple[float, float]]] = {}
    values = [(r["values"], float(r["kpis"].get("total_cost", r["kpis"].get("present_cost", np.nan)))) for r in records]
    for name in {n for own, _ in values for n in own}:
        found = sorted({(float(own[name]), cost) for own, cost in values if name in own})
        if len({v for v, _ in found}) > 1:
            by_name[name] = found
    rows = [
        {"name": n, "low": f[0], "high": f[-1], "width": max(c for _, c in f) - min(c for _, c in f)}
        for n, f in by_name.items()
    ]
    return sorted(rows, key=lambda r: -float(str(r["width"])))
