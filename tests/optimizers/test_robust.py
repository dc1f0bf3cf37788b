"""Robust plans: no budget is the ordinary plan, a full one the worst future; in between the worst is found exactly."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import xarray as xr

from models.errors import ProblemError
from optimizers.robust import Uncertainty, dearer_day, price_robust, reserve_kw, robust_plan, spoiled
from optimizers.scenarios import FirstStage, Scenario, scenario_program
from optimizers.session import HighsSession
from tests.optimizers.problems import battery, consumer, engine, gas, grid, hours, problem_of, site_of

BOILER = {"id": "boiler", "kind": "gas_boiler", "ports": ["heat", "gas"], "heat_max_kw": 400, "efficiency": 0.9}
PV = {"id": "pv", "kind": "pv", "ports": ["electricity"], "peak_kw": 60, "profile": "sun_pu"}


@pytest.fixture(scope="module")
def problem():
    plant = site_of(
        [grid(import_max_kw=90), gas(), engine(min_up_h=2), BOILER, PV, battery(), consumer("electricity", "heat")]
    )
    series = {
        "mill_electricity_kw": [80.0, 100.0, 120.0, 90.0, 70.0],
        "mill_heat_kw": 40.0,
        "sun_pu": [0.0, 0.5, 0.8, 0.5, 0.0],
    }
    return problem_of(plant, hours(5), series, gap_share=1e-7, unserved_price_per_kwh=3.0, stored={"battery": 0.0})


AWAY = {"mill_electricity_kw": np.full(5, 45.0), "sun_pu": np.array([0.0, -0.4, -0.6, -0.4, 0.0])}


def cost_of(problem, dispatcher, bad):
    return dispatcher.dispatch(spoiled(problem, Uncertainty(AWAY, 5), np.asarray(bad, float))).total_cost


def test_without_a_budget_it_is_the_ordinary_plan(problem, dispatcher):
    found = robust_plan(problem, Uncertainty(AWAY, 0), dispatcher)
    assert found.worst_cost == pytest.approx(dispatcher.dispatch(problem).total_cost, rel=1e-5)
    assert found.bad_steps == ()


def test_with_a_full_budget_it_is_the_worst_future(problem, dispatcher):
    found = robust_plan(problem, Uncertainty(AWAY, 5), dispatcher)
    assert found.worst_cost == pytest.approx(cost_of(problem, dispatcher, np.ones(5)), rel=1e-5)
    assert found.gap_share < 1e-5


def test_the_worst_of_two_bad_hours_is_what_trying_all_pairs_finds(problem, dispatcher):
    found = robust_plan(problem, Uncertainty(AWAY, 2), dispatcher)
    futures = [np.isin(np.arange(5), pair).astype(float) for k in (0, 1, 2) for pair in combinations(range(5), k)]
    scenarios = [
        Scenario(str(k), 1 / len(futures), spoiled(problem, Uncertainty(AWAY, 2), b)) for k, b in enumerate(futures)
    ]
    stacked = scenario_program(scenarios, FirstStage(), dispatcher)
    commitments = [
        np.array(c, float)
        for c in ([0] * 5, [1] * 5, [0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 0], [0, 1, 1, 1, 1])
    ]
    at_worst = []
    for on in commitments:
        case = stacked.cases[0]
        family = case.compiled.model.column("chp", "on")
        program = stacked.program
        lower, upper = program.column_lower.copy(), program.column_upper.copy()
        for part in stacked.parts:
            here = slice(part.columns.start + family.steps.start, part.columns.start + family.steps.stop)
            lower[here] = upper[here] = on
        point = HighsSession(replace(program, column_lower=lower, column_upper=upper)).run(gap_share=1e-8)
        at_worst.append(max(stacked.costs(point.x)))
    assert found.worst_cost <= min(at_worst) + 1e-5
    assert found.bound <= found.worst_cost + 1e-6
    assert len(found.bad_steps) == 2
    expected = dispatcher.dispatch(problem).total_cost
    assert expected - 1e-5 <= found.expected_cost <= found.worst_cost


def test_more_budget_never_costs_less(problem, dispatcher):
    costs = [robust_plan(problem, Uncertainty(AWAY, k), dispatcher).worst_cost for k in (0, 1, 3)]
    assert costs == sorted(costs)


def test_prices_that_may_rise_in_so_many_hours(dispatcher):
    plant = site_of([grid(), battery(), consumer("electricity")])
    problem = problem_of(
        plant, hours(4), {"mill_electricity_kw": [100.0, 100.0, 100.0, 100.0]}, stored={"battery": 0.0}
    )
    case = dispatcher.case(problem)
    rise = {"grid.import_kw": np.full(4, 0.1)}
    none, two, four = (HighsSession(price_robust(case, rise, g)).run().objective for g in (0, 2, 4))
    plain = HighsSession(case.program).run().objective
    assert none == pytest.approx(plain)
    assert four == pytest.approx(plain + 4 * 100 * 0.1)
    assert two == pytest.approx(plain + 2 * 100 * 0.1)
    assert dearer_day(problem, dispatcher, rise_share=0.0, budget=4) == pytest.approx(plain)
    prices = case.parameters["grid.import_per_kw"]
    assert dearer_day(problem, dispatcher, rise_share=0.5, budget=4) <= plain + 0.5 * 100 * sum(prices) + 1e-6


def test_reserve_adds_independent_errors_as_squares():
    values = np.array([[[90.0, 100.0, 130.0]], [[0.2, 0.5, 0.6]]])
    coords = {"series": ["load_kw", "sun_pu"], "time": [0], "quantile": [0.1, 0.5, 0.9]}
    found = reserve_kw(xr.DataArray(values, coords, ("series", "time", "quantile")), {"load_kw": 1.0, "sun_pu": -100.0})
    assert float(found.up_kw[0]) == pytest.approx(np.hypot(30.0, 30.0))
    assert float(found.down_kw[0]) == pytest.approx(np.hypot(10.0, 10.0))


def test_uncertainty_that_does_not_fit_is_told_at_once(problem, dispatcher):
    wrong = Uncertainty({"nothing_kw": np.ones(5), "mill_electricity_kw": np.ones(3)}, 9)
    with pytest.raises(ProblemError) as caught:
        robust_plan(problem, wrong, dispatcher)
    assert len(caught.value.findings) == 3
    assert "between 0 and 5 steps can go wrong" in str(caught.value)
