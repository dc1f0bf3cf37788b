"""Whether one price per period lets nobody regret what was taken: the price test of a block auction, a small linear program.

Simple orders confine the price of a period to what their curve says at its net sale. Among blocks, whoever is taken, or could be taken
in any part, must be content with its ratio: a block taken whole gains or breaks even, one taken in part breaks even, a family is content
when every accepted branch is (a child's gain may carry its parent, never the reverse), and a group's best member may earn what the
others cannot. Blocks that need a decision and were left may regret it. This is linear duality of the auction with its decisions fixed.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from optimizers.clearing_book import NOBODY, Book, Floats
from optimizers.session import HighsSession, Program, Status

TOUCH = 1e-7
"""Ratios within which one is 0, 1, or its parent's."""
CONTENT = 1e-6
"""Discontent, in ticks times a block's largest quantity, that counts as none."""
LACK_COST = 1e4
"""What a tick of discontent weighs beside a tick's distance from the middle."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Ticks per period, whole where ``whole``; ``discontent`` has shape (block,), how much each taken block lacks, in lot-ticks."""

    ticks: Floats
    whole: bool
    discontent: Floats

    @property
    def good(self) -> bool:
        """Whether nobody who was taken regrets it."""
        return not self.discontent.any()


def prices_for(book: Book, ratio: Floats) -> Prices:
    """Return prices for accepted ratios, nearest to the middle of what simple orders allow; discontent where none will do."""
    net = -(ratio @ book.blocks.lots)
    low, high = np.array([c.prices_at(n) for c, n in zip(book.curves, net, strict=True)], dtype=np.float64).T
    middle = np.floor((low + high) / 2)
    if _plainly_good(book, ratio, middle):
        return Prices(middle, True, np.zeros(len(book.blocks)))
    test = _Test(book, ratio, low, high, middle)
    found = test.run(whole=False)
    rounded = np.round(found.ticks)
    if found.good and np.abs(found.ticks - rounded).max() < TOUCH:
        return Prices(rounded, True, found.discontent)
    if not found.good:
        return found
    on_ticks = test.run(whole=True)
    return on_ticks if on_ticks.good else found


def _plainly_good(book: Book, ratio: Floats, ticks: Floats) -> bool:
    """Return whether everybody is content at these prices one by one, families and groups left aside."""
    b = book.blocks
    gain = b.lots @ ticks - b.cost
    full, left = ratio >= 1 - TOUCH, ratio <= TOUCH
    part = ~full & ~left
    return bool(not part.any() and (gain[full] >= 0).all() and (gain[left & ~b.decided] <= 0).all())


class _Test:
    """The test as a program: prices, how far they are from the middle, and what blocks earn by being full, tied or grouped.

    Columns: price and distance per period; lack, earned and tied per active block; one per group. A block's row is in ticks of its
    own largest quantity, so that a small block's discontent weighs as much as a large one's.
    """

    def __init__(self, book: Book, ratio: Floats, low: Floats, high: Floats, middle: Floats) -> None:
        self.book, self.ratio, self.low, self.high, self.middle = book, ratio, low, high, middle
        b = book.blocks
        self.active = np.flatnonzero((ratio > TOUCH) | ~b.decided)
        self.scale = np.abs(b.lots[self.active]).max(axis=1, initial=1).astype(np.float64)
        self.t, self.n = len(low), len(self.active)
        self.groups = int(b.group.max(initial=NOBODY)) + 1
        self.lack, self.earned, self.tied, self.grouped = (2 * self.t + k * self.n for k in range(4))

    def run(self, *, whole: bool) -> Prices:
        """Return prices that leave least discontent, then nearest to the middle; on whole ticks where asked."""
        found = HighsSession(self._program(whole), {"mip_abs_gap": 1e-9}).run(time_limit_s=5.0, gap_share=0.0)
        lacking = np.zeros(len(self.book.blocks))
        if found.status is not Status.OPTIMAL or found.x is None:
            lacking[self.active] = np.inf
            return Prices(self.middle, False, lacking)
        lack = found.x[self.lack : self.earned]
        lacking[self.active] = np.where(lack > CONTENT, lack * self.scale, 0.0)
        ticks = np.clip(found.x[: self.t], self.low, self.high)
        return Prices(np.round(ticks) if whole else ticks, whole, lacking)

    def _program(self, whole: bool) -> Program:
        b, taken, total = self.book.blocks, self.ratio[self.active], self.grouped + self.groups
        lower, upper, cost = np.zeros(total), np.full(total, np.inf), np.zeros(total)
        lower[: self.t], upper[: self.t] = self.low, self.high
        cost[self.t : self.lack] = 1.0
        cost[self.lack : self.earned] = LACK_COST
        # a block that was left lacks nothing; it must not gain either, which its row says
        upper[self.lack : self.earned] = np.where(taken > TOUCH, np.inf, 0.0)
        upper[self.earned : self.tied] = np.where(taken >= 1 - TOUCH, np.inf, 0.0)
        parent = b.parent[self.active]
        at_parent = (parent != NOBODY) & (taken >= self.ratio[np.maximum(parent, 0)] - TOUCH)
        upper[self.tied : self.grouped] = np.where(at_parent, np.inf, 0.0)
        full, member = np.zeros(self.groups), b.group != NOBODY
        np.add.at(full, b.group[member], self.ratio[member])
        upper[self.grouped :] = np.where(full >= 1 - TOUCH, np.inf, 0.0)
        side = b.cost[self.active] / self.scale
        row_lower = np.concatenate([np.full(self.t, -np.inf), self.middle, np.where(taken <= TOUCH, -np.inf, side)])
        row_upper = np.concatenate([self.middle, np.full(self.t, np.inf), side])
        integrality = np.zeros(total, dtype=np.uint8)
        integrality[: self.t] = whole
        a = self._matrix(total)
        return Program(
            a.indptr.astype(np.int32), a.indices.astype(np.int32), a.data, lower, upper, row_lower, row_upper,
            cost, 0.0, integrality,
        )  # fmt: skip

    def _matrix(self, total: int) -> sparse.csr_array:
        """Rows: price - distance <= middle <= price + distance, then for each active block gain + lack = what explains it."""
        b, t, n = self.book.blocks, np.arange(self.t), np.arange(self.n)
        own, one = 2 * self.t + n, np.ones(self.n)
        block, period = np.nonzero(b.lots[self.active])
        gain = b.lots[self.active][block, period] / self.scale[block]
        place = np.full(len(b) + 1, NOBODY)  # the last place is nobody's
        place[self.active] = n
        above = place[b.parent[self.active]]
        child, group = np.flatnonzero(above != NOBODY), b.group[self.active]
        member = np.flatnonzero(group != NOBODY)
        entries = (
            (t, t, np.ones(self.t)), (t, self.t + t, -np.ones(self.t)),
            (self.t + t, t, np.ones(self.t)), (self.t + t, self.t + t, np.ones(self.t)),
            (own[block], period, gain),
            (own, self.lack + n, one), (own, self.earned + n, -one), (own, self.tied + n, -one),
            (own[above[child]], self.tied + child, self.scale[child] / self.scale[above[child]]),
            (own[member], self.grouped + group[member], -1 / self.scale[member]),
        )  # fmt: skip
        rows, columns, values = (np.concatenate([e[k] for e in entries]) for k in range(3))
        return sparse.csr_array(sparse.coo_array((values, (rows, columns)), shape=(2 * self.t + self.n, total)))
