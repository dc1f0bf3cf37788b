"""The one place where loops are compiled and spread over cores; keeps the functions' types visible to the type checker.

Compiled code is cached on disk beside the source (or in the user's cache folder where that cannot be written), so only
the first run on a machine waits for the compiler. Compiled loops release the interpreter lock, so plain threads run
them side by side; numba's own parallel loops compile several times longer and refuse to be called from two threads.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.core import cgutils, types
from numba.extending import intrinsic

P = ParamSpec("P")
R = TypeVar("R")

PARALLEL_FROM = 48
"""Below this many steps handing out the work costs more than it saves."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop; divisions by zero give inf or NaN as in numpy."""
    return cast("Callable[P, R]", numba.njit(cache=True, error_model="numpy", nogil=True)(function))


def in_pieces(count: int, work: Callable[[int, int], None], *, parallel_from: int = PARALLEL_FROM) -> None:
    """Run ``work(first, last)`` over all of ``count`` independent steps, on all cores where there are enough of them."""
    cores = 1 if count < parallel_from else os.cpu_count() or 1
    if cores == 1:
        work(0, count)
        return
    edges = [count * k // (2 * cores) for k in range(2 * cores + 1)]
    with ThreadPoolExecutor(cores) as pool:
        for _ in pool.map(work, edges[:-1], edges[1:]):
            pass


def _typed_pointer(context: Any, address: Any) -> Any:  # noqa: ARG001 - numba asks for both
    """Return an address as a pointer."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's own signature
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), build


_pointer: Any = intrinsic(_typed_pointer)
_array: Any = numba.carray  # type: ignore[attr-defined] # exported without saying so


@compiled
def table_at(address: int, rows: int, columns: int) -> npt.NDArray[np.int64]:
    """Return the table of 64-bit integers at an address, inside a compiled loop; who hands the address out keeps its array alive.

    Handing over an array costs a third of a microsecond, an address a fiftieth: what is called for every single event takes addresses.
    """
    found: npt.NDArray[np.int64] = _array(_pointer(address), (rows, columns), np.int64)
    return found
