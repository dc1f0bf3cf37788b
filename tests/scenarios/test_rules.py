"""The rule-based operators: they keep to their timetable, to engines' rest times and to what a plant can do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.actuals import Actuals
from models.components import Chp
from models.dispatch import DemandTerms, DispatchProblem
from models.forecast.naive import PerfectForecaster
from models.horizon import Horizon
from models.site.file import load_site
from models.state import UnitState
from scenarios.rules import Rule, RulePlanner, hours_ahead, hours_left
from scenarios.sites import park_path
from scenarios.tuning import tune, week_before
from twin.state import start_snapshot

WINTER, SPRING, SUMMER = (datetime(2015, m, 14, 16, tzinfo=UTC) for m in (1, 4, 7))
PARK = load_site(park_path())
ACTUALS = Actuals(PARK, 3)


def day(start, **changes):
    horizon = Horizon.uniform(start, start + timedelta(days=1))
    forecast = PerfectForecaster(ACTUALS).forecast(horizon)
    problem = DispatchProblem(PARK, horizon, forecast, start_snapshot(PARK, start), DemandTerms(1.2))
    return replace(problem, **changes)


def local_hours(plan):
    return np.array([(e.hour + e.minute / 60 + 8) % 24 for e in plan.horizon.edges[:-1]])


def power(plan, asset, carrier):
    return plan.power_kw.sel(asset=asset, carrier=carrier).to_numpy()


def lengths(running, state):
    """Return the lengths in steps of all whole runs of ``state`` inside the day; the first and last may be cut off."""
    edges = np.flatnonzero(np.diff(running.astype(int))) + 1
    pieces = np.split(running, edges)
    return [len(p) for p in pieces[1:-1] if bool(p[0]) is state]


@pytest.mark.parametrize("start", [WINTER, SPRING, SUMMER])
@pytest.mark.parametrize("rule", [Rule("price"), Rule("heat"), Rule("price", demand_limit_kw=2500.0)])
def test_engines_keep_minimum_up_and_down_times(start, rule):
    plan = RulePlanner(PARK, rule).plan(day(start))
    for engine in PARK.of_kind(Chp):
        running = plan.running.sel(asset=engine.id).to_numpy() > 0.5
        assert all(n >= engine.min_up_h * 4 for n in lengths(running, True))
        assert all(n >= engine.min_down_h * 4 for n in lengths(running, False))


@settings(max_examples=20, deadline=None)
@given(hours=st.floats(0.0, 1.9), start_hour=st.integers(0, 23))
def test_an_engine_that_just_started_goes_on_and_one_that_just_stopped_stands(hours, start_hour):
    start = SUMMER + timedelta(hours=start_hour)
    quarter = Horizon.uniform(start, start + timedelta(minutes=15))
    units = {"chp1": UnitState(True, hours), "chp2": UnitState(False, hours / 2)}
    snapshot = replace(start_snapshot(PARK, start), units=units)
    problem = DispatchProblem(PARK, quarter, PerfectForecaster(ACTUALS).forecast(quarter), snapshot)
    plan = RulePlanner(PARK, Rule("heat", demand_limit_kw=100.0)).plan(problem)
    assert power(plan, "chp1", "electricity")[0] >= PARK.asset("chp1").power_min_kw
    if hours / 2 < 1.0:
        assert power(plan, "chp2", "electricity")[0] == 0.0


def test_price_led_engines_run_in_peak_hours_only():
    plan = RulePlanner(PARK, Rule("price")).plan(day(WINTER))
    hour = local_hours(plan)
    peak = ((hour >= 10) & (hour < 13)) | ((hour >= 17) & (hour < 22))
    assert power(plan, "chp1", "electricity")[peak].min() > 0
    assert power(plan, "chp1", "electricity")[~peak].max() == 0


def test_heat_led_engines_run_through_winter_days_but_not_in_summer():
    winter = RulePlanner(PARK, Rule("heat")).plan(day(WINTER))
    hour = local_hours(winter)
    assert power(winter, "chp1", "electricity")[(hour >= 7) & (hour < 23)].min() > 0
    summer = RulePlanner(PARK, Rule("heat")).plan(day(SUMMER))
    flat = (local_hours(summer) >= 13) & (local_hours(summer) < 17)
    assert power(summer, "chp1", "electricity")[flat].max() == 0


def test_the_demand_limit_starts_engines_and_lowers_the_peak():
    common = RulePlanner(PARK, Rule("price")).plan(day(SPRING))
    tuned = RulePlanner(PARK, Rule("price", demand_limit_kw=2600.0)).plan(day(SPRING))
    assert power(tuned, "grid", "electricity").max() < power(common, "grid", "electricity").max()
    assert tuned.running.sum() > common.running.sum()


@pytest.mark.parametrize("start", [WINTER, SPRING, SUMMER])
def test_engines_never_run_to_export_and_nobody_goes_short(start):
    plan = RulePlanner(PARK, Rule("heat", demand_limit_kw=3000.0)).plan(day(start))
    engines = power(plan, "chp1", "electricity") + power(plan, "chp2", "electricity")
    exporting = power(plan, "grid", "electricity") < -1.0
    forced = PARK.asset("chp1").power_min_kw * 2
    assert engines[exporting].max(initial=0.0) <= forced + 1e-6  # only what minimum times hold on
    assert float(plan.unserved_kw.max()) == 0.0


def test_the_battery_makes_two_cycles_and_never_charges_into_a_new_peak():
    rule = Rule("price", own_peak_kw=3500.0)
    plan = RulePlanner(PARK, rule).plan(day(WINTER))
    battery, grid, hour = power(plan, "battery", "electricity"), power(plan, "grid", "electricity"), local_hours(plan)
    discharging = ((hour >= 10) & (hour < 13)) | ((hour >= 17) & (hour < 22))
    assert (battery[discharging] >= -1e-6).all()
    assert battery[(hour >= 10) & (hour < 13)].sum() > 0
    assert battery[(hour >= 17) & (hour < 22)].sum() > 0
    peak_before = np.maximum.accumulate(np.concatenate([[0.0], grid]))[:-1]
    charging = battery < -1.0
    assert (grid[charging] <= np.maximum(0.9 * 3500.0, peak_before[charging]) + 1e-6).all()


def test_cold_tank_fills_at_night_and_empties_at_peak_prices():
    plan = RulePlanner(PARK, Rule()).plan(day(SUMMER))
    hour, cold = local_hours(plan), power(plan, "cold_tank", "cold")
    assert cold[(hour >= 23) | (hour < 7)].sum() < 0
    assert cold[((hour >= 10) & (hour < 13)) | ((hour >= 17) & (hour < 22))].sum() > 0


def test_balances_of_a_rolled_out_rule_close():
    plan = RulePlanner(PARK, Rule()).plan(day(WINTER))
    np.testing.assert_allclose(plan.power_kw.sum("asset").to_numpy(), 0.0, atol=1e-6)


def test_tuning_never_makes_last_week_dearer():
    common, tuned = tune(PARK, ACTUALS, SPRING)
    week = week_before(PARK, ACTUALS, SPRING)
    assert RulePlanner(PARK, tuned).plan(week).total_cost <= RulePlanner(PARK, common).plan(week).total_cost + 200.0
    assert 1000.0 < common.own_peak_kw < 8000.0
    assert tuned.lead == common.lead


def test_windows_count_their_hours():
    assert hours_left(23.5, ((23.0, 7.0),)) == 7.5
    assert hours_left(6.75, ((23.0, 7.0),)) == 0.25
    assert hours_left(7.0, ((23.0, 7.0),)) == 0.0
    assert hours_ahead(11.0, ((10.0, 13.0), (17.0, 22.0))) == 7.0
    assert hours_ahead(22.0, ((10.0, 13.0), (17.0, 22.0))) == 0.0
