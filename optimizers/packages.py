"""Which package goes to which customer: at most one each, under capital, feeders and whatever else is shared.

A column is one bundle for one customer. Columns that another of the same customer beats in value and in every use are left out, which changes
no optimum. The relaxed program gives a bound and prices of what is short, and leaves few customers undecided: these are decided by a small
tree search, the choice is brought within the limits and filled up. Only where that is not near enough to the bound, the whole tree is searched.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.errors import ProblemError
from models.findings import Finding, error
from optimizers.packing import NOBODY, TOLERANCE, fill, undominated
from optimizers.session import HighsSession, Program, Status

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
WHOLE = 1e-6
"""What the relaxed program leaves nearer to 0 or 1 than this is decided."""
REST_S = 5.0
"""How long the small search over undecided customers may take."""
SHORTEST_S = 0.1
"""With less time left no tree is begun."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Bundles to choose from: ``owner`` (column,) counts customers from 0, ``value`` (column,) is to be made large.

    ``uses`` (resource, column) is what a column takes of every shared resource, never negative, and ``room`` (resource,) what there is.
    """

    owner: Ints
    value: Floats
    uses: sparse.csr_array
    room: Floats

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return int(self.owner.max(initial=NOBODY)) + 1

    def taken(self, columns: Ints) -> Floats:
        """Return what some columns together take of every resource; shape (resource,)."""
        return np.asarray(self.uses[:, columns].sum(axis=1)).ravel()


@dataclass(frozen=True, slots=True)
class Choice:
    """The column of every customer (-1 for none), shape (customer,), its value and the proven bound of any choice.

    ``price`` (resource,) is what one more unit of each resource would bring in the relaxed program.
    """

    column: Ints
    value: float
    bound: float
    price: Floats
    seconds: float

    @property
    def gap_share(self) -> float:
        """How much better another choice could be at most, as a share of the bound."""
        return max(self.bound - self.value, 0.0) / max(abs(self.bound), TOLERANCE)


def choose(columns: Columns, *, gap_share: float = 1e-3, deadline_s: float = 30.0) -> Choice:
    """Choose at most one column per customer so that the value is largest and every resource suffices.

    Raises
    ------
    ProblemError
        If shapes do not fit, a use is negative, or a value is no number.
    """
    if found := list(_wrong(columns)):
        raise ProblemError(found)
    begun = time.monotonic()
    kept = np.flatnonzero(worth_keeping(columns))
    if not len(kept):
        return Choice(np.full(columns.customers, NOBODY), 0.0, 0.0, np.zeros(len(columns.room)), 0.0)
    part = Columns(columns.owner[kept], columns.value[kept], sparse.csr_array(columns.uses[:, kept]), columns.room)
    relaxed = _relaxed(part, deadline_s)
    chosen = _filled(part, _within(part, _rounded(part, relaxed), relaxed.price))
    chosen, bound = _searched(part, relaxed, chosen, gap_share, deadline_s - (time.monotonic() - begun))
    column = np.full(columns.customers, NOBODY)
    there = np.flatnonzero(chosen != NOBODY)
    column[there] = kept[chosen[there]]
    value = _value(part, chosen)
    return Choice(column, value, max(bound, value), relaxed.price, time.monotonic() - begun)


@dataclass(frozen=True)
class _Relaxed:
    """A program with what it says without integrality: shares (column,), the bound of any choice, prices (resource,)."""

    program: Program
    x: Floats
    bound: float
    price: Floats


def _relaxed(c: Columns, deadline_s: float) -> _Relaxed:
    program, present = _program(c)
    found = HighsSession(program.relaxed()).run(time_limit_s=deadline_s)
    bound = -found.objective if found.status is Status.OPTIMAL else float(np.maximum.reduceat(*_by_owner(c)).sum())
    dual = np.zeros(len(program.row_lower)) if found.row_dual is None else found.row_dual
    x = np.zeros(len(c.value)) if found.x is None else found.x
    return _Relaxed(program, x, bound, np.maximum(-dual[present:], 0.0))


def _searched(c: Columns, relaxed: _Relaxed, chosen: Ints, gap_share: float, left_s: float) -> tuple[Ints, float]:
    """Return a choice and its bound after a search of the whole tree, where the one at hand is not near enough and time is left."""
    value = _value(c, chosen)
    if relaxed.bound - value <= gap_share * abs(relaxed.bound) or left_s <= SHORTEST_S:
        return chosen, relaxed.bound
    found = HighsSession(relaxed.program).run(time_limit_s=left_s, gap_share=gap_share)
    if found.x is not None and -found.objective > value:
        chosen = _whole(c, found.x, c.customers)
    return chosen, min(relaxed.bound, -found.bound)


def _wrong(c: Columns) -> Iterator[Finding]:
    if not len(c.owner) == len(c.value) == c.uses.shape[1]:
        yield error(
            "columns", f"{len(c.owner)} owners, {len(c.value)} values and {c.uses.shape[1]} columns of uses do not fit"
        )
        return
    if c.uses.shape[0] != len(c.room):
        yield error("room", f"has {len(c.room)} entries for {c.uses.shape[0]} resources")
    if not np.isfinite(c.value).all():
        yield error("value", f"of column {int(np.flatnonzero(~np.isfinite(c.value))[0])} is no number")
    if c.uses.nnz and c.uses.data.min() < 0:
        yield error("uses", "holds a negative value; a column takes and never gives")
    if len(c.owner) and c.owner.min() < 0:
        yield error("owner", "holds a negative value; customers are counted from 0")


def worth_keeping(c: Columns) -> npt.NDArray[np.bool_]:
    """Return which columns can be in an optimum: they are worth something, fit alone, and no other of the same customer beats them."""
    alone = np.asarray((sparse.csc_array(c.uses) > c.room[:, np.newaxis] + TOLERANCE).sum(axis=0)).ravel() == 0
    keep: npt.NDArray[np.bool_] = (c.value > 0) & alone
    order, first = _by_customer(c)
    undominated(order, first, c.value, *_entries(c), keep)
    return keep


def _by_customer(c: Columns) -> tuple[Ints, Ints]:
    """Return the columns customer by customer, best value first, beginning with who has the best; and where each customer's begin."""
    best = np.full(c.customers, -np.inf)
    np.maximum.at(best, c.owner, c.value)
    place = np.empty(c.customers, dtype=np.int64)
    place[np.argsort(-best, kind="stable")] = np.arange(c.customers)
    order = np.lexsort((-c.value, place[c.owner]))
    return order, np.flatnonzero(np.diff(c.owner[order], prepend=NOBODY, append=NOBODY))


def _entries(c: Columns) -> tuple[Ints, Ints, Floats]:
    """Return the uses column by column, as the compiled loops read them."""
    uses = sparse.csc_array(c.uses)
    return uses.indptr.astype(np.int64), uses.indices.astype(np.int64), uses.data.astype(np.float64)


def _program(c: Columns) -> tuple[Program, int]:
    """Return the program to minimise and how many of its rows belong to customers; the resources' rows follow."""
    owners, row = np.unique(c.owner, return_inverse=True)
    one = sparse.csr_array((np.ones(len(c.owner)), (row, np.arange(len(c.owner)))), shape=(len(owners), len(c.owner)))
    scale = np.maximum(c.room, 1.0)[:, np.newaxis]
    a = sparse.csr_array(sparse.vstack([one, c.uses.multiply(1.0 / scale)]))
    upper = np.concatenate([np.ones(len(owners)), c.room / scale[:, 0]])
    count = len(c.value)
    program = Program(
        row_ptr=a.indptr.astype(np.int32),
        column_index=a.indices.astype(np.int32),
        coefficients=a.data.astype(np.float64),
        column_lower=np.zeros(count),
        column_upper=np.ones(count),
        row_lower=np.full(len(upper), -np.inf),
        row_upper=upper,
        cost=-c.value,
        offset=0.0,
        integrality=np.ones(count, dtype=np.uint8),
    )
    return program, len(owners)


def _by_owner(c: Columns) -> tuple[Floats, Ints]:
    order = np.argsort(c.owner, kind="stable")
    return c.value[order], np.flatnonzero(np.diff(c.owner[order], prepend=-1))


def _rounded(c: Columns, relaxed: _Relaxed) -> Ints:
    """Return the columns that the relaxed program takes whole, and for the customers in between what a small tree search takes."""
    x, program = relaxed.x, relaxed.program
    chosen = np.full(c.customers, NOBODY)
    for k in np.flatnonzero(x > 1.0 - WHOLE).tolist():
        chosen[c.owner[k]] = k
    between = np.unique(c.owner[(x > WHOLE) & (x < 1.0 - WHOLE)])
    if not len(between):
        return chosen
    fixed = np.flatnonzero(~np.isin(c.owner, between)).astype(np.int32)
    rest = replace(program.fixed(fixed, np.round(x[fixed])), integrality=program.integrality)
    found = HighsSession(rest).run(time_limit_s=REST_S, gap_share=1e-6)
    for k in [] if found.x is None else np.flatnonzero(found.x > 0.5).tolist():
        chosen[c.owner[k]] = k
    return chosen


def _within(c: Columns, chosen: Ints, price: Floats) -> Ints:
    """Return the choice with columns taken away until every resource suffices, those that bring least for what they take first."""
    chosen = chosen.copy()
    taken = c.taken(chosen[chosen != NOBODY])
    uses = sparse.csc_array(c.uses)
    scaled = price / np.maximum(c.room, 1.0)
    while (short := np.flatnonzero(taken > c.room + TOLERANCE)).size:
        r = int(short[np.argmax(taken[short] / np.maximum(c.room[short], TOLERANCE))])
        mine = np.flatnonzero(chosen != NOBODY)
        use = np.asarray(uses[[r], :][:, chosen[mine]].toarray()).ravel()
        loss = c.value[chosen[mine]] - c.uses[:, chosen[mine]].T @ scaled
        worst = mine[np.argmin(np.where(use > 0, loss / np.maximum(use, TOLERANCE), np.inf))]
        taken -= uses[:, [chosen[worst]]].toarray().ravel()
        chosen[worst] = NOBODY
    return chosen


def _filled(c: Columns, chosen: Ints) -> Ints:
    """Return the choice with every customer moved to its best column that still fits, as long as anything moves."""
    order, first = _by_customer(c)
    owner = c.owner[order[first[:-1]]]
    moved, taken = chosen[owner], c.taken(chosen[chosen != NOBODY])
    fill(order, first, c.value, *_entries(c), c.room, moved, taken)
    found = chosen.copy()
    found[owner] = moved
    return found


def _whole(c: Columns, x: Floats, customers: int) -> Ints:
    chosen = np.full(customers, NOBODY)
    for k in np.flatnonzero(x > 0.5).tolist():
        chosen[c.owner[k]] = k
    return chosen


def _value(c: Columns, chosen: Ints) -> float:
    return float(c.value[chosen[chosen != NOBODY]].sum())
