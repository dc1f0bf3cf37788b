"""One price for all: maximal volume, nobody short who bid better, exact shares, whatever the order of entry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.auction import Curtail, clear
from models.errors import DataError

BOOKS = st.lists(
    st.tuples(st.integers(-6, 6), st.integers(-9, 9).filter(bool), st.sampled_from([1, 7_000])), min_size=1, max_size=14
)


def arrays(book, scale=1):
    return np.array([p * scale for p, *_ in book]), np.array([q for _, q, *_ in book])


def test_the_middle_of_the_prices_that_would_do_and_shares_that_add_up():
    ticks, lots = np.array([300, 100, 40, 41, 100]), np.array([-10, -14, 11, 13, -1])
    found = clear(ticks, lots)
    assert (found.price, found.lowest, found.highest, found.volume) == (100, 100, 100, 24)
    assert found.accepted.tolist() == [-10, -13, 11, 13, -1]
    assert clear(ticks, lots, curtail=Curtail.FIRST_COME).accepted.tolist() == [-10, -14, 11, 13, 0]
    between = clear(np.array([50, 41]), np.array([-3, 3]))
    assert (between.price, between.lowest, between.highest) == (45, 41, 50)


def test_where_nobody_meets_there_is_no_price():
    found = clear(np.array([10, 20]), np.array([-3, 3]))
    assert (found.price, found.volume, found.accepted.tolist()) == (None, 0, [0, 0])
    assert clear(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)).price is None


@settings(max_examples=200, deadline=None)
@given(BOOKS, st.sampled_from([1, 10_000]), st.sampled_from(list(Curtail)), st.randoms())
def test_laws_of_a_cleared_book(book, scale, curtail, random):
    ticks, lots = arrays(book, scale)
    found = clear(ticks, lots, curtail=curtail)
    assert found.accepted.sum() == 0
    assert np.all((found.accepted * np.sign(lots) >= 0) & (np.abs(found.accepted) <= np.abs(lots)))
    # no price trades more, by plain counting
    best = max(min(-lots[(lots < 0) & (ticks >= p)].sum(), lots[(lots > 0) & (ticks <= p)].sum()) for p in ticks)
    assert found.volume == best == found.accepted[lots > 0].sum()
    price = found.price
    if price is not None:
        assert found.lowest <= price <= found.highest
        better = np.where(lots < 0, ticks > price, ticks < price)
        worse = np.where(lots < 0, ticks < price, ticks > price)
        assert np.array_equal(found.accepted[better], lots[better])
        assert not found.accepted[worse].any()
    order = list(range(len(lots)))
    random.shuffle(order)
    again = clear(ticks[order], lots[order], curtail=curtail)
    assert (again.price, again.volume, again.lowest, again.highest) == (
        price,
        found.volume,
        found.lowest,
        found.highest,
    )


def test_ranks_and_ticks_say_the_same():
    rng = np.random.default_rng(5)
    for _ in range(200):
        ticks, lots = rng.integers(0, 30, 20), rng.integers(1, 9, 20) * rng.choice([-1, 1], 20)
        near, far = clear(ticks, lots), clear(ticks * 100_000, lots)
        assert (far.lowest, far.highest, far.volume) == (near.lowest * 100_000, near.highest * 100_000, near.volume)
        if near.lowest == near.highest:
            assert far.accepted.tolist() == near.accepted.tolist()


@pytest.mark.parametrize(
    ("ticks", "lots", "words"),
    [
        (np.array([1.5]), np.array([1]), "ticks: holds float64"),
        (np.array([1]), np.array([np.nan]), "lots: holds float64"),
        (np.array([1, 2]), np.array([1]), r"shape \(1,\)"),
        (np.array([1, 2]), np.array([1, 0]), "order 1 has no quantity"),
        (np.array([1, 1]), np.array([2**31, -5]), "use larger lots"),
    ],
)
def test_bad_arrays_are_refused_in_words(ticks, lots, words):
    with pytest.raises(DataError, match=words):
        clear(ticks, lots)
