"""The only door to HiGHS: load a program once, change its numbers, run it, and check every status on the way."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.errors import SolverCrashError

Floats = npt.NDArray[np.float64]
Ints32 = npt.NDArray[np.int32]
SMALLEST = 1e-9
"""HiGHS drops smaller coefficients with a warning; they are dropped here instead."""


class Status(StrEnum):
    """How a solve ended."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    TIMEOUT = "timeout"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Program:
    """A program in row-wise sparse form, as numbers only: minimise ``cost @ x + offset``, ``row_lower <= A x <= row_upper``."""

    row_ptr: Ints32
    column_index: Ints32
    coefficients: Floats
    column_lower: Floats
    column_upper: Floats
    row_lower: Floats
    row_upper: Floats
    cost: Floats
    offset: float
    integrality: npt.NDArray[np.uint8]

    def relaxed(self) -> "Program":
        """Return the program without integrality."""
        return replace(self, integrality=np.zeros_like(self.integrality))

    def fixed(self, columns: Ints32, values: Floats) -> "Program":
        """Return the program with some columns fixed and without integrality."""
        lower, upper = self.column_lower.copy(), self.column_upper.copy()
        lower[columns] = upper[columns] = values
        return replace(self.relaxed(), column_lower=lower, column_upper=upper)

    @property
    def integers(self) -> Ints32:
        """Positions of the integer columns."""
        return np.flatnonzero(self.integrality).astype(np.int32)

    @property
    def matrix(self) -> sparse.csr_array:
        """The constraint matrix, shape (rows, columns)."""
        shape = (len(self.row_ptr) - 1, len(self.cost))
        # a copy, because scipy sorts indices in place and these are shared by every program of the structure
        return sparse.csr_array((self.coefficients, self.column_index, self.row_ptr), shape=shape, copy=True)


@dataclass(frozen=True, slots=True)
class Solution:
    """What HiGHS answered. ``x`` is None when there is no feasible point; the duals are None for an integer program.

    ``bound`` is the proven lower bound of the objective. A row's dual is the change of the objective per unit of its side.
    """

    status: Status
    message: str
    x: Floats | None = None
    row_dual: Floats | None = None
    objective: float = float("nan")
    bound: float = float("-inf")
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a solve has come: the best cost so far (inf without one), the proven bound, and the distance between them as a share."""

    seconds: float
    objective: float
    bound: float
    gap_share: float


Watch = Callable[[Progress | None], bool]
"""Is told how far a tree search has come, or None where there is nothing new; answers whether to stop with the best found so far."""

_STATUS = {
    highspy.HighsModelStatus.kOptimal: Status.OPTIMAL,
    highspy.HighsModelStatus.kModelEmpty: Status.OPTIMAL,
    highspy.HighsModelStatus.kInfeasible: Status.INFEASIBLE,
    highspy.HighsModelStatus.kUnbounded: Status.UNBOUNDED,
    highspy.HighsModelStatus.kTimeLimit: Status.TIMEOUT,
    highspy.HighsModelStatus.kInterrupt: Status.TIMEOUT,
    highspy.HighsModelStatus.kSolutionLimit: Status.TIMEOUT,
    highspy.HighsModelStatus.kIterationLimit: Status.TIMEOUT,
}

DEFAULTS: Mapping[str, bool | int | float | str] = {"output_flag": False, "threads": 1, "random_seed": 0}


class HighsSession:
    """One HiGHS model that lives as long as its structure; between runs only numbers change, so the basis is kept."""

    def __init__(self, program: Program, options: Mapping[str, bool | int | float | str] | None = None) -> None:
        make: Any = highspy.Highs
        self._highs = make()
        for name, value in {**DEFAULTS, **(options or {})}.items():
            self.set_option(name, value)
        self.program = program
        self._load(program)

    def set_option(self, name: str, value: bool | int | float | str) -> None:
        """Set one HiGHS option by its HiGHS name."""
        _check(self._highs.setOptionValue(name, value), f"option {name}")

    def update(self, new: Program) -> int:
        """Change the model to the numbers of ``new`` and return how many changed.

        Rows and columns behind the present ones are added and the basis is kept; a program that does not continue the present one is
        loaded anew, without a basis.
        """
        old, self.program = self.program, new
        if not _continues(old, new):
            self._load(new)
            return len(new.coefficients)
        if len(new.row_lower) > len(old.row_lower) or len(new.cost) > len(old.cost):
            old = self._grow(old, new)
        changed = self._update_columns(old, new) + self._update_rows(old, new)
        changed += self._update_coefficients(old, new)
        if old.offset != new.offset:
            _check(self._highs.changeObjectiveOffset(new.offset), "objective offset")
        if not np.array_equal(old.integrality, new.integrality):
            self._set_integrality(new.integrality)
        return changed

    def forget(self) -> None:
        """Let the next run begin from nothing."""
        _check(self._highs.clearSolver(), "forgetting the basis")

    def run(self, *, time_limit_s: float = 60.0, gap_share: float = 1e-4, watch: Watch | None = None) -> Solution:
        """Solve and return what was found, whatever it is; ``gap_share`` is the allowed relative gap of integer programs."""
        if watch is not None:
            with _watched(self._highs, watch):
                return self.run(time_limit_s=time_limit_s, gap_share=gap_share)
        start_s = float(self._highs.getRunTime())
        self.set_option("time_limit", start_s + time_limit_s)
        self.set_option("mip_rel_gap", gap_share)
        found = self._run(start_s)
        if found.status is Status.FAILED:
            # a kept basis can lead the simplex astray; from nothing it finds its way
            self.forget()
            found = self._run(start_s)
        return found

    def _run(self, start_s: float) -> Solution:
        if self._highs.run() == highspy.HighsStatus.kError:
            return Solution(Status.FAILED, "HiGHS ended with an error")
        return self._solution(float(self._highs.getRunTime()) - start_s)

    def run_within(self, columns: Ints32, lower: Floats, upper: Floats, *, time_limit_s: float = 60.0) -> Solution:
        """Solve with other bounds on some columns, then put the program's own bounds back."""
        self._set_column_bounds(columns, lower, upper)
        try:
            return self.run(time_limit_s=time_limit_s)
        finally:
            self._set_column_bounds(columns, self.program.column_lower[columns], self.program.column_upper[columns])

    def begin_from(self, earlier: "HighsSession", columns: Ints32, rows: Ints32) -> None:
        """Take over an earlier session's basis: each column and row begins as that one of the earlier program stands."""
        known, basis = earlier._highs.getBasis(), highspy.HighsBasis()
        if not known.valid:
            return
        basis.col_status = np.array(known.col_status, dtype=object)[columns].tolist()
        basis.row_status = np.array(known.row_status, dtype=object)[rows].tolist()
        basis.valid, basis.alien = True, True  # alien: HiGHS completes it where the cut has left it singular
        _check(self._highs.setBasis(basis), "taking over a basis")

    def conflict(self) -> list[tuple[int | None, int | None]]:
        """Return the rows (row, None) and upper bounds of columns (None, column) that contradict each other, after an infeasible run.

        With the option ``iis_strategy`` 4 none of them can be left out; that is meant for small programs.
        """
        answer = self._highs.getIis()
        found = answer[1] if isinstance(answer, tuple) else answer
        lower = int(highspy.IisBoundStatus.kIisBoundStatusLower)
        columns = [c for c, b in zip(found.col_index_, found.col_bound_, strict=True) if int(b) > lower]
        return [(int(r), None) for r in found.row_index_] + [(None, int(c)) for c in columns]

    def read_back(self) -> Program:
        """Return the model as HiGHS holds it, for comparison with what was asked for."""
        lp = self._highs.getLp()
        shape = (lp.num_row_, lp.num_col_)
        kind = sparse.csr_array if lp.a_matrix_.format_ == highspy.MatrixFormat.kRowwise else sparse.csc_array
        held = kind((lp.a_matrix_.value_, lp.a_matrix_.index_, lp.a_matrix_.start_), shape=shape).tocsr()
        integrality = np.array([int(k) for k in lp.integrality_] or np.zeros(lp.num_col_), np.uint8)
        return Program(
            row_ptr=held.indptr,
            column_index=held.indices,
            coefficients=held.data,
            column_lower=np.array(lp.col_lower_),
            column_upper=np.array(lp.col_upper_),
            row_lower=np.array(lp.row_lower_),
            row_upper=np.array(lp.row_upper_),
            cost=np.array(lp.col_cost_),
            offset=float(lp.offset_),
            integrality=integrality,
        )

    def _load(self, program: Program) -> None:
        keep = np.abs(program.coefficients) >= SMALLEST
        starts = np.concatenate([[0], np.cumsum(keep)])[program.row_ptr].astype(np.int32)
        rows, columns, entries = len(program.row_lower), len(program.cost), int(keep.sum())
        status = self._highs.passModel(
            columns, rows, entries, int(highspy.MatrixFormat.kRowwise), int(highspy.ObjSense.kMinimize), program.offset,
            program.cost, program.column_lower, program.column_upper, program.row_lower, program.row_upper,
            starts[:-1], program.column_index[keep], program.coefficients[keep], program.integrality.astype(np.int32),
        )  # fmt: skip
        _check(status, "loading the model")
        if self._highs.getNumCol() != columns or self._highs.getNumRow() != rows:
            raise SolverCrashError(f"HiGHS holds {self._highs.getNumCol()} columns after loading {columns}")

    def _grow(self, old: Program, new: Program) -> Program:
        """Add the columns and rows that ``new`` has behind those of ``old``; return ``old`` with them."""
        columns, rows, entries = len(old.cost), len(old.row_lower), len(old.coefficients)
        nothing = np.zeros(0, dtype=np.int32)
        more = len(new.cost) - columns
        status = self._highs.addCols(
            more, new.cost[columns:], new.column_lower[columns:], new.column_upper[columns:],
            0, np.zeros(more, dtype=np.int32), nothing, np.zeros(0),
        )  # fmt: skip
        _check(status, "adding columns")
        keep = np.abs(new.coefficients[entries:]) >= SMALLEST
        starts = np.concatenate([[0], np.cumsum(keep)])[new.row_ptr[rows:] - entries].astype(np.int32)
        status = self._highs.addRows(
            len(new.row_lower) - rows, new.row_lower[rows:], new.row_upper[rows:],
            int(keep.sum()), starts[:-1], new.column_index[entries:][keep], new.coefficients[entries:][keep],
        )  # fmt: skip
        _check(status, "adding rows")
        return replace(
            new,
            coefficients=np.concatenate([old.coefficients, new.coefficients[entries:]]),
            column_lower=np.concatenate([old.column_lower, new.column_lower[columns:]]),
            column_upper=np.concatenate([old.column_upper, new.column_upper[columns:]]),
            row_lower=np.concatenate([old.row_lower, new.row_lower[rows:]]),
            row_upper=np.concatenate([old.row_upper, new.row_upper[rows:]]),
            cost=np.concatenate([old.cost, new.cost[columns:]]),
            offset=old.offset,
            integrality=np.concatenate([old.integrality, np.zeros(more, dtype=old.integrality.dtype)]),
        )

    def _update_columns(self, old: Program, new: Program) -> int:
        costs = _changed(old.cost, new.cost)
        if len(costs):
            _check(self._highs.changeColsCost(len(costs), costs, new.cost[costs]), "changing costs")
        bounds = _changed(old.column_lower, new.column_lower, old.column_upper, new.column_upper)
        self._set_column_bounds(bounds, new.column_lower[bounds], new.column_upper[bounds])
        return len(costs) + len(bounds)

    def _update_rows(self, old: Program, new: Program) -> int:
        rows = _changed(old.row_lower, new.row_lower, old.row_upper, new.row_upper)
        if len(rows):
            status = self._highs.changeRowsBounds(len(rows), rows, new.row_lower[rows], new.row_upper[rows])
            _check(status, "changing rows")
        return len(rows)

    def _update_coefficients(self, old: Program, new: Program) -> int:
        slots = _changed(old.coefficients, new.coefficients)
        rows = np.searchsorted(new.row_ptr, slots, side="right") - 1
        for slot, row in zip(slots.tolist(), rows.tolist(), strict=True):
            value = float(new.coefficients[slot])
            value = value if abs(value) >= SMALLEST else 0.0
            _check(self._highs.changeCoeff(row, int(new.column_index[slot]), value), "changing a coefficient")
        return len(slots)

    def _set_column_bounds(self, columns: Ints32, lower: Floats, upper: Floats) -> None:
        if len(columns):
            _check(self._highs.changeColsBounds(len(columns), columns, lower, upper), "changing column bounds")

    def _set_integrality(self, integrality: npt.NDArray[np.uint8]) -> None:
        every = np.arange(len(integrality), dtype=np.int32)
        _check(self._highs.changeColsIntegrality(len(every), every, integrality), "changing integrality")

    def _solution(self, seconds: float) -> Solution:
        info, found = self._highs.getInfo(), self._highs.getSolution()
        model_status = self._highs.getModelStatus()
        status, message = _STATUS.get(model_status, Status.FAILED), self._highs.modelStatusToString(model_status)
        if model_status == highspy.HighsModelStatus.kUnboundedOrInfeasible:
            status = self._which_of_the_two()
        integers = bool(self.program.integrality.any())
        usable = found.value_valid and info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        if status is Status.OPTIMAL and not usable:
            status, message = Status.FAILED, "optimal only in its own scaling, its point breaks limits"
        duals = bool(found.dual_valid) and not integers
        return Solution(
            status=status,
            message=message,
            x=np.array(found.col_value) if usable else None,
            row_dual=np.array(found.row_dual) if duals else None,
            objective=float(info.objective_function_value),
            bound=float(info.mip_dual_bound if integers else info.objective_function_value),
            seconds=seconds,
        )

    def _which_of_the_two(self) -> Status:
        """Tell infeasible from unbounded, which presolve leaves open, by solving once more without presolve."""
        self.set_option("presolve", "off")
        try:
            self._highs.run()
            return _STATUS.get(self._highs.getModelStatus(), Status.INFEASIBLE)
        finally:
            self.set_option("presolve", "choose")


def _continues(old: Program, new: Program) -> bool:
    """Return whether ``new`` begins with the rows, columns and pattern of ``old``."""
    if old.column_index is new.column_index and old.row_ptr is new.row_ptr:
        return True
    rows, entries = len(old.row_ptr), len(old.column_index)
    return (
        len(new.cost) >= len(old.cost)
        and np.array_equal(old.row_ptr, new.row_ptr[:rows])
        and np.array_equal(old.column_index, new.column_index[:entries])
    )


@contextmanager
def _watched(highs: Any, watch: Watch) -> Iterator[None]:
    """Let ``watch`` hear of a solve's progress, and stop it."""

    def told(event: Any) -> None:
        out = event.data_out
        if watch(Progress(out.running_time, out.objective_function_value, out.mip_dual_bound, out.mip_gap)):
            event.interrupt()

    def asked(event: Any) -> None:
        if watch(None):
            event.interrupt()

    heard = ((highs.cbMipInterrupt, told), (highs.cbSimplexInterrupt, asked))
    for events, answer in heard:
        events.subscribe(answer)
    try:
        yield
    finally:
        for events, answer in heard:
            events.unsubscribe(answer)


def _changed(*pairs: Floats) -> Ints32:
    """Return where any of the (old, new) pairs differ."""
    different = pairs[0] != pairs[1]
    for old, new in zip(pairs[2::2], pairs[3::2], strict=True):
        different = different | (old != new)
    return np.flatnonzero(different).astype(np.int32)


def _check(status: Any, what: str) -> None:
    if status != highspy.HighsStatus.kOk:
        raise SolverCrashError(f"HiGHS answered {status} to: {what}")
