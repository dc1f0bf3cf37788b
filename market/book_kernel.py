"""The loops of the continuous order book: lists of resting orders per price and side, matched by price and then by time.

State is a handful of integer tables, so that a batch of events is one call, and their addresses are in one more, so that a single event is
a call with plain numbers; events are written into the log and applied from there. An order's number is its place in ``orders``; ``queue``
holds the first and the last order at every side and price. Everything the rules need is in an event, so the same events give the same
trades on every machine.
"""

import numpy as np
import numpy.typing as npt

from models.networks.jit import brief, compiled, fetch_line, inlined, table_at

Ints = npt.NDArray[np.int64]

# columns of an event
ACT, ORDER, OWNER, SIDE, TICK, LOTS, SHOWN, LIFE, UNTIL, NOW = range(10)
# what an event does
NEW, CANCEL, REPLACE = range(3)
# how long an order lives
GTC, GTD, IOC, FOK = range(4)
# sides: purchases rest from the highest price down, sales from the lowest up
BUY, SELL = 0, 1
# columns of an order: one line of a processor's cache; ``O_PLACE`` is the place of its side and price in the queue
NEXT, BEFORE, O_OWNER, O_PLACE, O_SHOWN, O_HIDDEN, O_TIP, O_UNTIL = range(8)
ORDER_COLUMNS = 8
# columns of a trade
RESTING, INCOMING, T_TICK, T_LOTS, T_EVENT = range(5)
# columns of the counters; ``SPAN`` is how many prices there are
ORDERS, TRADES, EVENTS, BEST_BUY, BEST_SELL, POSSIBLE, LOWEST, SPAN = range(8)
COUNTS = 8
EVENT_COLUMNS, TRADE_COLUMNS = 10, 5
# tables, as the state's address tells them
LOG, OUTCOMES, BOOKED, QUEUE, COUNTERS, TRADED = range(6)
# what becomes of an event
(
    RESTS,
    FILLED,
    ENDED,
    REFUSED_FOK,
    UNKNOWN,
    NOT_YOURS,
    BAD_PRICE,
    BAD_LOTS,
    STOPPED_SELF,
    CANCELLED,
    REPLACED,
    EXPIRED,
    BAD_EVENT,
) = range(13)
AHEAD, BESIDE = 12, 6
"""How many events ahead of its turn an order is fetched from memory, and then what lies beside the order."""
ORDER_BYTES, QUEUE_BYTES = 8 * ORDER_COLUMNS, 16
NONE = -1
NEVER = 2**62
SMALLEST_SHOWN = 1_000
"""An order shows at least one part in so many of its lots."""


@brief
def enter_one(
    state: int, owner: int, side: int, tick: int, lots: int, shown: int, life: int, until: int, now: int
) -> int:
    """Apply a new order and return its outcome; -1 where there is no room and nothing has happened."""
    return _one(state, NEW, 0, owner, side, tick, lots, shown, life, until, now)


@brief
def cancel_one(state: int, order: int, owner: int, now: int) -> int:
    """Apply a cancel as :func:`enter_one` a new order."""
    return _one(state, CANCEL, order, owner, 0, 0, 0, 0, 0, 0, now)


@brief
def change_one(state: int, order: int, owner: int, tick: int, lots: int, now: int) -> int:
    """Apply a change as :func:`enter_one` a new order."""
    return _one(state, REPLACE, order, owner, 0, tick, lots, 0, 0, 0, now)


@inlined
def _one(
    state: int,
    act: int,
    order: int,
    owner: int,
    side: int,
    tick: int,
    lots: int,
    shown: int,
    life: int,
    until: int,
    now: int,
) -> int:
    """Write one event into the log and apply it."""
    at = table_at(state, 6, 2)
    counts = table_at(at[COUNTERS, 0], 1, COUNTS)[0]
    k = counts[EVENTS]
    if k >= at[LOG, 1]:
        return NONE
    e = table_at(at[LOG, 0], at[LOG, 1], EVENT_COLUMNS)
    e[k, ACT], e[k, ORDER], e[k, OWNER], e[k, SIDE], e[k, TICK] = act, order, owner, side, tick
    e[k, LOTS], e[k, SHOWN], e[k, LIFE], e[k, UNTIL], e[k, NOW] = lots, shown, life, until, now
    return NONE if _applied(at, counts, k, k + 1) == k else table_at(at[OUTCOMES, 0], at[OUTCOMES, 1], 1)[k, 0]


@compiled
def apply_until(state: int, last: int) -> int:
    """Apply events of the log up to ``last`` (not included); return the first that was not: it needs more room for trades or orders."""
    at = table_at(state, 6, 2)
    counts = table_at(at[COUNTERS, 0], 1, COUNTS)[0]
    return _applied(at, counts, counts[EVENTS], last)


@compiled
def _applied(at: Ints, counts: Ints, first: int, last: int) -> int:
    """Apply events of the log while there is room, and return the first that was not applied.

    ``at`` holds (address, rows) of every table.
    """
    events, outcomes = table_at(at[LOG, 0], at[LOG, 1], EVENT_COLUMNS), table_at(at[OUTCOMES, 0], at[OUTCOMES, 1], 1)
    orders = table_at(at[BOOKED, 0], at[BOOKED, 1], ORDER_COLUMNS)
    queue = table_at(at[QUEUE, 0], at[QUEUE, 1], 2)
    trades = table_at(at[TRADED, 0], at[TRADED, 1], TRADE_COLUMNS)
    for k in range(first, min(first + AHEAD, last)):
        _fetch(events, k, at, counts)
    for k in range(first, last):
        if k + AHEAD < last:
            _fetch(events, k + AHEAD, at, counts)
        if k + BESIDE < last:
            _fetch_beside(events, k + BESIDE, at, counts, orders, queue)
        if counts[POSSIBLE] >= at[TRADED, 1] or counts[ORDERS] >= at[BOOKED, 1]:
            return k
        outcomes[k, 0] = _apply(events, k, orders, queue, counts, trades)
        counts[EVENTS] = k + 1
    return last


@inlined
def _fetch(events: Ints, k: int, at: Ints, counts: Ints) -> None:
    """Bring near what an event begins with: the queue of a new order's price, or the order that is meant."""
    if events[k, ACT] == NEW:
        place = events[k, SIDE] * counts[SPAN] + events[k, TICK] - counts[LOWEST]
        fetch_line(at[QUEUE, 0] + place * QUEUE_BYTES)
    else:
        fetch_line(at[BOOKED, 0] + events[k, ORDER] * ORDER_BYTES)


@inlined
def _fetch_beside(events: Ints, k: int, at: Ints, counts: Ints, orders: Ints, queue: Ints) -> None:
    """Bring near the orders that an event will touch beside its own: the last at its price, or its neighbours."""
    if events[k, ACT] == NEW:
        place = events[k, SIDE] * counts[SPAN] + events[k, TICK] - counts[LOWEST]
        if 0 <= place < len(queue):
            fetch_line(at[BOOKED, 0] + queue[place, 1] * ORDER_BYTES)
        return
    number = events[k, ORDER]
    if 0 <= number < counts[ORDERS] and orders[number, O_SHOWN] > 0:
        fetch_line(at[QUEUE, 0] + orders[number, O_PLACE] * QUEUE_BYTES)
        fetch_line(at[BOOKED, 0] + orders[number, NEXT] * ORDER_BYTES)
        fetch_line(at[BOOKED, 0] + orders[number, BEFORE] * ORDER_BYTES)


@inlined
def _apply(events: Ints, k: int, orders: Ints, queue: Ints, counts: Ints, trades: Ints) -> int:
    act, now = events[k, ACT], events[k, NOW]
    if act == NEW:
        number = counts[ORDERS]
        counts[ORDERS] = number + 1
        orders[number, O_SHOWN] = orders[number, O_HIDDEN] = 0
        wrong = _unsound(events, k, counts)
        if wrong:
            return wrong
        side, life = events[k, SIDE], events[k, LIFE]
        place = side * counts[SPAN] + events[k, TICK] - counts[LOWEST]
        until = events[k, UNTIL] if life == GTD else NEVER
        orders[number, O_OWNER] = events[k, OWNER]
        return _enter(
            k, number, place, events[k, LOTS], events[k, SHOWN], life, until, now, orders, queue, counts, trades
        )
    number = events[k, ORDER]
    if act > REPLACE or act < 0:
        return BAD_EVENT
    if number < 0 or number >= counts[ORDERS] or orders[number, O_SHOWN] == 0:
        return UNKNOWN
    if orders[number, O_OWNER] != events[k, OWNER]:
        return NOT_YOURS
    if orders[number, O_UNTIL] <= now:
        _leave(number, orders, queue)
        return EXPIRED
    if act == CANCEL:
        _leave(number, orders, queue)
        return CANCELLED
    return _replaced(events, k, number, orders, queue, counts, trades)


@inlined
def _unsound(events: Ints, k: int, counts: Ints) -> int:
    """Return what keeps a new order out, 0 where nothing does."""
    lots, shown = events[k, LOTS], events[k, SHOWN]
    if (events[k, SIDE] != BUY and events[k, SIDE] != SELL) or events[k, LIFE] < GTC or events[k, LIFE] > FOK:
        return BAD_EVENT
    if not 0 <= events[k, TICK] - counts[LOWEST] < counts[SPAN]:
        return BAD_PRICE
    if lots <= 0 or shown < 0 or shown > lots or 0 < shown * SMALLEST_SHOWN < lots:
        return BAD_LOTS
    return 0


@compiled
def _replaced(events: Ints, k: int, number: int, orders: Ints, queue: Ints, counts: Ints, trades: Ints) -> int:
    """Change price or lots: who only asks for less keeps the place, everybody else goes behind and may trade."""
    price, lots, span = events[k, TICK] - counts[LOWEST], events[k, LOTS], counts[SPAN]
    if not 0 <= price < span:
        return BAD_PRICE
    if lots <= 0 or 0 < orders[number, O_TIP] * SMALLEST_SHOWN < lots:
        return BAD_LOTS
    cut = orders[number, O_SHOWN] + orders[number, O_HIDDEN] - lots
    place = orders[number, O_PLACE] // span * span + price
    if place == orders[number, O_PLACE] and cut >= 0:
        unseen = min(cut, orders[number, O_HIDDEN])
        orders[number, O_HIDDEN] -= unseen
        orders[number, O_SHOWN] -= cut - unseen
        return REPLACED
    _leave(number, orders, queue)
    until, shown = orders[number, O_UNTIL], min(orders[number, O_TIP], lots)
    life = GTC if until == NEVER else GTD
    _enter(k, number, place, lots, shown, life, until, events[k, NOW], orders, queue, counts, trades)
    return REPLACED


@inlined
def _enter(
    k: int,
    number: int,
    place: int,
    lots: int,
    shown: int,
    life: int,
    until: int,
    now: int,
    orders: Ints,
    queue: Ints,
    counts: Ints,
    trades: Ints,
) -> int:
    """Match an order against the other side; what is left rests or ends, as its life says."""
    orders[number, O_PLACE], orders[number, O_TIP], orders[number, O_UNTIL] = place, shown, until
    orders[number, O_SHOWN] = orders[number, O_HIDDEN] = 0
    counts[POSSIBLE] += 1
    if until <= now:
        return EXPIRED
    side, price = _apart(place, counts[SPAN])
    owner = orders[number, O_OWNER]
    if life == FOK and _fillable(side, price, lots, owner, now, orders, queue, counts) < lots:
        return REFUSED_FOK
    left, stopped = _match(k, number, side, price, lots, now, orders, queue, counts, trades)
    if left == 0:
        return FILLED
    if stopped:
        return STOPPED_SELF
    if life >= IOC:
        return ENDED
    part = min(shown, left) if shown > 0 else left
    orders[number, O_SHOWN], orders[number, O_HIDDEN] = part, left - part
    # each time its shown part is used up is one trade; with the one that ends an incoming order, trades never exceed this count
    counts[POSSIBLE] += (left + part - 1) // part if shown > 0 else 1
    _join(number, orders, queue, counts)
    return RESTS


@inlined
def _apart(place: int, span: int) -> tuple[int, int]:
    """Return side and price of a place."""
    return (SELL, place - span) if place >= span else (BUY, place)


@inlined
def _match(
    k: int,
    number: int,
    side: int,
    limit: int,
    lots: int,
    now: int,
    orders: Ints,
    queue: Ints,
    counts: Ints,
    trades: Ints,
) -> tuple[int, bool]:
    """Trade with the best orders of the other side; return what is left and whether an order of the same owner stood in the way."""
    left, other = lots, 1 - side
    begin, owner = other * counts[SPAN], orders[number, O_OWNER]
    price = _best(other, queue, counts)
    while left > 0 and _crosses(side, limit, price, counts[SPAN]):
        there = queue[begin + price, 0]
        if orders[there, O_UNTIL] <= now:
            _leave(there, orders, queue)
        elif orders[there, O_OWNER] == owner:
            return left, True
        else:
            part = min(left, orders[there, O_SHOWN])
            t = counts[TRADES]
            trades[t, RESTING], trades[t, INCOMING], trades[t, T_TICK] = there, number, price + counts[LOWEST]
            trades[t, T_LOTS], trades[t, T_EVENT] = part, k
            counts[TRADES] = t + 1
            left -= part
            orders[there, O_SHOWN] -= part
            if orders[there, O_SHOWN] == 0:
                _used_up(there, orders, queue, counts)
        if queue[begin + price, 0] == NONE:
            price = _best(other, queue, counts)
    return left, False


@inlined
def _used_up(number: int, orders: Ints, queue: Ints, counts: Ints) -> None:
    """Take an order whose shown part is gone out of its queue; with more hidden it shows anew, behind all others."""
    _unlink(number, orders, queue)
    if orders[number, O_HIDDEN] > 0:
        orders[number, O_SHOWN] = min(orders[number, O_TIP], orders[number, O_HIDDEN])
        orders[number, O_HIDDEN] -= orders[number, O_SHOWN]
        _join(number, orders, queue, counts)


@compiled
def _fillable(side: int, limit: int, lots: int, owner: int, now: int, orders: Ints, queue: Ints, counts: Ints) -> int:
    """Return how much of an order could trade at once, not further than it needs; stops at an order of the same owner."""
    found, other, span = 0, 1 - side, counts[SPAN]
    begin, price, step = other * span, _best(other, queue, counts), 1 if other == SELL else -1
    while found < lots and _crosses(side, limit, price, span):
        whole, shown, number = 0, 0, queue[begin + price, 0]
        while number != NONE and found + shown < lots:
            if orders[number, O_UNTIL] > now:
                if orders[number, O_OWNER] == owner:
                    return int(found + shown)
                shown += orders[number, O_SHOWN]
                whole += orders[number, O_SHOWN] + orders[number, O_HIDDEN]
            number = orders[number, NEXT]
        found += whole
        price += step
        while 0 <= price < span and queue[begin + price, 0] == NONE:
            price += step
    return int(found)


@inlined
def _crosses(side: int, limit: int, price: int, span: int) -> bool:
    if price < 0 or price >= span:
        return False
    return bool(price <= limit if side == BUY else price >= limit)


@inlined
def _best(side: int, queue: Ints, counts: Ints) -> int:
    """Return the best price with an order on a side; outside the ladder where there is none."""
    if side == BUY:
        price = counts[BEST_BUY]
        while price >= 0 and queue[price, 0] == NONE:
            price -= 1
        counts[BEST_BUY] = price
        return int(price)
    price, span = counts[BEST_SELL], counts[SPAN]
    while price < span and queue[span + price, 0] == NONE:
        price += 1
    counts[BEST_SELL] = price
    return int(price)


@inlined
def _join(number: int, orders: Ints, queue: Ints, counts: Ints) -> None:
    """Put an order behind all others at its price."""
    place = orders[number, O_PLACE]
    tail = queue[place, 1]
    orders[number, BEFORE], orders[number, NEXT] = tail, NONE
    if tail == NONE:
        queue[place, 0] = number
        side, price = _apart(place, counts[SPAN])
        if side == BUY:
            counts[BEST_BUY] = max(counts[BEST_BUY], price)
        else:
            counts[BEST_SELL] = min(counts[BEST_SELL], price)
    else:
        orders[tail, NEXT] = number
    queue[place, 1] = number


@inlined
def _unlink(number: int, orders: Ints, queue: Ints) -> None:
    place, before, after = orders[number, O_PLACE], orders[number, BEFORE], orders[number, NEXT]
    if before == NONE:
        queue[place, 0] = after
    else:
        orders[before, NEXT] = after
    if after == NONE:
        queue[place, 1] = before
    else:
        orders[after, BEFORE] = before


@inlined
def _leave(number: int, orders: Ints, queue: Ints) -> None:
    """Take an order out of the book for good."""
    _unlink(number, orders, queue)
    orders[number, O_SHOWN] = orders[number, O_HIDDEN] = 0
