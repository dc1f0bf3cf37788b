"""Planners: the optimizer behind the loop's door."""

from models.dispatch import DispatchProblem, Plan
from optimizers.dispatch import Dispatcher


class Optimizer:
    """The dispatcher as a planner with a deadline per plan; close it when the run is over."""

    def __init__(self, dispatcher: Dispatcher | None = None, *, deadline_s: float = 20.0) -> None:
        self.dispatcher = dispatcher or Dispatcher()
        self.deadline_s = deadline_s

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return the cheapest certified plan; raises what :meth:`optimizers.dispatch.Dispatcher.dispatch` raises."""
        return self.dispatcher.dispatch(problem, deadline_s=self.deadline_s)

    def close(self) -> None:
        """End the solver's process."""
        self.dispatcher.close()
