"""Tariffs in plans: blocks, netting, peaks in windows and emission budgets against answers found by hand or by the tariff's own terms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.dispatch import DemandTerms, EmissionBudget
from models.tariffs.terms import BilledSoFar, optimizer_terms
from tests.optimizers.problems import battery, consumer, gas, grid, hours, problem_of, site_of

QUIET = settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
RISING = [{"adder_per_kwh": 0.0, "up_to_kwh": 100}, {"adder_per_kwh": 0.5, "up_to_kwh": 200}, {"adder_per_kwh": 0.9}]
FLAT = [{"name": "flat", "price_per_kwh": 0.8, "windows": [{"start_h": 0, "end_h": 24}]}]
FALLING = [{"adder_per_kwh": 0.5, "up_to_kwh": 100}, {"adder_per_kwh": 0.0}]


def bought_and_sold(plan):
    power = plan.power_kw.sel(asset="grid", carrier="electricity").values
    return np.maximum(power, 0.0), np.maximum(-power, 0.0)


@QUIET
@given(
    load=st.lists(st.integers(0, 12).map(lambda v: 10.0 * v), min_size=3, max_size=6),
    before=st.integers(0, 30).map(lambda v: 10.0 * v),
    blocks=st.sampled_from([RISING, FALLING]),
)
def test_a_plan_pays_each_block_what_the_tariff_says(dispatcher, load, before, blocks):
    site = site_of([grid(), consumer("electricity"), battery()], prices={"blocks": blocks})
    billed = BilledSoFar(bought_kwh=before / 2, rest_kwh=before / 2)
    horizon = hours(len(load))
    problem = problem_of(site, horizon, {"mill_electricity_kw": load}, billed=billed, gap_share=0.0)
    plan = dispatcher.dispatch(problem)
    bought, sold = bought_and_sold(plan)
    paid, earned = optimizer_terms(site.tariff("power"), horizon).energy_cost(bought, sold, horizon.step_h, billed)
    assert plan.cost["energy"] == pytest.approx(paid, abs=1e-6)
    assert plan.cost["export"] == pytest.approx(-earned, abs=1e-6)


def test_a_dear_block_is_left_to_a_store(dispatcher):
    # 150 kWh are needed in one block of 100 at +0; the 50 in the battery replace those at +0.5
    site = site_of(
        [grid(), consumer("electricity"), battery(charge_efficiency=1, discharge_efficiency=1)],
        prices={"blocks": RISING},
    )
    series = {"mill_electricity_kw": [50.0, 50.0, 50.0]}
    problem = problem_of(site, hours(3), series, ends={}, stored={"battery": 100.0})
    bought, _ = bought_and_sold(dispatcher.dispatch(problem))
    assert bought.sum() <= 150.0 + 1e-6
    dear = problem_of(site, hours(3), series, billed=BilledSoFar(bought_kwh=50.0))
    plan = dispatcher.dispatch(dear)
    assert bought_and_sold(plan)[0].sum() == pytest.approx(150.0)  # the battery ends as it began


@QUIET
@given(seed=st.integers(0, 1000), before=st.sampled_from([-200.0, -20.0, 0.0, 35.0]))
def test_what_is_sent_out_is_set_against_what_is_bought(dispatcher, seed, before):
    pv = {"id": "pv", "kind": "pv", "ports": ["electricity"], "peak_kw": 200, "profile": "sun_pu"}
    prices = {"net_metering": True, "export_price_per_kwh": 0.0}
    site = site_of([grid(), consumer("electricity"), pv], prices=prices)
    rng, horizon = np.random.default_rng(seed), hours(12)
    series = {"mill_electricity_kw": rng.uniform(0, 150, 12), "sun_pu": rng.uniform(0, 0.8, 12)}
    billed = BilledSoFar(net_kwh={"energy_0": before})
    plan = dispatcher.dispatch(problem_of(site, horizon, series, billed=billed))
    terms = optimizer_terms(site.tariff("power"), horizon)
    net = series["mill_electricity_kw"] - 200 * series["sun_pu"]
    known = [(n, billed.net_kwh.get(n.name, 0.0)) for n in terms.netted]
    best = sum(n.cost(had + float(n.counts @ net)) - n.cost(had) for n, had in known)
    assert plan.total_cost == pytest.approx(best, abs=1e-6)


def test_a_peak_in_a_window_costs_its_own_price_above_what_is_owed(dispatcher):
    evening = {"name": "evening", "price_per_kw_month": 9.0, "windows": [{"start_h": 2, "end_h": 4}]}
    site = site_of([grid(), consumer("electricity")], prices={"peak_windows": [evening]})
    series = {"mill_electricity_kw": [90.0, 80.0, 70.0, 40.0, 95.0]}
    windows = {"evening": DemandTerms(9.0, peak_so_far_kw=50.0)}
    plan = dispatcher.dispatch(
        problem_of(site, hours(5), series, demand=DemandTerms(2.0, 60.0), demand_windows=windows)
    )
    assert plan.cost["demand"] == pytest.approx(9.0 * (70.0 - 50.0) + 2.0 * (95.0 - 60.0))


def boiler(efficiency):
    return {
        "id": "boiler", "kind": "gas_boiler", "ports": ["heat", "gas"], "heat_max_kw": 400, "efficiency": efficiency,
    }  # fmt: skip


def test_an_emission_budget_moves_heat_to_the_cleaner_unit_and_its_price_is_the_exchange(dispatcher):
    heater = {
        "id": "eboiler",
        "kind": "electric_boiler",
        "ports": ["electricity", "heat"],
        "heat_max_kw": 400,
        "efficiency": 1.0,
    }
    site = site_of(
        [grid(co2_kg_per_kwh=0.1), gas(co2_kg_per_kwh=0.2), boiler(1.0), heater, consumer("heat")],
        prices={"bands": FLAT},
    )
    series = {"mill_heat_kw": [100.0, 100.0]}
    free = problem_of(site, hours(2), series)
    plan = dispatcher.dispatch(free)
    assert plan.power_kw.sel(asset="gas", carrier="gas").values == pytest.approx([100.0, 100.0])
    tight = dispatcher.dispatch(replace(free, co2_cap=EmissionBudget(30.0)))
    gas_kwh = float(tight.power_kw.sel(asset="gas", carrier="gas").sum())
    power_kwh = float(tight.power_kw.sel(asset="grid", carrier="electricity").sum())
    assert 0.2 * gas_kwh + 0.1 * power_kwh == pytest.approx(30.0)
    assert gas_kwh + power_kwh == pytest.approx(200.0)
    spent = dispatcher.dispatch(replace(free, co2_cap=EmissionBudget(5.0, over_price_per_kg=100.0)))
    assert spent.cost["co2"] == pytest.approx(100.0 * (0.1 * 200 - 5.0))
    assert [f.place for f in spent.findings] == ["co2"]
    assert "15.0 kg" in spent.findings[0].message
