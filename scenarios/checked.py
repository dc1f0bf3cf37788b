"""A plan with the twin's word on it."""

from collections.abc import Callable
from dataclasses import replace

from models.dispatch import DispatchProblem, Plan, PlanCheck
from models.site import Site
from optimizers.session import Progress
from optimizers.supply import SupplyRange
from scenarios.planners import planner_for
from scenarios.problem import losses_on
from scenarios.supply import plan_with_supply
from twin.verify import Verifier


def checked_plan(
    site: Site,
    problem: DispatchProblem,
    deadline_s: float,
    watch: Callable[[Progress], None] | None = None,
    supply: SupplyRange | None = None,
) -> tuple[Plan, PlanCheck]:
    """Return a plan that knows the losses which the twin found in a first one, and what the twin says of it.

    With ``supply`` the plan also says what the plant of the heat network sends out, within that range.
    ``watch`` is told how far each search has come; while somebody watches, Ctrl-C ends a search with the best found so far.
    """
    planner, verifier = planner_for(site, deadline_s=deadline_s), Verifier(site)
    planner.dispatcher.process.watch = watch
    try:
        first = planner.plan(problem)
        losses_kw = losses_on(verifier(first, problem.initial, problem.forecast), problem.horizon)
        knowing = replace(problem, losses_kw=losses_kw)
        if supply is None:
            plan = planner.plan(knowing)
        else:
            plan = plan_with_supply(planner, knowing, supply, deadline_s=deadline_s)
    finally:
        planner.close()
    return plan, verifier(plan, problem.initial, problem.forecast)
