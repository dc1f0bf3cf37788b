"""A dispatch problem that learns rows from the networks: the planner's side of plan, replay, rows, plan again.

Losses become columns, held up by tangents; limits become rows that bend at a price. Rows live in port space, so they outlast a new
forecast: what a port is in terms of columns is worked out anew for every problem. A row that is replaced is opened, never taken out, so
every program continues the one before and the solver goes on from its basis.
"""

import time
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse

from models.carriers import Carrier
from models.dispatch import DispatchProblem, Plan, SolverReport
from models.errors import InfeasiblePlanError, SolverCrashError, SolverTimeoutError, UnboundedPlanError
from models.security import Floats, Port, PortPlan, Rows, Shape
from optimizers.certificate import certify, require
from optimizers.checks import check
from optimizers.dispatch import Case, Dispatcher
from optimizers.levers import DRAWN, FED, UNSERVED, Extension
from optimizers.plan import Outcome, plan_of
from optimizers.ports import PortMap, row_terms
from optimizers.session import Program, Solution, Status
from optimizers.worker import Answer, Job

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
LOSS = "loss_kw"


@dataclass(frozen=True, slots=True)
class _Answered:
    """A plan at its ports with the point and the program behind it."""

    ports: PortPlan
    point: Solution
    program: Program
    opened: Flags


class SecuredProblem:
    """One dispatch problem with the rows that its networks have returned; a ``SecurablePlanner``.

    It begins without yes-or-no decisions, so that rows converge on a linear program; :meth:`commit` takes the decisions under the rows
    held so far and keeps them from then on.
    """

    def __init__(
        self,
        problem: DispatchProblem,
        ports: Sequence[Port],
        revision: str,
        dispatcher: Dispatcher,
        *,
        deadline_s: float = 20.0,
    ) -> None:
        self.problem, self.ports, self.revision, self.deadline_s = problem, tuple(ports), revision, deadline_s
        self._dispatcher, self._begun_s = dispatcher, time.monotonic()
        self._end_s = self._begun_s + deadline_s
        self._findings = check(problem)
        self._case: Case = dispatcher.case(problem)
        self._extension = Extension.of(self._case)
        self._map = PortMap(self._extension, self.ports)
        self._program = self._extension.extended(self._case.program.relaxed())
        self.rows = Rows.empty()
        self._open: Flags = np.zeros(0, dtype=bool)
        self._terms: list[tuple[sparse.csr_array, Floats]] = []
        self._size: Floats = np.zeros(0)
        self._answers: list[_Answered] = []
        self._bound = self._relaxed = -np.inf
        self._committed = False
        self._decided: Solution | None = None
        self._build_s, self._solve_s = time.monotonic() - self._begun_s, 0.0

    @property
    def objective(self) -> float:
        """Cost of the present plan, with the price of bent rows."""
        return self._present.point.objective

    @property
    def program(self) -> Program:
        """What :meth:`solve` would solve now."""
        return self._with_rows(self._program)

    def solve(self) -> PortPlan:
        """Return the cheapest plan under all rows held; linear before :meth:`commit`, with its decisions kept after."""
        program, point, self._decided = self.program, self._decided, None
        if point is None:
            answer = self._run(program)
            point = answer.solution
            if not self._committed:
                self._relaxed = answer.relaxed.objective
                self._bound = max(self._bound, self._relaxed)
        values = self._map.at(point_of(point))
        ports = PortPlan(self.ports, values, self._case.facts.step_h, self.revision)
        self._answers.append(_Answered(ports, point, program, self._open))
        return ports

    def restore(self, plan: PortPlan) -> None:
        """Make an earlier answer of :meth:`solve` the present one, with the local rows that bound it; ``ValueError`` for a stranger."""
        if self._present.ports is plan:
            return
        known = next((a for a in self._answers if a.ports is plan), None)
        if known is None:
            raise ValueError("only a plan that this problem has given can be restored")
        later = self.rows.shape[len(known.opened) :] != int(Shape.GLOBAL)
        self._open = np.concatenate([known.opened, later])
        self._answers.append(known)

    @property
    def held(self) -> Rows:
        """The rows that bind at present."""
        return self.rows.select(~self._open)

    @property
    def losses(self) -> Ints:
        """The columns of the grid's losses, shape (step,)."""
        return np.arange(self._extension.losses.start, self._extension.losses.stop)

    def ports_at(self, points: Floats) -> Floats:
        """Return the port values of several points, shape (point, step, port)."""
        return np.array([self._map.at(x) for x in points])

    def commit(self) -> bool:
        """Take the yes-or-no decisions under the rows held so far, which later solves keep; return whether there were any."""
        integers = self._case.program.integers
        self._committed = True
        if not len(integers):
            return False
        answer = self._run(self._with_rows(self._extension.extended(self._case.program)))
        decided = answer.priced or answer.solution
        self._bound = max(self._bound, min(answer.solution.bound, decided.objective))
        self._program = self._extension.extended(
            self._case.program.fixed(integers, np.round(point_of(decided)[integers]))
        )
        self._decided = answer.priced  # the optimum with these decisions, prices included
        return True

    def add_rows(self, rows: Rows, *, replace: Container[str] = ()) -> int:
        """Add rows and return how many hold; local rows of the kinds in ``replace`` are opened, so that they bind no more."""
        if len(rows) or replace:
            self._decided = None
        local = self.rows.shape != int(Shape.GLOBAL)
        replaced = local & np.array([kind in replace for kind in self.rows.kind.tolist()], dtype=bool)
        self._open = np.concatenate([self._open | replaced, np.zeros(len(rows), dtype=bool)])
        self.rows = self.rows + rows
        if len(rows):
            slope, base = row_terms(rows, self._map)
            self._terms.append((slope, base))
            self._size = np.concatenate([self._size, _sizes(rows, slope)])
        return int(np.count_nonzero(~self._open))

    def slack(self) -> Floats:
        """Return how far each row that holds is bent, 0 for rows added since the last solve."""
        found = np.zeros(len(self.rows))
        known = np.flatnonzero(self.rows.kind[: len(self._present.opened)] != LOSS)
        bends = point_of(self._present.point)[self._extension.columns :].reshape(-1, 2).sum(axis=1)
        found[known] = bends * self._size[known]
        return found[~self._open]

    def lower_bound(self) -> float:
        """Return the least that any plan can cost: the linear program under the rows that are true everywhere.

        That loss tangents and low-voltage rows never cut off a feasible plan is sampled, not proven. Asks the solver once where rows
        that are only locally true are held, never where none is.
        """
        merely_local = self.rows.shape != int(Shape.GLOBAL)
        return self._least_without(merely_local) if merely_local.any() else self._bound

    def cost_of_losses_alone(self) -> float:
        """Return the least cost, yes-or-no decisions aside, when the networks lose but limit nothing."""
        limits = self.rows.kind != LOSS
        return self._least_without(limits) if limits.any() else self._relaxed

    def _least_without(self, some: Flags) -> float:
        held, self._open = self._open, self._open | some
        try:
            return self._run(self._with_rows(self._extension.extended(self._case.program.relaxed()))).relaxed.objective
        finally:
            self._open = held

    def plan(self, message: str = "") -> Plan:
        """Return the present point as a plan, certified against the program with its rows."""
        present = self._present
        certificate = certify(present.program, present.point)
        require(certificate, f"secured plan from {self.problem.horizon.start:%Y-%m-%d %H:%M} UTC")
        x = point_of(present.point)
        unserved = self._extension.values(x, UNSERVED)
        outcome = Outcome(
            facts=self._case.facts,
            book=self._case.compiled.book,
            blocks=self._case.compiled.blocks,
            carriers=self._case.compiled.carriers,
            model=self._case.compiled.model,
            parameters=self._case.parameters,
            cost_weights=self._case.cost_weights,
            x=x[: self._extension.own],
            row_dual=present.point.row_dual,
            program=present.program,
            short_kw={(asset, Carrier.ELECTRICITY): kw for asset, kw in unserved.items()},
        )
        gap = max(certificate.objective - self._bound, 0.0) / max(abs(certificate.objective), 1.0)
        report = SolverReport(
            "gap", certificate.objective, self._bound, gap, self._build_s, self._solve_s, message, certificate.sound
        )
        made = replace(plan_of(outcome, report, self._findings), reactive_kvar=self._reactive_kvar(x))
        self._dispatcher.adopt(self._case, made, outcome)
        return made

    def _reactive_kvar(self, x: Floats) -> xr.DataArray | None:
        fed, drawn = self._extension.values(x, FED), self._extension.values(x, DRAWN)
        if not fed:
            return None
        values = np.array([fed[a] - drawn[a] for a in fed])
        return xr.DataArray(values, {"asset": list(fed), "time": self._case.facts.times}, ("asset", "time"))

    @property
    def _present(self) -> _Answered:
        if not self._answers:
            raise InfeasiblePlanError("nothing has been solved yet; call solve() first")
        return self._answers[-1]

    def _run(self, program: Program) -> Answer:
        """Solve on the live model of this structure; raises ``SolverTimeoutError`` when the time for all solves is up."""
        left_s = self._end_s - time.monotonic()
        if left_s <= 0.0:
            raise SolverTimeoutError(f"{self.deadline_s:g} s were too few for the rows of the networks")
        job = Job(f"{self._case.compiled.key}:{self.revision}", program, gap_share=self.problem.gap_share)
        begun_s = time.monotonic()
        answer = self._dispatcher.answer(job, deadline_s=left_s)
        self._solve_s += time.monotonic() - begun_s
        return answer

    def _with_rows(self, program: Program) -> Program:
        if not len(self.rows):
            return program
        slope = sparse.vstack([s for s, _ in self._terms])
        base = np.concatenate([b for _, b in self._terms])
        terms = sparse.csr_array(slope), base, self._size
        return with_rows(program, self._extension, self.rows, self._open, terms)


def with_rows(
    program: Program, extension: Extension, rows: Rows, opened: Flags, terms: tuple[sparse.csr_array, Floats, Floats]
) -> Program:
    """Return a program with the networks' rows.

    The loss of each step is held up by its tangents; every other row may bend, upwards or downwards, at its price. Rows that are
    ``opened`` stand without limits. ``terms`` are the rows over the extension's columns: slopes, values at 0, and the size by which
    a row is divided so that a kilowatt weighs about one in it.
    """
    slope, base, size = terms
    is_loss = rows.kind == LOSS
    bounded = np.flatnonzero(~is_loss)
    tangents = np.flatnonzero(is_loss)
    losses = sparse.coo_array(
        (np.ones(len(tangents)), (tangents, extension.losses.start + rows.step[tangents])),
        shape=(len(rows), extension.columns),
    )
    # two columns side by side per row, behind all others, so that more rows continue the program
    bend = sparse.coo_array(
        (np.tile([1.0, -1.0], len(bounded)), (np.repeat(bounded, 2), np.arange(2 * len(bounded)))),
        shape=(len(rows), 2 * len(bounded)),
    )
    weight = np.where(is_loss, -1.0, 1.0) / size
    below = sparse.csr_array(sparse.hstack([sparse.diags_array(weight) @ slope + losses, bend]))
    below.sort_indices()
    lower = np.where(opened, -np.inf, np.where(is_loss, base, rows.lower - base) / size)
    upper = np.where(opened | is_loss, np.inf, (rows.upper - base) / size)
    price = np.repeat(rows.slack_price[bounded] * size[bounded], 2)
    return replace(
        program,
        row_ptr=np.concatenate([program.row_ptr, program.row_ptr[-1] + below.indptr[1:]]).astype(np.int32),
        column_index=np.concatenate([program.column_index, below.indices]).astype(np.int32),
        coefficients=np.concatenate([program.coefficients, below.data]),
        column_lower=np.concatenate([program.column_lower, np.zeros(len(price))]),
        column_upper=np.concatenate([program.column_upper, np.full(len(price), np.inf)]),
        row_lower=np.concatenate([program.row_lower, lower]),
        row_upper=np.concatenate([program.row_upper, upper]),
        cost=np.concatenate([program.cost, price]),
        integrality=np.concatenate([program.integrality, np.zeros(len(price), dtype=program.integrality.dtype)]),
    )


def _sizes(rows: Rows, slope: sparse.csr_array) -> Floats:
    """Return the largest slope of every row, 1 for losses, which are kilowatts already, and where nothing moves the row."""
    largest = np.asarray(abs(slope).max(axis=1).toarray(), dtype=float).ravel()
    return np.where((rows.kind == LOSS) | (largest == 0.0), 1.0, largest)


def point_of(point: Solution) -> Floats:
    """Return a point; without one, raise the error that says what there is to do."""
    if point.x is not None:
        return point.x
    if point.status is Status.INFEASIBLE:
        raise InfeasiblePlanError("no plan satisfies every limit of the problem and its networks")
    if point.status is Status.UNBOUNDED:
        raise UnboundedPlanError("the cost can fall without end; a price or a limit is missing")
    if point.status is Status.FAILED:
        raise SolverCrashError(f"the solver failed on the rows of the networks ({point.message})")
    raise SolverTimeoutError(f"no plan under the rows of the networks was found in time ({point.message})")
