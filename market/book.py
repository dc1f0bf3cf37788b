"""The continuous order book of one product: orders meet as they come, by price and then by time, and the journal tells everything.

Rules. A trade is at the resting order's price. GTC orders rest until they are cancelled, GTD until an instant, IOC take what is there and
end, FOK take all they ask for at once (hidden lots count) or nothing. Of an iceberg only a part is shown; each time it is used up the next
part goes behind all others at its price. A change that only asks for less keeps its place, any other goes behind and may trade. Who meets
an own order stops there: what is left of the incoming order ends. Orders expire when an event at or behind their instant touches them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np

from market import book_kernel as kernel
from market.book_kernel import Ints
from market.products import MarketError
from models.findings import error
from models.networks.jit import direct

ROOM = 1_024
INT64 = np.dtype(np.int64)
WORD, LINE, PAGE = 8, 64, 4_096
"""Bytes of a number, of a line of the processor's cache, and of a page of memory."""


class Act(IntEnum):
    """What an event does."""

    NEW = kernel.NEW
    CANCEL = kernel.CANCEL
    REPLACE = kernel.REPLACE


class Life(IntEnum):
    """How long an order lives."""

    GTC = kernel.GTC
    GTD = kernel.GTD
    IOC = kernel.IOC
    FOK = kernel.FOK


class Side(IntEnum):
    """Which side of the book."""

    BUY = kernel.BUY
    SELL = kernel.SELL


class Outcome(IntEnum):
    """What became of an event."""

    RESTS = kernel.RESTS
    FILLED = kernel.FILLED
    ENDED = kernel.ENDED
    REFUSED_FOK = kernel.REFUSED_FOK
    UNKNOWN = kernel.UNKNOWN
    NOT_YOURS = kernel.NOT_YOURS
    BAD_PRICE = kernel.BAD_PRICE
    BAD_LOTS = kernel.BAD_LOTS
    STOPPED_SELF = kernel.STOPPED_SELF
    CANCELLED = kernel.CANCELLED
    REPLACED = kernel.REPLACED
    EXPIRED = kernel.EXPIRED
    BAD_EVENT = kernel.BAD_EVENT


@dataclass(frozen=True, slots=True)
class BookTrade:
    """A trade of the book, in lots at a tick; ``event`` is the number of the event that made it."""

    resting: int
    incoming: int
    tick: int
    lots: int
    event: int


class OrderBook:
    """A book with prices of whole ticks ``lowest`` to ``highest``; orders are numbered in the order of the events that bring them.

    ``room`` is for how many events memory is laid out when the book opens; beyond them it grows, which takes time while events wait.
    """

    def __init__(self, lowest: int, highest: int, *, room: int = ROOM) -> None:
        if highest < lowest:
            raise MarketError([error("book", f"prices from {lowest} to {highest} are none")])
        self.lowest, self.highest = lowest, highest
        span = highest - lowest + 1
        self._enter, self._cancel, self._change, self._until = calls()
        self._log, self._outcomes = table(room, kernel.EVENT_COLUMNS), table(room, 1)
        self._orders, self._trades = table(room, kernel.ORDER_COLUMNS), table(2 * room, kernel.TRADE_COLUMNS)
        self._queue = np.full((2 * span, 2), kernel.NONE, dtype=np.int64)
        self._counts = np.zeros(kernel.COUNTS, dtype=np.int64)
        self._counts[kernel.BEST_BUY], self._counts[kernel.BEST_SELL] = kernel.NONE, span
        self._counts[kernel.LOWEST], self._counts[kernel.SPAN] = lowest, span
        self._tell()

    def enter(
        self, owner: int, side: int, tick: int, lots: int, shown: int = 0, life: int = 0, until: int = 0, now: int = 0
    ) -> int:
        """Enter an order and return its ``Outcome``; see ``apply`` for the fields."""
        found = self._enter(self._state, owner, side, tick, lots, shown, life, until, now)
        return found if found >= 0 else self._once_more(self._enter, owner, side, tick, lots, shown, life, until, now)

    def cancel(self, order: int, owner: int, now: int = 0) -> int:
        """Cancel an order and return the ``Outcome``."""
        found = self._cancel(self._state, order, owner, now)
        return found if found >= 0 else self._once_more(self._cancel, order, owner, now)

    def change(self, order: int, owner: int, tick: int, lots: int, now: int = 0) -> int:
        """Give an order another price or other lots and return the ``Outcome``."""
        found = self._change(self._state, order, owner, tick, lots, now)
        return found if found >= 0 else self._once_more(self._change, order, owner, tick, lots, now)

    def apply(self, events: Ints) -> Ints:
        """Apply a batch of events and return their outcomes, shape (event,).

        ``events`` has shape (event, 10) with the columns act, order, owner, side, tick, lots, shown, life, until, now: ``order`` is the number
        that a cancel or replace means, ``shown`` 0 for an order that hides nothing, ``until`` and ``now`` in the market's own unit of time.

        Raises
        ------
        MarketError
            If the array has another shape or anything but 64-bit integers; what is wrong with single events is in their outcomes.
        """
        if events.ndim != 2 or events.shape[1] != kernel.EVENT_COLUMNS or events.dtype != INT64:
            told = f"have shape {events.shape} of {events.dtype}; expected (event, {kernel.EVENT_COLUMNS}) of int64"
            raise MarketError([error("events", told)])
        first = int(self._counts[kernel.EVENTS])
        last = first + len(events)
        if last > len(self._log):
            self._make_room(len(events))
        self._log[first:last] = events
        while self._until(self._state, last) < last:
            self._make_room(last - int(self._counts[kernel.EVENTS]))
        return self._outcomes[first:last, 0].copy()

    def _once_more(self, call: Callable[..., int], *event: int) -> int:
        self._make_room(1)
        return call(self._state, *event)

    def events(self) -> Ints:
        """Return the journal since the beginning, in the form that ``apply`` takes."""
        return self._log[: self._counts[kernel.EVENTS]].copy()

    def trade_table(self, first: int = 0) -> Ints:
        """Return trades from a number on as (resting, incoming, tick, lots, event), shape (trade, 5)."""
        return self._trades[first : self._counts[kernel.TRADES]].copy()

    def trades(self, first: int = 0) -> Iterator[BookTrade]:
        """Give trades from a number on, in the order they were made."""
        for row in self.trade_table(first).tolist():
            yield BookTrade(*row)

    def depth(self, side: Side, now: int = 0) -> list[tuple[int, int]]:
        """Return what is shown on a side as (tick, lots), the best price first; what has expired by ``now`` is left out."""
        o = self._orders[: self._counts[kernel.ORDERS]]
        sides, prices = np.divmod(o[:, kernel.O_PLACE], self._counts[kernel.SPAN])
        kept = (o[:, kernel.O_SHOWN] > 0) & (sides == side) & (o[:, kernel.O_UNTIL] > now)
        here = o[kept]
        ticks, place = np.unique(prices[kept], return_inverse=True)
        lots = np.zeros(len(ticks), dtype=np.int64)
        np.add.at(lots, place, here[:, kernel.O_SHOWN])
        rows = list(zip((ticks + self.lowest).tolist(), lots.tolist(), strict=True))
        return rows[::-1] if side is Side.BUY else rows

    def left(self, order: int) -> int:
        """Return the lots of an order that still rest, shown and hidden; 0 for one that is done or unknown."""
        if not 0 <= order < self._counts[kernel.ORDERS]:
            return 0
        return int(self._orders[order, kernel.O_SHOWN] + self._orders[order, kernel.O_HIDDEN])

    def _make_room(self, more: int) -> None:
        """Make the tables long enough for so many more events, and for the trades that resting orders may still make."""
        events = int(self._counts[kernel.EVENTS])
        self._log, self._outcomes = (longer(t, events + more) for t in (self._log, self._outcomes))
        self._orders = longer(self._orders, int(self._counts[kernel.ORDERS]) + more)
        self._trades = longer(self._trades, int(self._counts[kernel.POSSIBLE]) + more + 1)
        self._tell()

    def _tell(self) -> None:
        """Write down where the tables are: events are applied by addresses alone."""
        tables = self._log, self._outcomes, self._orders, self._queue, self._counts.reshape(1, -1), self._trades
        self._places = np.array([(t.ctypes.data, len(t)) for t in tables], dtype=np.int64)
        self._state = int(self._places.ctypes.data)


@cache
def calls() -> tuple[Callable[..., int], ...]:
    """Return what enters, cancels and changes a single order, and what goes on to an event of the log."""
    return (
        direct(kernel.enter_one, 9),
        direct(kernel.cancel_one, 4),
        direct(kernel.change_one, 6),
        direct(kernel.apply_until, 2),
    )


def table(rows: int, columns: int) -> Ints:
    """Return an empty table whose first row begins with a line of the processor's cache; the system has handed out all of its memory."""
    raw = np.empty(rows * columns + LINE // WORD, dtype=np.int64)
    raw[:: PAGE // WORD] = 0
    skipped = -raw.ctypes.data % LINE // WORD
    return raw[skipped : skipped + rows * columns].reshape(rows, columns)


def longer(old: Ints, rows: int) -> Ints:
    """Return a table with room for so many rows; it doubles at least."""
    if rows <= len(old):
        return old
    grown = table(max(rows, 2 * len(old)), old.shape[1])
    grown[: len(old)] = old
    return grown
