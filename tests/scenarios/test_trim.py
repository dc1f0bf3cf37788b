"""The trim by the minute: a battery keeps the import where the plan buys nothing, and never works against a plan that sells."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.carriers import Carrier
from models.site.file import load_site
from scenarios.measured import Measured
from scenarios.sites import park_path
from scenarios.trim import Trim

E = Carrier.ELECTRICITY
PARK = load_site(park_path())
BATTERY = PARK.asset("battery")
HALF_KWH = 0.5 * BATTERY.energy_kwh
AT = datetime(2015, 4, 20, 3, 0, tzinfo=UTC)


def seen(battery_kw: float, stored_kwh: float = HALF_KWH, chp1: float = 350.0) -> Measured:
    return Measured(AT, {("battery", E): battery_kw, ("chp1", E): chp1}, {"battery": stored_kwh})


def battery_kw(planned_kw, measured, import_kw, planned_import_kw):
    return Trim(PARK).adjusted({"battery": planned_kw, "chp1": 350.0}, measured, import_kw, planned_import_kw)[
        "battery"
    ]


def test_where_nothing_is_bought_the_battery_takes_up_what_came_otherwise():
    assert battery_kw(600.0, seen(600.0), -250.0, 0.0) == pytest.approx(600.0 - 0.7 * 250.0)
    assert battery_kw(600.0, seen(350.0), 100.0, 0.0) == pytest.approx(600.0 - 0.7 * 150.0)


def test_a_battery_that_is_not_meant_to_give_stops_taking_and_gives_nothing():
    assert battery_kw(-100.0, seen(-100.0), 500.0, 0.0) == 0.0
    assert battery_kw(0.0, seen(0.0), 500.0, 0.0) == 0.0
    assert battery_kw(-100.0, seen(-100.0), -500.0, 0.0) == pytest.approx(-450.0)


def test_where_something_is_bought_only_what_would_be_sent_out_is_taken_up():
    assert battery_kw(0.0, seen(0.0), -300.0, 400.0) == pytest.approx(-210.0)
    assert battery_kw(0.0, seen(0.0), 900.0, 400.0) == 0.0
    assert battery_kw(-500.0, seen(-500.0), 100.0, 400.0) == -500.0


def test_a_plan_that_sells_is_left_alone_and_so_is_everything_but_the_battery():
    planned = {"battery": 200.0, "chp1": 350.0}
    assert Trim(PARK).adjusted(planned, seen(200.0), -900.0, -400.0) == planned


def test_what_a_full_battery_cannot_take_engines_leave_out_as_far_as_they_run():
    engine, full = PARK.asset("chp1"), seen(0.0, BATTERY.stored_max_kwh, chp1=600.0)
    told = Trim(PARK).adjusted({"battery": 0.0, "chp1": 600.0}, full, -200.0, 0.0)
    assert told == {"battery": pytest.approx(0.0, abs=1e-6), "chp1": pytest.approx(460.0)}
    told = Trim(PARK).adjusted({"battery": 0.0, "chp1": 600.0}, full, -2000.0, 300.0)
    assert told["chp1"] == engine.power_min_kw
    assert Trim(PARK).adjusted({"chp1": 0.0}, seen(0.0, chp1=0.0), -2000.0, 0.0) == {"chp1": 0.0}


def test_a_full_battery_takes_nothing_and_an_empty_one_gives_nothing():
    assert battery_kw(0.0, seen(0.0, BATTERY.stored_max_kwh), -500.0, 0.0) == pytest.approx(0.0, abs=1e-6)
    assert battery_kw(0.0, seen(0.0, BATTERY.stored_min_kwh), 500.0, 0.0) == pytest.approx(0.0, abs=1e-6)


def test_between_two_minutes_what_was_told_stays_unless_the_plan_is_another():
    trim, plan = Trim(PARK), {"battery": 600.0, "chp1": 350.0}
    first = trim.adjusted(plan, seen(600.0), -250.0, 0.0)
    soon = replace(seen(600.0), at=AT + timedelta(seconds=10))
    assert trim.adjusted(plan, soon, -250.0, 0.0) == first
    other = {"battery": 100.0, "chp1": 350.0}
    assert trim.adjusted(other, soon, 0.0, 0.0)["battery"] == pytest.approx(100.0 + 0.7 * 500.0)
    later = replace(seen(350.0), at=AT + timedelta(seconds=80))
    assert trim.adjusted(plan, later, 100.0, 0.0)["battery"] == pytest.approx(600.0 - 0.7 * 150.0)


@given(
    planned=st.floats(-1000.0, 1000.0), now=st.floats(-1000.0, 1000.0), bought=st.floats(-2000.0, 2000.0),
    stored=st.floats(BATTERY.stored_min_kwh, BATTERY.stored_max_kwh),
)  # fmt: skip
def test_the_import_that_is_left_is_never_larger_than_what_the_plan_would_leave(planned, now, bought, stored):
    low, high = BATTERY.power_range_kw(stored, 0.25)
    planned = min(max(planned, low), high)
    told = battery_kw(planned, seen(now, stored), bought, 0.0)
    assert low <= told <= high
    drawn = bought + now
    assert abs(drawn - told) <= abs(drawn - planned) + 1e-6
