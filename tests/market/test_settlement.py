"""Settlement: identities of two settlements, bands, contracts; every run's ledger sums to zero and nothing is booked by halves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.ledger import Entry, Ledger, check_chain
from market.products import MarketError, amount_micro
from market.settlement import (
    Band,
    Delivery,
    DifferenceContract,
    Exemption,
    Part,
    Trade,
    deviation_micro,
    positions_wh,
    settle,
)
from market.settlement_runs import SettlementBook

MW, YUAN = 1_000_000, 1_000_000
AT = datetime(2026, 7, 3, tzinfo=UTC)
BANDS = (Band(20_000, 500_000), Band(100_000, 1_000_000))

WH = st.integers(-5 * MW, 5 * MW)
PRICE = st.integers(-500 * YUAN, 1_500 * YUAN)


@st.composite
def deliveries(draw):
    count, names = draw(st.integers(1, 4)), ["ann", "bob", "eve"]
    metered = {n: tuple(draw(WH) for _ in range(count)) for n in names}
    trades = tuple(
        Trade(draw(st.sampled_from(names)), draw(st.integers(0, count - 1)), draw(WH), draw(PRICE), f"trace{k}")
        for k in range(draw(st.integers(0, 5)))
    )
    prices = [tuple(draw(PRICE) for _ in range(count)) for _ in range(2)]
    contract = DifferenceContract("cfd", "ann", "bob", draw(PRICE), tuple(draw(WH) for _ in range(count)))
    return Delivery(metered, *prices, trades, (contract,), BANDS if draw(st.booleans()) else ())


def total(items, name, *parts):
    return sum(i.amount_micro for i in items if i.participant == name and (not parts or i.part in parts))


@settings(max_examples=80, deadline=None)
@given(deliveries())
def test_every_run_sums_to_zero_and_the_books_agree(delivery):
    items = settle(delivery)
    ledger = Ledger()
    run = SettlementBook(ledger).settle("2026-07-01", items, AT)
    assert sum(ledger.balances.values()) == 0
    assert list(check_chain(ledger.transactions)) == []
    for name, due in run.due_micro().items():
        assert ledger.balances.get(f"participant:{name}", 0) == -due == -total(items, name)
    assert total(items, "ann", Part.DIFFERENCE) == -total(items, "bob", Part.DIFFERENCE)


@settings(max_examples=60, deadline=None)
@given(deliveries(), PRICE)
def test_who_delivers_the_position_does_not_care_for_real_time(delivery, other):
    sold = positions_wh(delivery)
    exact = replace(delivery, metered_wh={n: tuple(v) for n, v in sold.items()}, bands=BANDS)
    again = replace(exact, real_time_micro=tuple(other for _ in exact.real_time_micro))
    assert settle(exact) == settle(again)
    assert not any(i.part in (Part.REAL_TIME, Part.DEVIATION) for i in settle(exact))


def test_a_contract_for_the_metered_energy_makes_the_net_price_the_strike():
    day = Delivery(
        {"ann": (3 * MW,), "bob": (-3 * MW,)},
        (200 * YUAN,),
        (200 * YUAN,),
        contracts=(DifferenceContract("cfd", "ann", "bob", 450 * YUAN, (3 * MW,)),),
    )
    assert total(settle(day), "ann") == 3 * 450 * YUAN
    assert total(settle(day), "bob") == -3 * 450 * YUAN


def test_deviation_is_charged_by_bands_and_exempt_causes_are_not():
    # 10 MWh sold, 8 metered: 0.2 MWh free, 0.8 at half the price, 1 at the whole price
    assert deviation_micro(2 * MW, 10 * MW, 400 * YUAN, BANDS) == (160 + 400) * YUAN
    day = Delivery(
        {"ann": (8 * MW, 8 * MW)},
        (400 * YUAN,) * 2,
        (400 * YUAN,) * 2,
        trades=(Trade("ann", 0, 10 * MW, 300 * YUAN), Trade("ann", 1, 10 * MW, 300 * YUAN)),
        bands=BANDS,
    )
    assert total(settle(day), "ann", Part.DEVIATION) == -2 * 560 * YUAN
    fault = Exemption("ann", 1, 2, "line 4 was out, operator's report 17")
    assert total(settle(replace(day, exemptions=(fault,))), "ann", Part.DEVIATION) == -560 * YUAN
    assert total(settle(day), "ann", Part.TRADES, Part.REAL_TIME) == 2 * (10 * 300 - 2 * 400) * YUAN


def test_a_later_version_takes_the_earlier_back():
    day = Delivery({"ann": (MW,), "bob": (-MW,)}, (100 * YUAN,), (100 * YUAN,))
    ledger = Ledger()
    book = SettlementBook(ledger)
    first = book.settle("d", settle(day), AT)
    assert book.settle("d", settle(day), AT) is None
    with pytest.raises(MarketError, match="needs its reason"):
        book.settle("d", settle(replace(day, metered_wh={"ann": (2 * MW,), "bob": (-MW,)})), AT)
    later = replace(day, metered_wh={"ann": (2 * MW,), "bob": (-MW,)})
    second = book.settle("d", settle(later), AT + timedelta(days=3), "meter of ann corrected")
    assert (first.version, second.version) == (1, 2)
    assert book.runs("d") == (first, second)
    assert ledger.balances["participant:ann"] == -200 * YUAN
    assert sum(ledger.balances.values()) == 0
    assert [t.reverses for t in ledger.transactions] == [None, "t000001", None]
    assert [t.id for t in ledger.standing(second.id)] == ["t000003"]


def test_a_ledger_takes_nothing_by_halves_and_shows_what_was_changed():
    ledger = Ledger()
    for entries, words in (
        ((), "no entries"),
        ((Entry("a", 5), Entry("b", -4)), "exceed credits by 1 "),
        ((Entry("a", 0.5), Entry("b", -0.5)), "never booked"),
        ((Entry("", 1), Entry("b", -1)), "without an account"),
    ):
        with pytest.raises(MarketError, match=words):
            ledger.post(AT, "try", entries)
    assert (ledger.transactions, ledger.balances) == ((), {})
    first = ledger.post(AT, "one", (Entry("a", 5), Entry("b", -5)))
    ledger.post(AT, "two", (Entry("a", 1), Entry("c", -1)))
    with pytest.raises(MarketError, match="not in the ledger"):
        ledger.reverse("t9", AT, "typo")
    ledger.reverse(first.id, AT, "typo")
    with pytest.raises(MarketError, match="reversed already"):
        ledger.reverse(first.id, AT, "typo")
    changed = [replace(first, text="another"), *ledger.transactions[1:]]
    assert [f.place for f in check_chain(changed)] == ["t000001"]
    assert [f.place for f in check_chain(ledger.transactions[1:])] == ["t000002"]


def test_what_cannot_be_settled_is_told_whole():
    bad = Delivery(
        {"ann": (MW,), "bob": (MW, float("nan"))},
        (1, 2),
        (1,),
        (Trade("eve", 0, 1, 1), Trade("bob", 5, 1, 1, "x")),
        (DifferenceContract("cfd", "ann", "bob", 1, (1,)),),
        (Band(5, 1), Band(5, 1)),
        (Exemption("ann", 1, 1, ""),),
    )
    with pytest.raises(MarketError) as told:
        settle(bad)
    assert [f.place for f in told.value.findings] == [
        "reference_micro",
        "cfd",
        "ann",
        "bob",
        "eve",
        "x",
        "ann",
        "bands",
    ]


@given(st.integers(-(10**12), 10**12), st.integers(-(10**9), 10**9))
def test_amounts_are_rounded_once_and_symmetric(wh, price):
    assert amount_micro(-wh, price) == -amount_micro(wh, price)
    assert abs(amount_micro(wh, price) * 10**6 - wh * price) * 2 <= 10**6
