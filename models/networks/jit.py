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

ir: Any = cgutils.ir  # type: ignore[attr-defined] # exported without saying so
PARALLEL_FROM = 48
"""Below this many steps handing out the work costs more than it saves."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop; divisions by zero give inf or NaN as in numpy."""
    return cast("Callable[P, R]", numba.njit(cache=True, error_model="numpy", nogil=True)(function))


def brief(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a call that is over sooner than the interpreter's lock is handed over and back: it keeps the lock."""
    return cast("Callable[P, R]", numba.njit(cache=True, error_model="numpy")(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop's helper into whatever calls it; for those that hand on many tables and are called for every item.

    A table is handed on as seven numbers, which for short helpers costs more than what they do.
    """
    made = numba.njit(cache=True, error_model="numpy", nogil=True, forceinline=True)(function)
    return cast("Callable[P, R]", made)


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


def _typed_fetch(context: Any, address: Any) -> Any:  # noqa: ARG001 - numba asks for both
    """Ask the processor for the line of memory at an address; whoever needs it a little later does not wait."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> None:  # noqa: ARG001 - numba's own signature
        whole, where = ir.IntType(32), builder.inttoptr(arguments[0], cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, whole, whole, whole])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", (cgutils.voidptr_t,), kind)
        to_write, kept, data = (ir.Constant(whole, v) for v in (1, 3, 1))
        builder.call(fetch, [where, to_write, kept, data])

    return types.void(types.int64), build


fetch_line = cast("Callable[[int], None]", intrinsic(_typed_fetch))
"""Inside a compiled loop: bring the line of memory at an address near, to be written soon. A wrong address does no harm."""
_pointer: Any = intrinsic(_typed_pointer)
_array: Any = numba.carray  # type: ignore[attr-defined] # exported without saying so


def direct(function: Callable[P, int], numbers: int) -> Callable[P, int]:
    """Return a compiled loop that takes so many whole numbers as what the interpreter calls without looking at their types.

    A call takes half the time of the loop's own, which first asks of every argument what it is.
    """
    loop = cast("Any", function)
    loop.compile((types.int64,) * numbers)
    found = loop.overloads[(types.int64,) * numbers].entry_point
    return cast("Callable[P, int]", found)


@compiled
def table_at(address: int, rows: int, columns: int) -> npt.NDArray[np.int64]:
    """Return the table of 64-bit integers at an address, inside a compiled loop; who hands the address out keeps its array alive.

    Handing over an array costs a third of a microsecond, an address a fiftieth: what is called for every single event takes addresses.
    """
    found: npt.NDArray[np.int64] = _array(_pointer(address), (rows, columns), np.int64)
    return found
