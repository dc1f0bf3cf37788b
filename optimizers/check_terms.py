"""What is wrong with the money of a dispatch problem: prices, peaks, budgets, calls and capacity, each against the site's contracts."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from models.dispatch import DemandTerms, DispatchProblem, ReductionEvent
from models.findings import Finding, error, warning
from models.site import ElectricityContract

PRICE_MAX = 1e6
"""A price beyond this is a slip of the unit; it would drown every other one in rounding."""


def check_terms(problem: DispatchProblem) -> Iterator[Finding]:
    """Yield everything that is wrong with the problem's prices, budgets, calls and contracts."""
    yield from _prices(problem)
    yield from _demand(problem)
    yield from _budgets(problem)
    yield from _events(problem)
    yield from _reserves(problem)
    yield from _market(problem)
    yield from _unknown_ends(problem)


def _prices(problem: DispatchProblem) -> Iterator[Finding]:
    unserved, co2 = problem.unserved_price_per_kwh, problem.co2_price_per_kg
    if not 0 < unserved < PRICE_MAX:
        yield error(
            "unserved_price_per_kwh", f"is {unserved:g}; it must be above 0, or leaving demand unmet would be free"
        )
    elif (dearest := _dearest_price(problem)) > unserved:
        yield error("unserved_price_per_kwh", f"is {unserved:g}, but a kWh is bought at up to {dearest:g}: the plan would rather leave demand "
                    "unmet; raise it above every price", value=unserved, limit=dearest)  # fmt: skip
    if not abs(co2) < PRICE_MAX:
        yield error("co2_price_per_kg", "is not a number")
    if not 0 <= problem.gap_share < 1:
        yield error("gap_share", f"is {problem.gap_share}; expected 0 up to 1")
    if problem.integer_h is not None and not problem.integer_h >= 0:
        yield error("integer_h", f"is {problem.integer_h}; expected hours from 0 on, or none for the whole horizon")


def _dearest_price(problem: DispatchProblem) -> float:
    """Return the highest price of the site's electricity contracts, blocks included, or of the market where it trades."""
    if (market := problem.market) is not None:
        return float(np.max(market.price_per_kwh, initial=0.0)) + max(market.fee_per_kwh, 0.0)
    tariffs = [c.tariff for c in problem.site.contracts if isinstance(c, ElectricityContract)]
    adder = max((b.adder_per_kwh for t in tariffs for b in t.blocks), default=0.0)
    return max((b.price_per_kwh for t in tariffs for b in t.bands), default=0.0) + max(adder, 0.0)


def _demand(problem: DispatchProblem) -> Iterator[Finding]:
    known = {
        w.name for c in problem.site.contracts if isinstance(c, ElectricityContract) for w in c.tariff.peak_windows
    }
    charges = {f"demand_windows.{n}": terms for n, terms in problem.demand_windows.items()}
    if problem.demand is not None:
        charges["demand"] = problem.demand
    for place, terms in charges.items():
        yield from _charge(place, terms)
    for name in sorted(set(problem.demand_windows) - known):
        words = f"no tariff of the site has a peak window {name}; known are {', '.join(sorted(known)) or 'none'}"
        yield error(f"demand_windows.{name}", words, name)


def _charge(place: str, terms: DemandTerms) -> Iterator[Finding]:
    if not 0 <= terms.price_per_kw < PRICE_MAX:
        yield error(place, f"has a price of {terms.price_per_kw:g} per kW; expected a number from 0 on")
    for name, value in (("peak so far", terms.peak_so_far_kw), ("floor", terms.floor_kw)):
        if not 0 <= value < np.inf:
            yield error(place, f"has a {name} of {value:g} kW; expected a number from 0 on")


def _budgets(problem: DispatchProblem) -> Iterator[Finding]:
    cap, billed = problem.co2_cap, problem.billed
    if cap is not None:
        if not np.isfinite(cap.left_kg):
            yield error("co2_cap", "what is left of the budget is not a number")
        if not 0 < cap.over_price_per_kg < PRICE_MAX:
            yield error(
                "co2_cap", f"going beyond the budget costs {cap.over_price_per_kg:g} per kg; it must cost something"
            )
    for name, value in (("bought_kwh", billed.bought_kwh), ("rest_kwh", billed.rest_kwh)):
        if not 0 <= value < np.inf:
            yield error(f"billed.{name}", f"is {value:g}; expected the kWh of the billing month, from 0 on")
    for name, value in billed.net_kwh.items():
        if not np.isfinite(value):
            yield error(f"billed.net_kwh.{name}", "is not a number")


def _events(problem: DispatchProblem) -> Iterator[Finding]:
    start, end = problem.horizon.start, problem.horizon.end
    good = []
    for k, event in enumerate(problem.events):
        place = f"events[{k}]"
        yield from _event(place, event)
        if event.end > event.start:
            good.append(event)
            if event.end <= start or event.start >= end:
                yield warning(place, f"lasts from {event.start} to {event.end}, outside the plan; it changes nothing")
    for a, b in pairwise(sorted(good, key=lambda e: e.start)):
        if b.start < a.end:
            yield error(
                "events", f"two calls overlap from {b.start} to {min(a.end, b.end)}; end one before the other begins"
            )


def _event(place: str, event: ReductionEvent) -> Iterator[Finding]:
    if event.end <= event.start:
        yield error(place, f"ends at {event.end}, not after its start {event.start}; swap or correct them")
    figures = event.baseline_kw, event.reduction_kw, event.price_per_kwh, event.penalty_per_kwh
    if not np.isfinite(figures).all():
        yield error(place, "its baseline, reduction, price and penalty must be numbers")
    elif event.reduction_kw < 0:
        yield error(place, f"asks for a reduction of {event.reduction_kw:g} kW; expected 0 or more")
    elif event.price_per_kwh + event.penalty_per_kwh < 0:
        yield error(place, "missing a kWh would earn more than delivering it; correct price or penalty")


def _reserves(problem: DispatchProblem) -> Iterator[Finding]:
    asked = problem.reserve_kw
    if asked is None:
        return
    known = {c.id for c in problem.site.reserves}
    for name in (str(c) for c in asked["contract"].values if str(c) not in known):
        yield error(
            "reserve_kw",
            f"the site has no reserve contract {name}; known are {', '.join(sorted(known)) or 'none'}",
            name,
        )
    if asked.sizes.get("time") != len(problem.horizon):
        yield error("reserve_kw", f"has {asked.sizes.get('time')} steps, the horizon has {len(problem.horizon)}")
    if not (np.isfinite(asked.values).all() and (asked.values >= 0).all()):
        yield error("reserve_kw", "holds values that are not numbers from 0 on")


def _market(problem: DispatchProblem) -> Iterator[Finding]:
    if (market := problem.market) is None:
        return
    steps = len(problem.horizon)
    for name, values in (("price_per_kwh", market.price_per_kwh), ("bought_kw", market.bought_kw)):
        if values is not None and np.shape(values) != (steps,):
            yield error(
                f"market.{name}",
                f"has shape {np.shape(values)}; the plan needs one value for each of its {steps} steps",
            )
        elif values is not None and len(gaps := np.flatnonzero(~np.isfinite(values))):
            yield error(
                f"market.{name}", f"has no value in {len(gaps)} of {steps} steps, first at step {gaps[0]}; fill the gap"
            )
    figures = {"short_per_kwh": market.short_per_kwh, "long_per_kwh": market.long_per_kwh}
    for name, value in figures.items():
        if not 0 <= value < PRICE_MAX:
            yield error(f"market.{name}", f"is {value:g}; a deviation costs 0 or more on top of the price")
    if not abs(market.fee_per_kwh) < PRICE_MAX:
        yield error("market.fee_per_kwh", "is not a number")


def _unknown_ends(problem: DispatchProblem) -> Iterator[Finding]:
    known = {a.id for a in problem.site.assets}
    for name in sorted(set(problem.ends) - known):
        yield error(f"ends.{name}", f"the site has no asset {name}; its end would be forgotten", name)
