"""Rolling dispatch: one re-plan against the bare update of the same numbers, and what a whole re-plan takes."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.day_ahead import SUMMER_DAY, park_problem
from benchmarks.measure import Timed
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_most, value_at_most

if TYPE_CHECKING:
    from models.dispatch import DispatchProblem
    from optimizers.session import Program


def _day(steps: int) -> "list[DispatchProblem]":
    from models.horizon import Horizon

    starts = [SUMMER_DAY + k * timedelta(minutes=15) for k in range(steps)]
    return [park_problem(Horizon.quarters_then_hours(s), integer_h=0.0) for s in starts]


class RawRolling:
    """The floor: HiGHS's own calls with arrays that are already there."""

    def __init__(self, first: "Program") -> None:
        from optimizers.session import HighsSession

        self.highs: Any = HighsSession(first)._highs
        self.now = first

    def step(self, new: "Program") -> float:
        """Change what differs, solve from the kept basis and read point and prices; return the objective."""
        import numpy as np

        highs, old, self.now = self.highs, self.now, new
        every = np.arange(len(new.cost), dtype=np.int32)
        rows = np.arange(len(new.row_lower), dtype=np.int32)
        highs.changeColsCost(len(every), every, new.cost)
        highs.changeColsBounds(len(every), every, new.column_lower, new.column_upper)
        highs.changeRowsBounds(len(rows), rows, new.row_lower, new.row_upper)
        slots = np.flatnonzero(old.coefficients != new.coefficients)
        owners = np.searchsorted(new.row_ptr, slots, side="right") - 1
        for slot, row in zip(slots.tolist(), owners.tolist(), strict=True):
            highs.changeCoeff(row, int(new.column_index[slot]), float(new.coefficients[slot]))
        highs.run()
        answer = highs.getSolution()
        np.array(answer.col_value), np.array(answer.row_dual)
        return float(highs.getInfo().objective_function_value)


@case("optimizers", "rolling step", size=96, quick_size=3, packages=("highspy", "pyomo"))
def rolling_step(bench: Bench) -> Iterator[Row]:
    """Compare re-solving by parameter vector with the bare update; the optima agree step by step."""
    from optimizers.dispatch import Dispatcher, program_of
    from optimizers.session import HighsSession

    problems, dispatcher = _day(bench.size), Dispatcher()
    cases = [dispatcher.case(p) for p in problems]
    model = cases[0].compiled.model
    vectors = [model.layout.vector(c.parameters) for c in cases]
    programs = [program_of(model, v).relaxed() for v in vectors]

    def ours() -> tuple[float, list[float]]:
        session, found = HighsSession(programs[-1]), []
        session.run()
        start = time.perf_counter()
        for vector in vectors:
            session.update(program_of(model, vector).relaxed())
            found.append(session.run().objective)
        return time.perf_counter() - start, found

    def floor() -> tuple[float, list[float]]:
        raw = RawRolling(programs[-1])
        raw.highs.run()
        start = time.perf_counter()
        found = [raw.step(p) for p in programs]
        return time.perf_counter() - start, found

    _assert_same(ours()[1], floor()[1])
    yield bench.pair(
        lambda: Timed(ours()[0] / len(vectors)),
        lambda: Timed(floor()[0] / len(vectors)),
        target=ratio_at_most(1.05),
        phase="rolling linear step",
    )


@case("optimizers", "whole re-plan", size=96, quick_size=3, packages=("highspy", "pyomo"))
def whole_replan(bench: Bench) -> Iterator[Row]:
    """Measure a re-plan from problem to certified plan, commitment of the first three hours included."""
    from dataclasses import replace

    from optimizers.dispatch import Dispatcher

    problems = [replace(p, integer_h=3.0) for p in _day(bench.size)]
    dispatcher = Dispatcher()
    try:
        dispatcher.dispatch(problems[0])

        def day() -> Timed:
            start = time.perf_counter()
            for problem in problems:
                assert dispatcher.dispatch(problem).solver.certified
            return Timed((time.perf_counter() - start) / len(problems))

        yield bench.time(day, target=value_at_most(60.0), phase="whole re-plan, mean")
    finally:
        dispatcher.close()


def _assert_same(ours: Sequence[float], reference: Sequence[float]) -> None:
    assert all(abs(a - b) <= 1e-7 * max(abs(b), 1.0) for a, b in zip(ours, reference, strict=True))
