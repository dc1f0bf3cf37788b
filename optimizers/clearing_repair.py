"""From decisions to a clearing: ratios and prices for a set of taken blocks, and the way from a set that cannot be priced to one that can."""

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from optimizers.clearing_book import NOBODY, Book, Floats
from optimizers.clearing_prices import TOUCH, Prices, prices_for
from optimizers.clearing_program import master_of
from optimizers.session import HighsSession, Status

Bools = npt.NDArray[np.bool_]
TRIES = 60
"""Blocks that are tried at most when a repaired clearing takes back what it dropped."""
PATIENCE_S = 2.0
"""How long one repair may take."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A clearing: which decided blocks are taken, at what ratios, at what prices; welfare -inf where it cannot be balanced."""

    decided: Bools
    ratio: Floats
    prices: Prices
    welfare: float


class Repair:
    """Turns decisions into clearings of one book."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.indivisible = bool((book.blocks.least == 1).all())
        """Whether ratios follow from the decisions without a program."""

    @cached_property
    def _session(self) -> HighsSession:
        self._master = master_of(self.book)
        return HighsSession(self._master.program.relaxed())

    def settled(self, decided: Bools) -> Taken:
        """Return ratios, prices and welfare when these decided blocks are taken and the others are left."""
        ratio = decided.astype(np.float64) if self.indivisible else self._ratios(decided)
        if ratio is None:
            return self._impossible(decided)
        welfare = self.book.welfare(ratio)
        if not np.isfinite(welfare):
            return self._impossible(decided)
        return Taken(decided, ratio, prices_for(self.book, ratio), welfare)

    def without_blocks(self) -> Taken:
        """Return the clearing that takes no decided block."""
        return self.settled(np.zeros(len(self.book.blocks), dtype=bool))

    def repaired(self, start: Taken, end_s: float) -> Taken:
        """Return a clearing with prices near one without: drop who lacks most until nobody does, then take back who gains."""
        end_s = min(end_s, time.monotonic() + PATIENCE_S)
        found = start
        while not found.prices.good and time.monotonic() < end_s:
            lacking = np.where(found.decided, found.prices.discontent, 0.0)
            if not lacking.any():
                break
            found = self.settled(self._without(found.decided, int(lacking.argmax())))
        if not found.prices.good:
            return self.without_blocks()
        return self._extended(found, end_s)

    def _extended(self, found: Taken, end_s: float) -> Taken:
        """Take blocks that would gain at the prices, best first, where prices for them exist and welfare rises."""
        b, tried = self.book.blocks, 0
        while time.monotonic() < end_s and tried < TRIES:
            missed = np.where(found.decided | ~b.decided, 0.0, b.lots @ found.prices.ticks - b.cost)
            for k in np.argsort(-missed, kind="stable")[: TRIES - tried].tolist():
                if missed[k] <= 0:
                    return found
                tried += 1
                other = self.settled(self._with(found.decided, k))
                if other.prices.good and other.welfare > found.welfare:
                    found = other
                    break
                if time.monotonic() >= end_s:
                    return found
            else:
                return found
        return found

    def _without(self, decided: Bools, block: int) -> Bools:
        """Return decisions without a block and without whoever needs it."""
        left, waiting = decided.copy(), [block]
        while waiting:
            k = waiting.pop()
            left[k] = False
            waiting += np.flatnonzero((self.book.blocks.parent == k) & left).tolist()
        return left

    def _with(self, decided: Bools, block: int) -> Bools:
        """Return decisions with a block and whom it needs, without the others of its group."""
        taken, b, k = decided.copy(), self.book.blocks, block
        while k != NOBODY:
            if b.group[k] != NOBODY:
                for other in np.flatnonzero((b.group == b.group[k]) & taken).tolist():
                    taken = self._without(taken, other)
            taken[k] = bool(b.decided[k])
            k = int(b.parent[k])
        return taken

    def _ratios(self, decided: Bools) -> Floats | None:
        """Return the ratios of largest welfare for decisions, None where there are none."""
        session, master = self._session, self._master
        columns = master.decision[master.decision != NOBODY].astype(np.int32)
        chosen = decided[master.decision != NOBODY].astype(np.float64)
        found = session.run_within(columns, chosen, chosen)
        if found.status is not Status.OPTIMAL or found.x is None:
            return None
        ratio = np.clip(found.x[master.ratio], 0.0, 1.0)
        ratio[ratio <= TOUCH], ratio[ratio >= 1 - TOUCH] = 0.0, 1.0
        return ratio

    def _impossible(self, decided: Bools) -> Taken:
        periods = len(self.book.curves)
        lacking = np.where(decided, 1.0, 0.0)
        return Taken(decided, np.zeros(len(decided)), Prices(np.zeros(periods), False, lacking), float("-inf"))
