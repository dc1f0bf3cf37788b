"""What only the networks care for: reactive power of converters, and which consumer goes short when somebody has to."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.carriers import Carrier
from models.components import Battery, Pv
from optimizers.dispatch import Case
from optimizers.session import Program

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FED, DRAWN, UNSERVED = "reactive_fed_kvar", "reactive_drawn_kvar", "unserved_kw"
CORNER_DEG = 22.5
"""Corners of the polygon in a converter's circle: at most 2 % of what it carries is lost between two of them."""


@dataclass(frozen=True, slots=True)
class Lever:
    """A column per step that appears in no balance of its own: ``0 <= value <= upper``, shape (step,).

    Feeding and drawing are two levers, so that a converter of which no network asks anything rests.
    """

    asset: str
    quantity: str
    upper: Floats


@dataclass(frozen=True)
class Extension:
    """A case's program with the losses of the grid and the levers behind its own columns.

    Columns are those of the case, then one loss per step in kW, then the levers, each over all steps. Rows are those of the case, then,
    per step, one that makes the unserved power of all consumers the sum of theirs, then those that hold converters to what they carry.
    """

    case: Case
    levers: tuple[Lever, ...]

    @classmethod
    def of(cls, case: Case) -> "Extension":
        """Return the extension with every lever that the site has."""
        return cls(case, tuple(_levers(case)))

    @property
    def steps(self) -> int:
        """How many steps the horizon has."""
        return len(self.case.facts.step_h)

    @property
    def own(self) -> int:
        """How many columns the case has itself."""
        return len(self.case.program.cost)

    @property
    def columns(self) -> int:
        """How many columns there are with losses and levers."""
        return self.own + self.steps * (1 + len(self.levers))

    @property
    def losses(self) -> slice:
        """Where the losses stand."""
        return slice(self.own, self.own + self.steps)

    def place(self, number: int) -> Ints:
        """Return the columns of one lever over the steps."""
        return self.own + self.steps * (1 + number) + np.arange(self.steps)

    def extended(self, program: Program) -> Program:
        """Return a program of the case (relaxed, whole or fixed) with losses, levers and the rows that tie them."""
        (whole, most), more = self._rows, self.columns - self.own
        upper, ties = [lever.upper for lever in self.levers], whole.shape[0] - len(program.row_lower) - len(most)
        return replace(
            program,
            row_ptr=whole.indptr.astype(np.int32),
            column_index=whole.indices.astype(np.int32),
            coefficients=whole.data,
            column_lower=np.concatenate([program.column_lower, np.zeros(more)]),
            column_upper=np.concatenate([program.column_upper, np.full(self.steps, np.inf), *upper]),
            row_lower=np.concatenate([program.row_lower, np.zeros(ties), np.full(len(most), -np.inf)]),
            row_upper=np.concatenate([program.row_upper, np.zeros(ties), most]),
            cost=np.concatenate([program.cost, np.zeros(more)]),
            integrality=np.concatenate([program.integrality, np.zeros(more, dtype=program.integrality.dtype)]),
        )

    @cached_property
    def _rows(self) -> tuple[sparse.csr_array, Floats]:
        """The matrix of every program of the case (its own, losses drawn from the balance, ties, circles) and the circles' sides."""
        program = self.case.program
        balance, unserved, feeding = self._grid(program)
        every, held = np.arange(self.steps), len(program.row_ptr) - 1
        drawn = sparse.coo_array((np.full(self.steps, -feeding), (balance, every)), shape=(held, self.steps))
        blank = sparse.coo_array((held, self.steps * len(self.levers)))
        top = sparse.hstack([program.matrix, drawn, blank])
        ties = sparse.csr_array(_ties(self, unserved))
        circles, most = circle_rows(self)
        whole = sparse.csr_array(sparse.vstack([top, ties, circles]) if ties.shape[0] + len(most) else top)
        whole.sort_indices()
        return whole, most

    def values(self, x: Floats, quantity: str) -> dict[str, Floats]:
        """Return the levers of one quantity in a point, by asset."""
        return {v.asset: x[self.place(k)] for k, v in enumerate(self.levers) if v.quantity == quantity}

    def _grid(self, program: Program) -> tuple[Ints, Ints, float]:
        """Return the rows of the electricity balance, the columns of unserved power, and what a feeding kW weighs in a balance."""
        model = self.case.compiled.model
        balance = model.row(Carrier.ELECTRICITY.value, "balance").steps
        lacking = model.column(Carrier.ELECTRICITY.value, "lacking_kw").steps
        feeding = float(program.matrix[[balance.start], [lacking.start]][0])
        return np.arange(balance.start, balance.stop), self._unserved(), feeding

    def _unserved(self) -> Ints:
        if not any(v.quantity == UNSERVED for v in self.levers):
            return np.zeros(0, dtype=np.int64)
        steps = self.case.compiled.model.column(Carrier.ELECTRICITY.value, UNSERVED).steps
        return np.arange(steps.start, steps.stop)


def _levers(case: Case) -> Iterator[Lever]:
    site, steps = case.facts.problem.site, len(case.facts.step_h)
    converters: list[Pv | Battery] = [*site.of_kind(Pv), *site.of_kind(Battery)]
    for unit in converters:
        if unit.reactive_max_kvar > 0:
            most = unit.reactive_max_kvar * case.facts.share(unit.id)
            yield Lever(unit.id, FED, most)
            yield Lever(unit.id, DRAWN, most)
    for draw in case.compiled.book.draws:
        if draw.carrier is Carrier.ELECTRICITY:
            wanted = np.broadcast_to(np.asarray(case.parameters[draw.wanted.name], float), (steps,))
            yield Lever(draw.asset, UNSERVED, np.maximum(wanted, 0.0))


def circle_rows(extension: Extension) -> tuple[sparse.coo_array, Floats]:
    """Return rows and upper sides that keep real and reactive power within what a converter carries.

    The circle is replaced by a polygon inside it: corners every :data:`CORNER_DEG`, so that no plan leaves the circle and full power
    without reactive power is allowed.
    """
    case, count = extension.case, 0
    entries: list[tuple[Ints, Ints, Floats]] = []
    most: list[Floats] = []
    site, every = case.facts.problem.site, np.arange(extension.steps)
    converters: list[Pv | Battery] = [*site.of_kind(Pv), *site.of_kind(Battery)]
    for unit in (u for u in converters if u.apparent_max_kva):
        reactive = [
            extension.place(k)
            for k, v in enumerate(extension.levers)
            if v.asset == unit.id and v.quantity in (FED, DRAWN)
        ]
        powers = [
            _columns(case, f.column.asset, f.column.quantity) for f in case.compiled.book.feeds if f.asset == unit.id
        ]
        for angle in np.radians(np.arange(CORNER_DEG / 2, 90.0, CORNER_DEG)) if reactive else ():
            rows = count + every
            entries += [(rows, c, np.full(len(every), np.cos(angle))) for c in powers]
            entries += [(rows, c, np.full(len(every), np.sin(angle))) for c in reactive]
            most.append(np.full(len(every), (unit.apparent_max_kva or 0.0) * np.cos(np.radians(CORNER_DEG / 2))))
            count += len(every)
    if not entries:
        return sparse.coo_array((0, extension.columns)), np.zeros(0)
    rows_, columns, values = (np.concatenate(part) for part in zip(*entries, strict=True))
    return sparse.coo_array((values, (rows_, columns)), shape=(count, extension.columns)), np.concatenate(most)


def _columns(case: Case, asset: str, quantity: str) -> Ints:
    steps = case.compiled.model.column(asset, quantity).steps
    return np.arange(steps.start, steps.stop)


def _ties(extension: Extension, unserved: Ints) -> sparse.coo_array:
    """Return one row per step: what consumers go without sums to the unserved power of the balance."""
    if not len(unserved):
        return sparse.coo_array((0, extension.columns))
    every = np.arange(extension.steps)
    mine = [extension.place(k) for k, v in enumerate(extension.levers) if v.quantity == UNSERVED]
    columns = np.concatenate([unserved, *mine])
    rows = np.tile(every, 1 + len(mine))
    signs = np.concatenate([-np.ones(len(every)), np.ones(len(every) * len(mine))])
    return sparse.coo_array((signs, (rows, columns)), shape=(extension.steps, extension.columns))
