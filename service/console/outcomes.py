"""What came of customers' and traders' studies, as their pages show it: a package with its bills, offers with their proof, matches, sweeps."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import HTTPException

from models.errors import DataError
from models.offers import OfferCurve, OfferSet
from service.commands.offers import KILO, MICRO, read_offers
from service.console.charts import Axis, Chart, Line, Look, Panel
from service.console.figures import grouped, local_time
from service.console.glance import Glance
from service.console.portraits import typical_of, year_of
from service.console.traded import earned_chart, trade_day_view, traded_chart
from service.jobs.job import Job, JobState

Parts = dict[str, object]


def view_of(look: Glance, job: Job) -> Parts:
    """Return what the page of a study of customers or traders shows beside its tables; ``view`` names its template, "" where there is none."""
    folder = job.folder(look.backing.results)
    if job.kind not in VIEW_CHARTS or job.state is not JobState.DONE:
        return {"view": "", "view_charts": [], "pdf": (folder / "result.pdf").exists()}
    own = {"offers": _offers, "trade_day": trade_day_view}.get(job.kind)
    parts = {"made": _document(folder)} if own is None else own(look, folder)
    return {"view": job.kind, "view_charts": VIEW_CHARTS[job.kind], "pdf": (folder / "result.pdf").exists(), **parts}


def _document(folder: Path) -> object:
    found: object = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return found


def _offers(look: Glance, folder: Path) -> Parts:
    """Return a day's offers: a row per interval, what was proven, and the intervals whose curves can be drawn."""
    made = read_offers(folder / "result.json")
    return {
        "offer_rows": [_offer_row(made, c) for c in (*made.curves, *made.reserve)],
        "hours": [(str(k), local_time(c.start, made.time_zone, "%H:%M")) for k, c in enumerate(made.curves)],
        "proof": list(_proven(look, made)),
        "accepted": made.proof.accepted,
        "offers_currency": made.currency,
    }


def _offer_row(made: OfferSet, curve: OfferCurve) -> tuple[object, ...]:
    """Return one interval: when, steps, prices, kWh at the lowest, middle and highest of them, and what a MWh costs and gives up in the middle."""
    middle = curve.steps[len(curve.steps) // 2]
    kwh = [grouped(s.quantity_wh / KILO) for s in (curve.steps[0], middle, curve.steps[-1])]
    prices = [grouped(s.price_micro / MICRO) for s in (curve.steps[0], curve.steps[-1])]
    worth = [grouped(KILO * v) for v in (middle.marginal_cost_per_kwh, middle.store_value_per_kwh)]
    clock = local_time(curve.start, made.time_zone, "%H:%M")
    return (f"{clock} {curve.contract}".strip(), len(curve.steps), " … ".join(prices), *kwh, *worth)


def _proven(look: Glance, made: OfferSet) -> Iterator[tuple[str, str]]:
    """Yield what was replayed before the offers left the house, by name."""
    w, proof = look.w, made.proof
    yield w["offers_replayed"], grouped(proof.replayed)
    yield w["offers_violated"], grouped(proof.violated)
    yield w["offers_loss_error"], f"{grouped(proof.loss_error_kw, 1)} kW"
    yield w["offers_calls"], f"{grouped(proof.failed_calls)} / {grouped(proof.calls)}"
    yield w["offers_paths"], proof.paths_hash
    yield w["offers_grid"], proof.network_revision or "–"
    yield w["offers_profiles"], grouped(len(made.profiles))
    yield w["offers_expected"], f"{grouped(made.expected_cost)} {made.currency}"
    for kind, worst in proof.worst.items():
        yield f"{w['offers_violated']}: {kind}", f"{worst:.2g}"


def _made(look: Glance, job: Job) -> Any:
    """Return the result of a study, which any kind of study may have left; None where there is none."""
    path = job.folder(look.backing.results) / "result.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def sweep_chart(look: Glance, job: Job) -> Chart:
    """Return every point's cost over each parameter that the sweep moved."""
    made = _made(look, job)
    made = made if isinstance(made, dict) else {}
    points = [p for p in made.get("points", ()) if "total_cost" in p["kpis"]]
    names = [n for n in (points[0]["values"] if points else ()) if len({p["values"][n] for p in points}) > 1]
    name = look.thing if look.thing in names else next(iter(names), "")
    if not name:
        return Chart("sweep", [Panel(look.w["moves_cost"], "")], [], Axis.NUMBER)
    found = sorted((p["values"][name], p["kpis"]["total_cost"]) for p in points)
    line = Line(look.w["total_cost"], [x for x, _ in found], [y for _, y in found], Look.POINTS)
    return Chart("sweep", [Panel(look.w["total_cost"], made["currency"])], [line], Axis.NUMBER, name)


def _read(look: Glance, job: Job) -> OfferSet:
    try:
        return read_offers(job.folder(look.backing.results) / "result.json")
    except DataError as fault:
        raise HTTPException(404, f"Job {job.id} has no offers: {fault}") from None


def offers_chart(look: Glance, job: Job) -> Chart:
    """Return what is offered over the day: from the lowest to the highest price, and what a kWh costs and gives up in between."""
    made, w = _read(look, job), look.w
    at = [c.start for c in made.curves]
    low, high = ([c.steps[k].quantity_wh / KILO for c in made.curves] for k in (0, -1))
    middle = [c.steps[len(c.steps) // 2] for c in made.curves]
    prices = [[c.steps[k].price_micro / MICRO for c in made.curves] for k in (0, -1)]
    per_mwh = f"{made.currency}/MWh"
    lines = [
        Line(w["offers_range"], at, low, Look.BAND, "--accent", upper=high),
        Line(w["offers_middle"], at, [s.quantity_wh / KILO for s in middle], Look.STEP, "--accent"),
        Line(w["offers_prices"], at, prices[0], Look.BAND, "--forecast", 1, upper=prices[1]),
        Line(w["offers_marginal"], at, [KILO * s.marginal_cost_per_kwh for s in middle], Look.STEP, "--k-chp", 1),
        Line(w["offers_stored"], at, [KILO * s.store_value_per_kwh for s in middle], Look.DASHED, "--k-battery", 1),
    ]
    return Chart("offers", [Panel(w["offers_quantity"], "kWh", 1.4), Panel(w["price"], per_mwh)], lines)


def curve_chart(look: Glance, job: Job) -> Chart:
    """Return one interval's curve: what is fed at which price; ``thing`` is the interval's number."""
    made = _read(look, job)
    number = int(look.thing) if look.thing.isdigit() else 0
    if number >= len(made.curves):
        raise HTTPException(404, f"The day has {len(made.curves)} intervals, there is none with the number {number}.")
    steps = made.curves[number].steps
    prices = [s.price_micro / MICRO for s in steps]
    line = Line(look.w["offers_quantity"], prices, [s.quantity_wh / KILO for s in steps], Look.STEP)
    axis = f"{made.currency}/MWh"
    return Chart("curve", [Panel(look.w["offers_quantity"], "kWh")], [line], Axis.NUMBER, axis)


def bill_chart(look: Glance, job: Job) -> Chart:
    """Return every month's bill before and after a package."""
    made = _made(look, job)
    bill = made.get("bill") if isinstance(made, dict) else None
    if not bill:
        raise HTTPException(404, f"Job {job.id} has no bills; ask for the design of a package.")
    months = bill[1:-1]  # a head before, the sum behind
    names = [m[0] for m in months]
    lines = [
        Line(look.w[word], names, [_amount(m[k]) for m in months], Look.BARS, colour)
        for k, (word, colour) in enumerate((("bill_before", "--faint"), ("bill_after", "--accent")), start=1)
    ]
    return Chart("bill", [Panel(look.w["bill_by_month"], "")], lines, Axis.NAMES, look.w["month"])


def portrait_year(look: Glance, job: Job) -> Chart:
    """Return the year of a portrait's first meter by day and hour."""
    shapes = _shapes(look, job)
    return year_of(look, shapes["days"], np.array(shapes["year_kw"], dtype=float))


def portrait_days(look: Glance, job: Job) -> Chart:
    """Return the mean working and free day of a portrait's first meter."""
    return typical_of(look, np.array(_shapes(look, job)["typical_kw"], dtype=float))


def _shapes(look: Glance, job: Job) -> Mapping[str, Any]:
    made = _made(look, job)
    if not isinstance(made, list) or not made or "shapes" not in made[0]:
        raise HTTPException(404, f"Job {job.id} has no shapes of load; ask for a portrait.")
    found: Mapping[str, Any] = made[0]["shapes"]
    return found


def _amount(text: str) -> float:
    try:
        return float(Decimal(text.replace(",", "")))
    except InvalidOperation:
        return float("nan")


VIEW_CHARTS: Mapping[str, list[str]] = {
    "portrait": ["year", "typical"],
    "package": ["bill"],
    "matching": [],
    "offers": ["offers"],
    "sweep": ["sweep"],
    "trade_day": ["traded", "earned"],
}
"""Studies with a page of their own, and the charts at its end."""
CHARTS: Mapping[str, Callable[[Glance, Job], Chart]] = {
    "offers": offers_chart,
    "curve": curve_chart,
    "bill": bill_chart,
    "year": portrait_year,
    "typical": portrait_days,
    "sweep": sweep_chart,
    "traded": traded_chart,
    "earned": earned_chart,
}
