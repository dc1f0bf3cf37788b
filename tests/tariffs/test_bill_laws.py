"""Laws of bills: lines make the total, both kernels agree, order does not matter, small stories come out as anyone would say."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import DataError
from models.tariffs.bill import bill
from models.tariffs.calendar import Calendar, Intervals, Schedule, always, by_month, from_windows
from models.tariffs.charges import Meters
from models.tariffs.check import check_tariff
from models.tariffs.compile import compile_tariff
from models.tariffs.components import (
    BuyAllSellAll,
    Capacity,
    CoincidentPeak,
    Demand,
    DemandRule,
    Energy,
    Fixed,
    HoursBlock,
    HoursUse,
    Minimum,
    NetBilling,
    NetMetering,
    Per,
    Percentage,
    PowerFactor,
    Scope,
    Spot,
    Tier,
)
from models.tariffs.money import micro, proportion, rounded, scaled, text
from models.tariffs.sums import sums, whole_wh
from models.tariffs.tariff import Tariff, Version
from models.tariffs.time_of_use import Window

SHANGHAI = Calendar("Asia/Shanghai")
DAY_AND_NIGHT = from_windows([(0, Window(start_h=0, end_h=24)), (1, Window(start_h=22, end_h=6))])
PARTS = (
    Fixed("standing", micro(10)),
    Energy("energy", {0: (Tier(micro("0.8"), 200_000), Tier(micro("0.9"))), 1: (Tier(micro("0.3")),)}, DAY_AND_NIGHT),
    Demand("demand", {0: (Tier(micro(36)),)}),
    NetBilling("export", {0: micro("0.2")}),
    Capacity("capacity", micro(20), 5_000),
    Minimum("least", micro(300), ("energy", "demand")),
    Percentage("tax", 130_000, ("standing", "energy", "demand", "least")),
)


def tariff_of(*parts, calendar=SHANGHAI, **more):
    return Tariff("t", "CNY", calendar, (Version("v1", date(2020, 1, 1), tuple(parts)),), **more)


def month_of(year, month, minutes=60, calendar=SHANGHAI):
    first = calendar.midnight(date(year, month, 1))
    last = calendar.midnight(date(year + month // 12, month % 12 + 1, 1))
    return Intervals(first, round((last - first).total_seconds()) // 60 // minutes, minutes)


def billed(tariff, intervals, wh, **more):
    channels = {k: np.asarray(v, dtype=np.int64) for k, v in more.items() if k in ("generation_wh", "reactive_varh")}
    rest = {k: v for k, v in more.items() if k not in channels}
    return bill(compile_tariff(tariff, intervals), Meters(np.asarray(wh, dtype=np.int64), **channels, **rest))


def flat(intervals, wh, customers=1):
    return np.full((customers, intervals.count), wh, dtype=np.int64)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([15, 30, 60]))
def test_lines_sum_to_the_total_and_both_kernels_agree_to_the_bit(seed, minutes):
    grid = Intervals(datetime(2024, 3, 20, 5, tzinfo=UTC), 1500, minutes)
    wh = np.random.default_rng(seed).integers(-4000, 9000, (3, grid.count)).astype(np.int32)
    compiled = compile_tariff(tariff_of(*PARTS), grid)
    fast, slow = bill(compiled, Meters(wh)), bill(compiled, Meters(wh), plain=True)
    assert (fast.total_micro == slow.total_micro).all()
    for c, d in zip(fast.charges, slow.charges, strict=True):
        assert (c.amount_micro == d.amount_micro).all()
        assert (c.quantity == d.quantity).all()
    for customer in range(3):
        for k, cycle in enumerate(fast.cycles):
            lines = fast.lines(cycle, customer)
            assert sum(line.amount_micro for line in lines) == fast.total_micro[customer, k]
            assert all(line.amount_micro % 10_000 == 0 for line in lines)


@settings(max_examples=15, deadline=None)
@given(st.permutations(PARTS), st.integers(0, 99))
def test_the_order_of_components_does_not_matter(parts, seed):
    grid = month_of(2024, 5)
    wh = np.random.default_rng(seed).integers(-500, 3000, (1, grid.count))
    wanted, found = billed(tariff_of(*PARTS), grid, wh), billed(tariff_of(*parts), grid, wh)
    assert found.lines((2024, 5)) == wanted.lines((2024, 5))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_all_energy_is_billed_once_whatever_the_tiers(seed):
    rng, grid = np.random.default_rng(seed), month_of(2024, 5)
    wh = rng.integers(0, 5_000, (2, grid.count))
    limits = sorted({int(x) for x in rng.integers(1, 3_000_000, 3)})
    tiers = (*(Tier(k, x) for k, x in enumerate(limits, start=1)), Tier(9))
    for scope in Scope:
        found = billed(tariff_of(Energy("e", {0: tiers, 1: tiers}, DAY_AND_NIGHT, scope)), grid, wh)
        assert (sum(c.quantity for c in found.charges) == wh.sum(axis=1)).all()


def test_batch_and_one_by_one_give_the_same_bills():
    grid = month_of(2024, 2)
    wh = np.random.default_rng(1).integers(-500, 3000, (130, grid.count))
    together = billed(tariff_of(*PARTS), grid, wh)
    for k in (0, 64, 129):
        assert billed(tariff_of(*PARTS), grid, wh[k : k + 1]).total_micro[0, 0] == together.total_micro[k, 0]


def test_a_line_names_its_version_its_readings_and_their_digest():
    grid = month_of(2024, 5)
    wh = flat(grid, 1000)
    line = next(x for x in billed(tariff_of(*PARTS), grid, wh).lines((2024, 5)) if "period 1" in x.what)
    assert (line.version, line.intervals, line.quantity) == ("v1", 8 * 31, 8 * 31 * 1000)
    assert (line.start, line.end) == (SHANGHAI.midnight(date(2024, 5, 1)), SHANGHAI.midnight(date(2024, 6, 1)))
    wh[0, 12] += 1  # noon in Shanghai's day: not a night reading
    same = next(x for x in billed(tariff_of(*PARTS), grid, wh).lines((2024, 5)) if "period 1" in x.what)
    assert same.readings_sha256 == line.readings_sha256
    wh[0, 0] += 1
    other = next(x for x in billed(tariff_of(*PARTS), grid, wh).lines((2024, 5)) if "period 1" in x.what)
    assert other.readings_sha256 != line.readings_sha256


def test_a_change_of_tariff_in_the_month_bills_each_part_by_its_own_version():
    cheap, dear = (
        Version(name, since, (Fixed("standing", micro(30)), Energy("e", {0: (Tier(micro(p)),)})), until)
        for name, since, until, p in (
            ("old", date(2020, 1, 1), date(2024, 6, 11), 1),
            ("new", date(2024, 6, 11), None, 2),
        )
    )
    grid = month_of(2024, 6)
    found = billed(Tariff("t", "CNY", SHANGHAI, (cheap, dear)), grid, flat(grid, 1000))
    assert found.part_micro("e", (2024, 6)) == micro(10 * 24 * 1 + 20 * 24 * 2)
    assert found.part_micro("standing", (2024, 6)) == micro(30)
    assert {line.version for line in found.lines((2024, 6))} == {"old", "new"}


def test_clock_changes_bill_every_hour_that_was_metered():
    berlin = Calendar("Europe/Berlin")
    night = from_windows([(0, Window(start_h=0, end_h=24)), (1, Window(start_h=2, end_h=3))])
    prices = Energy("e", {0: (Tier(0),), 1: (Tier(micro(1)),)}, night)
    for month, hours in ((3, 30), (10, 32)):  # the hour from 2 to 3 is missing once in March and comes twice in October
        grid = month_of(2024, month, calendar=berlin)
        assert billed(tariff_of(prices, calendar=berlin), grid, flat(grid, 1000)).total_micro[0, 0] == micro(hours)


def test_a_leap_day_and_a_holiday_are_days_of_their_own():
    holiday = ((1,) * 24,) * 12
    schedule = Schedule(((0,) * 24,) * 12, ((2,) * 24,) * 12, holiday)
    calendar = Calendar("Asia/Shanghai", frozenset({date(2024, 2, 29)}), frozenset({date(2024, 2, 18)}))
    grid = month_of(2024, 2)
    e = Energy("e", {0: (Tier(micro(1)),), 1: (Tier(micro(100)),), 2: (Tier(micro(10)),)}, schedule)
    found = billed(tariff_of(e, calendar=calendar), grid, flat(grid, 1000))
    # 29 days, 8 at weekends of which one is worked, one Thursday is a holiday
    assert found.total_micro[0, 0] == micro(24 * (21 * 1 + 7 * 10 + 1 * 100))


def test_a_ratchet_remembers_last_summers_peak():
    rule = DemandRule(11, (800_000,) * 12)
    grid = Intervals(SHANGHAI.midnight(date(2024, 7, 1)), 24 * 62, 60)
    wh = flat(grid, 10_000)
    wh[0, 100] = 100_000
    found = billed(tariff_of(Demand("d", {0: (Tier(micro(10)),)}, rule=rule)), grid, wh)
    assert found.total_micro[0].tolist() == [micro(1000), micro(800)]
    past = ((6, np.array([200_000])),)
    assert billed(tariff_of(Demand("d", {0: (Tier(micro(10)),)}, rule=rule)), grid, wh, past_peaks_w=past).total_micro[
        0
    ].tolist() == [micro(1600), micro(1600)]


def test_long_hours_of_use_reach_the_cheaper_block():
    blocks = (HoursBlock((Tier(micro(1), 1_000_000), Tier(micro("0.5"))), 200), HoursBlock((Tier(micro("0.1")),)))
    grid = month_of(2024, 6)
    found = billed(tariff_of(HoursUse("h", blocks)), grid, flat(grid, 10_000))
    # 10 kW for 720 h: 1,000 kWh at 1, 1,000 at 0.5, 5,200 at 0.1
    assert found.total_micro[0, 0] == micro(1000 + 500 + 520)
    by_kw = Energy("e", {0: (Tier(micro(1), 200_000, Per.KWH_PER_KW), Tier(micro("0.1")))})
    assert billed(tariff_of(by_kw), grid, flat(grid, 10_000)).total_micro[0, 0] == micro(2000 + 520)


def test_spot_settles_what_differs_from_the_block_at_the_index():
    grid = month_of(2024, 6)
    wh, index = flat(grid, 3000), np.full(grid.count, micro("0.5"))
    wh[0, 0], index[0] = 1000, micro("-0.1")
    spot = Spot("s", "day_ahead", adder_micro=micro("0.01"), block_w=2000, block_price_micro=micro("0.4"))
    found = billed(tariff_of(spot), grid, wh, index_micro={"day_ahead": index})
    assert found.total_micro[0, 0] == micro("0.4") * 2 * 720 + micro("0.51") * 719 + micro("0.09")
    with pytest.raises(DataError, match="day_ahead has no price"):
        billed(tariff_of(spot), grid, wh)


def test_a_coincident_peak_charges_the_interval_that_holds_the_instant():
    grid = month_of(2024, 6, 15)
    wh = flat(grid, 250)
    wh[0, 7] = 2500
    inside = datetime(2024, 5, 31, 17, 50, tzinfo=UTC)  # 01:50 in Shanghai: the eighth quarter
    found = billed(tariff_of(CoincidentPeak("c", micro(5), (inside, datetime(2030, 1, 1, tzinfo=UTC)))), grid, wh)
    assert found.total_micro[0, 0] == micro(50)


@pytest.mark.parametrize(("reactive", "amount"), [(0, "-7.20"), (750, "0.00"), (1000, "72.00")])
def test_the_power_factor_adjusts_the_bill_by_its_table(reactive, amount):
    table = ((0, 100_000), (800, 0), (900, -10_000))
    parts = (Energy("e", {0: (Tier(micro(1)),)}), PowerFactor("pf", table, ("e",)))
    grid = month_of(2024, 6)
    found = billed(tariff_of(*parts), grid, flat(grid, 1000), reactive_varh=flat(grid, reactive))
    assert text(found.part_micro("pf", (2024, 6))) == amount


def test_export_schemes_differ_as_they_should():
    grid = month_of(2024, 6)
    load, generation = flat(grid, 1000), flat(grid, 0)
    generation[0, ::2] = 1600
    net, buy = load - generation, Energy("e", {0: (Tier(micro(1)),)})
    netted = billed(tariff_of(buy, NetMetering("x")), grid, net)
    assert netted.total_micro[0, 0] == micro(720 - 576)
    billed_net = billed(tariff_of(buy, NetBilling("x", {0: micro("0.5")})), grid, net)
    assert billed_net.total_micro[0, 0] == micro(360 - 216 * 0.5)
    sold_all = billed(tariff_of(buy, BuyAllSellAll("x", {0: micro("0.5")})), grid, net, generation_wh=generation)
    assert sold_all.total_micro[0, 0] == micro(720 - 576 * 0.5)


def test_a_minimum_fills_up_and_taxes_follow():
    parts = (
        Energy("e", {0: (Tier(micro("0.1")),)}),
        Minimum("m", micro(100), ("e",)),
        Percentage("vat", 130_000, ("e", "m")),
    )
    grid = month_of(2024, 6)
    found = billed(tariff_of(*parts), grid, flat(grid, 1000))
    assert [text(x.amount_micro) for x in found.lines((2024, 6))] == ["72.00", "28.00", "13.00"]


def good_with(part):
    return [f.message for f in check_tariff(tariff_of(part))]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (
            Energy("e", {0: (Tier(1, 200), Tier(2, 100), Tier(3))}),
            "tiers overlap: a limit of 100 Wh or W follows one of 200",
        ),
        (Energy("e", {0: (Tier(1, 200),)}), "last tier must be open"),
        (Energy("e", {0: (Tier(1), Tier(2))}), "a tier before the last has no limit"),
        (Energy("e", {0: (Tier(1),)}, from_windows([(0, Window(start_h=1, end_h=24))])), "gap in month 1 at 00:00"),
        (Energy("e", {0: (Tier(1),)}, by_month([0] * 11 + [4])), "period 4 of the calendar of working days, month 12"),
        (Energy("e", {0: (Tier(float("nan")),)}), "whole micro-units"),
        (Capacity("c", 1, -5), "is -5; it cannot be negative"),
        (Fixed("f", float("nan")), "is nan; quantities and prices are whole"),
        (NetBilling("n", {0: float("nan")}), "is nan; quantities and prices are whole"),
        (Demand("d", {0: (Tier(1),)}, rule=DemandRule(minimum_w=-1)), "is -1; it cannot be negative"),
        (Demand("d", {0: (Tier(1),)}, rule=DemandRule(1, (1, 1))), "a year needs 12"),
        (PowerFactor("p", ((900, 0),), ()), "must begin at 0"),
        (Percentage("p", 1, ("nobody",)), "refers to nobody"),
    ],
)
def test_a_bad_component_is_found_in_words(part, words):
    assert any(words in message for message in good_with(part))


def test_versions_that_overlap_are_found_and_stop_a_bill():
    one = Version("a", date(2020, 1, 1), PARTS)
    both = Tariff("t", "CNY", SHANGHAI, (one, replace(one, id="b", valid_from=date(2024, 1, 1))))
    assert "begins on 2024-01-01 while a still holds; end a on that day" in check_tariff(both)[0].message
    with pytest.raises(DataError, match="still holds"):
        compile_tariff(both, month_of(2024, 1))
    with pytest.raises(DataError, match="no version holds on 2019-12-01"):
        compile_tariff(tariff_of(*PARTS), month_of(2019, 12))


def test_meter_data_that_cannot_be_billed_are_refused_in_words():
    grid = month_of(2024, 6)
    compiled = compile_tariff(tariff_of(BuyAllSellAll("x", {0: 1})), grid)
    with pytest.raises(DataError, match=r"expected \(customer, 720\)"):
        bill(compiled, Meters(np.zeros((1, 5), dtype=np.int64)))
    with pytest.raises(DataError, match="holds float64"):
        bill(compiled, Meters(np.full((1, 720), np.nan)))
    with pytest.raises(DataError, match="generation is not metered"):
        bill(compiled, Meters(flat(grid, 1)))
    with pytest.raises(ValueError, match="not finite"):
        whole_wh(np.array([np.nan]), 1.0)


def test_a_register_never_loses_a_watt_hour():
    power = np.full(1000, 0.0004)
    assert whole_wh(power, 1.0).sum() == 400
    assert whole_wh(power, 1.0, carry=False).sum() == 0


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_rounding_is_to_the_nearest_halves_away_from_zero(numerator, divisor):
    found = int(rounded(np.array([numerator]), divisor)[0])
    assert abs(found * divisor - numerator) * 2 <= divisor
    assert int(rounded(np.array([-numerator]), divisor)[0]) == -found


def test_shares_of_great_energies_stay_exact():
    whole, cap = np.array([9 * 10**12 + 7]), np.array([5 * 10**12 + 3])
    part = np.array([4 * 10**12 + 1])
    assert int(proportion(part, whole, cap)[0]) == int(part[0]) * int(cap[0]) // int(whole[0])


@given(st.integers(-(2**40), 2**40), st.integers(0, 2**40))
def test_great_amounts_round_as_small_ones(value, factor):
    found = int(scaled(np.array([value]), factor, 10_000_000)[0])
    assert abs(found * 10_000_000 - value * factor) * 2 <= 10_000_000


def test_prices_are_read_exactly():
    assert (micro("0.031718"), micro(0.1), micro(-2)) == (31_718, 100_000, -2_000_000)
    with pytest.raises(ValueError, match="no amount of money"):
        micro(float("nan"))


def test_sums_of_nothing_are_zero():
    runs = compile_tariff(tariff_of(Energy("e", {0: (Tier(1),)}, always())), month_of(2024, 6)).runs
    assert sums(np.zeros((0, 720), dtype=np.int32), runs).bought_wh.shape == (0, 1)
