"""Setting a rule-based operator by what would have been cheapest last week."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from models.dispatch import DemandTerms, DispatchProblem, Plan
from models.forecast.naive import History, PerfectForecaster
from models.horizon import Horizon
from models.site import Site
from models.tariffs.time_of_use import BillingPeriod
from scenarios.costs import Powers, demand_price_per_kw, peak_import_kw, stored_value
from scenarios.rules import Rule, RulePlanner
from twin.state import start_snapshot

WEEK = timedelta(days=7)
LEADS: tuple[Literal["price"], Literal["heat"]] = ("price", "heat")
LIMIT_SHARES = (0.6, 0.7, 0.8, 0.9)
"""Demand limits that are tried, as shares of the common operator's own peak."""


def tune(site: Site, history: History, before: datetime) -> tuple[Rule, Rule]:
    """Return the common and the tuned operator as they would set themselves up after the week before ``before``.

    The common one follows price or heat, whichever would have been cheaper; the tuned one also takes the demand limit, if any,
    that would have been cheapest.
    """
    week = week_before(site, history, before)
    common = min((settled(site, week, Rule(lead)) for lead in LEADS), key=lambda rule: cost(site, week, rule))
    return common, min(candidates(common), key=lambda rule: cost(site, week, rule))


def candidates(common: Rule) -> Iterator[Rule]:
    """Yield the common operator and the same with each demand limit."""
    yield common
    yield from (replace(common, demand_limit_kw=share * common.own_peak_kw) for share in LIMIT_SHARES)


def week_before(site: Site, history: History, before: datetime) -> DispatchProblem:
    """Return the past week as a problem whose forecast is what happened; the week is its own billing period, stores start half full."""
    horizon = Horizon.uniform(before - WEEK, before)
    price = demand_price_per_kw(site, BillingPeriod(horizon.start, horizon.end))
    forecast = PerfectForecaster(history).forecast(horizon)
    return DispatchProblem(site, horizon, forecast, start_snapshot(site, horizon.start), DemandTerms(price))


def settled(site: Site, week: DispatchProblem, rule: Rule) -> Rule:
    """Return the rule knowing the peak that it needs by itself."""
    for _ in range(2):
        plan = RulePlanner(site, rule).plan(week)
        rule = replace(rule, own_peak_kw=peak_import_kw(site, Powers(plan.horizon, plan.power_kw)))
    return rule


def cost(site: Site, week: DispatchProblem, rule: Rule) -> float:
    """Return what the week would have cost under a rule, less what is left in the stores."""
    plan = RulePlanner(site, rule).plan(week)
    return plan.total_cost - stored_value(site, end_of(plan))


def end_of(plan: Plan) -> dict[str, float]:
    """Return the energy stored at the end of a plan."""
    last = plan.stored_kwh.isel(time=-1)
    return dict(zip((str(a) for a in last["asset"].to_numpy()), np.asarray(last, dtype=float).tolist(), strict=True))
