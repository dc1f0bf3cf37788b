"""The peak that the rest of a billing period needs anyway: protecting less than that costs money for nothing."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from models.components import GridConnection
from models.dispatch import DispatchProblem, EndTerm, Plan
from models.forecast.naive import Forecaster
from models.horizon import HOUR, QUARTER, Horizon
from models.site import Site
from models.state import Snapshot
from models.tariffs.time_of_use import BillingPeriod
from scenarios.costs import demand_price_per_kw
from scenarios.guard import planned_peak_kw
from scenarios.problem import Planner, demand_terms

FINE_UP_TO = timedelta(hours=24)
"""A rest of the period up to this length is planned in quarter-hours, a longer one in hours."""


def period_floor_kw(
    site: Site,
    planner: Planner,
    forecaster: Forecaster,
    snapshot: Snapshot,
    period: BillingPeriod,
    *,
    peak_so_far_kw: float = 0.0,
    ends: Mapping[str, EndTerm] | None = None,
) -> float:
    """Return the peak import that the cheapest plan for the rest of the billing period makes, its yes-or-no decisions relaxed.

    Refreshed daily, it keeps a rolling plan from defending a peak that tomorrow will break anyway.
    """
    horizon = rest_of(period, snapshot.at)
    if horizon is None or demand_price_per_kw(site, period) <= 0:
        return 0.0
    problem = DispatchProblem(
        site=site,
        horizon=horizon,
        forecast=forecaster.forecast(horizon),
        initial=snapshot,
        demand=demand_terms(site, period, peak_so_far_kw, 0.0),
        ends=ends or {},
        integer_h=0.0,
    )
    return planned_peak_kw(import_by_step(site, planner.plan(problem)), period)


def rest_of(period: BillingPeriod, at: datetime) -> Horizon | None:
    """Return the rest of a billing period in equal steps, None when less than one step is left."""
    step = QUARTER if period.end - at <= FINE_UP_TO else HOUR
    count = (period.end - at) // step
    return Horizon.uniform(at, at + count * step, step) if count >= 1 else None


def import_by_step(site: Site, plan: Plan) -> dict[datetime, float]:
    """Return the planned import of all grid connections by step start."""
    grids = [g.id for g in site.of_kind(GridConnection)]
    total = plan.power_kw.sel(asset=grids, carrier="electricity").sum("asset").to_numpy()
    return dict(zip(plan.horizon.edges[:-1], total.tolist(), strict=True))
