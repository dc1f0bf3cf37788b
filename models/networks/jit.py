"""The one place where loops are compiled; keeps the functions' types visible to the type checker.

Compiled code is cached on disk beside the source (or in the user's cache folder where that cannot be written), so only
the first run on a machine waits for the compiler.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

PARALLEL_FROM_STEPS = 48
"""Below this many steps starting the threads costs more than they save (about 8 ms on two cores)."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop for one core; divisions by zero give inf or NaN as in numpy."""
    return cast("Callable[P, R]", numba.njit(cache=True, error_model="numpy")(function))


def compiled_parallel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop whose ``prange`` runs on all cores."""
    return cast("Callable[P, R]", numba.njit(cache=True, error_model="numpy", parallel=True)(function))


def chunk_count(steps: int) -> int:
    """Return into how many pieces a batch is cut: one for short batches, a few per core otherwise."""
    return 1 if steps < PARALLEL_FROM_STEPS else min(4 * numba.get_num_threads(), steps)
