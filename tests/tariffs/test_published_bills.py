"""Five published utility-rate cases: whole bills within their tolerance, monthly parts within a hundredth."""

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from models.tariffs.bill import bill
from models.tariffs.calendar import Calendar, Intervals, from_windows
from models.tariffs.charges import Meters
from models.tariffs.check import check_tariff
from models.tariffs.compile import compile_tariff
from models.tariffs.components import Energy, Tier
from models.tariffs.money import micro
from models.tariffs.sums import whole_wh
from models.tariffs.tariff import Tariff, Version
from models.tariffs.time_of_use import Window
from models.tariffs.urdb import read_urdb

CASES = Path(os.environ.get("JOULETWIN_CASES", Path(__file__).parents[2] / ".." / "shared" / "cases"))
FILE = CASES / "bill_ssc_utilityrate5.json"
pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(
        not FILE.is_file(), reason="the published bills are not here; set JOULETWIN_CASES to their folder"
    ),
]
NAMES = (
    "Test_Residential_TOU_Rates",
    "Test_Residential_TOU_Rates_subhourly_gen_and_load",
    "Test_Residential_TOU_Rates_w_tiers",
    "Test_Commercial_Demand_Charges",
    "Test_seasonal_per_kw_charge_w_no_demand_charge",
)
UNITS = ("kWh", "kWh/kW", "kWh daily", "kWh/kW daily")


def case_of(name):
    return next(c for c in json.loads(FILE.read_text())["cases"] if c["name"] == name)


def grouped(rows, make):
    periods = sorted({int(r[0]) for r in rows})
    return [[make(r) for r in sorted(rows, key=lambda r: r[1]) if int(r[0]) == p] for p in periods]


def from_zero(table):
    return [[int(p) - 1 for p in row] for row in table]


def urdb_of(given, *, metered):
    """The same rate as URDB writes it; the source states it as matrices."""
    rate = {
        "label": "published",
        "energyratestructure": grouped(
            given["ur_ec_tou_mat"], lambda r: {"max": r[2], "unit": UNITS[int(r[3])], "rate": r[4], "sell": r[5]}
        ),
        "energyweekdayschedule": from_zero(given["ur_ec_sched_weekday"]),
        "energyweekendschedule": from_zero(given["ur_ec_sched_weekend"]),
        "fixedchargefirstmeter": given["ur_monthly_fixed_charge"],
        "mincharge": given["ur_monthly_min_charge"],
    }
    if given["ur_dc_enable"]:
        rate["demandratestructure"] = grouped(given["ur_dc_tou_mat"], lambda r: {"max": r[2], "rate": r[3]})
        rate["demandweekdayschedule"] = from_zero(given["ur_dc_sched_weekday"])
        rate["demandweekendschedule"] = from_zero(given["ur_dc_sched_weekend"])
    if given.get("ur_enable_billing_demand"):
        shares = given["ur_billing_demand_lookback_percentages"]
        rate["demandratchetpercentage"] = [s / 100 for s, _ in shares]
        rate["lookbackonlymonths"] = [m for m, (_, own) in enumerate(shares, start=1) if not own]
        rate["lookbackmonths"] = int(given["ur_billing_demand_lookback_period"])
        rate["billingdemandminimum"] = given["ur_billing_demand_minimum"]
    if metered and given["ur_metering_option"] == 0:
        rate |= {"dgrules": "Net Metering", "yearendsell": given["ur_nm_yearend_sell_rate"]}
    return rate


def charged(case, *, with_system):
    power_kw = np.loadtxt(CASES / case["load_csv"])
    if with_system:
        power_kw = power_kw - np.loadtxt(CASES / case["gen_csv"])
    step_h = 8760 / len(power_kw)
    tariff = read_urdb(urdb_of(case["tariff"], metered=with_system), "UTC", line_unit_micro=1).tariff
    # 2018 begins on a Monday and is no leap year, as the source's years
    year = Intervals(datetime(2018, 1, 1, tzinfo=UTC), len(power_kw), round(60 * step_h))
    # the source's powers are finer than a Wh: keep peaks where peaks are billed, sums where energy alone is
    by_energy = not case["tariff"]["ur_dc_enable"]
    return bill(compile_tariff(tariff, year), Meters(whole_wh(power_kw, step_h, carry=by_energy)[None]))


def parts(found, name):
    """Monthly sums of the components whose names begin so, in currency."""
    months = np.zeros(12)
    for c in found.charges:
        if c.component.startswith(name):
            months[found.compiled.segments[c.segment].month - 1] += c.amount_micro[0] / 1e6
    return months


@pytest.mark.parametrize("name", NAMES)
def test_a_published_bill_is_met_in_whole_and_in_monthly_parts(name):
    case = case_of(name)
    found, peer = charged(case, with_system=False), case["pysam_7_1_1_post1"]
    published, tolerance = case["published"], case["published_tolerance"]
    monthly = found.total_micro[0] / 1e6
    if "annual_bill_without_system" in published:
        assert monthly.sum() == pytest.approx(published["annual_bill_without_system"], abs=tolerance)
    if "july_bill_without_system" in published:
        assert monthly[6] == pytest.approx(published["july_bill_without_system"], abs=tolerance)
    assert monthly == pytest.approx(peer["monthly_wo"], abs=0.01)
    assert parts(found, "energy") + parts(found, "hours_use") == pytest.approx(peer["energy_wo"], abs=0.01)
    assert parts(found, "demand_tou") == pytest.approx(peer["demand_tou_wo"], abs=0.01)
    assert parts(found, "fixed") == pytest.approx(peer["fixed_wo"], abs=0.01)


def test_the_published_bill_with_generation_nets_and_rolls_credits_over():
    case = case_of("Test_Residential_TOU_Rates_subhourly_gen_and_load")
    found, peer = charged(case, with_system=True), case["pysam_7_1_1_post1"]
    monthly = found.total_micro[0] / 1e6
    assert monthly.sum() == pytest.approx(case["published"]["annual_bill_with_system"], abs=case["published_tolerance"])
    assert monthly == pytest.approx(peer["monthly_w"], abs=0.01)


def windows_of(slots, months=tuple(range(1, 13))):
    return [Window(start_h=a, end_h=b, months=months) for a, b in slots]


def test_a_published_shape_of_time_of_use_leaves_no_gap_and_later_bands_override():
    bands = json.loads((CASES / "tou_china_secondary.json").read_text())["Beijing"]
    by_price = sorted(enumerate(bands), key=lambda kb: "months" in kb[1])  # the months' own band comes last
    windows = [(k, w) for k, b in by_price for w in windows_of(b["slots"], tuple(b.get("months", range(1, 13))))]
    schedule = from_windows(windows)
    assert schedule.used() == {0, 1, 2, 3}
    assert [schedule.at(7, h) for h in (11, 12, 16)] == [0, 0, 0]
    assert [schedule.at(6, h) for h in (11, 12, 16, 23, 3)] == [1, 1, 2, 3, 3]
    tariff = Tariff("t", "CNY", Calendar("Asia/Shanghai"), (Version("1", date(2023, 1, 1), (priced(schedule),)),))
    assert check_tariff(tariff) == []


def priced(schedule):
    return Energy("energy", {p: (Tier(micro(1)),) for p in schedule.used()}, schedule)
