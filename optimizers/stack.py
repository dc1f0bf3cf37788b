"""Programs side by side: several dispatch programs in one, tied by shared columns and by rows of their own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from optimizers.session import Program

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
INF = float("inf")


@dataclass(frozen=True, slots=True)
class Part:
    """A program in a stack: where its columns and rows lie, and how much its cost counts."""

    program: Program
    columns: slice
    rows: slice
    weight: float


class Stack:
    """Collects programs, shared columns and tying rows; :meth:`program` puts them together.

    Columns keep the order in which they were added; the rows of all parts come first, tying rows behind them.
    """

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.width = 0
        self._shared: list[tuple[int, float, float, float, bool]] = []
        self._triplets: list[tuple[Ints, Ints, Floats]] = []
        self._lower: list[Floats] = []
        self._upper: list[Floats] = []
        self._extra: list[tuple[Ints, Ints, Floats]] = []
        self._ties = 0

    def add(self, program: Program, weight: float = 1.0) -> Part:
        """Add a program whose cost counts ``weight`` times."""
        above = self.parts[-1].rows.stop if self.parts else 0
        columns, rows = len(program.cost), len(program.row_lower)
        part = Part(program, slice(self.width, self.width + columns), slice(above, above + rows), weight)
        self.parts.append(part)
        self.width += columns
        return part

    def column(
        self, *, cost: float = 0.0, lower: float = 0.0, upper: float = INF, integer: bool = False, count: int = 1
    ) -> int:
        """Add ``count`` equal shared columns and return the position of the first."""
        first = self.width
        self._shared += [(first + k, cost, lower, upper, integer) for k in range(count)]
        self.width += count
        return first

    def tie(
        self,
        columns: Sequence[npt.ArrayLike],
        weights: Sequence[npt.ArrayLike],
        *,
        lower: npt.ArrayLike = -INF,
        upper: npt.ArrayLike = INF,
    ) -> None:
        """Add rows ``lower <= sum of weight * column <= upper``: each term is one array with an entry per row."""
        (length,) = np.broadcast_shapes((1,), *(np.shape(part) for part in (*columns, *weights, lower, upper)))
        at = np.arange(self._ties, self._ties + length)
        for column, weight in zip(columns, weights, strict=True):
            placed = np.broadcast_to(np.asarray(column, np.int64), length)
            self._triplets.append((at, placed, np.broadcast_to(np.asarray(weight, float), length)))
        self._lower.append(np.broadcast_to(np.asarray(lower, float), length))
        self._upper.append(np.broadcast_to(np.asarray(upper, float), length))
        self._ties += length

    def bind(self, columns: npt.ArrayLike, weights: npt.ArrayLike, *, lower: float = -INF, upper: float = INF) -> None:
        """Add one row over many columns."""
        weights = np.asarray(weights, float)
        used = np.flatnonzero(weights)
        at = np.full(len(used), self._ties)
        self._triplets.append((at, np.asarray(columns, np.int64)[used], weights[used]))
        self._lower.append(np.array([lower]))
        self._upper.append(np.array([upper]))
        self._ties += 1

    def extend(self, rows: Ints, column: int, weights: Floats) -> None:
        """Add a shared column to existing rows of parts."""
        self._extra.append((rows, np.full(len(rows), column), weights))

    def program(self) -> Program:
        """Return everything as one program."""
        matrix = self._matrix()
        cost, lower, upper = np.zeros(self.width), np.zeros(self.width), np.zeros(self.width)
        integrality = np.zeros(self.width, np.uint8)
        for part in self.parts:
            cost[part.columns] = part.weight * part.program.cost
            lower[part.columns], upper[part.columns] = part.program.column_lower, part.program.column_upper
            integrality[part.columns] = part.program.integrality
        for at, price, least, most, whole in self._shared:
            cost[at], lower[at], upper[at], integrality[at] = price, least, most, whole
        return Program(
            row_ptr=matrix.indptr.astype(np.int32),
            column_index=matrix.indices.astype(np.int32),
            coefficients=matrix.data,
            column_lower=lower,
            column_upper=upper,
            row_lower=np.concatenate([*(p.program.row_lower for p in self.parts), *self._lower]),
            row_upper=np.concatenate([*(p.program.row_upper for p in self.parts), *self._upper]),
            cost=cost,
            offset=sum(p.weight * p.program.offset for p in self.parts),
            integrality=integrality,
        )

    def _matrix(self) -> sparse.csr_array:
        above = self.parts[-1].rows.stop if self.parts else 0
        found = [_placed(part) for part in self.parts]
        found += self._extra
        found += [(above + rows, columns, weights) for rows, columns, weights in self._triplets]
        rows, columns, values = (np.concatenate([f[k] for f in found]) for k in range(3))
        return sparse.csr_array(sparse.coo_array((values, (rows, columns)), shape=(above + self._ties, self.width)))


def _placed(part: Part) -> tuple[Ints, Ints, Floats]:
    """Return a part's coefficients as triplets at its place in the stack."""
    program = part.program
    rows = np.repeat(np.arange(part.rows.start, part.rows.stop), np.diff(program.row_ptr))
    return rows, part.columns.start + program.column_index.astype(np.int64), program.coefficients


def with_row(program: Program, weights: Floats, upper: float) -> Program:
    """Return the program with one more row, ``weights @ x <= upper``; the row is the last one."""
    used = np.flatnonzero(weights)
    return replace(
        program,
        row_ptr=np.append(program.row_ptr, program.row_ptr[-1] + len(used)).astype(np.int32),
        column_index=np.concatenate([program.column_index, used]).astype(np.int32),
        coefficients=np.concatenate([program.coefficients, weights[used]]),
        row_lower=np.append(program.row_lower, -INF),
        row_upper=np.append(program.row_upper, upper),
    )
