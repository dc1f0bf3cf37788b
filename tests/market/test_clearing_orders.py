"""Auctions of all kinds of orders: balanced to the lot, nobody taken at a loss, and every outcome found again by a second look."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.clearing import clear_auction
from market.order_check import check_orders, require_orders
from market.orders import BlockOrder, CurveOrder, FlexibleOrder, StepOrder
from market.outcomes import Reason, recheck
from market.products import Gate, Kind, MarketError, Participant, Product, amount_micro

OPENS, CLOSES, STARTS = (datetime(2026, 7, d, tzinfo=UTC) for d in (1, 2, 3))
DAY = Product("day", "park", STARTS, Gate(OPENS, CLOSES), periods=3, lowest_micro=0, highest_micro=1_000_000)
PEOPLE = (Participant("ann", "Ann"), Participant("bob", "Bob", credit_micro=10_000_000))
MW = 1_000_000


def yuan(price):
    return price * 10_000


@st.composite
def orders(draw):
    ids = iter(range(100))
    found = []
    for t in range(3):
        for _ in range(draw(st.integers(0, 4))):
            lots = draw(st.integers(-9, 9).filter(bool))
            found.append(StepOrder(f"s{next(ids)}", "ann", t, lots * 1_000, yuan(draw(st.integers(0, 60)))))
        rises = sorted(draw(st.lists(st.tuples(st.integers(0, 60), st.integers(-6, 6)), min_size=2, max_size=3)))
        quantities = sorted(q for _, q in rises)
        if any(quantities):
            points = tuple((yuan(p), q * 1_000) for (p, _), q in zip(rises, quantities, strict=True))
            found.append(CurveOrder(f"c{next(ids)}", "ann", t, points))
    for k in range(draw(st.integers(0, 4))):
        sign = draw(st.sampled_from([-1, 1]))
        profile = tuple(1_000 * sign * draw(st.integers(1, 9)) for _ in range(3))
        least = draw(st.sampled_from([0, 400_000, 1_000_000]))
        parent = f"b{k - 1}" if k and draw(st.booleans()) else None
        group = "either" if parent is None and draw(st.booleans()) else None
        found.append(BlockOrder(f"b{k}", "ann", profile, yuan(draw(st.integers(0, 60))), least, parent, group))
    if draw(st.booleans()):
        found.append(FlexibleOrder("f", "ann", (-4_000,), yuan(draw(st.integers(20, 60))), 0, 2))
    return found


@settings(max_examples=60, deadline=None)
@given(orders(), st.randoms())
def test_every_auction_passes_the_second_look_and_the_order_of_entry_sets_no_price(given_orders, random):
    assert list(check_orders(DAY, PEOPLE, given_orders, OPENS)) == []
    result = clear_auction(DAY, given_orders)
    assert list(recheck(DAY, given_orders, result)) == []
    assert result.gap_share == 0
    mixed = list(given_orders)
    random.shuffle(mixed)
    again = clear_auction(DAY, mixed)
    assert (again.price_micro, again.welfare_micro) == (result.price_micro, result.welfare_micro)
    sold = sum(
        amount_micro(q, result.price_micro[t]) for o in result.outcomes for t, q in enumerate(o.accepted_wh) if q > 0
    )
    paid = sum(
        amount_micro(-q, result.price_micro[t]) for o in result.outcomes for t, q in enumerate(o.accepted_wh) if q < 0
    )
    assert sold == paid or not result.on_ticks


def test_reasons_tell_why():
    book = [
        StepOrder("load", "ann", 0, -10 * MW, yuan(50)),
        StepOrder("cheap", "ann", 0, 8 * MW, yuan(10)),
        StepOrder("dear", "ann", 0, 8 * MW, yuan(30)),
        BlockOrder("lump", "ann", (5 * MW, 0, 0), yuan(12)),
        BlockOrder("child", "ann", (1 * MW, 0, 0), yuan(5), parent="lump"),
        FlexibleOrder("any", "ann", (-1 * MW,), yuan(1), 0, 2),
    ]
    result = clear_auction(DAY, book)
    assert {o.order: o.reason for o in result.outcomes} == {
        "load": Reason.IN_THE_MONEY,
        "cheap": Reason.IN_THE_MONEY,
        "dear": Reason.AT_THE_PRICE,
        "lump": Reason.PARADOXICALLY_LEFT,
        "child": Reason.PARENT_LEFT,
        "any": Reason.OUT_OF_THE_MONEY,
    }
    lump = result.outcomes[3]
    assert (result.price_micro[0], lump.missed_micro) == (yuan(30), 5 * yuan(18))
    assert list(recheck(DAY, book, result)) == []
    broken = replace(result, outcomes=(replace(result.outcomes[0], accepted_wh=(0, 0, 0)), *result.outcomes[1:]))
    assert [f.place for f in recheck(DAY, book, broken)] == ["day.0", "load"]


def test_everything_that_is_wrong_is_told_at_once():
    bad = [
        StepOrder("a", "ann", 0, 1_500, 5_000),
        StepOrder("a", "eve", 7, 1_000, 2_000_000),
        StepOrder("n", "ann", 0, float("nan"), yuan(1)),
        CurveOrder("c", "ann", 0, ((yuan(5), 1_000), (yuan(4), 2_000))),
        BlockOrder("b", "ann", (1_000,), yuan(1), 2_000_000, parent="nobody"),
        BlockOrder("x", "ann", (1_000,) * 3, yuan(1), parent="y"),
        BlockOrder("y", "ann", (1_000,) * 3, yuan(1), parent="x", fixed_micro=3),
        FlexibleOrder("f", "ann", (0,), yuan(1), 2, 1),
        StepOrder("big", "bob", 0, -20_000 * MW, yuan(50)),
    ]
    with pytest.raises(MarketError) as told:
        require_orders(
            DAY, [*PEOPLE, Participant("sue", "Sue", frozenset({Kind.REGULATION}), None, "unpaid")], bad, CLOSES
        )
    words = "\n".join(map(str, told.value.findings))
    for part in (
        "day: took orders from", "a: is the id of 2 orders", "a: quantities are whole lots", "a: prices are whole ticks",
        "eve, who is no participant", "reaches from period 7", "prices lie from", "NaN and fractions", "never fall",
        "has 1 quantities; day has 3", "outside 0 to", "needs the block nobody", "its own ancestor", "has no quantity",
        "may begin at no period", "the credit is 10000000", "whole steps of",
    ):  # fmt: skip
        assert part in words, part
    assert len(told.value.findings) >= 17


def test_who_may_not_trade_is_told():
    people = [Participant("ann", "Ann", frozenset({Kind.REGULATION})), Participant("bob", "Bob", suspended="unpaid")]
    found = check_orders(DAY, people, [StepOrder(p, p, 0, MW, 0) for p in ("ann", "bob")], OPENS)
    assert [f.message for f in found] == [
        "comes from ann, who is not admitted to energy",
        "comes from bob, who is suspended: unpaid",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gate": Gate(CLOSES, OPENS)}, "must open, then close"),
        ({"gate": Gate(OPENS.replace(tzinfo=None), CLOSES)}, "times with a zone"),
        ({"lot_wh": 7}, "no whole number of micro-units"),
        ({"lot_wh": 0}, "whole numbers from 1 on"),
        ({"periods": 0}, "deliver nothing"),
        ({"lowest_micro": 5}, "must lie on ticks"),
        ({"lowest_micro": 2_000_000}, "not below highest"),
    ],
)
def test_products_that_cannot_be_traded_are_told(change, words):
    with pytest.raises(MarketError, match=words):
        require_orders(replace(DAY, **change), PEOPLE, [], OPENS)
