"""Every lever of a plan at once, played by the twin: the same powers, the same stored energy, the same cost."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from models.dispatch import DemandTerms
from models.state import UnitState
from optimizers.dispatch import Dispatcher
from scenarios.costs import Powers, operating_cost
from tests.optimizers.problems import battery, consumer, engine, gas, grid, hours, problem_of, reserve, site_of, turbine
from twin.state import start_snapshot
from twin.verify import Verifier

WARM = [{"off_below_h": 3, "cost": 4}]
FLEET = {
    "id": "fleet", "kind": "ev_fleet", "ports": ["electricity"], "charger_kw": 11, "v2g_kwh": 15, "workdays_only": False,
    "groups": [{"vehicles": 8, "arrive_h": 7.5, "depart_h": 17, "energy_kwh": 18}],
}  # fmt: skip
TANK = {
    "id": "tank", "kind": "hot_tank", "ports": ["heat"], "charge_max_kw": 60, "discharge_max_kw": 60, "energy_kwh": 200,
    "charge_efficiency": 1.0, "discharge_efficiency": 1.0, "loss_share_per_h": 0.01,
}  # fmt: skip
BOILER = {"id": "boiler", "kind": "gas_boiler", "ports": ["heat", "gas"], "heat_max_kw": 300, "efficiency": 0.9}
BLOCKS = [{"adder_per_kwh": 0.0, "up_to_kwh": 800}, {"adder_per_kwh": 0.3}]
PARTS = ("energy", "export", "gas", "maintenance", "wear")


@pytest.fixture(scope="module")
def site():
    mill = consumer("electricity", "heat")
    mill["demands"][0] |= {"shed_price_per_kwh": 1.0, "shed_max_share": 0.3}
    return site_of(
        [grid(import_max_kw=160), gas(), engine(warm_starts=WARM), turbine(om_cost_per_kwh=0.05), battery(wear_cost_per_kwh=0.05), TANK,
         BOILER, FLEET, mill],
        prices={"blocks": BLOCKS},
        reserves=[reserve("spin", ["chp", "turbine", "battery"], required_kw=40.0, activation_share=0.1, response_min=5.0)],
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_the_twin_does_what_the_plan_says(site, seed):
    rng, horizon = np.random.default_rng(seed), hours(24)
    series = {"mill_electricity_kw": rng.uniform(100, 420, 24), "mill_heat_kw": rng.uniform(0, 220, 24)}
    units = {u: UnitState(bool(rng.integers(0, 2)), 5.0) for u in ("chp", "turbine")}
    problem = problem_of(site, horizon, series, units=units, demand=DemandTerms(10.0, 100.0))
    initial = start_snapshot(site, horizon.start)
    initial = replace(initial, stored_kwh=problem.initial.stored_kwh, units=initial.units | units)
    with closing(Dispatcher()) as planner:
        plan = planner.dispatch(replace(problem, initial=initial))
    check = Verifier(site)(plan, initial, problem.forecast)
    assert [f for f in check.findings if f.place not in ("mill",)] == []
    for asset in plan.stored_kwh["asset"].values.tolist():
        np.testing.assert_allclose(
            check.stored_kwh.sel(asset=asset), plan.stored_kwh.sel(asset=asset), atol=1e-6, err_msg=asset
        )
    counted = operating_cost(site, Powers(horizon, plan.power_kw))
    for part in PARTS:
        assert counted[part] == pytest.approx(plan.cost.get(part, 0.0), abs=1e-5), part
    started = sum(starts_cost(site.asset(u), plan.running.sel(asset=u).values, units[u]) for u in units)
    assert started == pytest.approx(plan.cost["start"], abs=1e-6)


def starts_cost(unit, running, state):
    """What the starts of a plan in hours cost, by the engine's own equation."""
    cost, runs, off_h = 0.0, state.running, state.hours_in_state
    for on in running > 0.5:
        cost += unit.start_cost_after(off_h) if on and not runs else 0.0
        runs, off_h = on, 0.0 if on else (1.0 if runs else off_h + 1.0)
    return cost


def test_capacity_that_could_not_be_delivered_is_named(site):
    horizon = hours(6)
    problem = problem_of(site, horizon, {"mill_electricity_kw": 150.0, "mill_heat_kw": 50.0})
    initial = replace(start_snapshot(site, horizon.start), stored_kwh=problem.initial.stored_kwh)
    with closing(Dispatcher()) as planner:
        plan = planner.dispatch(replace(problem, initial=initial))
    greedy = replace(plan, reserve_kw=plan.reserve_kw + 60.0)
    named = {
        f.place
        for f in Verifier(site)(greedy, initial, problem.forecast).findings
        if "to be held for spin" in f.message
    }
    assert "battery" in named
    assert {"chp", "turbine"} & named
