"""A year of the hub: how far our way from numbers to a loaded solver is from that of somebody who writes numpy for this one program."""

import gc
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.hub import FIRST, hub_problem
from benchmarks.measure import Timed, measure_pair
from benchmarks.process import run_process
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_most, value_at_most

if TYPE_CHECKING:
    from optimizers.compile.stencil import Affine, RowStencil, Stencil
    from optimizers.compile.tiling import TimeGrid
    from optimizers.session import Program

Floats = npt.NDArray[np.float64]
Numbers = Mapping[str, Any]
HOURS, QUARTERS = 8_760, 35_040
PACKAGES = ("highspy", "numpy", "scipy")


def ingredients(steps: int) -> "tuple[Stencil, TimeGrid, Numbers]":
    """Return the hub's stencil, its horizon, and every number of the problem by name."""
    from optimizers.compile.tiling import TimeGrid
    from optimizers.problem import Structure, blocks_of, facts_of, parameters_of, stencil_of

    problem = hub_problem(FIRST, steps)
    structure = Structure.of(problem)
    blocks = blocks_of(problem.site, structure)
    numbers = parameters_of(facts_of(problem), blocks, structure.carriers)
    return stencil_of(problem.site, structure), TimeGrid(steps), numbers


def ours(stencil: "Stencil", grid: "TimeGrid", numbers: Numbers) -> "Program":
    """Return the program by tiling."""
    from optimizers.compile.tiling import tile
    from optimizers.dispatch import program_of

    model = tile(stencil, grid)
    return program_of(model, model.layout.vector(numbers)).relaxed()


class ByHand:
    """The same program written with numpy: a block of triplets per term, then one conversion to compressed rows."""

    def __init__(self, stencil: "Stencil", grid: "TimeGrid", numbers: Numbers) -> None:
        self.stencil, self.steps, self.numbers = stencil, grid.steps, numbers
        sizes = [c.history + (self.steps if c.extent == "step" else 1) for c in stencil.columns]
        self.start = np.cumsum([0, *sizes])
        self.extent = dict(stencil.parameters)

    def program(self) -> "Program":
        """Return the program."""
        from scipy import sparse

        from optimizers.session import Program

        rows: list[Any] = []
        columns: list[Any] = []
        values: list[Any] = []
        lower, upper, count = [], [], 0
        for row in self.stencil.rows:
            at = self._steps(row)
            number = count + np.arange(len(at))
            for entry in row.entries:
                column = self.stencil.columns[entry.column]
                where = at + entry.offset if column.extent == "step" else np.zeros_like(at)
                inside = where >= -column.history
                rows.append(number[inside])
                columns.append(self.start[entry.column] + column.history + where[inside])
                values.append(self._value(entry.value, at[inside]))
            lower.append(self._value(row.lower, at))
            upper.append(self._value(row.upper, at))
            count += len(at)
        size = int(self.start[-1])
        cost, offset = self._cost(size)
        triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        matrix = sparse.csr_array(sparse.coo_array(triplets, shape=(count, size)))
        bounds = self._bounds()
        return Program(
            matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data, bounds[0], bounds[1],
            np.concatenate(lower), np.concatenate(upper), cost, offset, np.zeros(size, np.uint8),
        )  # fmt: skip

    def _steps(self, row: "RowStencil") -> npt.NDArray[np.int64]:
        if row.at == "last":
            return np.array([self.steps - 1])
        if row.at == "first":
            return np.array([0])
        return np.arange(self.steps)

    def _value(self, value: "Affine", at: npt.NDArray[np.int64]) -> Floats:
        found = np.full(len(at), value.const)
        for name, offset, weight in value.terms:
            number = np.asarray(self.numbers[name], float)
            found += weight * (number[at + offset] if number.ndim and self.extent[name] == "step" else number)
        return found

    def _bounds(self) -> list[Floats]:
        found: list[list[Floats]] = [[], []]
        for column in self.stencil.columns:
            at = np.arange(self.steps) if column.extent == "step" else np.zeros(1, np.int64)
            for side, bound in zip(found, (column.lower, column.upper), strict=True):
                if column.history:
                    side.append(np.broadcast_to(np.asarray(self.numbers[column.past], float), column.history))
                side.append(self._value(bound, at))
        return [np.concatenate(side) for side in found]

    def _cost(self, size: int) -> tuple[Floats, float]:
        cost, offset = np.zeros(size), 0.0
        for term in self.stencil.costs:
            at = {"each": np.arange(self.steps), "last": np.array([self.steps - 1]), "first": np.array([0])}[
                str(term.at)
            ]
            for entry in term.entries:
                column = self.stencil.columns[entry.column]
                where = at + entry.offset if column.extent == "step" else np.zeros_like(at)
                np.add.at(cost, self.start[entry.column] + column.history + where, self._value(entry.value, at))
            offset += float(self._value(term.const, at).sum())
        return cost, offset


@case("optimizers", "a year up to the solver", size=QUARTERS, quick_size=672, packages=PACKAGES)
def up_to_the_solver(bench: Bench) -> Iterator[Row]:
    """Compare CPU time from numbers to a loaded HiGHS for a year of hours and of quarter-hours; both programs are equal."""
    from optimizers.session import HighsSession

    for steps in sorted({min(HOURS, bench.size), bench.size}):
        stencil, grid, numbers = ingredients(steps)
        _assert_equal(ours(stencil, grid, numbers), ByHand(stencil, grid, numbers).program())

        def tiled(parts: Sequence[Any] = (stencil, grid, numbers)) -> Timed:
            begun = time.process_time()
            HighsSession(ours(*parts))
            return Timed(time.process_time() - begun)

        def by_hand(parts: Sequence[Any] = (stencil, grid, numbers)) -> Timed:
            begun = time.process_time()
            HighsSession(ByHand(*parts).program())
            return Timed(time.process_time() - begun)

        phase = f"up to the solver, {steps} steps, CPU"
        yield bench.pair(tiled, by_hand, target=ratio_at_most(1.6), phase=phase)


@case("optimizers", "a year with its solve", size=HOURS, quick_size=168, packages=PACKAGES)
def whole_year(bench: Bench) -> Row:
    """Compare the whole way with the solve; the optima agree."""
    from optimizers.session import HighsSession

    stencil, grid, numbers = ingredients(bench.size)
    optima: list[float] = []

    def tiled() -> None:
        optima.append(HighsSession(ours(stencil, grid, numbers)).run(time_limit_s=600.0).objective)

    def by_hand() -> None:
        optima.append(HighsSession(ByHand(stencil, grid, numbers).program()).run(time_limit_s=600.0).objective)

    pair = measure_pair(tiled, by_hand, repeats=1 if bench.quick else 3)
    assert max(optima) - min(optima) <= 1e-7 * abs(optima[0])
    return bench.figure(
        1e3 * pair.ours_median_s, "ms", reference=1e3 * pair.reference_median_s, target=ratio_at_most(1.02),
        phase=f"numbers to optimum, {bench.size} steps",
    )  # fmt: skip


@case("optimizers", "memory of a year", size=HOURS, quick_size=672, packages=PACKAGES)
def memory(bench: Bench) -> Row:
    """Compare the memory that building and loading adds to a process that has everything imported."""
    tiled, by_hand = (_added_mb(way, bench.size) for way in ("ours", "hand"))
    return bench.figure(tiled, "MB", reference=by_hand, target=ratio_at_most(1.4), phase=f"memory, {bench.size} steps")


@case("optimizers", "a year of quarter-hours of the park", size=QUARTERS, quick_size=672, packages=PACKAGES)
def year_of_the_park(bench: Bench) -> Row:
    """Measure the memory of a year of quarter-hours of the demo park, with the solver at work on it for a minute."""
    from benchmarks.peers import ROOT

    told = f"from benchmarks.optimizer_year import load_park; load_park({bench.size}, {5 if bench.quick else 60})"
    run = run_process([sys.executable, "-c", told], cwd=ROOT, timeout_s=900.0)
    assert run.exit_code == 0, run.output
    return bench.figure(run.peak_mb, "MB", target=value_at_most(8192.0), phase=f"memory, park, {bench.size} steps")


def load_park(steps: int, seconds: float) -> None:
    """Build and load the park over so many quarter-hours and let the solver work on it; what the child of the row above does."""
    from datetime import UTC, datetime, timedelta

    from benchmarks.day_ahead import park_problem
    from models.horizon import Horizon
    from optimizers.dispatch import Dispatcher
    from optimizers.session import HighsSession

    start = datetime(2015, 1, 1, tzinfo=UTC)
    dispatcher = Dispatcher()
    case_ = dispatcher.case(park_problem(Horizon.uniform(start, start + steps * timedelta(minutes=15)), integer_h=0.0))
    HighsSession(case_.program.relaxed()).run(time_limit_s=seconds)
    dispatcher.close()


def build_and_report(way: str, steps: int) -> None:
    """Build and load once and print the megabytes that this added at most; what the child of the memory row does."""
    from optimizers.session import HighsSession

    stencil, grid, numbers = ingredients(steps)
    few, short, little = ingredients(8)
    for make in (ours(few, short, little), ByHand(few, short, little).program()):
        HighsSession(make)  # imports and first-time work belong to nobody
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status_mb("VmRSS")
    HighsSession(ours(stencil, grid, numbers) if way == "ours" else ByHand(stencil, grid, numbers).program())
    print(_status_mb("VmHWM") - before)


def _status_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def _added_mb(way: str, steps: int) -> float:
    from benchmarks.peers import ROOT

    told = f"from benchmarks.optimizer_year import build_and_report; build_and_report({way!r}, {steps})"
    run = run_process([sys.executable, "-c", told], cwd=ROOT, timeout_s=300.0)
    return float(run.output.split()[-1])


def _assert_equal(one: "Program", other: "Program") -> None:
    difference = (one.matrix - other.matrix).tocsr()
    assert difference.nnz == 0 or float(abs(difference).max()) <= 1e-12
    for name in ("column_lower", "column_upper", "row_lower", "row_upper", "cost"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12, atol=1e-12)
