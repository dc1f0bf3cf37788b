"""What a day costs once its prices, its loads and the position are known: the site does its best, and deviations cost."""

from dataclasses import replace

from models.dispatch import DispatchProblem
from models.errors import PlanningError
from models.trading import MarketTerms
from optimizers.dispatch import Dispatcher
from optimizers.worker import Job


def least_cost(
    problem: DispatchProblem, market: MarketTerms, dispatcher: Dispatcher, *, deadline_s: float = 30.0
) -> float:
    """Return the least cost of a day at the market's terms, yes-or-no decisions relaxed; the day is known when it begins.

    The position's own price is not in it: bought and sold at the price of the hour, position and deviation settle to what is metered at
    that price, and what deviations cost beside it.

    Raises
    ------
    PlanningError
        If no plan keeps every limit.
    """
    case = dispatcher.case(replace(problem, market=market, demand=None, demand_windows={}))
    found = dispatcher.answer(Job(f"{case.compiled.key}:recourse", case.program.relaxed()), deadline_s=deadline_s)
    if found.solution.x is None:
        raise PlanningError(
            f"the day from {problem.horizon.start:%Y-%m-%d %H:%M} UTC has no plan ({found.solution.message})"
        )
    return found.solution.objective
