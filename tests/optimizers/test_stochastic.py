"""Scenarios: the order of what knowing is worth, risk by its formula, decisions that are the same in every future, and bad input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ProblemError
from optimizers.scenarios import FirstStage, Scenario
from optimizers.stochastic import Risk, ScenarioPlanner, cvar
from tests.optimizers.problems import battery, consumer, engine, gas, grid, hours, problem_of, site_of

BOILER = {"id": "boiler", "kind": "gas_boiler", "ports": ["heat", "gas"], "heat_max_kw": 400, "efficiency": 0.9}
SHARES = (0.3, 0.5, 0.2)
LOADS = (40.0, 90.0, 150.0)


@pytest.fixture(scope="module")
def plant():
    dear_grid = grid(import_max_kw=110)
    return site_of([dear_grid, gas(), engine(min_up_h=3), BOILER, battery(), consumer("electricity", "heat")])


@pytest.fixture(scope="module")
def scenarios(plant):
    def problem(load):
        series = {"mill_electricity_kw": [load, 1.2 * load, load, 0.8 * load], "mill_heat_kw": 60.0}
        return problem_of(plant, hours(4), series, gap_share=1e-7, unserved_price_per_kwh=3.0)

    return [Scenario(f"load {x:g}", p, problem(x)) for x, p in zip(LOADS, SHARES, strict=True)]


@pytest.fixture(scope="module")
def planner(scenarios, dispatcher):
    return ScenarioPlanner(scenarios, FirstStage(), dispatcher)


def test_commitments_are_the_same_in_every_future_and_the_rest_is_not(planner):
    plan = planner.plan()
    assert sum(np.ptp([p.running.values for p in plan.plans], axis=0).ravel()) == pytest.approx(0.0, abs=1e-6)
    imports = [p.power_kw.sel(asset="grid", carrier="electricity").values for p in plan.plans]
    assert not np.allclose(imports[0], imports[2])
    assert plan.expected_cost == pytest.approx(plan.objective)
    assert plan.plans[0].solver.certified
    for found, cost in zip(plan.plans, plan.costs, strict=True):
        assert found.total_cost == pytest.approx(cost, rel=1e-6)


def test_knowing_more_never_costs_more(planner):
    worth = planner.foresight()
    assert worth.perfect <= worth.stochastic + 1e-6 <= worth.mean_plan + 2e-6
    assert worth.information_value == pytest.approx(np.dot(SHARES, worth.regrets))
    assert worth.information_value > 0
    assert min(worth.regrets) >= -1e-6


def test_at_level_zero_risk_is_the_mean_and_towards_one_it_is_the_worst_future(planner):
    mean = planner.plan()
    assert planner.plan(Risk(1.0, 0.0)).objective == pytest.approx(mean.expected_cost, rel=1e-6)
    worst = planner.plan(Risk(1.0, 0.95))
    assert worst.objective == pytest.approx(max(worst.costs), rel=1e-6)
    assert max(worst.costs) <= max(mean.costs) + 1e-6


def test_risk_in_the_objective_is_the_sorted_tail(planner):
    for weight, level in ((0.3, 0.5), (0.7, 0.75)):
        found = planner.plan(Risk(weight, level))
        by_hand = (1 - weight) * found.expected_cost + weight * cvar(found.costs, SHARES, level)
        assert found.objective == pytest.approx(by_hand, rel=1e-6)
        assert found.risk_cost <= cvar(planner.plan().costs, SHARES, level) + 1e-6


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=6), st.floats(0, 0.99))
def test_the_tail_is_worse_than_the_mean_and_better_than_the_worst(costs, level):
    even = [1 / len(costs)] * len(costs)
    tail = cvar(costs, even, level)
    assert np.mean(costs) - 1e-6 <= tail <= max(costs) + 1e-6
    assert cvar(costs, even, 0.0) == pytest.approx(np.mean(costs), abs=1e-6)


def test_the_first_hours_are_decided_for_all(scenarios, dispatcher):
    plan = ScenarioPlanner(scenarios, FirstStage(commitments=False, hours=2.0), dispatcher).plan()
    battery_kw = np.array([p.power_kw.sel(asset="battery", carrier="electricity").values for p in plan.plans])
    np.testing.assert_allclose(np.ptp(battery_kw[:, :2], axis=0), 0.0, atol=1e-6)


def test_what_is_bought_ahead_is_the_median_when_more_and_less_cost_the_same(dispatcher):
    plant = site_of([grid(), consumer("electricity")])
    futures = [
        Scenario(f"{kw:g}", p, problem_of(plant, hours(1), {"mill_electricity_kw": kw}))
        for kw, p in ((100.0, 0.2), (200.0, 0.5), (400.0, 0.3))
    ]
    first = FirstStage(commitments=False, imbalance_price_per_kwh=0.1)
    found = ScenarioPlanner(futures, first, dispatcher).plan()
    price = 0.3
    assert found.purchase_kw == pytest.approx((200.0,))
    energy = price * np.array([100, 200, 400])
    assert found.costs == pytest.approx(energy + 0.1 * np.array([100, 0, 200]))


def test_a_single_future_is_the_ordinary_plan(scenarios, dispatcher):
    alone = replace(scenarios[1], probability=1.0)
    found = ScenarioPlanner([alone], FirstStage(), dispatcher).plan()
    assert found.objective == pytest.approx(dispatcher.dispatch(alone.problem).total_cost, rel=1e-5)


def test_everything_wrong_is_told_at_once(scenarios, dispatcher, plant):
    nan = problem_of(plant, hours(4), {"mill_electricity_kw": [1.0, np.nan, 1.0, 1.0], "mill_heat_kw": 60.0})
    short = problem_of(plant, hours(2), {"mill_electricity_kw": 1.0, "mill_heat_kw": 1.0})
    wrong = [scenarios[0], replace(scenarios[1], problem=nan), Scenario("short", 0.4, short)]
    with pytest.raises(ProblemError) as caught:
        ScenarioPlanner(wrong, FirstStage(), dispatcher)
    words = str(caught.value)
    assert "probabilities sum to 1.2" in words
    assert "short: has another horizon or site" in words
    assert "load 90: mill_electricity_kw: has no value in 1 of 4 steps" in words
    with pytest.raises(ValueError, match="below 1"):
        Risk(0.5, 1.0)
