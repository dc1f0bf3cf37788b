"""Repeat a stencil along time: numpy broadcasts every family of rows straight into one sparse program.

Rows and columns stay in families, so the asset, quantity and step of a row follow from its number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from optimizers.compile.program import AffineMap, CompiledModel, Family, Layout
from optimizers.compile.rules import ONCE, STEP, At, Before, NotTileableError
from optimizers.compile.stencil import Affine, ColumnStencil, Entry, RowStencil, Stencil

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TimeGrid:
    """How many steps there are, and which group (for example which month) each belongs to, counted from 0."""

    steps: int
    groups: Mapping[str, Ints] = field(default_factory=dict)

    def size(self, extent: str) -> int:
        """Return how often something of this extent exists."""
        if extent == STEP:
            return self.steps
        return 1 if extent == ONCE else int(self.groups[extent].max()) + 1

    def position(self, extent: str, at: Ints) -> Ints:
        """Return where the steps ``at`` find their value of this extent."""
        if extent == STEP:
            return at
        where: Ints = np.zeros_like(at) if extent == ONCE else self.groups[extent][at]
        return where


def tile(stencil: Stencil, grid: TimeGrid) -> CompiledModel:
    """Return the program of ``stencil`` over ``grid``; its numbers still depend on the parameter vector.

    Raises
    ------
    NotTileableError
        If the horizon is too short for a cyclic reference.
    """
    return _Tiling(stencil, grid).model()


class _Values:
    """Collects numbers that depend on parameters, family by family."""

    def __init__(self, tiling: "_Tiling") -> None:
        self.tiling = tiling
        self.count = 0
        self.const: list[Floats] = []
        self.terms: list[tuple[Ints, Ints, Floats]] = []

    def add(self, value: Affine, at: Ints, slots: Ints) -> None:
        """Register what ``value`` takes from parameters at the steps ``at``, for the numbered ``slots``."""
        for name, offset, weight in value.terms:
            self.terms.append((slots, self.tiling.parameter(name, at + offset), np.full(len(at), weight)))

    def append(self, value: Affine, at: Ints) -> None:
        """Add one number per step of ``at``."""
        if value.terms:
            self.add(value, at, np.arange(self.count, self.count + len(at)))
        self.const.append(np.full(len(at), value.const))
        self.count += len(at)

    def map(self) -> AffineMap:
        """Return everything collected as one affine map."""
        const = np.concatenate(self.const) if self.const else np.zeros(0)
        return AffineMap.build(const, self.terms)


class _Tiling:
    """One pass over the families of a stencil."""

    def __init__(self, stencil: Stencil, grid: TimeGrid) -> None:
        self.stencil = stencil
        self.grid = grid
        sizes = {name: grid.size(extent) for name, extent in stencil.parameters}
        sizes |= {c.past: c.history for c in stencil.columns if c.history}
        self.layout = Layout.of(sizes)
        self.extent = dict(stencil.parameters)
        self.all_steps = np.arange(grid.steps)
        self.column_start = np.cumsum([0, *(c.history + grid.size(c.extent) for c in stencil.columns)])
        self.coefficients = _Values(self)
        self.columns_of: list[npt.NDArray[np.int32]] = []
        self.row_lengths: list[Ints] = []

    def model(self) -> CompiledModel:
        """Tile columns, rows and costs, in this order."""
        lower, upper = self._column_bounds()
        row_lower, row_upper, rows = self._rows()
        cost, cost_columns, cost_steps, costs = self._costs()
        return CompiledModel(
            steps=self.grid.steps,
            layout=self.layout,
            columns=self._column_families(),
            rows=rows,
            costs=costs,
            row_ptr=np.cumsum([0, *np.concatenate([np.zeros(0, np.int64), *self.row_lengths])]).astype(np.int32),
            column_index=np.concatenate([np.zeros(0, np.int32), *self.columns_of]),
            integrality=self._integrality(),
            coefficients=self.coefficients.map(),
            column_lower=lower.map(),
            column_upper=upper.map(),
            row_lower=row_lower.map(),
            row_upper=row_upper.map(),
            cost_terms=cost.map(),
            cost_columns=cost_columns,
            cost_steps=cost_steps,
        )

    def parameter(self, name: str, at: Ints) -> Ints:
        """Return where the values of a parameter for the steps ``at`` lie in the parameter vector."""
        extent = self.extent[name]
        return self.layout.start[name] + (at if extent == STEP else self.grid.position(extent, at))

    def _representatives(self, extent: str) -> Ints:
        """Return one step for each value of an extent."""
        if extent == STEP:
            return self.all_steps
        if extent == ONCE:
            return np.zeros(1, np.int64)
        return np.unique(self.grid.groups[extent], return_index=True)[1]

    def _column_families(self) -> tuple[Family, ...]:
        return tuple(
            Family(c.asset, c.quantity, int(start), -c.history, self.grid.size(c.extent) + c.history, c.extent == STEP)
            for c, start in zip(self.stencil.columns, self.column_start, strict=False)
        )

    def _column_bounds(self) -> tuple[_Values, _Values]:
        both = _Values(self), _Values(self)
        for column in self.stencil.columns:
            at = self._representatives(column.extent)
            for values, bound in zip(both, (column.lower, column.upper), strict=True):
                self._append_past(values, column)
                values.append(bound, at)
        return both

    def _append_past(self, values: _Values, column: ColumnStencil) -> None:
        """Fix the columns of the known past: both bounds are the parameter."""
        if not column.history:
            return
        slots = np.arange(values.count, values.count + column.history)
        where = self.layout.start[column.past] + np.arange(column.history)
        values.terms.append((slots, where, np.ones(column.history)))
        values.const.append(np.zeros(column.history))
        values.count += column.history

    def _integrality(self) -> npt.NDArray[np.uint8]:
        counts = np.diff(self.column_start)
        return np.repeat(np.array([c.integer for c in self.stencil.columns], np.uint8), counts)

    def _rows(self) -> tuple[_Values, _Values, tuple[Family, ...]]:
        lower, upper, families, start = _Values(self), _Values(self), [], 0
        for row in self.stencil.rows:
            at = self._total(row) if row.at is At.TOTAL else self._repeated(row)
            lower.append(row.lower, at)
            upper.append(row.upper, at)
            first = int(at[0]) if len(at) else 0
            families.append(Family(row.asset, row.quantity, start, first, len(at), row.at is not At.TOTAL))
            start += len(at)
        return lower, upper, tuple(families)

    def _repeated(self, row: RowStencil) -> Ints:
        """Tile a row over the steps where it exists; return them."""
        at = self._steps(row.at, row.entries, (row.lower, row.upper))
        if not len(at):
            return at
        self._refuse_collisions(row)
        found = [self._targets(e, at) for e in row.entries]
        columns, present = np.stack([c for c, _ in found], axis=1), np.stack([p for _, p in found], axis=1)
        self._append_entries(row.entries, at, columns, present)
        return at

    def _append_entries(
        self, entries: tuple[Entry, ...], at: Ints, columns: Ints, present: npt.NDArray[np.bool_]
    ) -> None:
        """Add a block of coefficients, one line per step and one place per entry, less what lies outside."""
        slots = self.coefficients.count - 1 + np.cumsum(present.ravel()).reshape(present.shape)
        const = np.empty(present.shape)
        for k, entry in enumerate(entries):
            here = present[:, k]
            const[:, k] = entry.value.const
            if entry.value.terms:
                self.coefficients.add(entry.value, at[here], slots[here, k])
        self.coefficients.const.append(const[present])
        self.columns_of.append(columns[present].astype(np.int32))
        self.row_lengths.append(present.sum(axis=1))
        self.coefficients.count += int(present.sum())

    def _total(self, row: RowStencil) -> Ints:
        """Tile a sum over all steps, or over the steps of each group; return one step per row."""
        groups = self.grid.position(row.extent, self.all_steps)
        if any(self.stencil.columns[e.column].extent != STEP or e.offset for e in row.entries):
            raise NotTileableError(f"{row.asset}.{row.quantity}: a sum adds up columns of its own step only")
        representatives = self._representatives(row.extent)
        lengths = [
            self._total_row(row, self.all_steps[groups == g], representatives[g]) for g in range(len(representatives))
        ]
        self.row_lengths.append(np.array(lengths, np.int64))
        return representatives

    def _total_row(self, row: RowStencil, members: Ints, representative: np.int64) -> int:
        """Append one sum: its entries at every member step, then those that exist once; return how many there are."""
        before = self.coefficients.count
        for entries, at in ((row.entries, members), (row.extra, np.array([representative]))):
            for entry in entries:
                self.columns_of.append(self._targets(entry, at)[0].astype(np.int32))
                self.coefficients.append(entry.value, at)
        return self.coefficients.count - before

    def _costs(self) -> tuple[_Values, Ints, Ints, tuple[tuple[str, str, int], ...]]:
        """Tile the objective as triplets; a constant sits on a column behind the last one."""
        values, columns, steps, parts = _Values(self), [], [], []
        nowhere = int(self.column_start[-1])
        for cost in self.stencil.costs:
            at = self._steps(cost.at, cost.entries, (cost.const,))
            for entry in cost.entries:
                where, present = self._targets(entry, at)
                values.append(entry.value, at[present])
                columns.append(where[present])
                steps.append(at[present])
            if cost.const != Affine(0.0):
                values.append(cost.const, at)
                columns.append(np.full(len(at), nowhere))
                steps.append(at)
            parts.append((cost.part, cost.asset, values.count))
        empty = np.zeros(0, np.int64)
        return values, np.concatenate([empty, *columns]), np.concatenate([empty, *steps]), tuple(parts)

    def _steps(self, at: At, entries: tuple[Entry, ...], sides: tuple[Affine, ...]) -> Ints:
        """Return the steps where every reference that must exist does exist."""
        strict = [e.offset for e in entries if self._needs_inside(e)]
        strict += [k for a in (*sides, *(e.value for e in entries)) for n, k, _ in a.terms if self.extent[n] == STEP]
        first, last = max([0, *(-k for k in strict)]), self.grid.steps - max([0, *strict])
        inside: Ints = self.all_steps[first:last]
        if at is At.EACH:
            return inside
        single: Ints = inside[inside == (0 if at is At.FIRST else self.grid.steps - 1)]
        return single

    def _needs_inside(self, entry: Entry) -> bool:
        column = self.stencil.columns[entry.column]
        if column.extent != STEP or column.before is Before.CYCLIC:
            return False
        return entry.offset > 0 or column.before is Before.SKIP

    def _targets(self, entry: Entry, at: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Return the column of an entry at every step, and whether it exists there."""
        column, start = self.stencil.columns[entry.column], int(self.column_start[entry.column])
        if column.extent != STEP:
            shared: Ints = start + self.grid.position(column.extent, at)
            return shared, np.ones(len(at), bool)
        where = at + entry.offset
        if column.before is Before.CYCLIC:
            where = where % self.grid.steps
        present = where >= -column.history
        target: Ints = start + column.history + where
        return target, present

    def _refuse_collisions(self, row: RowStencil) -> None:
        """Refuse a cyclic reference that is longer than the horizon: two would meet in one cell."""
        reached = [
            (e.column, e.offset % self.grid.steps)
            for e in row.entries
            if self.stencil.columns[e.column].before is Before.CYCLIC
        ]
        if len(set(reached)) < len(reached):
            raise NotTileableError(
                f"{row.asset}.{row.quantity}: {self.grid.steps} steps are too few for its cyclic references"
            )
