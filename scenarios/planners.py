"""Planners: the optimizer behind the loop's door."""

from models.dispatch import DispatchProblem, Plan
from models.site import Site
from optimizers.dispatch import Dispatcher
from scenarios.secured import SecuredOptimizer
from twin.secure import GridCheck


class Optimizer:
    """The dispatcher as a planner with a deadline per plan; close it when the run is over."""

    def __init__(self, dispatcher: Dispatcher | None = None, *, deadline_s: float = 20.0) -> None:
        self.dispatcher = dispatcher or Dispatcher()
        self.deadline_s = deadline_s

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return the cheapest certified plan; raises what :meth:`optimizers.dispatch.Dispatcher.dispatch` raises."""
        return self.dispatcher.dispatch(problem, deadline_s=self.deadline_s)

    def forget(self) -> None:
        """Let the next plan depend on its problem alone; see :meth:`optimizers.dispatch.Dispatcher.forget`."""
        self.dispatcher.forget()

    def close(self) -> None:
        """End the solver's process."""
        self.dispatcher.close()


def planner_for(site: Site, *, deadline_s: float = 20.0) -> Optimizer | SecuredOptimizer:
    """Return the optimizer for a site: with proof on its grid where it has one, otherwise on balances alone."""
    if not site.networks.electricity:
        return Optimizer(deadline_s=deadline_s)
    return SecuredOptimizer(GridCheck(site, site.networks.electricity[0]), deadline_s=deadline_s)


def balances_of(planner: Optimizer | SecuredOptimizer) -> Optimizer:
    """Return a planner on balances alone with the same solver, for questions that no network decides, as the peak of a month."""
    if isinstance(planner, Optimizer):
        return planner
    return Optimizer(planner.dispatcher, deadline_s=planner.deadline_s)
