"""From a solution back to the words of the site: powers, stored energy, running units, cost parts, prices, and what is missing."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import Carrier
from models.components import Meter
from models.dispatch import Plan, SolverReport
from models.findings import Finding, error
from models.horizon import Horizon
from models.labelled import Axis, labelled, named, time_axis
from models.told import Told, told
from optimizers import units
from optimizers.blocks.book import Alike, Block, Book, Facts, Feed, Values
from optimizers.blocks.converters import CurvedChiller
from optimizers.blocks.engines import EngineBlock
from optimizers.compile.program import CompiledModel
from optimizers.compile.rules import Series
from optimizers.session import Program

Floats = npt.NDArray[np.float64]
MISSING_KW = 0.01
"""Smaller gaps are rounding of the solver."""


@dataclass(frozen=True)
class Outcome:
    """A solved program with everything needed to read it."""

    facts: Facts
    book: Book
    blocks: Sequence[Block]
    carriers: Sequence[Carrier]
    model: CompiledModel
    parameters: Values
    cost_weights: Floats
    x: Floats
    row_dual: Floats | None
    program: Program | None = None
    """The program whose duals ``row_dual`` are; it may have more rows and columns behind those of the model."""
    short_kw: Mapping[tuple[str, Carrier], Floats] = field(default_factory=dict)
    """What each asset goes without by (asset, carrier), where the program chose it; otherwise a carrier's gap is shared among all."""

    def column(self, asset: str, quantity: str) -> Floats:
        """Return a family of columns over the steps of the horizon."""
        return self.x[self.model.column(asset, quantity).steps]

    @property
    def groups(self) -> list[Alike]:
        """The blocks that plan equal units as one count."""
        return [b for b in self.blocks if isinstance(b, EngineBlock | CurvedChiller)]

    def number(self, series: Series) -> Floats:
        """Return a parameter over the steps of the horizon."""
        value = np.asarray(self.parameters[series.name], float)
        return value if value.ndim else np.full(len(self.facts.step_h), value)


def plan_of(outcome: Outcome, report: SolverReport, findings: Sequence[Finding]) -> Plan:
    """Return the plan of a solved program; ``findings`` are those made before it was solved."""
    problem = outcome.facts.problem
    running = dict(_running(outcome))
    power = _powers(outcome, running)
    unserved = _unserved(outcome)
    for port, short_kw in unserved.items():
        power[port] += short_kw
    names = [a.id for a in problem.site.assets if not isinstance(a, Meter)]
    return Plan(
        id=_plan_id(problem.horizon, outcome.x),
        made_at=problem.initial.at,
        horizon=problem.horizon,
        power_kw=_ports(power, names, outcome),
        stored_kwh=_table(_stored(outcome), problem.horizon),
        running=_table(running, problem.horizon),
        unserved_kw=_ports(unserved, sorted({a for a, _ in unserved}), outcome),
        cost=_cost_parts(outcome),
        price_per_kwh=_prices(outcome),
        solver=report,
        findings=(*findings, *_missing(outcome, unserved)),
        reserve_kw=_reserve(outcome, running),
        supply_degc=problem.supply_degc,
    )


def _plan_id(horizon: Horizon, x: Floats) -> str:
    """Return an id that the same plan gets again."""
    return f"plan-{horizon.start:%Y%m%dT%H%M%SZ}-{hashlib.sha256(x.tobytes()).hexdigest()[:8]}"


def _running(outcome: Outcome) -> Iterator[tuple[str, Floats]]:
    """Yield (asset, running) for every unit with a yes or no; equal units are told apart here."""
    facts, grouped = outcome.facts, set[str]()
    for block in outcome.groups:
        grouped.add(block.name)
        count = outcome.column(block.name, "on")
        states = [facts.unit(i) for i in block.unit_ids]
        in_service = np.array([facts.share(i) for i in block.unit_ids])
        yield from zip(block.unit_ids, units.split_count(count, states, in_service, facts.start_h), strict=True)
    for column in outcome.book.f.columns.values():
        if column.quantity == "on" and column.asset not in grouped:
            yield column.asset, outcome.column(column.asset, "on")


def _powers(outcome: Outcome, running: dict[str, Floats]) -> dict[tuple[str, Carrier], Floats]:
    """Return power by (asset, carrier); a group's power is shared among its engines."""
    found: dict[tuple[str, Carrier], Floats] = defaultdict(lambda: np.zeros(len(outcome.facts.step_h)))
    for feed in outcome.book.feeds:
        found[feed.asset, feed.carrier] += _fed(outcome, feed)
    for draw in outcome.book.draws:
        found[draw.asset, draw.carrier] -= outcome.number(draw.wanted)
    for block in outcome.groups:
        carried = units.shares(np.array([running[i] for i in block.unit_ids]))
        for port in [p for p in found if p[0] == block.name]:
            group_kw = found.pop(port)
            found |= {(i, port[1]): group_kw * share for i, share in zip(block.unit_ids, carried, strict=True)}
    return found


def _unserved(outcome: Outcome) -> dict[tuple[str, Carrier], Floats]:
    """Return what each asset is short of by (asset, carrier): all who draw from a carrier are left short by the same share."""
    found: dict[tuple[str, Carrier], Floats] = {}
    chosen = {carrier for _, carrier in outcome.short_kw}
    for carrier in outcome.carriers:
        wanted = {d.asset: outcome.number(d.wanted) for d in outcome.book.draws if d.carrier is carrier}
        if wanted and carrier not in chosen:
            total = np.sum(list(wanted.values()), axis=0)
            short_kw = outcome.column(carrier.value, "unserved_kw")
            share = np.divide(short_kw, total, out=np.zeros_like(total), where=total > 0)
            found |= {(asset, carrier): kw * share for asset, kw in wanted.items()}
    return found | dict(outcome.short_kw)


def _fed(outcome: Outcome, feed: Feed) -> Floats:
    factor = outcome.number(feed.factor) if isinstance(feed.factor, Series) else feed.factor
    return factor * outcome.column(feed.column.asset, feed.column.quantity)


def _stored(outcome: Outcome) -> dict[str, Floats]:
    columns = outcome.book.f.columns.values()
    return {c.asset: outcome.column(c.asset, c.quantity) for c in columns if c.quantity == "stored_kwh"}


def _ports(found: dict[tuple[str, Carrier], Floats], names: Sequence[str], outcome: Outcome) -> xr.DataArray:
    """Return values by (asset, carrier) as one array, 0 where an asset has no port."""
    values = np.zeros((len(names), len(outcome.carriers), len(outcome.facts.step_h)))
    row = {name: k for k, name in enumerate(names)}
    column = {carrier: k for k, carrier in enumerate(outcome.carriers)}
    for (asset, carrier), numbers in found.items():
        values[row[asset], column[carrier]] = numbers
    return labelled(values + 0.0, named("asset", names), _carriers(outcome), time_axis(outcome.facts.problem.horizon))


def _carriers(outcome: Outcome) -> Axis:
    return named("carrier", [c.value for c in outcome.carriers])


def _reserve(outcome: Outcome, running: dict[str, Floats]) -> xr.DataArray | None:
    """Return what every provider holds for every contract; equal engines hold it in the shares that they run."""
    site = outcome.facts.problem.site
    if not site.reserves:
        return None
    members = {b.name: b.unit_ids for b in outcome.groups}
    units_ = list(dict.fromkeys(p for c in site.reserves for p in c.providers))
    found = np.zeros((len(site.reserves), len(units_), len(outcome.facts.step_h)))
    for k, contract in enumerate(site.reserves):
        for column in (c for c in outcome.book.f.columns.values() if c.quantity == f"reserve_{contract.id}_kw"):
            ids = members.get(column.asset, (column.asset,))
            held = outcome.column(column.asset, column.quantity)
            runs = np.array([running.get(i, np.ones(len(held))) for i in ids])
            share = np.where(runs.sum(axis=0) > 0, units.shares(runs), 1.0 / len(ids))
            for unit, part in zip(ids, share, strict=True):
                found[k, units_.index(unit)] = held * part
    coords = {"contract": [c.id for c in site.reserves], "asset": units_, "time": outcome.facts.times}
    return xr.DataArray(found + 0.0, coords, ("contract", "asset", "time"))


def _table(found: dict[str, Floats], horizon: Horizon) -> xr.DataArray:
    values = np.array(list(found.values())).reshape(len(found), len(horizon))
    return labelled(values, named("asset", list(found)), time_axis(horizon))


def _cost_parts(outcome: Outcome) -> dict[str, float]:
    """Return the objective by part, as it was minimised."""
    model, parts, start = outcome.model, defaultdict[str, float](float), 0
    paid = outcome.cost_weights * np.append(outcome.x, 1.0)[model.cost_columns]
    for part, _, end in model.costs:
        parts[part] += float(paid[start:end].sum())
        start = end
    return dict(parts)


def _prices(outcome: Outcome) -> xr.DataArray:
    """Return the marginal cost of one more kWh per carrier and step; NaN when there are no duals."""
    dual = outcome.row_dual if outcome.row_dual is not None else np.full(outcome.model.row_count, np.nan)
    rows = [dual[outcome.model.row(c.value, "balance").span] / outcome.facts.step_h for c in outcome.carriers]
    return labelled(np.array(rows), _carriers(outcome), time_axis(outcome.facts.problem.horizon))


def _missing(outcome: Outcome, unserved: dict[tuple[str, Carrier], Floats]) -> Iterator[Finding]:
    """Yield what the plan cannot meet: which asset, when, how many kW."""
    horizon, step_h = outcome.facts.problem.horizon, outcome.facts.step_h
    for (asset, carrier), short_kw in unserved.items():
        if short_kw.max() > MISSING_KW:
            named = told(carrier.value, carrier.value)
            lacks = told("lacks_carrier", "cannot be given all its {carrier}", carrier=named)
            yield _gap(asset, lacks, short_kw, horizon, step_h)
    for carrier in outcome.carriers:
        for quantity, what in (
            ("lacking_kw", told("lacks_supply", "lacks supply for its losses")),
            ("spare_kw", told("spare_supply", "has supply that nobody can take")),
        ):
            gap_kw = outcome.column(carrier.value, quantity)
            if gap_kw.max() > MISSING_KW:
                yield _gap(carrier.value, what, gap_kw, horizon, step_h)
    yield from _overdrawn(outcome)
    yield from _undelivered(outcome)
    for name in (c.asset for c in outcome.book.f.columns.values() if c.quantity == "late_kwh"):
        late_kwh = outcome.column(name, "late_kwh")
        if late_kwh.sum() > MISSING_KW:
            when = horizon.edges[int(np.argmax(late_kwh))]
            late = float(late_kwh.sum())
            pattern = "vehicles leave with {late:.1f} kWh too little, most of it at {when:%Y-%m-%d %H:%M} UTC"
            yield error(name, told("vehicles_late", pattern, late=late, when=when), value=late)


def _overdrawn(outcome: Outcome) -> Iterator[Finding]:
    """Yield what the plan emits beyond its budget."""
    cap = outcome.facts.problem.co2_cap
    if cap is not None and (over_kg := float(outcome.column("co2", "over_kg")[0])) > MISSING_KW:
        pattern = "the plan emits {over:.1f} kg more than the {left:.1f} kg that are left; raise the budget or the price of going beyond it"
        yield error("co2", told("co2_over", pattern, over=over_kg, left=cap.left_kg), value=over_kg, limit=cap.left_kg)


def _undelivered(outcome: Outcome) -> Iterator[Finding]:
    """Yield reserve and reductions that were agreed and cannot be given."""
    problem = outcome.facts.problem
    less = told("less_capacity", "holds less capacity than it was awarded")
    kinds = [(c.id, less) for c in problem.site.reserves]
    kinds += (
        [("demand_response", told("no_reduction", "does not reduce its import as agreed"))] if problem.events else []
    )
    for name, what in kinds:
        missing_kw = outcome.column(name, "missing_kw")
        if missing_kw.max() > MISSING_KW:
            yield _gap(name, what, missing_kw, problem.horizon, outcome.facts.step_h)


def _gap(asset: str, what: Told, short_kw: Floats, horizon: Horizon, step_h: Floats) -> Finding:
    steps = np.flatnonzero(short_kw > MISSING_KW)
    worst = int(short_kw.argmax())
    start, end = horizon.edges[int(steps[0])], horizon.edges[int(steps[-1]) + 1]
    pattern = (
        "{what}: {kw:.1f} kW are missing at {at:%Y-%m-%d %H:%M} UTC, "
        "{kwh:.1f} kWh in {steps} steps between {start:%Y-%m-%d %H:%M} UTC and {end:%Y-%m-%d %H:%M} UTC"
    )
    facts = {"what": what, "kw": short_kw[worst], "at": horizon.edges[worst], "kwh": float(short_kw @ step_h)}
    words = told("gap", pattern, **facts, steps=len(steps), start=start, end=end)
    return error(asset, words, value=float(short_kw[worst]))
