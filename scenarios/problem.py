"""Putting a dispatch problem together: from what is measured, expected and billed to what a planner is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

import numpy as np
import xarray as xr

from models.components import Store
from models.dispatch import DemandTerms, DispatchProblem, EndTerm, Plan, PlanCheck
from models.forecast import Forecast
from models.horizon import QUARTER, Horizon
from models.site import Site
from models.state import Snapshot
from models.tariffs.terms import BilledSoFar
from models.tariffs.time_of_use import BillingPeriod
from scenarios.costs import MONTHS_PEAK, demand_price_per_kw, demand_prices_per_kw


class Planner(Protocol):
    """Something that answers a dispatch problem with a plan: the optimizer, a rule, a plan made before."""

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return a plan; raises a PlanningError or ProblemError when there is none."""
        ...


class Checker(Protocol):
    """Something that replays a plan and says what does not hold."""

    def __call__(self, plan: Plan, initial: Snapshot, forecast: Forecast) -> PlanCheck:
        """Return the verdict with the losses found."""
        ...


@dataclass(frozen=True, slots=True)
class EndRule:
    """How full stores should be at the end of a horizon.

    Above ``target_share`` of its content a store's energy earns its end value, below it a missing kWh costs ``short_price_per_kwh``
    (or the end value, where that is more): the target bends before the plan breaks.
    """

    target_share: float = 0.2
    short_price_per_kwh: float = 1.0

    def terms(self, site: Site) -> dict[str, EndTerm]:
        """Return the end term of every store."""
        return {
            s.id: EndTerm(
                s.stored_min_kwh + self.target_share * (s.stored_max_kwh - s.stored_min_kwh),
                s.end_value_per_kwh,
                max(self.short_price_per_kwh, s.end_value_per_kwh),
            )
            for s in site.of_kind(Store)
        }


@dataclass(frozen=True, slots=True)
class Horizons:
    """How far and how finely a rolling plan looks: quarter-hours, then hours, yes-or-no decisions only for the first hours.

    ``until`` is where a run that is judged by itself ends: no plan looks further.
    """

    quarters: int = 16
    hours: int = 20
    integer_h: float | None = 3.0
    ends: EndRule = field(default_factory=EndRule)
    until: datetime | None = None

    def starting(self, at: datetime) -> Horizon:
        """Return the steps of a plan that starts at ``at``, at least one."""
        if self.until is None:
            return Horizon.quarters_then_hours(at, quarters=self.quarters, hours=self.hours)
        left = max((self.until - at) // QUARTER, 1)
        if left <= self.quarters:
            return Horizon.quarters_then_hours(at, quarters=left, hours=0)
        # quarter-hours that make no whole hour go to the fine part
        hours, odd = divmod(left - self.quarters, 4)
        if hours >= self.hours:
            return Horizon.quarters_then_hours(at, quarters=self.quarters, hours=self.hours)
        return Horizon.quarters_then_hours(at, quarters=self.quarters + odd, hours=hours)


def demand_terms(site: Site, period: BillingPeriod, peak_so_far_kw: float, floor_kw: float) -> DemandTerms:
    """Return how the peak of a billing period counts: at its full price above the larger of peak so far and floor."""
    return DemandTerms(demand_price_per_kw(site, period), peak_so_far_kw, floor_kw)


def demand_windows(
    site: Site, period: BillingPeriod, peaks_so_far_kw: Mapping[str, float] = MappingProxyType({})
) -> dict[str, DemandTerms]:
    """Return how peaks within windows of the tariffs count, by name: at their price above what the period has seen in each."""
    prices = demand_prices_per_kw(site, period)
    return {
        name: DemandTerms(max(price), peaks_so_far_kw.get(name, 0.0))
        for name, price in prices.items()
        if name != MONTHS_PEAK
    }


def billed_so_far(snapshot: Snapshot) -> BilledSoFar:
    """Return what the billing period has seen of blocks and netting; nothing under tariffs that have neither.

    Energy behind the horizon is not guessed: a kWh costs what it adds to the bill as the period stands.
    """
    month = snapshot.month
    return BilledSoFar() if month is None else BilledSoFar(bought_kwh=month.bought_kwh, net_kwh=month.net_kwh)


def losses_on(check: PlanCheck | None, horizon: Horizon) -> xr.DataArray | None:
    """Return the losses that a replay found, on another horizon: each step takes the replayed step that its start falls into."""
    if check is None:
        return None
    known = check.losses_kw["time"].to_numpy()
    place = np.searchsorted(known, horizon.times.to_numpy(), side="right") - 1
    taken = check.losses_kw.transpose("carrier", "time").isel(time=np.clip(place, 0, len(known) - 1))
    return taken.assign_coords(time=horizon.times)


def mean_series(history: list[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each series over the last measurements that have it."""
    if len(history) == 1:
        return dict(history[0])
    names = {name for seen in history for name in seen}
    return {name: float(np.mean([seen[name] for seen in history if name in seen])) for name in names}
