"""Robust planning: decisions that hold for the worst future of a budgeted set, and prices that may rise in so many hours.

The set: in at most ``budget`` steps of the horizon every uncertain series stands at its bad end at once, otherwise at its expected value. Budget 0 is
the expected future, a budget of all steps the worst of all.

Source: Bertsimas and Sim, The price of robustness, Operations Research 52 (2004); Zeng and Zhao, Solving two-stage robust optimization problems
using a column-and-constraint generation method, Operations Research Letters 41 (2013).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse

from models.components import GridConnection
from models.dispatch import DispatchProblem
from models.errors import ProblemError
from models.findings import Finding, error
from optimizers.checks import check
from optimizers.dispatch import Case, Dispatcher, program_of
from optimizers.problem import facts_of, parameters_of
from optimizers.scenarios import FirstStage, Scenario, ScenarioProgram, scenario_program
from optimizers.session import Program
from optimizers.stack import Stack
from optimizers.stochastic import solved

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
GAP_SHARE = 1e-6
ROUNDS = 30
DUAL_ROOM = 4.0
"""How many times the price of unserved demand a price inside the program may reach."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """What may go wrong: by series how far its bad end lies from the forecast (step means, positive or negative), and in how many steps."""

    away: Mapping[str, Floats]
    budget: float


@dataclass(frozen=True, slots=True)
class RobustPlan:
    """Decisions for the worst future of the set.

    ``worst_cost`` is what they cost at most, proven from below by ``bound``; ``expected_cost`` what they cost when nothing goes wrong;
    ``bad_steps`` the steps that the worst future spoils. ``running`` has dims (asset, time).
    """

    worst_cost: float
    bound: float
    expected_cost: float
    bad_steps: tuple[int, ...]
    rounds: int
    running: xr.DataArray

    @property
    def gap_share(self) -> float:
        """How far the decisions can be from the best for the worst case."""
        return max(self.worst_cost - self.bound, 0.0) / max(abs(self.worst_cost), 1.0)


def robust_plan(
    problem: DispatchProblem,
    uncertainty: Uncertainty,
    dispatcher: Dispatcher,
    *,
    first: FirstStage | None = None,
    deadline_s: float = 120.0,
) -> RobustPlan:
    """Return the decisions whose cost in the worst future of the set is least.

    The worst future for given decisions is found exactly, by an integer program over the prices of all rows; it is added to the futures that
    the decisions are made for, until none is worse.

    Raises
    ------
    ProblemError
        If the uncertainty does not fit the problem; carries every finding.
    """
    _require(problem, uncertainty)
    return _Search(problem, uncertainty, dispatcher, first or FirstStage(), deadline_s).run()


def reserve_kw(
    quantiles: xr.DataArray, signs: Mapping[str, float], *, low: float = 0.1, high: float = 0.9
) -> xr.Dataset:
    """Return how much more (``up_kw``) and less (``down_kw``) power may be needed than expected, dims (time,).

    Parameters
    ----------
    quantiles
        Dims (series, time, quantile), kW; holds ``low``, 0.5 and ``high``.
    signs
        By series what a kW of it does to the need: 1 for demand, negative for what is fed (times its size where it is per unit).

    Errors of different series are taken as independent, so their distances add up as squares.
    """
    chosen = quantiles.sel(series=list(signs))
    weight = xr.DataArray(list(signs.values()), {"series": list(signs)}, ("series",))
    middle = chosen.sel(quantile=0.5, drop=True)
    ends = [abs(weight) * abs(chosen.sel(quantile=q, drop=True) - middle) for q in (low, high)]
    more, less = ends[1].where(weight > 0, ends[0]), ends[0].where(weight > 0, ends[1])
    return xr.Dataset({"up_kw": np.sqrt((more**2).sum("series")), "down_kw": np.sqrt((less**2).sum("series"))})


def dearer_day(
    problem: DispatchProblem, dispatcher: Dispatcher, *, rise_share: float, budget: float, deadline_s: float = 120.0
) -> float:
    """Return the least cost that a plan can promise when the import price rises by ``rise_share`` in at most ``budget`` steps, whichever they are."""
    case = dispatcher.case(problem)
    rise = {
        f"{grid.id}.import_kw": rise_share
        * np.broadcast_to(np.asarray(case.parameters[f"{grid.id}.import_per_kw"]), len(problem.horizon))
        for grid in problem.site.of_kind(GridConnection)
    }
    point, _ = solved(price_robust(case, rise, budget), dispatcher, problem.gap_share, deadline_s)
    return point.objective


def price_robust(case: Case, columns: Mapping[str, Floats], budget: float) -> Program:
    """Return a case's program whose objective counts the worst ``budget`` price rises among some columns.

    ``columns`` gives, by ``asset.quantity`` of a column that is never negative, how much its cost per unit and step may rise; shape (step,).

    Source: Bertsimas and Sim (2004), theorem 1.
    """
    stack = Stack()
    stack.add(case.program)
    rise = stack.column(cost=budget)
    for name, away in columns.items():
        family = case.compiled.model.column(*name.split("."))
        steps = np.arange(family.steps.start, family.steps.stop)
        beyond = stack.column(cost=1.0, count=len(steps)) + np.arange(len(steps))
        stack.tie([rise, beyond, steps], [1.0, 1.0, -np.asarray(away, float)], lower=0.0)
    return stack.program()


def _require(problem: DispatchProblem, uncertainty: Uncertainty) -> None:
    found: list[Finding] = []
    check(problem)
    known, steps = set(problem.forecast.values["series"].values.tolist()), len(problem.horizon)
    for name, away in uncertainty.away.items():
        if name not in known:
            found.append(error(name, "the forecast has no such series; name one that the problem reads"))
        elif np.shape(away) != (steps,) or not np.isfinite(away).all():
            found.append(error(name, f"its distance needs {steps} finite values, one per step"))
    if not 0 <= uncertainty.budget <= steps:
        found.append(error("budget", f"is {uncertainty.budget:g}; between 0 and {steps} steps can go wrong"))
    if found:
        raise ProblemError(found)


class _Search:
    """Adds worst futures one by one to the futures that the decisions are made for."""

    def __init__(
        self,
        problem: DispatchProblem,
        uncertainty: Uncertainty,
        dispatcher: Dispatcher,
        first: FirstStage,
        deadline_s: float,
    ) -> None:
        self.problem, self.uncertainty, self.dispatcher = problem, uncertainty, dispatcher
        self.first, self.deadline_s = first, deadline_s
        self.case = dispatcher.case(problem)
        self.worse = _numbers(self.case, spoiled(problem, uncertainty, np.ones(len(problem.horizon))))
        if not np.allclose(self.worse.coefficients, self.case.program.coefficients):
            raise ProblemError(
                [error("uncertainty", "a series changes more than demand and supply; only these may be uncertain")]
            )

    def run(self) -> RobustPlan:
        """Go round until no future of the set is worse than those already counted."""
        bad = [np.zeros(len(self.problem.horizon))]
        best_cost, best = np.inf, (bad[0], bad[0])
        while True:
            stacked, x, bound = self._decide(bad)
            decisions = stacked.decided(x)
            cost, worst = self._worst(stacked, decisions)
            if cost < best_cost:
                best_cost, best = cost, (worst, decisions)
            near = best_cost - bound <= GAP_SHARE * max(abs(best_cost), 1.0)
            if near or len(bad) >= ROUNDS or any(np.array_equal(worst, b) for b in bad):
                return self._plan(best_cost, bound, *best, rounds=len(bad))
            bad.append(worst)

    def _decide(self, bad: list[Floats]) -> tuple[ScenarioProgram, Floats, float]:
        """Return the decisions of least worst cost over the futures so far."""
        share = 1.0 / len(bad)
        futures = [
            Scenario(f"future {k}", share, spoiled(self.problem, self.uncertainty, b)) for k, b in enumerate(bad)
        ]
        stacked = scenario_program(futures, self.first, self.dispatcher)
        width = len(stacked.program.cost)
        stack = Stack()
        stack.add(replace(stacked.program, cost=np.zeros(width), offset=0.0))
        dearest = stack.column(cost=1.0, lower=-np.inf)
        for k in range(len(bad)):
            weights = np.append(stacked.cost[k], -1.0)
            stack.bind(np.append(np.arange(width), dearest), weights, upper=-float(stacked.offset[k]))
        point, bound = solved(stack.program(), self.dispatcher, GAP_SHARE, self.deadline_s)
        assert point.x is not None  # noqa: S101 - solved
        return stacked, point.x[:width], bound

    def _worst(self, stacked: ScenarioProgram, decisions: Floats) -> tuple[float, Floats]:
        """Return the highest cost that the set can bring on these decisions, and the steps it spoils (1 where spoiled)."""
        columns = stacked.copies[0]
        lower, upper = self.case.program.column_lower.copy(), self.case.program.column_upper.copy()
        lower[columns] = upper[columns] = decisions
        held = replace(self.case.program.relaxed(), column_lower=lower, column_upper=upper)
        dual = _Dual(
            held, self.worse, self._steps(), self.uncertainty.budget, DUAL_ROOM * self.problem.unserved_price_per_kwh
        )
        point, _ = solved(dual.program, self.dispatcher, GAP_SHARE, self.deadline_s)
        assert point.x is not None  # noqa: S101 - solved
        return -point.objective + held.offset, np.round(point.x[dual.spoils])

    def _steps(self) -> tuple[Ints, Ints]:
        """Return the step of every row and column of the case; -1 where there is none."""
        model = self.case.compiled.model
        found = []
        for families, count in ((model.rows, model.row_count), (model.columns, model.column_count)):
            step = np.full(count, -1)
            for family in (f for f in families if f.stepwise):
                step[family.span] = family.first + np.arange(family.count)
            found.append(step)
        return found[0], found[1]

    def _plan(self, cost: float, bound: float, worst: Floats, decisions: Floats, *, rounds: int) -> RobustPlan:
        alone = scenario_program([Scenario("expected", 1.0, self.problem)], self.first, self.dispatcher)
        point, _ = solved(alone.holding(decisions), self.dispatcher, GAP_SHARE, self.deadline_s)
        assert point.x is not None  # noqa: S101 - solved
        on = [f for f in self.case.compiled.model.columns if f.quantity == "on"]
        values = np.array([point.x[f.steps] for f in on]).reshape(len(on), len(self.problem.horizon))
        running = xr.DataArray(
            values, {"asset": [f.asset for f in on], "time": self.problem.horizon.times}, ("asset", "time")
        )
        return RobustPlan(cost, bound, point.objective, tuple(np.flatnonzero(worst).tolist()), rounds, running)


def spoiled(problem: DispatchProblem, uncertainty: Uncertainty, bad: Floats) -> DispatchProblem:
    """Return the problem with every uncertain series at its bad end where ``bad`` is 1; never below 0 where it was not."""
    values = problem.forecast.values.copy(deep=True)
    for name, away in uncertainty.away.items():
        before = values.sel(series=name).values
        after = before + bad * np.asarray(away, float)
        values.loc[{"series": name}] = np.where(before >= 0, np.maximum(after, 0.0), after)
    return replace(problem, forecast=replace(problem.forecast, values=values))


def _numbers(case: Case, problem: DispatchProblem) -> Program:
    """Return the numbers of another problem in the structure of a case."""
    compiled = case.compiled
    vector = compiled.model.layout.vector(parameters_of(facts_of(problem), compiled.blocks, compiled.carriers))
    return program_of(compiled.model, vector)


class _Dual:
    """The dual of a held program over all futures of the set, as an integer program that finds the worst of them.

    Every finite side of a row or column has a price of at least 0; a side that the future moves contributes ``price * moved * spoilt``, which is
    written with one column that is at most the price and 0 unless the step is spoilt.
    """

    def __init__(self, held: Program, worse: Program, steps: tuple[Ints, Ints], budget: float, most: float) -> None:
        self.stack = Stack()
        self.steps = steps
        count = int(max(steps[0].max(), steps[1].max())) + 1
        self.spoils = self.stack.column(upper=1.0, integer=True, count=count) + np.arange(count)
        self.stack.tie(list(self.spoils), [1.0] * count, upper=budget)
        matrix = held.matrix.tocsc()
        self._links: list[tuple[Ints, Ints, Floats]] = []
        fixed = held.column_lower == held.column_upper
        for side, sign in (("lower", 1.0), ("upper", -1.0)):
            now, then = getattr(held, f"row_{side}"), getattr(worse, f"row_{side}")
            self._add_rows(matrix, now, then, sign, most)
            now, then = getattr(held, f"column_{side}"), getattr(worse, f"column_{side}")
            self._add_columns(now, np.where(fixed, now, then), sign, most)
        self._close(held)
        self.program = self.stack.program()

    def _add_rows(self, matrix: sparse.csc_array, now: Floats, then: Floats, sign: float, most: float) -> None:
        at = np.flatnonzero(np.isfinite(now))
        prices = self._prices(at, now, then, self.steps[0], sign, most)
        entries = sparse.coo_array(matrix.tocsr()[at])
        self._links.append((entries.col.astype(np.int64), prices[entries.row], sign * entries.data))

    def _add_columns(self, now: Floats, then: Floats, sign: float, most: float) -> None:
        at = np.flatnonzero(np.isfinite(now))
        prices = self._prices(at, now, then, self.steps[1], sign, most)
        self._links.append((at, prices, np.full(len(at), sign)))

    def _prices(self, at: Ints, now: Floats, then: Floats, step: Ints, sign: float, most: float) -> Ints:
        """Add the prices of some sides and what they earn; return their columns. The program minimises, so earnings are negative."""
        prices = np.array([self.stack.column(cost=-sign * float(v)) for v in now[at]], np.int64)
        moved = np.flatnonzero((then[at] != now[at]) & (step[at] >= 0))
        for k in moved.tolist():
            change = sign * float(then[at[k]] - now[at[k]])
            spoil = int(self.spoils[step[at[k]]])
            both = self.stack.column(cost=-change, upper=most)
            self.stack.tie([both, spoil], [1.0, -most], upper=0.0)
            self.stack.tie([both, int(prices[k])], [1.0, -1.0], upper=0.0)
            self.stack.tie([int(prices[k]), both, spoil], [1.0, -1.0, most], upper=most)
        return prices

    def _close(self, held: Program) -> None:
        """Require that the prices of each column's sides add up to its cost."""
        columns, prices, weights = (np.concatenate(part) for part in zip(*self._links, strict=True))
        order = np.argsort(columns, kind="stable")
        ends = np.searchsorted(columns[order], np.arange(len(held.cost) + 1))
        for j in range(len(held.cost)):
            here = order[ends[j] : ends[j + 1]]
            self.stack.bind(prices[here], weights[here], lower=float(held.cost[j]), upper=float(held.cost[j]))
