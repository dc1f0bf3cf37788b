"""Bills stand as issued; late data correct them by a reversal and a new bill; nothing is half-booked."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.billing import BillingBook, BillingError, Kind, SupplyContract, check_change
from market.billing_run import cycle_intervals, history_since, prepare
from market.meters import Delivery, MeterBook, Quality
from models.errors import DataError
from models.tariffs.calendar import Calendar
from models.tariffs.components import (
    BuyAllSellAll,
    Demand,
    DemandRule,
    Energy,
    Fixed,
    NetMetering,
    PowerFactor,
    Spot,
    Tier,
)
from models.tariffs.money import micro, text
from models.tariffs.tariff import Tariff, Version

JUNE = (2026, 6)
CALENDAR = Calendar("Asia/Shanghai")
PARTS = (Fixed("standing", micro(10)), Energy("energy", {0: (Tier(micro("0.5")),)}))
TARIFF = Tariff("flat", "CNY", CALENDAR, (Version("1", date(2020, 1, 1), PARTS),))
CONTRACT = SupplyContract("c1", "rose", "m1", TARIFF)
ISSUED, LATER = datetime(2026, 7, 3, tzinfo=UTC), datetime(2026, 7, 20, tzinfo=UTC)


def with_readings(wh=1000, *, meters=("m1",), cycle=JUNE, minutes=60):
    book, grid = MeterBook(minutes), cycle_intervals(TARIFF, cycle, minutes)
    for m in meters:
        book.add(Delivery(m, grid.start, (wh,) * grid.count, grid.end))
    return book, grid


def bill_of(book, as_of, contract=CONTRACT, cycle=JUNE):
    made, wrong = prepare([contract], book, cycle, as_of)
    assert not wrong
    return made[0]


def test_a_month_is_billed_once_and_says_so():
    meters, _ = with_readings()
    book = BillingBook()
    entry = book.issue(bill_of(meters, ISSUED), ISSUED)
    assert [(x.component, text(x.amount_micro)) for x in entry.lines] == [("energy", "360.00"), ("standing", "10.00")]
    assert book.balance_micro("rose") == entry.total_micro == micro(370)
    with pytest.raises(BillingError, match=r"billed for 2026-06 by bill-000001; use rebill"):
        book.issue(bill_of(meters, ISSUED), ISSUED)
    with pytest.raises(BillingError, match="no bill for 2026-05 to correct"):
        book.rebill(replace(bill_of(meters, ISSUED), cycle=(2026, 5)), LATER, "")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 719), st.integers(0, 10_000)), min_size=1, max_size=6))
def test_a_correction_leaves_the_original_and_the_balance_is_the_right_bill(corrections):
    meters, grid = with_readings()
    book = BillingBook()
    first = book.issue(bill_of(meters, ISSUED), ISSUED)
    for n, (k, wh) in enumerate(corrections):
        at = LATER + timedelta(days=n)
        meters.add(Delivery("m1", grid.instant(k), (wh,), at, Quality.CORRECTED))
        book.rebill(bill_of(meters, at), at, "meter check")
        assert book.entries[0] == first
        assert book.broken_at() is None
    final = bill_of(meters, LATER + timedelta(days=9))
    assert book.balance_micro("rose") == final.total_micro
    assert book.valid("c1", JUNE).lines == final.lines
    # what was known then can be had again: the first bill from the same book
    assert bill_of(meters, ISSUED).lines == first.lines


def test_late_data_make_a_reversal_and_a_new_bill_in_the_same_month():
    meters, grid = with_readings()
    book = BillingBook()
    first = book.issue(bill_of(meters, ISSUED), ISSUED)
    meters.add(Delivery("m1", grid.instant(5), (3000,), LATER, Quality.CORRECTED))
    back, new = book.rebill(bill_of(meters, LATER), LATER, "late register")
    assert (back.kind, back.corrects, back.cycle, back.total_micro) == (
        Kind.REVERSAL,
        first.id,
        JUNE,
        -first.total_micro,
    )
    assert (new.kind, new.corrects, new.reason) == (Kind.BILL, first.id, "late register")
    assert new.total_micro - first.total_micro == micro(1)
    assert book.rebill(bill_of(meters, LATER), LATER, "again") is None
    assert len(book.entries) == 3


def test_a_changed_entry_is_seen():
    meters, _ = with_readings()
    book = BillingBook()
    entry = book.issue(bill_of(meters, ISSUED), ISSUED)
    book._entries[0] = replace(entry, customer="somebody else")
    assert book.broken_at() == "bill-000001"


def test_a_gap_takes_the_same_time_of_the_weeks_around_and_is_counted():
    grid = cycle_intervals(TARIFF, JUNE, 60)
    meters = MeterBook(60)
    wh = [1000 + (k // 168) * 100 for k in range(grid.count)]
    meters.add(Delivery("m1", grid.start, tuple(wh[:200]), grid.end))
    meters.add(Delivery("m1", grid.instant(210), tuple(wh[210:]), grid.end))
    view = meters.view("m1", grid, ISSUED)
    assert view.wh[200:210].tolist() == [1100] * 10  # week 0 has 1000, week 2 has 1200
    assert bill_of(meters, ISSUED).substituted == 10
    meters.add(Delivery("m1", grid.instant(200), (7,) * 10, LATER, Quality.ESTIMATED))
    assert bill_of(meters, LATER).substituted == 10
    meters.add(Delivery("m1", grid.instant(200), (8,) * 10, LATER))
    assert bill_of(meters, LATER).substituted == 0
    meters.add(Delivery("m1", grid.instant(200), (9,) * 10, LATER + timedelta(days=1), Quality.ESTIMATED))
    assert meters.view("m1", grid, LATER + timedelta(days=2)).wh[200] == 8


def test_who_cannot_be_billed_is_told_and_nobody_else_waits():
    meters, _ = with_readings(meters=("m1", "m3"))
    contracts = [CONTRACT, SupplyContract("c2", "lily", "m2", TARIFF), SupplyContract("c3", "iris", "m3", TARIFF)]
    seen = []
    made, wrong = prepare(contracts, meters, JUNE, ISSUED, progress=lambda done, of: seen.append((done, of)))
    assert [p.contract.id for p in made] == ["c1", "c3"]
    assert [(f.place, "720 intervals from 2026-05-31T16:00" in f.message) for f in wrong] == [("m2", True)]
    assert seen == [(3, 3)]
    broken = replace(CONTRACT, tariff=replace(TARIFF, versions=()))
    made, wrong = prepare([broken], meters, JUNE, ISSUED)
    assert not made
    assert "there is no version" in wrong[0].message


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Delivery("m", datetime(2026, 6, 1, 0, 7, tzinfo=UTC), (1,), ISSUED), "between two intervals"),
        (Delivery("m", datetime(2026, 6, 1, tzinfo=UTC), (), ISSUED), "no readings"),
        (Delivery("m", datetime(2026, 6, 1, tzinfo=UTC), (float("nan"),), ISSUED), "not NaN"),
        (Delivery("m", datetime(2026, 6, 1, tzinfo=UTC).replace(tzinfo=None), (1,), ISSUED), "with a zone"),
    ],
)
def test_a_delivery_that_cannot_be_kept_is_refused_whole(bad, words):
    book = MeterBook(15)
    with pytest.raises(DataError, match=words):
        book.add(bad)
    assert book.start("m") is None


def test_a_month_with_a_clock_change_has_its_own_number_of_hours():
    berlin = replace(TARIFF, calendar=Calendar("Europe/Berlin"))
    assert [cycle_intervals(berlin, (2026, m), 60).count for m in (3, 10, 11)] == [743, 745, 720]


def test_a_tariff_cannot_change_days_that_are_billed():
    meters, _ = with_readings()
    book = BillingBook()
    entry = book.issue(bill_of(meters, ISSUED), ISSUED)
    old = replace(TARIFF.versions[0], valid_to=date(2026, 6, 20))
    new = Version("2", date(2026, 6, 20), (Fixed("standing", micro(12)),))
    (found,) = check_change([(entry.id, entry.cycle)], TARIFF, replace(TARIFF, versions=(old, new)))
    assert found.ids == (entry.id,)
    assert "begin later, or rebill that month" in found.message
    in_july = (replace(old, valid_to=date(2026, 7, 1)), replace(new, valid_from=date(2026, 7, 1)))
    assert check_change([(entry.id, entry.cycle)], TARIFF, replace(TARIFF, versions=in_july)) == []


def test_bills_of_months_carry_what_earlier_months_left():
    rule = DemandRule(11, (1_000_000,) * 12)
    parts = (
        Energy("energy", {0: (Tier(micro(1)),)}),
        NetMetering("net", micro("0.1")),
        Demand("demand", {0: (Tier(micro(10)),)}, rule=rule),
    )
    tariff = replace(TARIFF, versions=(Version("1", date(2020, 1, 1), parts),))
    contract = SupplyContract("c1", "rose", "m1", tariff)
    meters = MeterBook(60)
    for month, wh in ((4, 5000), (5, -2000), (6, 1000)):
        grid = cycle_intervals(tariff, (2026, month), 60)
        meters.add(Delivery("m1", grid.start, (wh,) * grid.count, grid.end))
    assert history_since(tariff, JUNE) == (2025, 7)
    june = bill_of(meters, ISSUED, contract)
    # 1,488 kWh of credit from May cover June's 720; April's 5 kW is still the demand
    assert [(x.component, text(x.amount_micro)) for x in june.lines] == [("demand", "50.00")]


def test_a_contract_may_have_registers_for_generation_and_reactive_energy():
    parts = (
        Energy("energy", {0: (Tier(micro(1)),)}),
        BuyAllSellAll("sold", {0: micro("0.4")}),
        PowerFactor("pf", ((0, 100_000), (900, 0)), ("energy",)),
        Spot("index", "day_ahead"),
    )
    tariff = replace(TARIFF, versions=(Version("1", date(2020, 1, 1), parts),))
    meters, grid = with_readings(600, meters=("m1",))
    contract = SupplyContract("c1", "rose", "m1", tariff, "g1", "r1")
    made, wrong = prepare([replace(contract, reactive_meter=None)], meters, JUNE, ISSUED)
    assert not made
    assert {f.place for f in wrong} == {"g1"}
    for name, wh in (("g1", 400), ("r1", 1000)):
        meters.add(Delivery(name, grid.start, (wh,) * grid.count, grid.end))
    index = {"day_ahead": np.full(grid.count, micro("0.1"))}
    (found,), wrong = prepare([contract], meters, JUNE, ISSUED, index_micro=index)
    assert not wrong
    assert {x.component: text(x.amount_micro) for x in found.lines} == {
        "energy": "720.00",
        "index": "72.00",
        "pf": "72.00",
        "sold": "-115.20",
    }


def test_a_great_run_is_the_sum_of_small_ones():
    meters, grid = MeterBook(60), cycle_intervals(TARIFF, JUNE, 60)
    rng = np.random.default_rng(3)
    contracts = []
    for k in range(1_030):
        wh = tuple(rng.integers(0, 3_000, 24).tolist()) * 30
        meters.add(Delivery(f"m{k}", grid.start, wh, grid.end))
        contracts.append(SupplyContract(f"c{k}", f"p{k}", f"m{k}", TARIFF))
    seen = []
    made, wrong = prepare(contracts, meters, JUNE, ISSUED, progress=lambda done, of: seen.append(done))
    assert (len(made), wrong, seen) == (1_030, [], [1_000, 1_030])
    for k in (0, 999, 1_029):
        assert made[k] == bill_of(meters, ISSUED, contracts[k])
