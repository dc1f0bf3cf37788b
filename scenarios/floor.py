"""The peak that the rest of a billing period needs anyway: protecting less than that costs money for nothing."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from models.components import GridConnection
from models.dispatch import DispatchProblem, EndTerm, Plan, PlanCheck
from models.forecast.naive import Forecaster
from models.forecast.netload import cautiously
from models.horizon import HOUR, QUARTER, Horizon
from models.labelled import plain
from models.site import Site
from models.state import Snapshot
from models.tariffs.time_of_use import BillingPeriod
from scenarios.costs import demand_price_per_kw
from scenarios.guard import planned_peak_kw
from scenarios.problem import Planner, demand_terms, losses_on

FINE = timedelta(hours=24)
"""The next day is planned in quarter-hours, in which peaks are counted, what is behind it in hours: their means hide some of a peak."""


def period_floor_kw(
    site: Site,
    planner: Planner,
    forecaster: Forecaster,
    snapshot: Snapshot,
    period: BillingPeriod,
    *,
    peak_so_far_kw: float = 0.0,
    ends: Mapping[str, EndTerm] | None = None,
    check: PlanCheck | None = None,
    fine: timedelta = FINE,
) -> float:
    """Return the peak import that the cheapest plan for the rest of the billing period makes, its yes-or-no decisions relaxed.

    Refreshed daily, it keeps a rolling plan from defending a peak that tomorrow will break anyway: a battery that was emptied for too low a
    peak misses when the real one comes, so a forecaster that knows its errors is asked for its cautious word. Losses are those of the last replay;
    ``fine`` is how far ahead quarter-hours are told apart.
    """
    horizon = rest_of(period, snapshot.at, fine)
    if horizon is None or demand_price_per_kw(site, period) <= 0:
        return 0.0
    problem = DispatchProblem(
        site=site,
        horizon=horizon,
        forecast=cautiously(forecaster, horizon),
        initial=snapshot,
        demand=demand_terms(site, period, peak_so_far_kw, 0.0),
        ends=ends or {},
        losses_kw=losses_on(check, horizon),
        integer_h=0.0,
    )
    return planned_peak_kw(import_by_step(site, planner.plan(problem)), period)


def rest_of(period: BillingPeriod, at: datetime, fine: timedelta = FINE) -> Horizon | None:
    """Return the rest of a billing period, its first part in quarter-hours and the rest in hours; None when less than a quarter-hour is left."""
    left = (period.end - at) // QUARTER
    hours, odd = divmod(max(left - fine // QUARTER, 0), HOUR // QUARTER)
    quarters = min(left, fine // QUARTER) + odd
    return Horizon.quarters_then_hours(at, quarters=quarters, hours=hours) if left >= 1 else None


def import_by_step(site: Site, plan: Plan) -> dict[datetime, float]:
    """Return the planned import of all grid connections by step start."""
    grids = [g.id for g in site.of_kind(GridConnection)]
    row, column = plan.power_kw.get_index("asset"), plan.power_kw.get_index("carrier")
    powers = plain(plan.power_kw, "asset", "carrier", "time")[:, column.get_loc("electricity")]
    total = np.sum([powers[row.get_loc(g)] for g in grids], axis=0)
    return dict(zip(plan.horizon.edges[:-1], total.tolist(), strict=True))
