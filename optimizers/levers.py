"""What only the networks care for: reactive power of converters, and which consumer goes short when somebody has to."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
    per step, one that makes the unserved power of all consumers the sum of theirs.
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
        balance, unserved, feeding = self._grid(program)
        every, held = np.arange(self.steps), len(program.row_ptr) - 1
        drawn = sparse.coo_array((np.full(self.steps, -feeding), (balance, every)), shape=(held, self.steps))
        blank = sparse.coo_array((held, self.steps * len(self.levers)))
        top = sparse.hstack([program.matrix, drawn, blank])
        ties = sparse.csr_array(_ties(self, unserved))
        whole = sparse.csr_array(sparse.vstack([top, ties]) if ties.shape[0] else top)
        whole.sort_indices()
        upper, more = [lever.upper for lever in self.levers], self.columns - self.own
        return replace(
            program,
            row_ptr=whole.indptr.astype(np.int32),
            column_index=whole.indices.astype(np.int32),
            coefficients=whole.data,
            column_lower=np.concatenate([program.column_lower, np.zeros(more)]),
            column_upper=np.concatenate([program.column_upper, np.full(self.steps, np.inf), *upper]),
            row_lower=np.concatenate([program.row_lower, np.zeros(ties.shape[0])]),
            row_upper=np.concatenate([program.row_upper, np.zeros(ties.shape[0])]),
            cost=np.concatenate([program.cost, np.zeros(more)]),
            integrality=np.concatenate([program.integrality, np.zeros(more, dtype=program.integrality.dtype)]),
        )

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
