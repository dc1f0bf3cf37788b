"""Several futures in one program: what is decided before it is known which one comes is the same in all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.components import GridConnection
from models.dispatch import DispatchProblem
from models.errors import ProblemError
from models.findings import Finding, error
from optimizers.checks import check
from optimizers.dispatch import Case, Dispatcher
from optimizers.session import Program
from optimizers.stack import Part, Stack

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
GAPS = frozenset({"lacking_kw", "spare_kw", "unserved_kw", "late_kwh"})
BALANCING = frozenset({"import_kw", "export_kw", "buying", "dumped_kw", "vented_kw"})
"""What follows by itself when the future turns out another one: the networks outside, and blowing off."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One future: the problem as it then is, and how probable it is (probabilities of all sum to 1)."""

    name: str
    probability: float
    problem: DispatchProblem


@dataclass(frozen=True, slots=True)
class FirstStage:
    """What is decided before the future is known.

    ``commitments``: which units run, over the whole horizon. ``hours``: every set-point of the first hours; grid and gas follow.
    ``imbalance_price_per_kwh``: electricity is bought a day ahead, the same in all futures, and each kWh more or less costs so much extra.
    """

    commitments: bool = True
    hours: float = 0.0
    imbalance_price_per_kwh: float | None = None


@dataclass(frozen=True)
class ScenarioProgram:
    """The stacked program, with each scenario's case and part, its cost as weights on the columns, and the shared decisions.

    ``shared`` are the columns of the first scenario's decisions, ``copies`` the same decisions in every scenario, shape (scenario, decision);
    ``purchases`` the columns of what is bought a day ahead, shape (step,), empty without a day-ahead market.
    """

    scenarios: tuple[Scenario, ...]
    cases: tuple[Case, ...]
    parts: tuple[Part, ...]
    program: Program
    cost: Floats
    offset: Floats
    copies: Ints
    purchases: Ints

    def costs(self, x: Floats) -> Floats:
        """Return what each scenario costs at a point; shape (scenario,)."""
        found: Floats = self.cost @ x + self.offset
        return found

    def decided(self, x: Floats) -> Floats:
        """Return the decisions that are the same in all scenarios."""
        return np.concatenate([x[self.copies[0]], x[self.purchases]])

    def holding(self, decisions: Floats) -> Program:
        """Return the program with these decisions kept."""
        count = self.copies.shape[1]
        lower, upper = self.program.column_lower.copy(), self.program.column_upper.copy()
        lower[self.copies] = upper[self.copies] = decisions[:count]
        lower[self.purchases] = upper[self.purchases] = decisions[count:]
        return replace(self.program, column_lower=lower, column_upper=upper)


def scenario_program(scenarios: Sequence[Scenario], first: FirstStage, dispatcher: Dispatcher) -> ScenarioProgram:
    """Return the program of all scenarios at their expected cost.

    Raises
    ------
    ProblemError
        With every finding: probabilities that do not sum to 1, horizons that differ, and what is wrong with a problem itself.
    """
    _require(scenarios)
    stack = Stack()
    cases = tuple(dispatcher.case(s.problem) for s in scenarios)
    parts = tuple(stack.add(c.program, s.probability) for c, s in zip(cases, scenarios, strict=True))
    decisions = _decisions(cases[0], first)
    copies = np.array([p.columns.start + decisions for p in parts]).reshape(len(parts), len(decisions))
    for other in copies[1:]:
        stack.tie([other, copies[0]], [1.0, -1.0], lower=0.0, upper=0.0)
    purchases, extra = _buy_ahead(stack, scenarios, cases, parts, first)
    program = stack.program()
    cost = np.zeros((len(parts), stack.width))
    for k, part in enumerate(parts):
        cost[k, part.columns] = part.program.cost
        cost[k, extra[k]] = program.cost[extra[k]] / scenarios[k].probability
    offset = np.array([p.program.offset for p in parts])
    return ScenarioProgram(tuple(scenarios), cases, parts, program, cost, offset, copies, purchases)


def mean_problem(scenarios: Sequence[Scenario]) -> DispatchProblem:
    """Return the first scenario's problem with the mean of all forecasts."""
    base = scenarios[0].problem
    mean = base.forecast.values * scenarios[0].probability
    for other in scenarios[1:]:
        mean = mean + other.probability * other.problem.forecast.values
    return replace(base, forecast=replace(base.forecast, values=mean, source="mean of scenarios"))


def _require(scenarios: Sequence[Scenario]) -> None:
    found: list[Finding] = []
    if not scenarios:
        raise ProblemError([error("scenarios", "there are none; give at least one")])
    total = sum(s.probability for s in scenarios)
    if abs(total - 1.0) > 1e-6 or any(s.probability <= 0 for s in scenarios):
        found.append(error("scenarios", f"probabilities sum to {total:g}; they are above 0 and sum to 1"))
    edges, site = scenarios[0].problem.horizon.edges, scenarios[0].problem.site
    for scenario in scenarios:
        if scenario.problem.horizon.edges != edges or scenario.problem.site is not site:
            found.append(
                error(scenario.name, "has another horizon or site than the first scenario; bring all onto one")
            )
            continue
        try:
            check(scenario.problem)
        except ProblemError as problem:
            found += [replace(f, place=f"{scenario.name}: {f.place}") for f in problem.findings]
    if found:
        raise ProblemError(found)


def _decisions(case: Case, first: FirstStage) -> Ints:
    """Return the columns, within one scenario, that are decided before the future is known."""
    model, start_h = case.compiled.model, case.facts.start_h
    chosen = np.zeros(model.column_count, bool)
    for family in model.columns:
        if not family.stepwise or family.quantity in GAPS:
            continue
        steps = np.arange(family.steps.start, family.steps.stop)
        if first.commitments and case.program.integrality[steps].any() and family.quantity not in BALANCING:
            chosen[steps] = True
        if first.hours and family.quantity not in BALANCING:
            chosen[steps[start_h < first.hours - 1e-9]] = True
    return np.flatnonzero(chosen)


def _buy_ahead(
    stack: Stack, scenarios: Sequence[Scenario], cases: Sequence[Case], parts: Sequence[Part], first: FirstStage
) -> tuple[Ints, list[Ints]]:
    """Add what is bought a day ahead and, per scenario, what is bought more or less than that; return the columns of both."""
    nothing = np.zeros(0, np.int64)
    price = first.imbalance_price_per_kwh
    if price is None:
        return nothing, [nothing] * len(parts)
    step_h = cases[0].facts.step_h
    steps = np.arange(len(step_h))
    ahead = stack.column(lower=-np.inf, count=len(step_h)) + steps
    extra = []
    for scenario, case, part in zip(scenarios, cases, parts, strict=True):
        weights = scenario.probability * price * step_h
        away = np.array([[stack.column(cost=float(w)) for w in weights] for _ in range(2)])
        columns: list[Ints] = []
        signs: list[float] = []
        for grid in scenario.problem.site.of_kind(GridConnection):
            for quantity, sign in (("import_kw", 1.0), ("export_kw", -1.0)):
                columns.append(part.columns.start + case.compiled.model.column(grid.id, quantity).steps.start + steps)
                signs.append(sign)
        stack.tie([*columns, ahead, away[0], away[1]], [*signs, -1.0, -1.0, 1.0], lower=0.0, upper=0.0)
        extra.append(away.ravel())
    return ahead, extra
