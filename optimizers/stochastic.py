"""Two-stage planning: decide now what must be decided now, so that the expected cost, or the cost of the worst futures, is least.

Source of the risk measure: Rockafellar and Uryasev, Optimization of conditional value-at-risk, Journal of Risk 2 (2000).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.dispatch import Plan, SolverReport
from models.errors import InfeasiblePlanError, SolverTimeoutError
from optimizers.certificate import certify, require
from optimizers.dispatch import Dispatcher
from optimizers.plan import Outcome, plan_of
from optimizers.scenarios import FirstStage, Scenario, ScenarioProgram, mean_problem, scenario_program
from optimizers.session import Program, Solution, Status
from optimizers.stack import Stack
from optimizers.worker import Job

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Risk:
    """How much the worst futures count: the objective is ``(1 - weight) * mean + weight * CVaR``.

    CVaR at ``level`` is the mean cost of the worst ``1 - level`` of probability: at 0 the mean of all, towards 1 the worst future's cost.
    """

    weight: float = 0.0
    level: float = 0.9

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight <= 1.0:
            raise ValueError(f"the weight of risk is {self.weight:g}; it lies between 0 and 1")
        if not 0.0 <= self.level < 1.0:
            raise ValueError(f"the level of risk is {self.level:g}; it is at least 0 and below 1")


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """One plan per scenario, equal in what is decided before the future is known; costs by scenario in the site's currency.

    ``purchase_kw`` is what is bought a day ahead, shape (step,), empty without a day-ahead market.
    """

    plans: tuple[Plan, ...]
    costs: tuple[float, ...]
    expected_cost: float
    risk_cost: float
    objective: float
    bound: float
    purchase_kw: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Foresight:
    """What knowing the future is worth: all are expected costs over the same scenarios.

    ``perfect``: each future planned as if known. ``stochastic``: one first stage for all. ``mean_plan``: the first stage that is best for the
    mean forecast, met by the real futures; infinite where it cannot be kept. ``regrets`` are, per scenario, what not knowing costs.
    """

    perfect: float
    stochastic: float
    mean_plan: float
    regrets: tuple[float, ...]

    @property
    def information_value(self) -> float:
        """The most that perfect forecasts are worth."""
        return self.stochastic - self.perfect

    @property
    def stochastic_value(self) -> float:
        """What planning with scenarios saves against planning with their mean."""
        return self.mean_plan - self.stochastic


def cvar(costs: Sequence[float], probabilities: Sequence[float], level: float) -> float:
    """Return the mean cost of the worst ``1 - level`` of probability, by sorting the futures."""
    order = np.argsort(costs)[::-1]
    left, total = 1.0 - level, 0.0
    for k in order.tolist():
        taken = min(probabilities[k], left)
        total += taken * costs[k]
        left -= taken
    return total / (1.0 - level)


class ScenarioPlanner:
    """Plans over the same scenarios again and again: expected, averse to risk, with decisions kept."""

    def __init__(
        self, scenarios: Sequence[Scenario], first: FirstStage, dispatcher: Dispatcher, *, deadline_s: float = 120.0
    ) -> None:
        self.first, self.dispatcher, self.deadline_s = first, dispatcher, deadline_s
        self.stacked = scenario_program(scenarios, first, dispatcher)

    def plan(self, risk: Risk | None = None) -> ScenarioPlan:
        """Return the plans of least expected cost, or of least cost with ``risk``.

        Raises
        ------
        InfeasiblePlanError, SolverTimeoutError, CertificateError
            As :meth:`optimizers.dispatch.Dispatcher.dispatch`.
        """
        risk = risk or Risk()
        program = self._with_risk(risk) if risk.weight else self.stacked.program
        point, bound = solved(program, self.dispatcher, self._gap, self.deadline_s)
        return self._read(program, point, bound, risk)

    def foresight(self) -> Foresight:
        """Return what knowing the future would be worth, and what planning with scenarios is."""
        point, _ = solved(self.stacked.program, self.dispatcher, self._gap, self.deadline_s)
        assert point.x is not None  # noqa: S101 - solved
        costs = self.stacked.costs(point.x)
        known = np.array([self._alone(s) for s in self.stacked.scenarios])
        share = np.array([s.probability for s in self.stacked.scenarios])
        regrets = tuple((costs - known).tolist())
        return Foresight(float(share @ known), float(share @ costs), self._mean_plan(), regrets)

    @property
    def _gap(self) -> float:
        return self.stacked.scenarios[0].problem.gap_share

    def _alone(self, scenario: Scenario) -> float:
        """Return what a future costs that is known beforehand."""
        single = scenario_program([replace(scenario, probability=1.0)], self.first, self.dispatcher)
        point, _ = solved(single.program, self.dispatcher, self._gap, self.deadline_s)
        return point.objective

    def _mean_plan(self) -> float:
        """Return the expected cost of deciding for the mean forecast; infinite where a future cannot live with it."""
        mean = Scenario("mean", 1.0, mean_problem(self.stacked.scenarios))
        single = scenario_program([mean], self.first, self.dispatcher)
        point, _ = solved(single.program, self.dispatcher, self._gap, self.deadline_s)
        assert point.x is not None  # noqa: S101 - solved
        kept = self.stacked.holding(single.decided(point.x))
        try:
            return solved(kept, self.dispatcher, self._gap, self.deadline_s)[0].objective
        except InfeasiblePlanError:
            return float("inf")

    def _with_risk(self, risk: Risk) -> Program:
        """Return the program with the conditional value at risk in its objective."""
        width = len(self.stacked.program.cost)
        stack = Stack()
        stack.add(self.stacked.program)
        edge = stack.column(cost=risk.weight, lower=-np.inf)
        for k, scenario in enumerate(self.stacked.scenarios):
            beyond = stack.column(cost=risk.weight * scenario.probability / (1.0 - risk.level))
            weights = np.concatenate([self.stacked.cost[k], [-1.0, -1.0]])
            stack.bind(np.append(np.arange(width), [edge, beyond]), weights, upper=-float(self.stacked.offset[k]))
        program = stack.program()
        cost = program.cost.copy()
        cost[:width] *= 1.0 - risk.weight
        return replace(program, cost=cost, offset=(1.0 - risk.weight) * program.offset)

    def _read(self, program: Program, point: Solution, bound: float, risk: Risk) -> ScenarioPlan:
        assert point.x is not None  # noqa: S101 - solved
        x = point.x[: len(self.stacked.program.cost)]
        costs = self.stacked.costs(x)
        shares = [s.probability for s in self.stacked.scenarios]
        report = SolverReport(
            status="optimal" if point.objective - bound <= 1e-6 * max(abs(point.objective), 1.0) else "gap",
            objective=point.objective,
            bound=bound,
            gap_share=max(point.objective - bound, 0.0) / max(abs(point.objective), 1.0),
            build_s=0.0,
            solve_s=point.seconds,
            message=f"{len(costs)} scenarios, first stage {self.first}",
            certified=certify(program, point).sound,
        )
        return ScenarioPlan(
            plans=tuple(plan_of(o, report, ()) for o in _outcomes(self.stacked, point, priced=not risk.weight)),
            costs=tuple(costs.tolist()),
            expected_cost=float(np.dot(shares, costs)),
            risk_cost=cvar(costs.tolist(), shares, risk.level),
            objective=point.objective,
            bound=bound,
            purchase_kw=tuple(x[self.stacked.purchases].tolist()),
        )


def solved(program: Program, dispatcher: Dispatcher, gap_share: float, deadline_s: float) -> tuple[Solution, float]:
    """Return a certified solution of a stacked program and its proven bound.

    Raises
    ------
    InfeasiblePlanError, SolverTimeoutError, CertificateError
        If there is none, none in time, or one that fails the recheck.
    """
    answer = dispatcher.process.solve(Job("scenarios", program, gap_share=gap_share, fresh=True), deadline_s=deadline_s)
    point = answer.priced or answer.solution
    if point.x is None and answer.solution.status is Status.INFEASIBLE:
        raise InfeasiblePlanError(
            "no decision holds in every scenario; leave more of them for later, or drop the scenario that forbids it"
        )
    if point.x is None:
        raise SolverTimeoutError(
            f"no plan for all scenarios within {deadline_s:g} s; take fewer scenarios or more time"
        )
    require(certify(program, point), "scenarios")
    return point, min(max(answer.solution.bound, answer.relaxed.objective), point.objective)


def _outcomes(stacked: ScenarioProgram, point: Solution, *, priced: bool) -> list[Outcome]:
    """Return each scenario's part of a solution, ready to be read as a plan; prices are those within the scenario, if wanted."""
    assert point.x is not None  # noqa: S101 - solved
    found = []
    for case, part, scenario in zip(stacked.cases, stacked.parts, stacked.scenarios, strict=True):
        dual = None if point.row_dual is None or not priced else point.row_dual[part.rows] / scenario.probability
        compiled = case.compiled
        outcome = Outcome(
            facts=case.facts,
            book=compiled.book,
            blocks=compiled.blocks,
            carriers=compiled.carriers,
            model=compiled.model,
            parameters=case.parameters,
            cost_weights=case.cost_weights,
            program=None,
            x=point.x[part.columns],
            row_dual=dual,
        )
        found.append(outcome)
    return found
