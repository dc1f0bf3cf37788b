"""The report of a sweep: how its figures move with the parameters, and which points failed."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from scenarios.cases.case import Case
from scenarios.cases.compare import tornado
from scenarios.cases.file import load_case
from scenarios.cases.results import KPIS, words_of
from scenarios.cases.sweep import confidence, failures, gathered, load_sweep
from service.pictures.cases import sweep_course, sweep_map, sweep_spread, sweep_tornado
from service.reports.document import Document, Grid, Lines, Section, drawing, rows_of, write_document

SHOWN = ("total_cost", "co2_kg", "peak_kw")
DIFFERENT = 1e-9


def write_sweep_report(folder: Path, out: Path) -> None:
    """Write the report of a sweep's folder; ``out`` ends in .html or .pdf. Raises DataError when the folder holds no sweep."""
    sweep = load_sweep(folder)
    case, figures = load_case(sweep.case), gathered(sweep, folder)
    failed = [f"point {k}: {why}" for k, why in failures(sweep, folder).items()]
    with mpl.rc_context(drawing()):
        sections = [
            Section("The question", Lines((case.story or case.title, _words(figures)))),
            *(Section(title, picture) for title, picture in pictures(case, figures)),
            Section("All figures", figures_table(figures)),
            Section("Points that failed", Lines(tuple(failed) or ("None.",))),
        ]
    write_document(Document(f"{case.title}: {len(sweep.points)} runs", "", "en", tuple(sections)), out)


def _words(figures: xr.Dataset) -> str:
    names = [str(n) for n in figures.coords if n not in ("point", "seed")]
    known = int(np.isfinite(figures["total_cost"].to_numpy()).sum()) if "total_cost" in figures else 0
    return f"{figures.attrs['kind'].replace('_', ' ')} over {', '.join(names) or 'the seed'}; {known} of {figures.sizes['point']} runs have a result."


def moving(figures: xr.Dataset) -> list[str]:
    """Return the parameters that a sweep really varies."""
    names = (str(n) for n in figures.coords if n not in ("point", "seed"))
    return [n for n in names if np.ptp(figures[n].to_numpy()) > DIFFERENT]


def pictures(case: Case, figures: xr.Dataset) -> Iterator[tuple[str, Figure]]:
    """Yield the pictures that the kind of sweep asks for, each with its heading."""
    shown = [k for k in SHOWN if k in figures and np.isfinite(figures[k].to_numpy()).any()]
    varied, kind = moving(figures), figures.attrs["kind"]
    for kpi in shown:
        title, unit = KPIS[kpi].title, figures[kpi].attrs["unit"]
        if kind == "one_at_a_time" and len(varied) > 1:
            named = {n: case.parameters[n].title or n for n in varied}
            yield f"{title} by each parameter alone", sweep_tornado(tornado(figures, kpi).rename(named), title, unit)
        elif kind == "grid" and len(varied) > 1:
            yield title, sweep_map(figures, kpi, varied)
        elif varied:
            yield from ((f"{title} against {n}", sweep_course(figures, kpi, n)) for n in varied)
        if kind == "monte_carlo":
            yield f"{title}, how often", sweep_spread(figures, kpi)


def figures_table(figures: xr.Dataset) -> Grid:
    """Return each figure's mean with its interval, least and most."""
    currency = str(figures.attrs["currency"])
    rows = []
    for kpi in (k for k in KPIS if k in figures):
        values = figures[kpi].to_numpy()
        mean, low, high = confidence(values)
        interval = (
            f"{words_of(kpi, low, currency)} … {words_of(kpi, high, currency)}"
            if np.isfinite(low) and figures.attrs["kind"] == "monte_carlo"
            else ""
        )
        ends = (words_of(kpi, float(v), currency) for v in (np.nanmin(values), np.nanmax(values)))
        rows.append((KPIS[kpi].title, words_of(kpi, mean, currency), interval, *ends))
    return Grid(("figure", "mean", "95 % interval of the mean", "least", "most"), rows_of(rows))
