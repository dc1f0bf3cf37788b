"""Plans of small sites, with answers anyone can check."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from models.components import Battery, Chp
from models.dispatch import DemandTerms, EndTerm
from models.errors import ProblemError
from models.horizon import Horizon
from models.state import UnitState
from tests.optimizers.problems import (
    START,
    assert_balanced,
    battery,
    consumer,
    engine,
    gas,
    grid,
    hours,
    problem_of,
    site_of,
)

PUMP = {
    "id": "pump", "kind": "heat_pump", "ports": ["electricity", "heat"], "heat_max_kw": 300, "cop_rated": 3.0,
    "rated_air_degc": 7, "supply_degc": 60, "air_profile": "air_degc",
}  # fmt: skip


def power(plan, asset, carrier="electricity"):
    return plan.power_kw.sel(asset=asset, carrier=carrier).values


def test_prices_of_all_carriers_are_what_one_more_kwh_costs(dispatcher):
    site = site_of([grid(), PUMP, consumer("electricity"), consumer("heat", name="hall")])
    asked = {"mill_electricity_kw": [100] * 3, "hall_heat_kw": [90] * 3, "air_degc": [7] * 3}
    plan = dispatcher.dispatch(problem_of(site, hours(3), asked))
    assert plan.price_per_kwh.sel(carrier="electricity").values == pytest.approx([0.3] * 3)
    assert plan.price_per_kwh.sel(carrier="heat").values == pytest.approx([0.1] * 3)
    for name, price in (("mill_electricity_kw", 0.3), ("hall_heat_kw", 0.1)):
        more = dispatcher.dispatch(problem_of(site, hours(3), asked | {name: np.add(asked[name], [0, 1, 0])}))
        assert more.total_cost - plan.total_cost == pytest.approx(price)


def test_demand_is_bought_at_the_tariff(dispatcher):
    site = site_of([grid(), consumer("electricity")])
    # midnight to three in the morning: valley, 0.3
    plan = dispatcher.dispatch(problem_of(site, hours(3), {"mill_electricity_kw": [100, 200, 300]}))
    assert plan.total_cost == pytest.approx(600 * 0.3)
    assert power(plan, "grid") == pytest.approx([100, 200, 300])
    assert power(plan, "mill") == pytest.approx([-100, -200, -300])
    assert plan.price_per_kwh.sel(carrier="electricity").values == pytest.approx([0.3] * 3)
    assert plan.solver.status == "optimal"
    assert plan.solver.certified
    assert_balanced(plan)


def test_prices_are_per_kwh_on_steps_of_any_length(dispatcher):
    site = site_of([grid(), consumer("electricity")])
    horizon = Horizon.quarters_then_hours(START, quarters=4, hours=2)
    plan = dispatcher.dispatch(problem_of(site, horizon, {"mill_electricity_kw": 100.0}))
    assert plan.total_cost == pytest.approx(300 * 0.3)
    assert plan.price_per_kwh.sel(carrier="electricity").values == pytest.approx([0.3] * 6)


def test_a_battery_moves_cheap_energy_to_dear_hours(dispatcher):
    site = site_of([grid(), consumer("electricity"), battery()])
    horizon = hours(2, START + timedelta(hours=6))  # 06-07 at 0.3, 07-08 at 0.6
    problem = problem_of(site, horizon, {"mill_electricity_kw": 100.0}, stored={"battery": 0.0})
    plan = dispatcher.dispatch(problem)
    assert power(plan, "battery") == pytest.approx([-50, 40.5])
    assert plan.stored_kwh.sel(asset="battery").values == pytest.approx([45, 0])
    assert plan.total_cost == pytest.approx(150 * 0.3 + 59.5 * 0.6)


def test_the_end_of_a_store_bends_but_does_not_break(dispatcher):
    site = site_of([grid(), consumer("electricity"), battery()])
    problem = problem_of(
        site, hours(1), {"mill_electricity_kw": 0.0}, stored={"battery": 0.0},
        ends={"battery": EndTerm(target_kwh=80.0, short_price_per_kwh=2.0)},
    )  # fmt: skip
    plan = dispatcher.dispatch(problem)
    assert plan.stored_kwh.values[0, -1] == pytest.approx(45.0)
    assert plan.cost["end"] == pytest.approx(35 * 2.0)
    rich = replace(problem, ends={"battery": EndTerm(10.0, value_per_kwh=0.5, short_price_per_kwh=2.0)})
    assert dispatcher.dispatch(rich).cost["end"] == pytest.approx(-35 * 0.5)


def test_only_the_peak_above_what_is_free_costs(dispatcher):
    site = site_of([grid(), consumer("electricity")])
    base = problem_of(site, hours(2), {"mill_electricity_kw": [100.0, 300.0]})
    for terms, cost in (((10.0, 0.0, 0.0), 3000), ((10.0, 250.0, 100.0), 500), ((10.0, 100.0, 400.0), 0)):
        plan = dispatcher.dispatch(replace(base, demand=DemandTerms(*terms)))
        assert plan.cost["demand"] == pytest.approx(cost)


def test_the_prices_of_the_peak_sum_to_the_demand_charge(dispatcher):
    site = site_of([grid(), consumer("electricity"), battery()])
    load = [100.0, 180.0, 200.0, 190.0]
    problem = problem_of(
        site, hours(4), {"mill_electricity_kw": load}, demand=DemandTerms(7.0), stored={"battery": 60.0}
    )
    plan = dispatcher.dispatch(problem)
    above_energy = plan.price_per_kwh.sel(carrier="electricity").values - 0.3
    assert above_energy.sum() == pytest.approx(7.0)


def test_an_impossible_demand_says_who_lacks_what_and_when(dispatcher):
    site = site_of([grid(import_max_kw=150), consumer("electricity"), consumer("electricity", name="dairy")])
    series = {"mill_electricity_kw": [50.0, 150.0, 50.0], "dairy_electricity_kw": [50.0, 50.0, 50.0]}
    plan = dispatcher.dispatch(problem_of(site, hours(3), series))
    assert plan.unserved_kw.sel(asset="mill", carrier="electricity").values == pytest.approx([0, 37.5, 0])
    assert power(plan, "dairy") == pytest.approx([-50, -37.5, -50])
    words = {f.place: f.message for f in plan.findings}
    assert set(words) == {"mill", "dairy"}
    assert "37.5 kW are missing at 2015-01-05 17:00 UTC" in words["mill"]
    assert plan.cost["unserved"] == pytest.approx(50 * 20.0)
    assert_balanced(plan)


def test_losses_are_supplied_and_a_dead_network_is_named(dispatcher):
    site = site_of([grid(), consumer("electricity")])
    losses = xr.DataArray([[5.0, 5.0]], {"carrier": ["electricity"], "time": hours(2).times}, ("carrier", "time"))
    problem = problem_of(site, hours(2), {"mill_electricity_kw": 100.0}, losses_kw=losses)
    plan = dispatcher.dispatch(problem)
    assert power(plan, "grid") == pytest.approx([105, 105])
    dead = xr.DataArray([[0.0, 0.0]], {"asset": ["grid"], "time": hours(2).times}, ("asset", "time"))
    plan = dispatcher.dispatch(replace(problem, available_share=dead))
    assert {f.place for f in plan.findings} == {"mill", "electricity"}


@pytest.fixture
def plant():
    # heat is worth running the engine for, electricity alone is not
    return site_of([grid(), gas(), engine(min_up_h=3, min_down_h=2), consumer("electricity", "heat"), boiler()])


def boiler(**changes):
    return {
        "id": "boiler",
        "kind": "gas_boiler",
        "ports": ["heat", "gas"],
        "heat_max_kw": 400,
        "efficiency": 0.9,
        **changes,
    }


def test_what_is_running_must_go_on_and_what_stands_must_wait(dispatcher, plant):
    idle = {"mill_electricity_kw": 100.0, "mill_heat_kw": 0.0}
    units = {"chp": UnitState(running=True, hours_in_state=1.0)}
    plan = dispatcher.dispatch(problem_of(plant, hours(6), idle, units=units))
    assert plan.running.sel(asset="chp").values == pytest.approx([1, 1, 0, 0, 0, 0])
    wanted = {"mill_electricity_kw": 100.0, "mill_heat_kw": 110.0}
    horizon = hours(6, START + timedelta(hours=17))
    units = {"chp": UnitState(running=False, hours_in_state=1.0)}
    plan = dispatcher.dispatch(problem_of(plant, horizon, wanted, units=units))
    assert plan.running.sel(asset="chp").values[:2] == pytest.approx([0, 1])
    assert plan.cost["start"] == pytest.approx(10.0)


def test_an_outage_overrules_the_minimum_up_time(dispatcher, plant):
    out = xr.DataArray([[1.0, 0.0, 0.0, 1.0]], {"asset": ["chp"], "time": hours(4).times}, ("asset", "time"))
    units = {"chp": UnitState(running=True, hours_in_state=0.5)}
    series = {"mill_electricity_kw": 100.0, "mill_heat_kw": 110.0}
    plan = dispatcher.dispatch(problem_of(plant, hours(4), series, units=units, available_share=out))
    assert plan.running.sel(asset="chp").values[:3] == pytest.approx([1, 0, 0])


def test_fuel_and_heat_follow_the_engines_own_equations(dispatcher, plant):
    series = {"mill_electricity_kw": [90.0, 75.0, 60.0, 90.0], "mill_heat_kw": [200.0, 150.0, 30.0, 20.0]}
    horizon = hours(4, START + timedelta(hours=18))
    units = {"chp": UnitState(running=True, hours_in_state=1.0)}
    plan = dispatcher.dispatch(problem_of(plant, horizon, series, units=units))
    chp: Chp = plant.asset("chp")
    made = power(plan, "chp")
    np.testing.assert_allclose(-power(plan, "chp", "gas"), chp.fuel_kw(made), rtol=1e-6)
    assert (power(plan, "chp", "heat") <= chp.heat_kw(made) + 1e-6).all()
    assert_balanced(plan)


def test_stored_energy_follows_the_stores_own_equation(dispatcher):
    site = site_of([grid(), consumer("electricity"), battery(loss_share_per_h=0.02)])
    horizon = Horizon.quarters_then_hours(START + timedelta(hours=5), quarters=6, hours=4)
    rng = np.random.default_rng(3)
    series = {"mill_electricity_kw": rng.uniform(0, 100, len(horizon))}
    plan = dispatcher.dispatch(problem_of(site, horizon, series, stored={"battery": 50.0}))
    unit: Battery = site.asset("battery")
    stored = 50.0
    for kw, step_h, planned in zip(
        power(plan, "battery"), horizon.step_h, plan.stored_kwh.sel(asset="battery").values, strict=True
    ):
        stored = unit.stored_after(stored, kw, step_h)
        assert stored == pytest.approx(planned, abs=1e-6)


def test_bad_problems_are_refused_with_every_finding(dispatcher):
    site = site_of([grid(), consumer("electricity", "heat"), battery(stored_min_share=0.2)])
    problem = problem_of(site, hours(3), {"mill_electricity_kw": [1.0, np.nan, 1.0]}, stored={"battery": 5.0})
    with pytest.raises(ProblemError) as caught:
        dispatcher.dispatch(replace(problem, unserved_price_per_kwh=0.0))
    words = "\n".join(map(str, caught.value.findings))
    assert "mill_heat_kw: the forecast lacks this series" in words
    assert "mill_electricity_kw: has no value in 1 of 3 steps, first at step 1" in words
    assert "battery: starts with 5 kWh, outside 20 to 100 kWh" in words
    assert "unserved_price_per_kwh" in words


def test_a_start_just_outside_is_moved_and_told(dispatcher):
    site = site_of([grid(), consumer("electricity"), battery()])
    plan = dispatcher.dispatch(problem_of(site, hours(2), {"mill_electricity_kw": 10.0}, stored={"battery": 100.5}))
    assert [f.severity.value for f in plan.findings] == ["warning"]
    assert plan.stored_kwh.max() <= 100.0 + 1e-6


def test_a_known_site_is_planned_without_importing_pyomo(tmp_path):
    told = """
import sys
from pathlib import Path
from optimizers.dispatch import Dispatcher
from tests.optimizers.problems import consumer, grid, hours, problem_of, site_of
made = Dispatcher(cache_folder=Path(sys.argv[1]))
plan = made.dispatch(problem_of(site_of([grid(), consumer("electricity")]), hours(2), {"mill_electricity_kw": 100.0}))
made.close()
print(round(plan.total_cost, 6), "pyomo" in sys.modules)
"""
    run = [sys.executable, "-c", told, str(tmp_path)]
    answers = [subprocess.run(run, capture_output=True, text=True, check=True).stdout.split() for _ in range(2)]
    assert answers == [["60.0", "True"], ["60.0", "False"]]
