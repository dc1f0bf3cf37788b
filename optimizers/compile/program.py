"""The compiled program: a fixed sparse structure whose numbers are affine in one parameter vector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.errors import ProblemError
from models.findings import Finding, error

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each named parameter lies in the parameter vector."""

    start: Mapping[str, int]
    length: Mapping[str, int]
    size: int

    @classmethod
    def of(cls, lengths: Mapping[str, int]) -> "Layout":
        """Return the layout that puts the parameters one behind the other."""
        ends = np.cumsum([0, *lengths.values()])
        return cls(dict(zip(lengths, ends.tolist(), strict=False)), dict(lengths), int(ends[-1]))

    def vector(self, values: Mapping[str, npt.ArrayLike]) -> Floats:
        """Return the parameter vector.

        Raises
        ------
        ProblemError
            Naming every parameter that is missing, has the wrong length or holds a value that is not a number.
        """
        vector = np.empty(self.size)
        try:
            for name, start in self.start.items():
                vector[start : start + self.length[name]] = values[name]
        except (KeyError, ValueError, TypeError):
            vector[:] = np.nan  # what is wrong is said below, all of it
        if np.isnan(vector).any() and (
            found := [f for name in self.start for f in self._check(name, values.get(name))]
        ):
            raise ProblemError(found)
        return vector

    def _check(self, name: str, value: npt.ArrayLike | None) -> list[Finding]:
        if value is None:
            return [error(name, "the problem brings no value for this parameter")]
        array = np.asarray(value, float)
        if array.size not in (1, self.length[name]):
            return [error(name, f"has {array.size} values, expected {self.length[name]}")]
        gaps = np.flatnonzero(np.isnan(array.ravel()))
        return [error(name, f"is not a number at position {gaps[0]} ({len(gaps)} gaps)")] if len(gaps) else []


@dataclass(frozen=True, slots=True)
class AffineMap:
    """Numbers affine in the parameter vector p: ``const``, plus ``weights * p[parameters]`` added up at ``positions``."""

    const: Floats
    positions: Ints
    parameters: Ints
    weights: Floats

    @classmethod
    def build(cls, const: Floats, terms: Sequence[tuple[Ints, Ints, Floats]]) -> "AffineMap":
        """Return the map whose terms are (position, parameter position, weight) triplets."""
        empty = np.zeros(0, np.int64)
        columns = zip(*terms, strict=True) if terms else ((empty,), (empty,), (np.zeros(0),))
        positions, parameters, weights = (np.concatenate(part) for part in columns)
        return cls(const, positions, parameters, weights)

    def at(self, vector: Floats) -> Floats:
        """Return the values for one parameter vector."""
        if not len(self.positions):
            return self.const
        weights = self.weights * vector[self.parameters]
        moved: Floats = np.bincount(self.positions, weights=weights, minlength=len(self.const)).astype(
            float, copy=False
        )
        moved += self.const
        return moved


@dataclass(frozen=True, slots=True)
class Family:
    """Consecutive rows or columns of one asset and quantity; ``first`` is the step of the first one."""

    asset: str
    quantity: str
    start: int
    first: int
    count: int
    stepwise: bool
    """False when the family exists once or per group, so that it has no step."""

    @property
    def span(self) -> slice:
        """Where the family lies among all rows or columns."""
        return slice(self.start, self.start + self.count)

    @property
    def steps(self) -> slice:
        """Where the steps of the horizon lie, without the known past."""
        return slice(self.start - min(self.first, 0), self.start + self.count)


@dataclass(frozen=True, slots=True)
class Place:
    """What a row or column is about; ``step`` is None where it belongs to no single step."""

    asset: str
    quantity: str
    step: int | None


@dataclass(frozen=True, slots=True)
class Arrays:
    """The numbers of a program for one parameter vector; rows are ``lower <= A x <= upper``."""

    coefficients: Floats
    column_lower: Floats
    column_upper: Floats
    row_lower: Floats
    row_upper: Floats
    cost: Floats
    offset: float


@dataclass(frozen=True)
class CompiledModel:
    """A program in row-wise sparse form: fixed structure, numbers affine in the parameter vector.

    ``cost_terms`` are triplets (value, ``cost_columns``, ``cost_steps``); those of the k-th part of the objective end
    at ``costs[k][2]``. A constant of the objective sits on the column behind the last one.
    """

    steps: int
    layout: Layout
    columns: tuple[Family, ...]
    rows: tuple[Family, ...]
    costs: tuple[tuple[str, str, int], ...]
    row_ptr: npt.NDArray[np.int32]
    column_index: npt.NDArray[np.int32]
    integrality: npt.NDArray[np.uint8]
    coefficients: AffineMap
    column_lower: AffineMap
    column_upper: AffineMap
    row_lower: AffineMap
    row_upper: AffineMap
    cost_terms: AffineMap
    cost_columns: Ints
    cost_steps: Ints

    @property
    def column_count(self) -> int:
        """How many columns the program has."""
        return len(self.integrality)

    @property
    def row_count(self) -> int:
        """How many rows the program has."""
        return len(self.row_ptr) - 1

    def arrays(self, vector: Floats) -> Arrays:
        """Return the program's numbers for one parameter vector."""
        weights = self.cost_terms.at(vector)
        cost: Floats = np.bincount(self.cost_columns, weights, self.column_count + 1).astype(float)
        return Arrays(
            coefficients=self.coefficients.at(vector),
            column_lower=self.column_lower.at(vector),
            column_upper=self.column_upper.at(vector),
            row_lower=self.row_lower.at(vector),
            row_upper=self.row_upper.at(vector),
            cost=cost[:-1],
            offset=float(cost[-1]),
        )

    def matrix(self, arrays: Arrays) -> sparse.csr_array:
        """Return the constraint matrix as a scipy array of shape (rows, columns)."""
        shape = (self.row_count, self.column_count)
        # a copy, because scipy sorts indices in place and these are shared by every program of the structure
        return sparse.csr_array((arrays.coefficients, self.column_index, self.row_ptr), shape=shape, copy=True)

    def column(self, asset: str, quantity: str) -> Family:
        """Return a family of columns by name."""
        return self._column_names[asset, quantity]

    def row(self, asset: str, quantity: str) -> Family:
        """Return a family of rows by name."""
        return self._row_names[asset, quantity]

    def column_place(self, index: int) -> Place:
        """Return what a column is about."""
        return _place(self.columns, index)

    def row_place(self, index: int) -> Place:
        """Return what a row is about."""
        return _place(self.rows, index)

    @cached_property
    def _column_names(self) -> dict[tuple[str, str], Family]:
        return {(f.asset, f.quantity): f for f in reversed(self.columns)}

    @cached_property
    def _row_names(self) -> dict[tuple[str, str], Family]:
        return {(f.asset, f.quantity): f for f in reversed(self.rows)}


def _place(families: Sequence[Family], index: int) -> Place:
    starts = [f.start for f in families]
    # an empty family shares its start with the next one, so the last with this start is the one that holds the index
    family = families[int(np.searchsorted(starts, index, side="right")) - 1]
    step = family.first + index - family.start if family.stepwise else None
    return Place(family.asset, family.quantity, step)
