"""Rolling a decision out over time: decide, let the site settle, decide again, until the horizon ends; the result is a plan."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import ENERGY_CARRIERS, Carrier
from models.dispatch import DispatchProblem, Plan, SolverReport
from models.fleets import need_after, plugged
from models.horizon import HOUR
from models.state import UnitState
from models.station import Balance, Conditions, Station, resolve
from scenarios.costs import RUNNING_KW, Powers, operating_cost

E = Carrier.ELECTRICITY


@dataclass(frozen=True, slots=True)
class Moment:
    """One step as a decision sees it: when, how long, what is asked and offered, what the networks lose."""

    at: datetime
    step_h: float
    conditions: Conditions
    losses_kw: Mapping[Carrier, float]


@dataclass(frozen=True, slots=True)
class Course:
    """What has come of the decisions so far: stored energy, engines' states, and the peak import of the billing period."""

    stored_kwh: Mapping[str, float]
    units: Mapping[str, UnitState]
    peak_import_kw: float


Decide = Callable[[Moment, Course], Mapping[str, float]]


def rolled_out(problem: DispatchProblem, station: Station, decide: Decide, *, source: str) -> Plan:
    """Return the plan that comes of deciding step by step on the problem's forecast."""
    course = start_of(problem)
    balances: list[Balance] = []
    stored: list[Mapping[str, float]] = []
    for now in moments(problem, station):
        balance = resolve(station, now.conditions, decide(now, course), course.stored_kwh, now.step_h, now.losses_kw)
        course = after(station, course, balance, now)
        balances.append(balance)
        stored.append(course.stored_kwh)
    return plan_of(problem, station, balances, stored, source)


def start_of(problem: DispatchProblem) -> Course:
    """Return the course at the start of a problem."""
    initial = problem.initial
    names = [str(a) for a in initial.stored_kwh["asset"].to_numpy()]
    stored = dict(zip(names, initial.stored_kwh.to_numpy().tolist(), strict=True))
    peak = problem.demand.peak_so_far_kw if problem.demand else 0.0
    return Course(stored, dict(initial.units), peak)


def moments(problem: DispatchProblem, station: Station) -> Iterator[Moment]:
    """Yield every step of a problem."""
    names = [str(n) for n in problem.forecast.values["series"].to_numpy()]
    columns = problem.forecast.values.transpose("time", "series").to_numpy().tolist()
    zone = station.site.location.time_zone
    losses = losses_by_step(problem)
    for k, step_h in enumerate(problem.horizon.step_h.tolist()):
        at = problem.horizon.edges[k]
        connected = {f.id: plugged(f, at, zone) for f in station.fleets}
        conditions = station.conditions(dict(zip(names, columns[k], strict=True)), connected)
        yield Moment(at, step_h, conditions, losses[k])


def losses_by_step(problem: DispatchProblem) -> list[dict[Carrier, float]]:
    """Return what each carrier's network loses in every step; nothing where nobody said."""
    if problem.losses_kw is None:
        return [{} for _ in range(len(problem.horizon))]
    carriers = [Carrier(str(c)) for c in problem.losses_kw["carrier"].to_numpy()]
    rows = problem.losses_kw.transpose("time", "carrier").to_numpy().tolist()
    return [dict(zip(carriers, row, strict=True)) for row in rows]


def after(station: Station, course: Course, balance: Balance, now: Moment) -> Course:
    """Return the course behind one step: stores moved, vehicles arrived, engines aged, peak updated."""
    end, zone = now.at + now.step_h * HOUR, station.site.location.time_zone
    stored = dict(balance.stored_kwh)
    stored |= {f.id: need_after(f, stored.get(f.id, 0.0), now.at, end, zone) for f in station.fleets}
    units = dict(course.units)
    for engine in station.chps:
        running = balance.power_kw[engine.id, E] > RUNNING_KW
        before = units.get(engine.id)
        hours = before.hours_in_state if before and before.running == running else 0.0
        units[engine.id] = UnitState(running, hours + now.step_h)
    imported = balance.total_kw(E, (g.id for g in station.grids))
    return Course(stored, units, max(course.peak_import_kw, imported))


def plan_of(
    problem: DispatchProblem,
    station: Station,
    balances: list[Balance],
    stored: list[Mapping[str, float]],
    source: str,
) -> Plan:
    """Return balances in a row as a plan, priced by the site's tariffs."""
    site, horizon = problem.site, problem.horizon
    assets = [a.id for a in site.assets]
    power = _grid(assets, horizon.times.to_numpy(), [b.power_kw for b in balances])
    unserved = _grid(assets, horizon.times.to_numpy(), [b.unserved_kw for b in balances])
    engines = [c.id for c in station.chps]
    running = (power.sel(asset=engines, carrier=E.value, drop=True) > RUNNING_KW).astype(float).rename("running")
    keepers = list(stored[0])
    kept = xr.DataArray(
        np.array([[s[k] for s in stored] for k in keepers]),
        {"asset": keepers, "time": horizon.times},
        ("asset", "time"),
        "stored_kwh",
    )
    cost = operating_cost(site, Powers(horizon, power))
    cost["unserved"] = (
        float((unserved.sum(("asset", "carrier")) * horizon.step_h).sum()) * problem.unserved_price_per_kwh
    )
    if problem.demand:
        imported = power.sel(asset=[g.id for g in station.grids], carrier=E.value).sum("asset")
        peak = float(imported.max())
        cost["demand"] = max(peak - problem.demand.free_kw, 0.0) * problem.demand.price_per_kw
    total = sum(cost.values())
    none = xr.zeros_like(power.isel(asset=0, drop=True)).rename("price_per_kwh")
    return Plan(
        id=f"{source.replace(' ', '-')}-{horizon.start:%Y%m%dT%H%M%S}",
        made_at=horizon.start,
        horizon=horizon,
        power_kw=power,
        stored_kwh=kept,
        running=running,
        unserved_kw=unserved.rename("unserved_kw"),
        cost=cost,
        price_per_kwh=none,
        solver=SolverReport("rule", total, float("-inf"), float("inf"), 0.0, 0.0),
        source=source,
    )


def _grid(
    assets: list[str], times: npt.NDArray[np.datetime64], rows: list[Mapping[tuple[str, Carrier], float]]
) -> xr.DataArray:
    """Return values by (asset, carrier) of every step as an array; 0 where there is no port."""
    row = {a: i for i, a in enumerate(assets)}
    column = {c: i for i, c in enumerate(ENERGY_CARRIERS)}
    values = np.zeros((len(assets), len(ENERGY_CARRIERS), len(rows)))
    for k, ports in enumerate(rows):
        for (asset, carrier), value in ports.items():
            if carrier in column:
                values[row[asset], column[carrier], k] = value
    coords = {"asset": assets, "carrier": [c.value for c in ENERGY_CARRIERS], "time": times}
    return xr.DataArray(values, coords, ("asset", "carrier", "time"), "power_kw")
