"""Green certificates, what is owed, and ancillary services: nothing twice, nothing lost, everything said."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.ancillary import CapacityOffer, Performance, activate, ancillary_items, award
from market.certificates import Generated, Registry, check_events
from market.journal_export import journal_csv
from market.ledger import Entry, Ledger
from market.products import MarketError
from market.receivables import Receivables, State
from market.settlement import Part
from market.settlement_runs import SettlementBook

AT, HOUR = datetime(2026, 7, 3, tzinfo=UTC), timedelta(hours=1)
MW = 1_000_000


def generated(k, wh=MW, device="pv"):
    return Generated(device, AT - (50 - k) * HOUR, AT - (49 - k) * HOUR, wh, "sun")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3 * MW), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=12))
def test_certificates_are_as_many_as_whole_megawatt_hours_whatever_happens_to_them(acts):
    registry, names = Registry(), ["ann", "bob"]
    for k, (wh, cut, act) in enumerate(acts):
        registry.issue(generated(k, wh), "ann", AT)
        free = [h for h in registry.holdings() if not h.retired_for]
        if act and free:
            h = free[0]
            last = min(h.first + cut, h.last)
            if act == 1:
                registry.retire(h.device, h.first, last, h.holder, "2026", AT)
            else:
                registry.transfer(h.device, h.first, last, h.holder, names[act - 2], AT)
    numbers = [n for h in registry.holdings() for n in range(h.first, h.last + 1)]
    assert sorted(numbers) == list(range(1, sum(wh for wh, *_ in acts) // MW + 1))
    assert list(check_events(registry.events)) == []
    if len(registry.events) > 1:
        assert list(check_events(registry.events[1:]))


def test_no_energy_and_no_certificate_counts_twice():
    registry = Registry()
    assert registry.issue(generated(0, 5 * MW), "ann", AT).count == 5
    with pytest.raises(MarketError, match="no energy is counted twice"):
        registry.issue(replace(generated(0), end=AT), "ann", AT)
    with pytest.raises(MarketError, match="is over"):
        registry.issue(Generated("pv", AT, AT + HOUR, MW, "sun"), "ann", AT)
    with pytest.raises(MarketError, match="whole Wh above zero"):
        registry.issue(generated(3, float("nan")), "ann", AT)
    with pytest.raises(MarketError, match="held by ann, not by bob"):
        registry.transfer("pv", 1, 2, "bob", "eve", AT)
    with pytest.raises(MarketError, match="not in one holding"):
        registry.transfer("pv", 1, 9, "ann", "bob", AT)
    with pytest.raises(MarketError, match="for a purpose"):
        registry.retire("pv", 1, 1, "ann", "", AT)
    registry.transfer("pv", 2, 3, "ann", "bob", AT)
    registry.retire("pv", 2, 2, "bob", "bob's 2026", AT)
    with pytest.raises(MarketError, match="retired for bob's 2026"):
        registry.transfer("pv", 2, 2, "bob", "eve", AT)
    assert [(h.first, h.last, h.holder) for h in registry.holdings()] == [
        (1, 1, "ann"), (2, 2, "bob"), (3, 3, "bob"), (4, 5, "ann"),
    ]  # fmt: skip
    assert [h.first for h in registry.holdings("bob")] == [2, 3]


def test_an_invoice_goes_from_open_to_paid_or_to_collection():
    ledger = Ledger()
    owed = Receivables(ledger)
    first = owed.invoice("ann", 100 * MW, AT, date(2026, 7, 10), "2026-06")
    second = owed.invoice("ann", 50 * MW, AT, date(2026, 8, 10), "2026-07")
    for day, state in ((10, State.OPEN), (11, State.OVERDUE), (17, State.REMINDED), (31, State.FINAL_NOTICE)):
        assert owed.state(first, date(2026, 7, day)) is state
    assert list(owed.dunned(date(2026, 8, 24))) == [(first, State.COLLECTION), (second, State.REMINDED)]
    assert [i.id for i in owed.pay("ann", 120 * MW, AT, "transfer 17")] == [first.id, second.id]
    assert [(i.left_micro, owed.state(i, date(2027, 1, 1))) for i in owed.invoices] == [
        (0, State.PAID),
        (30 * MW, State.COLLECTION),
    ]
    owed.pay("ann", 31 * MW, AT, "transfer 18")
    assert ledger.balances["advance:ann"] == -MW
    assert ledger.balances["receivable:ann"] == 0
    third = owed.invoice("bob", MW, AT, date(2026, 7, 10), "2026-06")
    assert owed.state(owed.write_off(third.id, AT, "insolvent"), date(2027, 1, 1)) is State.WRITTEN_OFF
    assert sum(ledger.balances.values()) == 0
    for act, words in (
        (lambda: owed.invoice("ann", 100, AT, date(2026, 7, 10), "2026-06"), "is invoiced to ann by i000001"),
        (lambda: owed.invoice("ann", 0.5, AT, date(2026, 7, 1), "x"), "before it is issued"),
        (lambda: owed.pay("ann", -1, AT, "odd"), "cannot be booked"),
        (lambda: owed.write_off(third.id, AT, "again"), "nothing left"),
    ):
        with pytest.raises(MarketError, match=words):
            act()


def test_the_journal_balances_line_by_line_and_runs_no_formula():
    ledger = Ledger()
    ledger.post(AT, "=1+1", (Entry("bank", 1_500_000), Entry("revenue", -1_500_000)), run="r", trace="t")
    rows = list(csv.DictReader(io.StringIO(journal_csv(ledger.transactions, "CNY"))))
    assert [(r["account"], r["debit"], r["credit"]) for r in rows] == [
        ("bank", "1.500000", ""),
        ("revenue", "", "1.500000"),
    ]
    assert sum(Decimal(r["debit"] or 0) - Decimal(r["credit"] or 0) for r in rows) == 0
    assert rows[0]["text"] == "'=1+1"


OFFERS = (
    CapacityOffer("battery", "ann", 4 * MW, 20 * MW, 5 * MW, energy_price_micro=300),
    CapacityOffer("engine", "bob", 10 * MW, 10 * MW, 5 * MW, 500_000, energy_price_micro=200),
    CapacityOffer("pump", "eve", 5 * MW, 60 * MW, 8 * MW),
)


def test_capacity_goes_to_who_costs_the_system_least_and_all_are_paid_one_price():
    awards, missing = award(10 * MW, OFFERS, mileage_per_mw=4)
    assert [(a.offer.id, a.capacity_w) for a in awards] == [("battery", 4 * MW), ("engine", 6 * MW)]
    assert {(a.price_micro, a.mileage_price_micro) for a in awards} == {(20 * MW, 10 * MW)}
    assert missing == 0
    assert award(30 * MW, OFFERS)[1] == 11 * MW
    assert activate(7 * MW, awards) == {"engine": 6 * MW, "battery": MW}


def test_what_was_done_is_paid_and_what_was_missing_is_charged():
    awards, _ = award(10 * MW, OFFERS, mileage_per_mw=4)
    done = [Performance("battery", 20 * MW, 25 * MW), Performance("engine", 10 * MW, 6 * MW, 750_000)]
    items = list(ancillary_items(3, awards, done))
    assert [(i.participant, i.part, i.amount_micro // MW) for i in items] == [
        ("ann", Part.CAPACITY, 80), ("bob", Part.CAPACITY, 120), ("ann", Part.MILEAGE, 200),
        ("bob", Part.MILEAGE, 60), ("bob", Part.SHORTFALL, -60),
    ]  # fmt: skip
    ledger = Ledger()
    SettlementBook(ledger).settle("regulation", items, AT)
    assert sum(ledger.balances.values()) == 0
    with pytest.raises(MarketError, match="was not awarded"):
        list(ancillary_items(0, awards, [Performance("pump", 1, 1)]))
    with pytest.raises(MarketError) as told:
        award(1, [CapacityOffer("a", "x", 0, 1), CapacityOffer("a", "x", 1, float("nan"))])
    assert len(told.value.findings) == 3
