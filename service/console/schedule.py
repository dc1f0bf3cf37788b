"""The schedule's page: what was expected, planned, commanded and measured on one axis; why; and who lets it happen."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from models.carriers import Carrier
from models.components import AnyAsset, Consumer, GridConnection, Pv, Store, Wind
from models.dispatch import Plan
from models.horizon import QUARTER
from models.limits import setpoint_range_kw
from models.site import Site
from service.api.schedules.endpoints import schedules as list_schedules
from service.auth.roles import Deed
from service.console.charts import Axis, Chart, Line, Look, Panel
from service.console.frame import PageRoute, page, seen_by
from service.console.glance import Glance, Glanced
from service.console.live import STORE_COLOUR, starts
from service.history import BIN, Array, Span
from service.memory import MadePlan
from service.schedules.book import four_eyes
from service.views.timeline import Planned, commanded, planned_between

router = APIRouter(include_in_schema=False, route_class=PageRoute)
JOURNAL_SHOWN = 40
SCHEDULES_SHOWN = 12
RUNNING_KW = 1.0
LEASE_S = 3600


@router.get("/schedule", **seen_by(Deed.SEE))
async def schedule(request: Request, look: Glanced) -> HTMLResponse:
    """Return the page of the schedule."""
    site = look.runtime.site
    units = [(a.id, a.title or a.id, setpoint_range_kw(a)) for a in commanded_assets(site)]
    parts = {
        "units": units,
        "steps": plan_steps(look),
        **plan_parts(look),
        **why(look),
        **journal(look),
        **await booked(look),
    }
    return page(request, look.runtime, look.language, "schedule.html", parts, room="schedule")


def commanded_assets(site: Site) -> list[AnyAsset]:
    """Return the assets that take a set-point from somebody."""
    served = {d.asset for d in site.devices}
    return [a for a in site.assets if a.id in served and setpoint_range_kw(a) is not None]


def plan_steps(look: Glance) -> list[datetime]:
    """Return the starts of the newest plan's steps."""
    made = look.memory.plan
    return [] if made is None else list(made.plan.horizon.edges[:-1])


def plan_parts(look: Glance) -> dict[str, object]:
    """Return the newest plan in short, with everything the planner and the twin say of it."""
    made = look.memory.plan
    if made is None:
        return {"made": None, "plan_findings": []}
    check = made.check
    found = [*made.plan.findings, *(() if check is None else check.findings)]
    proof = made.plan.proof
    return {"made": made, "plan_findings": found, "proof": proof, "older": look.memory.plans()[1:8]}


def why(look: Glance) -> dict[str, object]:
    """Return what holds an asset where it is at a step of the newest plan; the first of both where none is chosen."""
    made, site = look.memory.plan, look.runtime.site
    asset = look.asset or next((a.id for a in commanded_assets(site) if isinstance(a, Store)), site.assets[0].id)
    if made is None:
        return {"reasons": [], "why_asset": asset, "why_step": None, "prices": []}
    edges = made.plan.horizon.edges
    names = [e.isoformat() for e in edges[:-1]]
    step = names.index(look.thing) if look.thing in names else 0
    prices = made.plan.price_per_kwh.isel(time=step)
    told = [
        (str(c), float(p))
        for c, p in zip(prices["carrier"].to_numpy(), prices.to_numpy(), strict=True)
        if np.isfinite(p)
    ]
    found = look.runtime.why(made.plan, asset, step)
    return {
        "reasons": list({r.sentence: r for r in found}.values()),
        "why_asset": asset,
        "why_step": edges[step],
        "prices": told,
    }


def journal(look: Glance) -> dict[str, object]:
    """Return the newest commands with what became of them."""
    site = look.runtime.site
    titles = {d.id: site.asset(d.asset).title or d.asset for d in site.devices}
    waiting = look.runtime.desk.waiting()
    return {"journal": look.memory.receipts()[:JOURNAL_SHOWN], "titles": titles, "waiting_commands": waiting}


async def booked(look: Glance) -> dict[str, object]:
    """Return the newest schedules, and whether two people are asked for."""
    found = await list_schedules(look.backing, look.who, look.runtime, SCHEDULES_SHOWN, None)
    async with look.backing.store.reading(look.who.tenant_id) as session:
        eyes = await four_eyes(session)
    in_force = {o.schedule_id for o in look.runtime.orders.current()}
    return {"schedules": found.items, "four_eyes": eyes, "in_force": in_force, "now": look.now, "lease_s": LEASE_S}


def plan_chart(look: Glance) -> Chart:
    """Return forecast with its band, plan, commands and measurements on one axis, with units' runs, stores and prices below."""
    memory, now = look.memory, look.now
    span = memory.history.span(now - look.back, now + BIN)
    planned = planned_between(memory, now, now - look.back, now + look.ahead)
    panels: list[Panel] = []
    lines: list[Line] = []
    for title, unit, weight, own in (
        ("net_import", "kW", 1.5, _import(look, span, planned)),
        ("electric_load", "kW", 1.2, _load(look, span)),
        ("sun_and_wind", "kW", 1.2, _renewable(look, span, planned)),
        ("stores", "%", 1.2, _levels(look, span, planned)),
        ("commitment", "", 1.6, _runs(look, span)),
        ("marginal_price", f"{look.runtime.site.currency}/kWh", 0.8, _prices(look)),
    ):
        made = list(own)
        if made:
            lines += [Line(x.title, x.at, x.values, x.look, x.colour, len(panels), x.upper, x.stack) for x in made]
            panels.append(Panel(look.w[title], unit, weight))
    return Chart("schedule", panels, lines, now=now)


def _seen_at(span: Span) -> list[datetime]:
    return [s + BIN / 2 for s in span.starts]


def _power(look: Glance, values: Array, assets: Sequence[AnyAsset], carrier: Carrier = Carrier.ELECTRICITY) -> Array:
    """Return the summed power of assets on a carrier; ``values`` is (time, asset, carrier)."""
    history = look.memory.history
    rows = [history.assets.index(a.id) for a in assets]
    found: Array = values[:, rows, history.carriers.index(carrier)].sum(axis=1)
    return found


def _expected(look: Glance, what: str) -> Iterator[Line]:
    """Yield what was forecast of a sum, with the band that eight of ten days keep."""
    told = None if look.memory.expected is None else look.memory.expected()
    if told is None:
        return
    low, middle, high = told.rows[what]
    until = look.now + look.ahead
    kept = [k for k, at in enumerate(told.starts) if at < until]
    at = [told.starts[k] for k in kept]
    yield Line(look.w["band"], at, low[kept], Look.BAND, "--forecast", upper=high[kept])
    yield Line(look.w["forecast"], at, middle[kept], Look.STEP, "--forecast")


def _import(look: Glance, span: Span, planned: Planned) -> Iterator[Line]:
    grids = look.runtime.site.of_kind(GridConnection)
    yield from _expected(look, "net")
    yield Line(look.w["measured"], _seen_at(span), _power(look, span.mean_kw, grids))
    at = starts(planned.start, QUARTER, len(planned.power_kw))
    yield Line(look.w["planned"], at, _power(look, planned.power_kw, grids), Look.DASHED, "--ink")
    cap_kw = None if look.memory.plan is None else look.memory.plan.peak_cap_kw
    if cap_kw is not None and at:
        yield Line(look.w["peak_cap"], [look.now, at[-1]], [cap_kw, cap_kw], Look.DASHED, "--alarm")


def _load(look: Glance, span: Span) -> Iterator[Line]:
    users = [a for a in look.runtime.site.of_kind(Consumer) if Carrier.ELECTRICITY in a.ports()]
    yield from _expected(look, "load")
    yield Line(look.w["measured"], _seen_at(span), -_power(look, span.mean_kw, users))


def _renewable(look: Glance, span: Span, planned: Planned) -> Iterator[Line]:
    fields: list[AnyAsset] = [*look.runtime.site.of_kind(Pv), *look.runtime.site.of_kind(Wind)]
    yield from _expected(look, "renewable")
    yield Line(look.w["measured"], _seen_at(span), _power(look, span.mean_kw, fields))
    at = starts(planned.start, QUARTER, len(planned.power_kw))
    yield Line(look.w["planned"], at, _power(look, planned.power_kw, fields), Look.DASHED, "--ink")


def _levels(look: Glance, span: Span, planned: Planned) -> Iterator[Line]:
    history = look.memory.history
    ends = starts(planned.start, QUARTER, len(planned.stored_kwh), 1.0)
    for store in (a for a in look.runtime.site.assets if isinstance(a, Store)):
        row, colour = history.assets.index(store.id), STORE_COLOUR.get(store.kind, "--faint")
        share, title = 100.0 / store.energy_kwh, store.title or store.id
        yield Line(title, _seen_at(span), share * span.stored_kwh[:, row], Look.LINE, colour)
        yield Line(f"{title}, {look.w['planned']}", ends, share * planned.stored_kwh[:, row], Look.DASHED, colour)


def _runs(look: Glance, span: Span) -> Iterator[Line]:
    """Yield when every unit with commitment ran, and when the newest plan lets it run."""
    history, made = look.memory.history, look.memory.plan
    if made is None:
        return
    plan, until = made.plan, look.now + look.ahead
    coming = [k for k, e in enumerate(plan.horizon.edges[:-1]) if e < until]
    for unit in map(str, plan.running["asset"].to_numpy()):
        asset = look.runtime.site.asset(unit)
        seen = np.abs(span.mean_kw[:, history.assets.index(unit), history.carriers.index(asset.control)]) > RUNNING_KW
        past = [(s, float(on)) for s, on in zip(span.starts, seen, strict=True) if s < plan.horizon.start]
        row = plan.running.sel(asset=unit).to_numpy()
        rows = [
            *past,
            *((plan.horizon.edges[k], float(row[k])) for k in coming),
            (plan.horizon.edges[len(coming)], 0.0),
        ]
        yield Line(asset.title or unit, [at for at, _ in rows], [on for _, on in rows], Look.RUNS, f"--k-{asset.kind}")


def _prices(look: Glance) -> Iterator[Line]:
    made = look.memory.plan
    if made is None:
        return
    plan, until = made.plan, look.now + look.ahead
    kept = [k for k, e in enumerate(plan.horizon.edges[:-1]) if e < until]
    for carrier in map(str, plan.price_per_kwh["carrier"].to_numpy()):
        values = plan.price_per_kwh.sel(carrier=carrier).to_numpy()[kept]
        if carrier in look.w and np.isfinite(values).any():
            yield Line(look.w[carrier], [plan.horizon.edges[k] for k in kept], values, Look.STEP, f"--c-{carrier}")


def cost_chart(look: Glance) -> Chart:
    """Return what the newest plan costs, by part."""
    panel = Panel(look.w["cost_parts"], look.runtime.site.currency)
    made = look.memory.plan
    cost = {} if made is None else {k: v for k, v in made.plan.cost.items() if abs(v) >= 0.5}
    names = [look.w.get(f"cost_{k}", k) for k in cost]
    return Chart(
        "cost",
        [panel],
        [Line(look.w["cost_parts"], names, list(cost.values()), Look.BARS)],
        Axis.NAMES,
        look.w["cost_parts"],
        across=True,
    )


def unit_chart(look: Glance) -> Chart:
    """Return one unit's plan over the whole horizon beside what it was told and did; its reserve where it holds any."""
    made, memory = look.memory.plan, look.memory
    site = look.runtime.site
    asset = site.asset(look.asset)
    told = [c for c in commanded(memory, asset.id, look.now - look.back) if c.outcome == "applied"]
    lines = [Line(look.w["commanded"], [c.at for c in told], [c.setpoint_kw for c in told], Look.STEP, "--told")]
    lines += [] if made is None else _planned_lines(look, made, asset)
    return Chart("unit", [Panel(asset.title or asset.id, "kW")], lines, now=look.now)


def _planned_lines(look: Glance, made: MadePlan, asset: AnyAsset) -> Iterator[Line]:
    plan: Plan = made.plan
    for carrier in asset.ports():
        if carrier.value in plan.power_kw["carrier"].to_numpy():
            values = plan.power_kw.sel(asset=asset.id, carrier=carrier.value).to_numpy()
            yield Line(look.w[carrier.value], list(plan.horizon.edges[:-1]), values, Look.STEP, f"--c-{carrier}")


def day_before(look: Glance) -> Chart:
    """Return the import of the last day beside the day before it, hour on hour."""
    now, memory = look.now, look.memory
    lines = []
    for word, shift, colour in (("this_day", timedelta(0), "--accent"), ("day_before", timedelta(days=1), "--faint")):
        span = memory.history.span(now - shift - timedelta(days=1), now - shift)
        grid = _power(look, span.mean_kw, look.runtime.site.of_kind(GridConnection))
        lines.append(Line(look.w[word], [s + shift + BIN / 2 for s in span.starts], grid, Look.LINE, colour))
    return Chart("days", [Panel(look.w["import_now"], "kW")], lines)
