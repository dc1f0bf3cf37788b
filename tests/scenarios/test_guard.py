"""The fast guard: it holds the peak cap in a spike, gives way in order, and returns to the plan."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.carriers import Carrier
from models.site.file import load_site
from models.state import ImportSoFar
from models.tariffs.time_of_use import BillingPeriod, monthly
from scenarios.guard import Guard, allowed_kw, planned_peak_kw, rest_of_quarter
from scenarios.measured import Measured
from scenarios.sites import park_path
from twin.billing import ImportMeter

START = datetime(2015, 7, 15, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PARK = load_site(park_path())
E, H, C = Carrier.ELECTRICITY, Carrier.HEAT, Carrier.COLD
PLAN = {"battery": 0.0, "chp1": 350.0, "chp2": 0.0, "chiller1": 1500.0, "chiller2": 0.0, "ashp": 900.0, "eboiler": 0.0}


def seen(*, battery=0.0, chp1=350.0, chiller1=1500.0, ashp=900.0, charge=1500.0):
    """Return the site as the meters show it; the tanks give nothing yet."""
    powers = {
        ("battery", E): battery,
        ("chp1", E): chp1,
        ("chiller1", C): chiller1,
        ("ashp", H): ashp,
        ("ashp", E): -ashp / 3.0,
        ("cold_tank", C): 1500.0 - chiller1,
        ("hot_tank", H): 900.0 - ashp,
    }
    return Measured(START, powers, {"battery": charge, "cold_tank": 2000.0, "hot_tank": 5000.0})


def test_below_the_cap_the_plan_stands():
    assert Guard(PARK).adjusted(PLAN, seen(), 2500.0, 3000.0) == PLAN


def test_the_battery_gives_first():
    target = Guard(PARK, margin_share=0.0).adjusted(PLAN, seen(), 3400.0, 3000.0)
    assert target["battery"] == pytest.approx(400.0)
    assert {k: v for k, v in target.items() if k != "battery"} == {k: v for k, v in PLAN.items() if k != "battery"}


def test_with_an_empty_battery_running_engines_then_tanks_take_over():
    target = Guard(PARK, margin_share=0.0).adjusted(PLAN, seen(charge=0.0), 3700.0, 3000.0)
    assert target["battery"] == 0.0
    assert target["chp1"] == 700.0
    assert target["chp2"] == 0.0  # a standing engine does not start for a few minutes
    assert target["chiller1"] < 1500.0
    chiller = PARK.asset("chiller1")
    saved = float(chiller.electricity_kw(1500.0) - chiller.electricity_kw(target["chiller1"]))
    relieved = 350.0 + saved + (900.0 - target["ashp"]) / 3.0
    assert relieved == pytest.approx(700.0, rel=0.02)


def test_charging_stops_before_anything_else():
    plan = PLAN | {"battery": -800.0}
    target = Guard(PARK, margin_share=0.0).adjusted(plan, seen(battery=-800.0), 3300.0, 3000.0)
    assert target["battery"] == pytest.approx(-500.0)


def test_what_the_guard_does_is_not_mistaken_for_the_plan():
    guard = Guard(PARK, margin_share=0.0)
    guard.adjusted(PLAN, seen(), 3400.0, 3000.0)
    # the battery now gives 400 kW and the import stands at the cap: the need is unchanged
    again = guard.adjusted(PLAN, seen(battery=400.0), 3000.0, 3000.0)
    assert again["battery"] == pytest.approx(400.0)
    # the spike passes: the plan returns
    over = guard.adjusted(PLAN, seen(battery=400.0), 2400.0, 3000.0)
    assert over == PLAN


@settings(max_examples=50, deadline=None)
@given(over=st.floats(-500, 3000), charge=st.floats(0, 3000), battery=st.floats(-1500, 1500))
def test_set_points_stay_within_what_assets_can_do(over, charge, battery):
    plan = PLAN | {"battery": battery}
    target = Guard(PARK).adjusted(plan, seen(battery=battery, charge=charge), 3000.0 + over, 3000.0)
    store = PARK.asset("battery")
    highest = store.power_range_kw(charge, 0.25)[1]
    assert target["battery"] <= max(highest, battery) + 1e-6
    assert target["chp1"] <= 700.0 + 1e-6
    assert target["chiller1"] >= 0.1 * 1800.0 - 1e-6
    assert target["ashp"] >= -1e-6
    assert all(target[k] >= plan[k] - 1e-9 for k in ("battery", "chp1"))


def held_peak(spike_kw, base_kw=2800.0, cap_kw=3000.0):
    """Return the 15-min mean of a quarter-hour with a spike of five minutes, guarded minute by minute with a prompt battery."""
    guard, meter, given_kw = Guard(PARK, margin_share=0.0), ImportMeter(monthly("UTC")), 0.0
    for minute in range(16):
        at = START + minute * MINUTE
        import_kw = base_kw + spike_kw * (3 <= minute < 8) - given_kw
        meter.observe(at, import_kw)
        may_kw = allowed_kw(meter.running, at, cap_kw)
        target = guard.adjusted({"battery": 0.0}, seen(battery=given_kw), import_kw, may_kw, rest_of_quarter(at))
        given_kw = target["battery"]
    return meter.peak_kw


def test_a_spike_inside_a_quarter_hour_does_not_raise_the_peak():
    assert held_peak(spike_kw=1400.0) <= 3000.0 + 1.0


def test_a_spike_that_the_quarter_hour_absorbs_is_let_through():
    assert held_peak(spike_kw=300.0) == pytest.approx(2800.0 + 300.0 * 5 / 15, rel=1e-6)


def test_the_guard_waits_while_there_is_time_to_catch_up():
    guard, plan = Guard(PARK, margin_share=0.0), {"battery": 0.0}
    assert guard.adjusted(plan, seen(), 3100.0, 3000.0, 12 * MINUTE) == plan
    assert guard.adjusted(plan, seen(), 3100.0, 3000.0, 5 * MINUTE)["battery"] == pytest.approx(100.0)
    assert guard.adjusted(plan, seen(battery=100.0), 4000.0, 3000.0, 12 * MINUTE)["battery"] > 1000.0


def test_the_rest_of_a_quarter_hour_may_import_what_its_start_has_left():
    so_far = ImportSoFar(START, covered_h=5 / 60, energy_kwh=2000.0 * 5 / 60)
    assert allowed_kw(so_far, START + 5 * MINUTE, 3000.0) == pytest.approx((3000.0 * 15 - 2000.0 * 5) / 10)
    late = START + timedelta(minutes=14.5)
    assert allowed_kw(ImportSoFar(START, 14.5 / 60, energy_kwh=749.0), late, 3000.0) == pytest.approx(120.0)
    too_much = ImportSoFar(START, 14.5 / 60, energy_kwh=751.0)
    assert allowed_kw(too_much, late, 3000.0) == pytest.approx(-30.0)  # nothing acts faster than two minutes


def test_steps_behind_the_billing_period_do_not_count_for_the_cap():
    period = BillingPeriod(START, START + timedelta(hours=1))
    assert planned_peak_kw({START: 2000.0, START + timedelta(hours=2): 9000.0}, period) == 2000.0


@pytest.mark.parametrize("rest", [timedelta(0), MINUTE, 14 * MINUTE])
def test_without_a_cap_the_plan_stands_and_what_was_moved_returns(rest):
    """No peak is charged: the limit is infinite, and so is what the rest of the quarter-hour may import."""
    guard = Guard(PARK, margin_share=0.0)
    assert guard.adjusted(PLAN, seen(), 9000.0, float("inf"), rest) == PLAN
    assert guard.adjusted(PLAN, seen(), 3400.0, 3000.0) != PLAN
    assert guard.adjusted(PLAN, seen(battery=400.0), 3000.0, float("inf"), rest) == PLAN


def test_a_rule_without_a_known_peak_is_held_by_none():
    so_far = ImportSoFar(START, 5 / 60, 120.0)
    assert allowed_kw(so_far, START + 5 * MINUTE, float("inf")) == float("inf")


def test_the_more_a_site_moves_between_looks_the_more_is_kept_back_at_the_end_of_a_quarter_hour():
    calm, restless = Guard(PARK, margin_share=0.0), Guard(PARK, margin_share=0.0)
    for k in range(20):
        at = replace(seen(), at=START + k * MINUTE)
        calm.adjusted(PLAN, at, 2950.0, 3000.0, timedelta(minutes=10))
        restless.adjusted(PLAN, at, 2850.0 + 100.0 * (k % 2), 3000.0, timedelta(minutes=10))
    last = replace(seen(), at=START + 20 * MINUTE)
    assert calm.adjusted(PLAN, last, 2950.0, 3000.0, MINUTE) == PLAN
    assert restless.adjusted(PLAN, last, 2950.0, 3000.0, MINUTE)["battery"] == pytest.approx(150.0, abs=10.0)
