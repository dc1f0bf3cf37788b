"""Sizes: round numbers by hand, a year of linked days equal to the year itself, stages, copies, and what cannot be sized."""

from dataclasses import replace

import numpy as np
import pytest

from models.errors import InfeasiblePlanError, ProblemError
from models.finance import annuity_factor, present_value
from optimizers.alternatives import alternatives
from optimizers.capacity import Planner, size
from optimizers.outlook import Outlook, payments
from optimizers.pareto import front
from optimizers.periods import typical_year, whole_year
from optimizers.sizes import SizeOption
from optimizers.sizing_program import SizingProblem
from tests.optimizers.problems import battery, consumer, engine, gas, grid, hours, problem_of, site_of

PV = {"id": "pv", "kind": "pv", "ports": ["electricity"], "peak_kw": 100, "profile": "sun_pu"}
BOILER = {"id": "boiler", "kind": "gas_boiler", "ports": ["heat", "gas"], "heat_max_kw": 400, "efficiency": 0.9}
FLAT = {"bands": [{"name": "flat", "price_per_kwh": 1.0, "windows": [{"start_h": 0, "end_h": 24}]}]}
PV_OPTION = SizeOption(asset="pv", unit="kW", most=1000, reference=100, fields=("peak_kw",))
STORE_OPTION = SizeOption(
    asset="battery", unit="kWh", most=5000, reference=100, fields=("energy_kwh", "charge_max_kw", "discharge_max_kw")
)


def free_grid(**prices):
    return {**FLAT, "export_price_per_kwh": 0.0, "demand_price_per_kw_month": 0.0, **prices}


def sizing(problem, *options, **more):
    more = {"outlook": Outlook(years=1, discount_rate=0.0), "year": whole_year(problem), **more}
    return SizingProblem(site=problem.site, options=options, **more)


def test_sun_is_built_up_to_the_load_when_it_pays_and_not_at_all_when_it_does_not(dispatcher):
    site = site_of([grid(), PV, consumer("electricity")], prices=free_grid())
    problem = problem_of(site, hours(4), {"sun_pu": [0.0, 0.5, 0.5, 0.0], "mill_electricity_kw": 200.0})
    # a kW brings 1 kWh worth 1 in the year; more than 400 kW would only be curtailed
    cheap = size(sizing(problem, replace(PV_OPTION, cost=0.9, lifetime_years=1)), dispatcher)
    assert cheap.sizes == {"pv, kW": pytest.approx(400.0)}
    assert cheap.present_cost == pytest.approx(400 * 0.9 + 400)
    assert "built until one more brings back just what it costs" in cheap.choices[0].reason
    dear = size(sizing(problem, replace(PV_OPTION, cost=1.1, lifetime_years=1)), dispatcher)
    assert dear.sizes == {"pv, kW": 0.0}
    assert dear.choices[0].reason == "not built; one kW more would bring 91% of what it costs over the years"
    assert dear.present_cost == pytest.approx(800.0)


def test_years_are_discounted_and_equipment_is_replaced_and_sold():
    option = SizeOption(asset="pv", unit="kW", most=1, cost=100, om_per_year=2, lifetime_years=4)
    outlook = Outlook(years=6, discount_rate=0.1)
    assert payments(option, 0, outlook) == pytest.approx([100, 2, 2, 2, 102, 2, 2 - 50])
    assert payments(option, 5, outlook) == pytest.approx([0, 0, 0, 0, 0, 100, 2 - 75])


def test_the_present_cost_is_the_payments_discounted(dispatcher):
    site = site_of([grid(), PV, consumer("electricity")], prices=free_grid())
    problem = problem_of(site, hours(4), {"sun_pu": [0.0, 0.5, 0.5, 0.0], "mill_electricity_kw": 200.0})
    option = replace(PV_OPTION, cost=5.0, om_per_year=0.01, lifetime_years=15, degradation_share=0.01)
    outlook = Outlook(years=20, discount_rate=0.05, price_growth={"energy": 0.02})
    found = size(sizing(problem, option, outlook=outlook), dispatcher)
    assert found.present_cost == pytest.approx(present_value(0.05, found.payments))
    kept = np.mean(0.99 ** (np.arange(20) % 15))
    assert found.sizes["pv, kW"] == pytest.approx(400 / kept)
    assert annuity_factor(0.05, 20) * found.present_cost < 800 * 1.02**20


def test_linked_days_are_the_year_itself(dispatcher):
    rng, step = np.random.default_rng(0), np.arange(24 * 8)
    series = {
        "sun_pu": np.clip(np.sin((step % 24 - 6) / 12 * np.pi), 0, 1) * (0.4 + 0.6 * rng.random(len(step))),
        "mill_electricity_kw": 200 + 80 * np.sin(step / 24 * 6.28) + 40 * rng.random(len(step)),
    }
    plant = site_of([grid(), PV, battery(loss_share_per_h=0.001, stored_min_share=0.1), consumer("electricity")])
    problem = problem_of(plant, hours(len(step)), series)
    options = replace(PV_OPTION, cost=100 / 26), replace(STORE_OPTION, cost=2.5)
    outlook = Outlook(years=20, discount_rate=0.06)
    whole = size(sizing(problem, *options, outlook=outlook), dispatcher)
    linked = size(sizing(problem, *options, outlook=outlook, year=typical_year(problem, count=8)), dispatcher)
    assert whole.sizes["battery, kWh"] > 100
    assert linked.present_cost == pytest.approx(whole.present_cost, rel=1e-9)
    assert linked.sizes == pytest.approx(whole.sizes, rel=1e-6)
    few = size(sizing(problem, *options, outlook=outlook, year=typical_year(problem, count=3)), dispatcher)
    assert few.present_cost == pytest.approx(whole.present_cost, rel=0.05)


def test_months_share_their_peak_over_typical_days(dispatcher):
    site = site_of([grid(), consumer("electricity")], prices=free_grid(demand_price_per_kw_month=10.0))
    load = np.tile([100.0] * 23 + [300.0], 4)
    load[-1] = 500.0
    found = Planner(sizing(problem_of(site, hours(96), {"mill_electricity_kw": load})), dispatcher).cheapest()
    assert found.operation[0]["demand"] == pytest.approx(5000.0)
    linked = sizing(
        problem := problem_of(site, hours(96), {"mill_electricity_kw": load}), year=typical_year(problem, count=1)
    )
    assert size(linked, dispatcher).operation[0]["demand"] == pytest.approx(5000.0)


def test_engines_are_built_in_whole_units(dispatcher):
    site = site_of(
        [grid(import_max_kw=50), gas(), engine("chp_1"), engine("chp_2"), BOILER, consumer("electricity", "heat")]
    )
    problem = problem_of(site, hours(4), {"mill_electricity_kw": 180.0, "mill_heat_kw": 50.0})
    option = SizeOption(asset="chp", unit="units", most=2, copies=("chp_1", "chp_2"), cost=1000.0, lifetime_years=1)
    found = size(sizing(problem, option, whole_operation=True), dispatcher)
    assert found.sizes == {"chp, units": 2.0}
    assert found.unserved_kwh_per_year == pytest.approx(0.0, abs=1e-6)
    kept = Planner(sizing(problem, option), dispatcher).unbuilt()
    assert kept.unserved_kwh_per_year == pytest.approx(4 * 130.0)


def test_a_stage_builds_when_it_is_needed(dispatcher):
    site = site_of([grid(import_max_kw=100), consumer("electricity")], prices=free_grid())
    problem = problem_of(site, hours(2), {"mill_electricity_kw": 95.0})
    option = SizeOption(
        asset="grid", unit="kW", existing=100, least=100, most=400, reference=100, cost=10, lifetime_years=40,
        fields=("import_max_kw",),
    )  # fmt: skip
    outlook = Outlook(years=4, discount_rate=0.05, stages=(0, 2), load_growth=0.05)
    (choice,) = size(sizing(problem, option, outlook=outlook), dispatcher).choices
    later = 95 * np.mean(1.05 ** np.array([2, 3]))
    assert choice.built == pytest.approx((0.0, later - 100))


def test_a_cap_on_emissions_is_kept_and_an_impossible_one_is_told(dispatcher):
    plant = site_of([grid(co2_kg_per_kwh=0.5), PV, consumer("electricity")], prices=free_grid())
    problem = problem_of(plant, hours(4), {"sun_pu": [0.0, 0.5, 0.5, 0.0], "mill_electricity_kw": 200.0})
    option = replace(PV_OPTION, cost=1.1, lifetime_years=1)
    assert size(sizing(problem, option), dispatcher).co2_kg_per_year == pytest.approx(400.0)
    capped = size(sizing(problem, option, co2_cap_kg=300.0), dispatcher)
    assert capped.co2_kg_per_year == pytest.approx(300.0)
    assert capped.sizes["pv, kW"] == pytest.approx(200.0)
    with pytest.raises(InfeasiblePlanError, match="raise the cap on emissions"):
        size(sizing(problem, option, co2_cap_kg=-1.0), dispatcher)


def test_what_moves_more_than_limits_is_refused_by_name(dispatcher):
    site = site_of([grid(), gas(), {**BOILER, "min_load_share": 0.2}, consumer("heat")])
    problem = problem_of(site, hours(2), {"mill_heat_kw": 100.0})
    option = SizeOption(asset="boiler", unit="kW", most=1000, reference=400, fields=("heat_max_kw",))
    with pytest.raises(
        ProblemError, match=r"boiler: its size in kW changes more than limits.*give the option as units"
    ):
        size(sizing(problem, option), dispatcher)


def test_a_front_goes_from_the_cheapest_to_the_cleanest_and_no_plan_on_it_is_beaten(dispatcher):
    plant = site_of([grid(co2_kg_per_kwh=0.5), PV, battery(), consumer("electricity")], prices=free_grid())
    problem = problem_of(plant, hours(4), {"sun_pu": [0.0, 0.5, 0.5, 0.0], "mill_electricity_kw": 200.0})
    options = replace(PV_OPTION, cost=1.1, lifetime_years=1), replace(STORE_OPTION, cost=0.5, lifetime_years=1)
    planner = Planner(sizing(problem, *options), dispatcher)
    found = front(planner, points=4)
    costs, kg = [s.present_cost for s in found], [s.co2_kg_per_year for s in found]
    assert costs == sorted(costs)
    assert kg == sorted(kg, reverse=True)
    assert kg[0] - kg[1] == pytest.approx(kg[1] - kg[2], rel=1e-3)
    assert all(s.unserved_kwh_per_year < 1e-6 for s in found)
    assert costs[0] == pytest.approx(planner.cheapest().present_cost)
    with pytest.raises(ValueError, match="at least 2"):
        front(planner, points=1)
    with pytest.raises(ValueError, match="more than 0"):
        alternatives(planner, found[0], slack_share=0.0)
    near = alternatives(planner, found[0], slack_share=0.1)
    assert all(a.sizing.present_cost <= 1.1 * costs[0] + 1e-6 for a in near)
    assert near[1].size > near[0].size
