"""The order book: trade by trade what a slow one says, never crossed, the same trades from the same journal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.book import Act, Life, OrderBook, Outcome, Side
from market.products import MarketError
from tests.market.slow_book import SlowBook

LOWEST, HIGHEST = -5, 12


def stream(seed, count, orders=60):
    """Return random events of every kind, bad ones among them."""
    rng = np.random.default_rng(seed)
    act = rng.choice([0, 1, 2, 7], count, p=[0.585, 0.3, 0.11, 0.005])
    lots = rng.integers(0, 30, count)
    shown = np.where(rng.random(count) < 0.25, rng.integers(0, 8, count), 0)
    life, now = rng.choice([0, 1, 2, 3, 4], count, p=[0.5, 0.2, 0.15, 0.145, 0.005]), np.arange(count)
    number = np.maximum(np.cumsum(act == 0) - rng.integers(0, orders, count), -1)
    ticks = rng.integers(LOWEST - 1, HIGHEST + 2, count)
    columns = (act, number, rng.integers(0, 4, count), rng.integers(0, 2, count), ticks, lots, shown, life)
    return np.stack([*columns, now + rng.integers(0, 40, count), now], axis=1).astype(np.int64)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 250), st.integers(1, 50))
def test_trade_by_trade_what_the_slow_book_says(seed, count, batch):
    events = stream(seed, count)
    quick, slow = OrderBook(LOWEST, HIGHEST), SlowBook(LOWEST, HIGHEST)
    told = [slow.event(*row) for row in events.tolist()]
    found = np.concatenate([quick.apply(events[k : k + batch]) for k in range(0, count, batch)])
    assert [Outcome(x).name for x in found.tolist()] == told
    assert [(t.resting, t.incoming, t.tick, t.lots) for t in quick.trades()] == slow.trades
    assert [quick.left(k) for k in range(len(slow.orders))] == [
        o["shown"] + o["hidden"] if k in slow.resting else 0 for k, o in enumerate(slow.orders)
    ]
    bids, asks = quick.depth(Side.BUY, count), quick.depth(Side.SELL, count)
    assert not bids or not asks or bids[0][0] < asks[0][0] or _own(slow, bids[0][0], asks[0][0])


def _own(slow, bid, ask):
    """An own order ends who meets it, so a book is never crossed; expired orders in front may hide that one would be met."""
    return any(slow.expired(k, 10**6) for k in slow.resting if slow.orders[k]["tick"] in (bid, ask))


def one(book, act, order, owner, side, tick, lots, shown, life, until, now):
    """Send an event by itself."""
    if act == Act.NEW:
        return book.enter(owner, side, tick, lots, shown, life, until, now)
    if act == Act.CANCEL:
        return book.cancel(order, owner, now)
    return book.change(order, owner, tick, lots, now)


def test_one_by_one_in_batches_and_from_the_journal_it_is_the_same_book():
    events = stream(11, 3_000)
    events = events[events[:, 0] <= Act.REPLACE]
    batch, single = OrderBook(LOWEST, HIGHEST), OrderBook(LOWEST, HIGHEST)
    outcomes = batch.apply(events)
    assert outcomes.tolist() == [one(single, *row) for row in events.tolist()]
    assert np.array_equal(batch.trade_table(), single.trade_table())
    assert batch.apply(single.events()[:0]).tolist() == []
    replayed = OrderBook(LOWEST, HIGHEST)
    replayed.apply(single.events())
    assert np.array_equal(replayed.trade_table(), batch.trade_table())


def test_lots_are_conserved():
    events = stream(5, 2_000)
    book = OrderBook(LOWEST, HIGHEST)
    outcomes = book.apply(events)
    traded = book.trade_table()
    assert len(traded) > 100
    assert (traded[:, 3] > 0).all()
    filled = np.flatnonzero((outcomes == Outcome.FILLED) & (events[:, 0] == Act.NEW))
    numbers = np.cumsum(events[:, 0] == Act.NEW) - 1
    for k in filled.tolist():
        assert traded[traded[:, 4] == k][:, 3].sum() == events[k, 5]
        assert (traded[traded[:, 4] == k][:, 1] == numbers[k]).all()


def test_an_iceberg_shows_little_and_goes_behind():
    book = OrderBook(0, 100)
    assert book.enter(owner=1, side=Side.SELL, tick=50, lots=30, shown=10) == Outcome.RESTS
    book.enter(owner=2, side=Side.SELL, tick=50, lots=5)
    assert book.depth(Side.SELL) == [(50, 15)]
    book.enter(owner=3, side=Side.BUY, tick=60, lots=17, life=Life.FOK)
    assert [(t.resting, t.tick, t.lots) for t in book.trades()] == [(0, 50, 10), (1, 50, 5), (0, 50, 2)]
    assert (book.left(0), book.depth(Side.SELL)) == (18, [(50, 8)])
    assert book.enter(owner=3, side=Side.BUY, tick=60, lots=19, life=Life.FOK) == Outcome.REFUSED_FOK
    assert book.enter(owner=1, side=Side.BUY, tick=60, lots=1) == Outcome.STOPPED_SELF
    assert book.enter(owner=1, side=Side.BUY, tick=60, lots=5_000, shown=2) == Outcome.BAD_LOTS


def test_what_is_no_batch_is_refused_whole():
    book = OrderBook(0, 10)
    with pytest.raises(MarketError, match=r"shape \(2, 3\)"):
        book.apply(np.zeros((2, 3), dtype=np.int64))
    with pytest.raises(MarketError, match="float64"):
        book.apply(np.full((1, 10), np.nan))
    with pytest.raises(MarketError, match="from 5 to 4"):
        OrderBook(5, 4)
    assert len(book.events()) == 0
