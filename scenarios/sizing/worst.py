"""The worst weeks of a year: found in its demand and weather, planned with the sizes chosen, and replayed by the twin on the networks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import Consumer, Pv, Wind
from models.dispatch import DispatchProblem, Plan, PlanCheck
from models.forecast import Forecast
from models.horizon import Horizon
from models.site import Site
from scenarios.checked import checked_plan
from scenarios.problem import Horizons
from twin.state import start_snapshot

Floats = npt.NDArray[np.float64]
WEEK_H = 168
GAP_SHARE = 5e-3
"""How near to its bound the plan of a week comes: it is replayed for what the networks make of it, not for its last per mille."""


@dataclass(frozen=True, slots=True)
class WorstWeek:
    """A week that is worst in something, what was planned for it, and what the twin says."""

    why: str
    start: datetime
    plan: Plan
    check: PlanCheck

    @property
    def unserved_kwh(self) -> float:
        """Demand that the plan leaves unmet."""
        return float((self.plan.unserved_kw.sum(("asset", "carrier")) * self.plan.horizon.step_h).sum())


def replay_worst_weeks(
    site: Site, year: DispatchProblem, *, most: int = 3, deadline_s: float = 60.0
) -> tuple[WorstWeek, ...]:
    """Return the worst weeks of a year on ``site``, at most ``most`` of them, planned by the hour and replayed on the full model."""
    found = []
    for start, why in list(worst_starts(site, year).items())[:most]:
        problem = _week(site, year, start)
        plan, check = checked_plan(site, problem, deadline_s)
        found.append(WorstWeek(why, problem.horizon.start, plan, check))
    return tuple(found)


def worst_starts(site: Site, year: DispatchProblem) -> dict[int, str]:
    """Return the first hour of every worst week, gravest kind first, with what it is worst in; weeks are counted from the year's start."""
    found: dict[int, str] = {}
    for what, kw in _stresses(site, year):
        if kw.max() <= 0:
            continue
        week = min(int(kw.argmax()) // WEEK_H, len(kw) // WEEK_H - 1)
        start = max(week, 0) * WEEK_H
        found[start] = f"{found[start]}, {what}" if start in found else what
    return found


def _stresses(site: Site, year: DispatchProblem) -> Iterator[tuple[str, Floats]]:
    """Yield what a network can suffer from, by the hour."""
    values = year.forecast.values.transpose("series", "time")
    series: Mapping[str, Floats] = dict(zip(values["series"].values.tolist(), values.values, strict=True))
    need = {c: _demand(site, c, series, len(year.horizon)) for c in (Carrier.ELECTRICITY, Carrier.HEAT, Carrier.COLD)}
    fields: tuple[Pv | Wind, ...] = (*site.of_kind(Pv), *site.of_kind(Wind))
    offered = sum((u.available_kw(series[u.profile]) for u in fields), np.zeros(len(year.horizon)))
    yield "highest load", need[Carrier.ELECTRICITY]
    yield "most sun and wind over load", offered - need[Carrier.ELECTRICITY]
    yield "highest heat demand", need[Carrier.HEAT]
    yield "highest cold demand", need[Carrier.COLD]


def _demand(site: Site, carrier: Carrier, series: Mapping[str, Floats], steps: int) -> Floats:
    drawn = (d.scale * series[d.profile] for c in site.of_kind(Consumer) for d in c.demands if d.carrier is carrier)
    return sum(drawn, np.zeros(steps))


def _week(site: Site, year: DispatchProblem, first: int) -> DispatchProblem:
    """Return a week of the year as a problem of its own, from half-full stores."""
    steps = min(WEEK_H, len(year.horizon))
    horizon = Horizon(year.horizon.edges[first : first + steps + 1])
    forecast = Forecast(horizon.start, horizon, year.forecast.values.isel(time=slice(first, first + steps)), "profiles")
    return replace(
        year,
        site=site,
        horizon=horizon,
        forecast=forecast,
        initial=start_snapshot(site, horizon.start),
        ends=Horizons().ends.terms(site),
        gap_share=GAP_SHARE,
    )
