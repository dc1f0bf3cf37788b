"""Capacity planning: which sizes, when, and how to run them at least present cost, with what it costs, emits and earns."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.errors import CertificateError, InfeasiblePlanError, SolverTimeoutError, UnboundedPlanError
from optimizers.certificate import certify, optimality_error, require
from optimizers.dispatch import DUAL_TOLERANCE, Dispatcher
from optimizers.outlook import Outlook, once, payments
from optimizers.session import Program, Solution, Status
from optimizers.sizes import SizeOption
from optimizers.sizing_program import DEMAND, SHORT, SizingProblem, SizingProgram, sizing_program
from optimizers.stack import with_row
from optimizers.worker import Answer, Job

Floats = npt.NDArray[np.float64]
BUILT = 1e-6
"""Smaller sizes are rounding of the solver."""
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Choice:
    """How much of an option is built, by stage, beside what exists; ``reason`` says why not less and not more."""

    option: SizeOption
    built: tuple[float, ...]
    reason: str

    @property
    def size(self) -> float:
        """Everything that is there in the last stage, as new."""
        return self.option.existing + sum(self.built)


@dataclass(frozen=True, slots=True)
class Sizing:
    """A plan of what to build.

    ``present_cost`` is the value today of everything paid over the years, in the site's currency; ``investment`` what of it is for
    equipment. ``operation`` holds the cost of a year by part, one mapping per stage, at the prices of year 0. ``payments`` are all
    payments by year, costs positive, not discounted; shape (years + 1,).
    """

    choices: tuple[Choice, ...]
    outlook: Outlook
    present_cost: float
    investment: float
    operation: tuple[Mapping[str, float], ...]
    payments: tuple[float, ...]
    co2_kg_per_year: float
    unserved_kwh_per_year: float
    bound: float
    status: str
    seconds: float

    @property
    def gap_share(self) -> float:
        """How far the plan can be from the best there is."""
        return max(self.present_cost - self.bound, 0.0) / max(abs(self.present_cost), 1.0)

    @property
    def mean_operation(self) -> dict[str, float]:
        """Cost of a mean year by part, at the prices of year 0."""
        parts = {p for stage in self.operation for p in stage}
        shares = [len(self.outlook.years_of(k)) / self.outlook.years for k in range(len(self.operation))]
        return {
            p: sum(w * stage.get(p, 0.0) for w, stage in zip(shares, self.operation, strict=True))
            for p in sorted(parts)
        }

    @property
    def sizes(self) -> dict[str, float]:
        """Total size by the option's name."""
        return {c.option.name: c.size for c in self.choices}


class Planner:
    """Solves one sizing problem and its variations: under a budget, a cap on emissions, with other wishes than cost."""

    def __init__(self, problem: SizingProblem, dispatcher: Dispatcher, *, deadline_s: float = 600.0) -> None:
        self.problem = problem
        self.deadline_s = deadline_s
        self.built = sizing_program(problem, dispatcher)
        self._process = dispatcher.process

    def cheapest(self) -> Sizing:
        """Return the plan of least present cost; raises what :meth:`solve` raises."""
        return self.sizing(self.built.program, *self.solve(self.built.program, "sizes"))

    def serving(self, plan: Sizing) -> Program:
        """Return the program in which demand may not go short of more than in ``plan``: less cost or emission must not come from that."""
        short = sum(plan.mean_operation.get(part, 0.0) for part in SHORT)
        return with_row(self.built.program, self.built.shortfall, short + ROUNDING * (1.0 + abs(plan.present_cost)))

    def unbuilt(self) -> Sizing:
        """Return what there is, run at its best, with nothing new built and no cap on emissions."""
        program, columns = self.built.program, [b.column for b in self.built.builds]
        lower, upper, row_upper = program.column_lower.copy(), program.column_upper.copy(), program.row_upper.copy()
        lower[columns] = upper[columns] = 0.0
        if self.problem.co2_cap_kg is not None:
            row_upper[-1] = np.inf
        without = replace(program, column_lower=lower, column_upper=upper, row_upper=row_upper)
        return self.sizing(without, *self.solve(without, "sizes"))

    def solve(self, program: Program, key: str) -> tuple[Solution, float]:
        """Return a certified solution of a variation of the program, and the proven bound of its own objective.

        Raises
        ------
        InfeasiblePlanError, UnboundedPlanError, SolverTimeoutError
            If no choice of sizes keeps every limit, the cost has no end, or time is up without a plan.
        CertificateError
            If the answer fails the independent recheck twice.
        """
        job = Job(f"{key}:{id(self.built)}", program, gap_share=self.problem.gap_share)
        answer = self._process.solve(job, deadline_s=self.deadline_s)
        status = answer.solution.status
        if status is Status.INFEASIBLE:
            raise InfeasiblePlanError(
                "no choice of sizes keeps every limit; allow larger sizes, or raise the cap on emissions"
            )
        if status is Status.UNBOUNDED:
            raise UnboundedPlanError(
                "the cost of the sizes can fall without end; an option without limit earns more than it costs"
            )
        point = answer.priced or answer.solution
        if point.x is None:
            raise SolverTimeoutError(
                f"no sizes found within {self.deadline_s:g} s; take fewer typical periods or more time"
            )
        return recheck(program, answer), max(answer.solution.bound, answer.relaxed.objective)

    def sizing(self, program: Program, point: Solution, bound: float) -> Sizing:
        """Return a solution in words and figures; ``program`` is the one it solves."""
        assert point.x is not None  # noqa: S101 - certified before
        x, built = point.x, self.built
        own = float(built.program.cost @ x + built.program.offset)
        choices = tuple(_choice(built, program, point, o) for o in self.problem.options)
        operation = tuple(operation_of(built, x, k) for k in range(len(self.problem.outlook.stages)))
        invested = sum((_invested(built, x, o) for o in self.problem.options), np.zeros(self.problem.outlook.years + 1))
        paid = invested + _running_payments(self.problem.outlook, operation)
        same = np.array_equal(program.cost, built.program.cost)
        gap = own - bound if same else float("inf")
        return Sizing(
            choices=choices,
            outlook=self.problem.outlook,
            present_cost=own,
            investment=float(sum(built.program.cost[b.column] * x[b.column] for b in built.builds)),
            operation=operation,
            payments=tuple(paid.tolist()),
            co2_kg_per_year=float(built.co2_kg @ x),
            unserved_kwh_per_year=_unserved_kwh(built, x),
            bound=bound if same else float("-inf"),
            status="optimal" if gap <= DUAL_TOLERANCE * max(abs(own), 1.0) else "gap" if same else "alternative",
            seconds=point.seconds,
        )


def size(problem: SizingProblem, dispatcher: Dispatcher, *, deadline_s: float = 600.0) -> Sizing:
    """Return the sizes of least present cost; see :class:`Planner`."""
    return Planner(problem, dispatcher, deadline_s=deadline_s).cheapest()


def recheck(program: Program, answer: Answer) -> Solution:
    """Return the point of an answer after rechecking rows, bounds, objective and, for a linear program, optimality by its duals.

    Raises
    ------
    CertificateError
        If the recheck says otherwise.
    """
    point = answer.priced or answer.solution
    require(certify(program, point), "sizes")
    if not len(program.integers) and optimality_error(program, point) > DUAL_TOLERANCE:
        raise CertificateError("sizes: the duals do not prove the optimum. Solve again without the kept basis.")
    return point


def operation_of(built: SizingProgram, x: Floats, stage: int) -> dict[str, float]:
    """Return what a year of a stage costs by part, at the prices of year 0."""
    found: dict[str, float] = {}
    for block in (b for b in built.blocks if b.stage == stage):
        columns = np.append(x[block.part.columns], 1.0)
        for part, weights in block.cost.items():
            found[part] = found.get(part, 0.0) + block.period.count * float(weights @ columns)
    charged = sum(p.price_per_kw * x[p.column] for p in built.peaks if p.stage == stage)
    if charged:
        found[DEMAND] = found.get(DEMAND, 0.0) + float(charged)
    return found


def _running_payments(outlook: Outlook, operation: tuple[Mapping[str, float], ...]) -> Floats:
    """Return what operation costs in every year, paid at its end; shape (years + 1,)."""
    found = np.zeros(outlook.years + 1)
    for stage, parts in enumerate(operation):
        for year in outlook.years_of(stage):
            found[year + 1] = sum(cost * outlook.price_factors(part)[year] for part, cost in parts.items())
    return found


def _invested(built: SizingProgram, x: Floats, option: SizeOption) -> Floats:
    """Return what an option's equipment costs in every year; shape (years + 1,)."""
    outlook = built.problem.outlook
    found = np.zeros(outlook.years + 1)
    for stage, amount in enumerate(_amounts(built, x, option)):
        found += amount * payments(option, outlook.stages[stage], outlook)
        if amount > BUILT:
            found += once(option, outlook.stages[stage], outlook)
    return found


def _amounts(built: SizingProgram, x: Floats, option: SizeOption) -> tuple[float, ...]:
    """Return how much of an option is built in every stage, as new."""
    mine = [b for b in built.builds if b.lever.option is option]
    stages = range(len(built.problem.outlook.stages))
    return tuple(float(sum(b.lever.grain * x[b.column] for b in mine if b.stage == k)) for k in stages)


def _choice(built: SizingProgram, program: Program, point: Solution, option: SizeOption) -> Choice:
    assert point.x is not None  # noqa: S101 - certified before
    amounts = tuple(a if a > BUILT else 0.0 for a in _amounts(built, point.x, option))
    return Choice(option, amounts, _reason(built, program, point, option, sum(amounts)))


def _reason(built: SizingProgram, program: Program, point: Solution, option: SizeOption, size: float) -> str:
    """Return what keeps a size where it is: its own worth against its price, from the duals of the sizes' columns."""
    if size >= option.most - option.existing - BUILT:
        held = "all that may be built"
    elif size <= BUILT:
        held = "not built" if not option.existing else "nothing is added"
    else:
        held = "built until one more brings back just what it costs"
    first = next(b for b in built.builds if b.lever.option is option and b.stage == 0)
    if point.row_dual is None or option.copies or option.step or not program.cost[first.column]:
        return held
    price = float(program.cost[first.column])
    worth = float((program.matrix[:, [first.column]].T @ point.row_dual)[0])
    return f"{held}; one {option.unit} more would bring {worth / price:.0%} of what it costs over the years"


def _unserved_kwh(built: SizingProgram, x: Floats) -> float:
    """Return the demand that nobody serves in a mean year."""
    total, years = 0.0, built.problem.outlook.years
    for block in built.blocks:
        case, first = block.sized.case, block.part.columns.start
        share = len(built.problem.outlook.years_of(block.stage)) / years
        for family in case.compiled.model.columns:
            if family.quantity == "unserved_kw":
                steps = slice(first + family.steps.start, first + family.steps.stop)
                total += share * block.period.count * float(x[steps] @ case.facts.step_h)
    return total
