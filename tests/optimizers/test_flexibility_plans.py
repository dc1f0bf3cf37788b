"""Flexibility in plans: reserve and regulation, calls on demand response, shedding by agreement, vehicles that give back."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from models.components import Engine, Store
from models.dispatch import DispatchProblem, EndTerm, Plan, ReductionEvent
from models.reserve import Standing, held_kw
from models.site import Site
from models.state import UnitState
from tests.optimizers.problems import START, battery, consumer, engine, gas, grid, hours, problem_of, reserve, site_of

QUIET = settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
FLAT = {
    "bands": [{"name": "flat", "price_per_kwh": 0.5, "windows": [{"start_h": 0, "end_h": 24}]}],
    "export_price_per_kwh": 0.0,
}


def assert_deliverable(site: Site, problem: DispatchProblem, plan: Plan) -> None:
    """What every provider holds, all contracts together, is what the models say it can hold."""
    assert plan.reserve_kw is not None
    for asset_id in plan.reserve_kw["asset"].values.tolist():
        asset = site.asset(asset_id)
        power = plan.power_kw.sel(asset=asset_id, carrier="electricity").values
        stored = np.zeros(len(power) + 1)
        if isinstance(asset, Store):
            before = float(problem.initial.stored_kwh.sel(asset=asset_id))
            stored = np.concatenate([[before], plan.stored_kwh.sel(asset=asset_id).values])
        runs = plan.running.sel(asset=asset_id).values if isinstance(asset, Engine) else np.ones(len(power))
        for contract in site.reserves:
            for t, held in enumerate(plan.reserve_kw.sel(contract=contract.id, asset=asset_id).values):
                now = Standing(float(power[t]), (stored[t], stored[t + 1]), float(runs[t]))
                less, more = held_kw(
                    asset,
                    now,
                    response_min=contract.response_min,
                    sustain_h=contract.sustain_h,
                    called_share=contract.called_share,
                )
                assert held <= (more if contract.up else less) + 1e-6
                if contract.direction == "both":
                    assert held <= less + 1e-6


@pytest.mark.parametrize(("price", "held"), [(0.1, 0.0), (0.3, 50.0)])
def test_an_engine_holds_what_earns_more_than_its_power(dispatcher, price, held):
    # between its points a kWh saves 1.00 and burns 0.77 of gas: 0.23 is what a kW held has to earn at least
    dear = {"bands": [{**FLAT["bands"][0], "price_per_kwh": 1.0}]}
    reserves = [reserve("spin", ["chp"], price_per_kw_h=price)]
    site = site_of([grid(), gas(), engine(start_cost=0), consumer("electricity")], prices=dear, reserves=reserves)
    problem = problem_of(site, hours(2), {"mill_electricity_kw": 300.0}, gap_share=0.0)
    plan = dispatcher.dispatch(problem)
    assert plan.reserve_kw.sel(contract="spin", asset="chp").values == pytest.approx([held, held], abs=1e-6)
    assert plan.power_kw.sel(asset="chp", carrier="electricity").values == pytest.approx([100.0 - held] * 2)
    assert plan.cost.get("reserve", 0.0) == pytest.approx(-2 * held * price)
    assert_deliverable(site, problem, plan)


@QUIET
@given(
    load=st.lists(st.integers(5, 30).map(lambda v: 10.0 * v), min_size=3, max_size=4),
    price=st.sampled_from([0.0, 0.03, 0.2]),
    stored=st.sampled_from([10.0, 50.0, 95.0]),
    sustain=st.sampled_from([0.5, 2.0]),
)
def test_a_battery_holds_reserve_as_another_solver_would(dispatcher, load, price, stored, sustain):
    n, value = len(load), 0.3
    contracts = [
        reserve(
            "up",
            ["battery"],
            price_per_kw_h=price,
            sustain_h=sustain,
            activation_share=0.25,
            energy_price_per_kwh=0.4,
            recovers=True,
        ),
        reserve(
            "both",
            ["battery"],
            direction="both",
            price_per_kw_h=0.02,
            sustain_h=0.5,
            mileage_per_h=2.0,
            mileage_price_per_kw=0.02,
            recovers=True,
        ),
    ]
    site = site_of([grid(), consumer("electricity"), battery()], prices=FLAT, reserves=contracts)
    ends = {"battery": EndTerm(0.0, value, value)}
    problem = problem_of(site, hours(n), {"mill_electricity_kw": load}, stored={"battery": stored}, ends=ends)
    plan = dispatcher.dispatch(problem)
    assert_deliverable(site, problem, plan)
    # columns: charge, discharge, stored, up, both, import, export
    at = lambda q, t: q * n + t  # noqa: E731
    cost = np.zeros(7 * n)
    cost[5 * n : 6 * n], cost[3 * n : 4 * n], cost[4 * n : 5 * n] = 0.5, -(price + 0.25 * 0.4), -(0.02 + 2.0 * 0.02)
    cost[at(2, n - 1)] -= value
    equal, sides, less, most = [], [], [], []

    def row(entries):
        made = np.zeros(7 * n)
        for (q, t), w in entries.items():
            made[at(q, t)] += w
        return made

    for t in range(n):
        equal.append(row({(5, t): 1, (6, t): -1, (1, t): 1, (0, t): -1}))
        sides.append(load[t])
        equal.append(row({(2, t): 1, (0, t): -0.9, (1, t): 1 / 0.9, **({(2, t - 1): -1} if t else {})}))
        sides.append(0.0 if t else stored)
        less += [
            row({(1, t): 1, (0, t): -1, (3, t): 0.75, (4, t): 1}),
            row({(0, t): 1, (1, t): -1, (3, t): 0.25, (4, t): 1}),
        ]
        most += [50.0, 50.0]
        for k in (t, t - 1):
            inside = {(2, k): 1.0} if k >= 0 else {}
            start = 0.0 if k >= 0 else stored
            less += [
                row({**{p: -w for p, w in inside.items()}, (3, t): sustain / 0.9, (4, t): 0.5 / 0.9}),
                row({**inside, (4, t): 0.5 / 0.9}),  # what is fed less stays with the losses of feeding
            ]
            most += [start, 100.0 - start]
        less += [
            row({(5, t): 1, (6, t): -1, (4, t): 1, (3, t): 0.25}),
            row({(6, t): 1, (5, t): -1, (3, t): 0.75, (4, t): 1}),
        ]
        most += [1000.0, 500.0]
    bounds = [(0, 50)] * (2 * n) + [(0, 100)] * n + [(0, None)] * (2 * n) + [(0, 1000)] * n + [(0, 500)] * n
    best = linprog(cost, less, most, equal, sides, bounds)
    assert plan.total_cost == pytest.approx(best.fun, abs=1e-6)


def test_awarded_capacity_is_held_and_what_is_missing_is_named(dispatcher):
    contracts = [reserve("spin", ["chp", "battery"], required_kw=80.0, sustain_h=2.0, short_price_per_kw_h=7.0)]
    site = site_of(
        [grid(), gas(), engine(), battery(), consumer("electricity")], prices=FLAT, reserves=contracts
    )  # fmt: skip
    units = {"chp": UnitState(True, 5.0)}
    problem = problem_of(site, hours(3), {"mill_electricity_kw": 400.0}, units=units, stored={"battery": 100.0})
    plan = dispatcher.dispatch(problem)
    assert plan.reserve_kw.sel(contract="spin").sum("asset").values == pytest.approx(np.full(3, 80.0), abs=1e-6)
    assert_deliverable(site, problem, plan)
    asked = xr.DataArray(
        [[80.0, 200.0, 0.0]], {"contract": ["spin"], "time": problem.horizon.times}, ("contract", "time")
    )
    more = dispatcher.dispatch(replace(problem, reserve_kw=asked))
    held = more.reserve_kw.sel(contract="spin").sum("asset").values
    assert held[0] == pytest.approx(80.0, abs=1e-6)
    assert held[1] < 200.0
    assert any(f.place == "spin" and "less capacity than it was awarded" in f.message for f in more.findings)


def test_a_standing_engine_may_hold_what_need_not_spin(dispatcher):
    contracts = [reserve("cold", ["chp"], spinning=False, price_per_kw_h=0.05)]
    site = site_of([grid(), gas(), engine(), consumer("electricity")], prices=FLAT, reserves=contracts)
    plan = dispatcher.dispatch(problem_of(site, hours(2), {"mill_electricity_kw": 300.0}))
    assert plan.running.sel(asset="chp").values.tolist() == [0.0, 0.0]
    assert plan.reserve_kw.sel(contract="cold", asset="chp").values == pytest.approx([100.0, 100.0])


def test_a_call_on_demand_response_is_met_from_the_battery_as_far_as_it_pays(dispatcher):
    site = site_of([grid(), consumer("electricity"), battery(charge_efficiency=1, discharge_efficiency=1)], prices=FLAT)
    start = START + timedelta(hours=1)
    event = ReductionEvent(start, start + timedelta(hours=2), 100.0, 60.0, price_per_kwh=1.0, penalty_per_kwh=3.0)
    ends = {"battery": EndTerm(0.0)}
    problem = problem_of(
        site, hours(4), {"mill_electricity_kw": 100.0}, events=(event,), ends=ends, stored={"battery": 70.0}
    )
    plan = dispatcher.dispatch(problem)
    imported = plan.power_kw.sel(asset="grid", carrier="electricity").values
    paid = sum(event.cost(kw, 1.0) for kw in imported[1:3])
    assert plan.cost["demand_response"] == pytest.approx(paid)
    # it may charge 30 kWh before; then 100 kWh stand against 2 x 50 kW of its converter and 120 kWh that were called
    assert imported[1:3] == pytest.approx([50.0, 50.0])
    assert plan.cost["demand_response"] == pytest.approx(2 * (3.0 * 10.0 - 50.0))
    assert any(f.place == "demand_response" and "10.0 kW are missing" in f.message for f in plan.findings)
    free = dispatcher.dispatch(replace(problem, events=()))
    assert "demand_response" not in free.cost


def test_who_has_agreed_to_shed_goes_without_first_and_no_further_than_agreed(dispatcher):
    agreed, firm = consumer("electricity", name="mill"), consumer("electricity", name="shop")
    agreed["demands"][0] |= {"shed_price_per_kwh": 2.0, "shed_max_share": 0.4}
    site = site_of([grid(import_max_kw=100), agreed, firm], prices=FLAT)
    series = {"mill_electricity_kw": [50.0, 50.0, 50.0], "shop_electricity_kw": [40.0, 60.0, 90.0]}
    plan = dispatcher.dispatch(problem_of(site, hours(3), series))
    power = {a: plan.power_kw.sel(asset=a, carrier="electricity").values for a in ("mill", "shop")}
    assert power["mill"][:2] == pytest.approx([-50.0, -40.0])
    assert power["shop"][:2] == pytest.approx([-40.0, -60.0])
    assert power["mill"][2] + power["shop"][2] == pytest.approx(-100.0)
    assert plan.cost["shed"] == pytest.approx(2.0 * (10.0 + 20.0))
    assert plan.cost["unserved"] == pytest.approx(20.0 * 20.0)


@pytest.mark.parametrize("v2g_kwh", [0.0, 15.0])
def test_vehicles_give_back_what_they_may_and_leave_with_what_they_need(dispatcher, v2g_kwh):
    group = {"vehicles": 10, "arrive_h": 1, "depart_h": 6, "energy_kwh": 10}
    fleet = {
        "id": "fleet",
        "kind": "ev_fleet",
        "ports": ["electricity"],
        "charger_kw": 11,
        "efficiency": 1.0,
        "v2g_kwh": v2g_kwh,
    }
    bands = [{"name": "day", "price_per_kwh": 0.4, "windows": [{"start_h": 0, "end_h": 24}]},
             {"name": "dear", "price_per_kwh": 1.4, "windows": [{"start_h": 2, "end_h": 4}]}]  # fmt: skip
    site = site_of(
        [grid(), consumer("electricity"), {**fleet, "groups": [group]}],
        prices={"bands": bands, "export_price_per_kwh": 0.0},
    )
    plan = dispatcher.dispatch(problem_of(site, hours(8), {"mill_electricity_kw": 200.0}))
    power = plan.power_kw.sel(asset="fleet", carrier="electricity").values
    need = plan.stored_kwh.sel(asset="fleet").values
    assert need[5] == pytest.approx(0.0, abs=1e-6)
    assert need.max() <= 10 * (10 + v2g_kwh) + 1e-6
    # every kWh that may be given back earns the difference of the two prices; before, in the cheap hour, the need itself may be met
    best = (
        200 * (6 * 0.4 + 2 * 1.4)
        + 100 * 0.4
        - min(10 * v2g_kwh + 100, 220, 10 * v2g_kwh + 100) * (1.4 - 0.4) * (v2g_kwh > 0)
    )
    assert plan.total_cost == pytest.approx(best, abs=1e-6)
    assert (power[:1] == 0).all()
    assert (power[6:] == 0).all()
