"""The loops of the continuous order book: lists of resting orders per price and side, matched by price and then by time.

State is a handful of integer tables, so that a batch of events is one call. An order's number is its place in ``orders``; ``queue`` holds
the first and the last order at every price and side, ``edge`` the best prices. Everything the rules need is in an event, so the same events
give the same trades on every machine.
"""

import numpy as np
import numpy.typing as npt

from models.networks.jit import compiled, table_at

Ints = npt.NDArray[np.int64]

# columns of an event
ACT, ORDER, OWNER, SIDE, TICK, LOTS, SHOWN, LIFE, UNTIL, NOW = range(10)
# what an event does
NEW, CANCEL, REPLACE = range(3)
# how long an order lives
GTC, GTD, IOC, FOK = range(4)
# sides: purchases rest from the highest price down, sales from the lowest up
BUY, SELL = 0, 1
# columns of an order
NEXT, BEFORE, O_OWNER, O_SIDE, O_PRICE, O_SHOWN, O_HIDDEN, O_TIP, O_UNTIL = range(9)
ORDER_COLUMNS = 9
# columns of a trade
RESTING, INCOMING, T_TICK, T_LOTS, T_EVENT = range(5)
# columns of the counters
ORDERS, TRADES, EVENTS, BEST_BUY, BEST_SELL, POSSIBLE, LOGGED, LOWEST = range(8)
COUNTS = 8
EVENT_COLUMNS, TRADE_COLUMNS = 10, 5
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
NONE = -1
NEVER = 2**62
SMALLEST_SHOWN = 1_000
"""An order shows at least one part in so many of its lots."""


@compiled
def apply_events(
    events: Ints, first: int, orders: Ints, queue: Ints, counts: Ints, trades: Ints, outcomes: Ints
) -> int:
    """Apply events from ``first`` on and return the first that was not: their count, or one that needs more room for trades or orders."""
    for k in range(first, len(events)):
        if counts[POSSIBLE] >= len(trades) or counts[ORDERS] >= len(orders):
            return k
        outcomes[k] = _apply(events[k], counts[EVENTS], orders, queue, counts, trades)
        counts[EVENTS] += 1
    return len(events)


@compiled
def apply_one(
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
    """Write one event down and apply it; return its outcome, -1 where there is no room.

    ``state`` is the address of (address, rows) of the log of single events, orders, queue, counts and trades.
    """
    at = table_at(state, 5, 2)
    counts = table_at(at[3, 0], 1, COUNTS)[0]
    k = counts[LOGGED]
    if k >= at[0, 1] or counts[ORDERS] >= at[1, 1] or counts[POSSIBLE] >= at[4, 1]:
        return NONE
    e = table_at(at[0, 0], at[0, 1], EVENT_COLUMNS)[k]
    e[ACT], e[ORDER], e[OWNER], e[SIDE], e[TICK] = act, order, owner, side, tick
    e[LOTS], e[SHOWN], e[LIFE], e[UNTIL], e[NOW] = lots, shown, life, until, now
    orders = table_at(at[1, 0], at[1, 1], ORDER_COLUMNS)
    queue = table_at(at[2, 0], at[2, 1], 2).reshape(2, at[2, 1] // 2, 2)
    found = _apply(e, counts[EVENTS], orders, queue, counts, table_at(at[4, 0], at[4, 1], TRADE_COLUMNS))
    counts[LOGGED] = k + 1
    counts[EVENTS] += 1
    return found


@compiled
def _apply(e: Ints, k: int, orders: Ints, queue: Ints, counts: Ints, trades: Ints) -> int:
    if e[ACT] == NEW:
        number = counts[ORDERS]
        counts[ORDERS] = number + 1
        orders[number, O_SHOWN] = orders[number, O_HIDDEN] = 0
        wrong = _unsound(e, queue, counts)
        return wrong if wrong else _enter(e, k, number, orders, queue, counts, trades)
    number = e[ORDER]
    if e[ACT] > REPLACE or e[ACT] < 0:
        return BAD_EVENT
    if number < 0 or number >= counts[ORDERS] or orders[number, O_SHOWN] == 0:
        return UNKNOWN
    if orders[number, O_OWNER] != e[OWNER]:
        return NOT_YOURS
    if orders[number, O_UNTIL] <= e[NOW]:
        _leave(number, orders, queue)
        return EXPIRED
    if e[ACT] == CANCEL:
        _leave(number, orders, queue)
        return CANCELLED
    return _replaced(e, k, number, orders, queue, counts, trades)


@compiled
def _unsound(e: Ints, queue: Ints, counts: Ints) -> int:
    """Return what keeps a new order out, 0 where nothing does."""
    if (e[SIDE] != BUY and e[SIDE] != SELL) or e[LIFE] < GTC or e[LIFE] > FOK:
        return BAD_EVENT
    if not 0 <= e[TICK] - counts[LOWEST] < queue.shape[1]:
        return BAD_PRICE
    if e[LOTS] <= 0 or e[SHOWN] < 0 or e[SHOWN] > e[LOTS] or 0 < e[SHOWN] * SMALLEST_SHOWN < e[LOTS]:
        return BAD_LOTS
    return 0


@compiled
def _replaced(e: Ints, k: int, number: int, orders: Ints, queue: Ints, counts: Ints, trades: Ints) -> int:
    """Change price or lots: who only asks for less keeps the place, everybody else goes behind and may trade."""
    if not 0 <= e[TICK] - counts[LOWEST] < queue.shape[1]:
        return BAD_PRICE
    if e[LOTS] <= 0 or 0 < orders[number, O_TIP] * SMALLEST_SHOWN < e[LOTS]:
        return BAD_LOTS
    cut = orders[number, O_SHOWN] + orders[number, O_HIDDEN] - e[LOTS]
    if e[TICK] - counts[LOWEST] == orders[number, O_PRICE] and cut >= 0:
        unseen = min(cut, orders[number, O_HIDDEN])
        orders[number, O_HIDDEN] -= unseen
        orders[number, O_SHOWN] -= cut - unseen
        return REPLACED
    _leave(number, orders, queue)
    anew = e.copy()  # the event itself stays as it came
    anew[SIDE], anew[SHOWN], anew[UNTIL] = (
        orders[number, O_SIDE],
        min(orders[number, O_TIP], e[LOTS]),
        orders[number, O_UNTIL],
    )
    anew[LIFE] = GTC if orders[number, O_UNTIL] == NEVER else GTD
    _enter(anew, k, number, orders, queue, counts, trades)
    return REPLACED


@compiled
def _enter(e: Ints, k: int, number: int, orders: Ints, queue: Ints, counts: Ints, trades: Ints) -> int:
    """Match an order against the other side; what is left rests or ends, as its life says."""
    orders[number, O_OWNER], orders[number, O_SIDE], orders[number, O_PRICE], orders[number, O_TIP] = (
        e[OWNER],
        e[SIDE],
        e[TICK] - counts[LOWEST],
        e[SHOWN],
    )
    orders[number, O_UNTIL] = e[UNTIL] if e[LIFE] == GTD else NEVER
    orders[number, O_SHOWN] = orders[number, O_HIDDEN] = 0
    counts[POSSIBLE] += 1
    if orders[number, O_UNTIL] <= e[NOW]:
        return EXPIRED
    if e[LIFE] == FOK and _fillable(e, orders, queue, counts) < e[LOTS]:
        return REFUSED_FOK
    left, stopped = _match(e, k, number, orders, queue, counts, trades)
    if left == 0:
        return FILLED
    if stopped:
        return STOPPED_SELF
    if e[LIFE] >= IOC:
        return ENDED
    shown = min(e[SHOWN], left) if e[SHOWN] > 0 else left
    orders[number, O_SHOWN], orders[number, O_HIDDEN] = shown, left - shown
    # each time its shown part is used up is one trade; with the one that ends an incoming order, trades never exceed this count
    counts[POSSIBLE] += (left + shown - 1) // shown
    _join(number, orders, queue, counts)
    return RESTS


@compiled
def _match(e: Ints, k: int, number: int, orders: Ints, queue: Ints, counts: Ints, trades: Ints) -> tuple[int, bool]:
    """Trade with the best orders of the other side; return what is left and whether an order of the same owner stood in the way."""
    left, other = e[LOTS], 1 - e[SIDE]
    price = _best(other, queue, counts)
    while left > 0 and _crosses(e, price, queue, counts):
        there = queue[other, price, 0]
        if orders[there, O_UNTIL] <= e[NOW]:
            _leave(there, orders, queue)
        elif orders[there, O_OWNER] == e[OWNER]:
            return left, True
        else:
            lots = min(left, orders[there, O_SHOWN])
            t = counts[TRADES]
            trades[t, RESTING], trades[t, INCOMING], trades[t, T_TICK] = there, number, price + counts[LOWEST]
            trades[t, T_LOTS], trades[t, T_EVENT] = lots, k
            counts[TRADES] = t + 1
            left -= lots
            orders[there, O_SHOWN] -= lots
            if orders[there, O_SHOWN] == 0:
                _used_up(there, orders, queue, counts)
        if queue[other, price, 0] == NONE:
            price = _best(other, queue, counts)
    return left, False


@compiled
def _used_up(number: int, orders: Ints, queue: Ints, counts: Ints) -> None:
    """Take an order whose shown part is gone out of its queue; with more hidden it shows anew, behind all others."""
    _unlink(number, orders, queue)
    if orders[number, O_HIDDEN] > 0:
        orders[number, O_SHOWN] = min(orders[number, O_TIP], orders[number, O_HIDDEN])
        orders[number, O_HIDDEN] -= orders[number, O_SHOWN]
        _join(number, orders, queue, counts)


@compiled
def _fillable(e: Ints, orders: Ints, queue: Ints, counts: Ints) -> int:
    """Return how much of an order could trade at once, not further than it needs; stops at an order of the same owner."""
    found, other = 0, 1 - e[SIDE]
    price, step = _best(other, queue, counts), 1 if other == SELL else -1
    while found < e[LOTS] and _crosses(e, price, queue, counts):
        whole, shown, number = 0, 0, queue[other, price, 0]
        while number != NONE:
            if orders[number, O_UNTIL] > e[NOW]:
                if orders[number, O_OWNER] == e[OWNER]:
                    return int(found + shown)
                shown += orders[number, O_SHOWN]
                whole += orders[number, O_SHOWN] + orders[number, O_HIDDEN]
            number = orders[number, NEXT]
        found += whole
        price += step
        while 0 <= price < queue.shape[1] and queue[other, price, 0] == NONE:
            price += step
    return int(found)


@compiled
def _crosses(e: Ints, price: int, queue: Ints, counts: Ints) -> bool:
    if price < 0 or price >= queue.shape[1]:
        return False
    limit = e[TICK] - counts[LOWEST]
    return bool(price <= limit if e[SIDE] == BUY else price >= limit)


@compiled
def _best(side: int, queue: Ints, counts: Ints) -> int:
    """Return the best price with an order on a side; outside the ladder where there is none."""
    if side == BUY:
        price = counts[BEST_BUY]
        while price >= 0 and queue[BUY, price, 0] == NONE:
            price -= 1
        counts[BEST_BUY] = price
        return int(price)
    price = counts[BEST_SELL]
    while price < queue.shape[1] and queue[SELL, price, 0] == NONE:
        price += 1
    counts[BEST_SELL] = price
    return int(price)


@compiled
def _join(number: int, orders: Ints, queue: Ints, counts: Ints) -> None:
    """Put an order behind all others at its price."""
    side, price = orders[number, O_SIDE], orders[number, O_PRICE]
    tail = queue[side, price, 1]
    orders[number, BEFORE], orders[number, NEXT] = tail, NONE
    if tail == NONE:
        queue[side, price, 0] = number
        if side == BUY:
            counts[BEST_BUY] = max(counts[BEST_BUY], price)
        else:
            counts[BEST_SELL] = min(counts[BEST_SELL], price)
    else:
        orders[tail, NEXT] = number
    queue[side, price, 1] = number


@compiled
def _unlink(number: int, orders: Ints, queue: Ints) -> None:
    side, price, before, after = (
        orders[number, O_SIDE],
        orders[number, O_PRICE],
        orders[number, BEFORE],
        orders[number, NEXT],
    )
    if before == NONE:
        queue[side, price, 0] = after
    else:
        orders[before, NEXT] = after
    if after == NONE:
        queue[side, price, 1] = before
    else:
        orders[after, BEFORE] = before


@compiled
def _leave(number: int, orders: Ints, queue: Ints) -> None:
    """Take an order out of the book for good."""
    _unlink(number, orders, queue)
    orders[number, O_SHOWN] = orders[number, O_HIDDEN] = 0
