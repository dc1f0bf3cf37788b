"""The bill of any load is what the optimizer's terms say it costs, to the cent."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import DataError
from models.horizon import Horizon
from models.tariffs.bill import bill
from models.tariffs.calendar import Calendar, Intervals, from_windows
from models.tariffs.charges import Meters
from models.tariffs.compile import compile_tariff
from models.tariffs.components import (
    Capacity,
    Demand,
    DemandRule,
    Energy,
    Fixed,
    NetBilling,
    NetMetering,
    Percentage,
    Spot,
    Tier,
)
from models.tariffs.money import micro
from models.tariffs.tariff import Tariff, Version
from models.tariffs.terms import BilledSoFar, optimizer_terms
from models.tariffs.time_of_use import (
    BillingPeriod,
    EnergyBlock,
    PeakWindow,
    PriceBand,
    TimeOfUseTariff,
    Window,
    calendar_month,
)
from models.tariffs.written import from_time_of_use

NIGHT = Window(start_h=22, end_h=6.5)
SITE_TARIFF = TimeOfUseTariff(
    bands=(
        PriceBand(name="flat", price_per_kwh=0.7, windows=(Window(start_h=0, end_h=24),)),
        PriceBand(name="valley", price_per_kwh=0.31, windows=(NIGHT,)),
        PriceBand(name="sharp", price_per_kwh=1.43, windows=(Window(start_h=18, end_h=20, months=(1, 7, 8, 12)),)),
    ),
    export_price_per_kwh=0.21,
    demand_price_per_kw_month=36.1,
)
MONTHS = st.tuples(st.integers(2019, 2026), st.integers(1, 12))
ZONES = st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "UTC"])


def month_in(year, month, zone):
    return calendar_month(datetime(year, month, 15, tzinfo=UTC), zone)


def random_load(seed, count):
    rng = np.random.default_rng(seed)
    return rng.integers(-200_000, 600_000, count)


def bill_of(tariff, period, wh):
    grid = Intervals(period.start, len(wh), 15)
    return bill(compile_tariff(tariff, grid), Meters(wh[None])).total_micro[0].sum() / 1e6


def quarters(period):
    return Horizon.uniform(period.start, period.end)


STEPPED = replace(
    SITE_TARIFF,
    blocks=(
        EnergyBlock(adder_per_kwh=0.0, up_to_kwh=90_000),
        EnergyBlock(adder_per_kwh=0.11, up_to_kwh=150_000),
        EnergyBlock(adder_per_kwh=-0.05),
    ),
    peak_windows=(PeakWindow(name="evening", price_per_kw_month=9.5, windows=(Window(start_h=17, end_h=21),)),),
    fixed_per_month=120,
)
NETTED = replace(SITE_TARIFF, net_metering=True, export_price_per_kwh=0.0)


@settings(max_examples=40, deadline=None)
@given(MONTHS, ZONES, st.integers(0, 2**32 - 1), st.sampled_from([SITE_TARIFF, STEPPED, NETTED]))
def test_a_sites_tariff_bills_what_the_planner_counts(when, zone, seed, written):
    period, tariff = month_in(*when, zone), from_time_of_use(written, zone)
    horizon = quarters(period)
    wh = random_load(seed, len(horizon))
    bought, sold = np.clip(wh, 0, None) / 250, np.clip(-wh, 0, None) / 250
    counted = optimizer_terms(tariff, horizon).cost(bought, sold, horizon.step_h)
    # each line of the bill is rounded to the cent, blocks are cut at whole watt-hours
    assert bill_of(tariff, period, wh) == pytest.approx(counted, abs=0.08)


def test_blocks_count_on_from_what_the_month_has_bought():
    day = Horizon.uniform(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 1, 4, tzinfo=UTC))
    terms = optimizer_terms(from_time_of_use(STEPPED, "UTC"), day)
    power, nothing = np.full(16, 100.0), np.zeros(16)
    plain = float(terms.import_per_kwh @ power) * 0.25
    for before, adder in ((0.0, 0.0), (100_000.0, 0.11), (200_000.0, -0.05)):
        billed = BilledSoFar(bought_kwh=before / 2, rest_kwh=before / 2)
        assert terms.energy_cost(power, nothing, day.step_h, billed)[0] == pytest.approx(plain + 400 * adder)


@settings(max_examples=25, deadline=None)
@given(MONTHS, ZONES, st.integers(0, 2**32 - 1))
def test_the_terms_of_a_tariff_are_its_bill_to_the_cent(when, zone, seed):
    schedule = from_windows([(0, Window(start_h=0, end_h=24)), (3, NIGHT)])
    parts = (
        Energy("energy", {0: (Tier(micro("0.7341")),), 3: (Tier(micro("0.2999")),)}, schedule),
        Energy("system", {0: (Tier(micro("0.0271")),)}),
        NetBilling("export", {0: micro("0.35"), 3: micro("-0.05")}, schedule),
        Demand("demand", {0: (Tier(micro(30)),), 3: (Tier(micro(4)),)}, schedule, DemandRule(minimum_w=700_000)),
        Fixed("standing", micro("2.5"), daily=True),
        Capacity("capacity", micro(23), 1_250_000),
        Percentage("tax", 130_000, ("energy", "system", "demand", "standing")),
        Percentage("fund", 5_000, ("energy", "export")),
    )
    tariff = Tariff("t", "CNY", Calendar(zone), (Version("1", date(2000, 1, 1), parts),), line_unit_micro=1)
    period = month_in(*when, zone)
    horizon = quarters(period)
    wh = random_load(seed, len(horizon))
    import_kw, export_kw = np.clip(wh, 0, None) / 250, np.clip(-wh, 0, None) / 250
    terms = optimizer_terms(tariff, horizon)
    assert bill_of(tariff, period, wh) == pytest.approx(terms.cost(import_kw, export_kw, horizon.step_h), abs=0.005)


def test_a_peak_that_is_owed_already_costs_nothing_more():
    tariff = from_time_of_use(SITE_TARIFF, "UTC")
    (demand,) = optimizer_terms(
        tariff, Horizon.uniform(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC))
    ).demand
    low = np.full(96, 50.0)
    assert (
        demand.cost(low, peak_so_far_kw=80.0) == demand.cost(0 * low, peak_so_far_kw=80.0) == pytest.approx(80 * 36.1)
    )


def test_what_no_plan_can_count_is_named():
    parts = (Energy("steps", {0: (Tier(1, 100), Tier(2))}), NetMetering("net"), Spot("market", "index"))
    tariff = Tariff("t", "CNY", Calendar("UTC"), (Version("1", date(2000, 1, 1), parts),))
    day = Horizon.uniform(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC))
    with pytest.raises(DataError, match="steps") as raised:
        optimizer_terms(tariff, day)
    assert [f.ids for f in raised.value.findings] == [("steps",), ("market",)]
    changing = Tariff("t", "CNY", Calendar("UTC"), (Version("1", date(2000, 1, 1), (), date(2026, 5, 1)),))
    with pytest.raises(DataError, match="no single version"):
        optimizer_terms(changing, day)


def test_every_calendar_month_pays_its_demand_price_once():
    for month in range(1, 13):
        period = month_in(2026, month, "Europe/Berlin")
        assert period.month_share == 1.0
    week = BillingPeriod(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=7))
    assert week.month_share == pytest.approx(7 * 12 / 365)
