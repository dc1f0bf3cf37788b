"""Timing: two ways measured in turn, so that a busy machine slows both alike."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


class Timed(float):
    """Seconds that a function measured itself, for example inside another process; returned instead of being timed from here."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Seconds of every repetition, ours and the reference's, taken in turn."""

    ours_s: tuple[float, ...]
    reference_s: tuple[float, ...]

    @property
    def ours_median_s(self) -> float:
        """Median of ours."""
        return statistics.median(self.ours_s)

    @property
    def reference_median_s(self) -> float:
        """Median of the reference."""
        return statistics.median(self.reference_s)


def seconds_of(work: Callable[[], object]) -> float:
    """Run ``work`` once and return its seconds, or those it measured itself (``Timed``)."""
    gc.collect()
    start = time.perf_counter()
    answer = work()
    spent = time.perf_counter() - start
    return float(answer) if isinstance(answer, Timed) else spent


def measure_pair(
    ours: Callable[[], object], reference: Callable[[], object], *, repeats: int = 5, warm_up: bool = True
) -> Pair:
    """Return the seconds of both, alternated A B A B after one unmeasured run of each."""
    if warm_up:
        ours()
        reference()
    both = [(seconds_of(ours), seconds_of(reference)) for _ in range(repeats)]
    return Pair(tuple(a for a, _ in both), tuple(b for _, b in both))


def measure(work: Callable[[], object], *, repeats: int = 5, warm_up: bool = True) -> float:
    """Return the median seconds of ``work`` over ``repeats`` runs, after one unmeasured run."""
    if warm_up:
        work()
    return statistics.median(seconds_of(work) for _ in range(repeats))
