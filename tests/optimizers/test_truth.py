"""Plans against answers found in another way: dynamic programming, brute force, the models' own equations."""

import itertools
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from models.components import Chp, ElectricChiller, GasBoiler, HeatPump
from models.dispatch import DemandTerms, EndTerm
from models.horizon import Horizon
from models.state import UnitState
from models.tariffs.terms import optimizer_terms
from optimizers.dispatch import Dispatcher
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

QUIET = settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def boiler(**changes):
    return {
        "id": "boiler",
        "kind": "gas_boiler",
        "ports": ["heat", "gas"],
        "heat_max_kw": 400,
        "efficiency": 0.9,
        **changes,
    }


def best_by_levels(price, load, *, level_kwh=10, capacity=100, power=50, start=50, end=50):
    """Least cost of a lossless battery by dynamic programming over stored levels; export earns 0.2."""
    levels = np.arange(0, capacity + 1, level_kwh)
    cost = np.where(levels == start, 0.0, np.inf)
    for p, kw in zip(price, load, strict=True):
        moved = levels[None, :] - levels[:, None]
        bought = kw + moved
        paid = np.where(bought > 0, p * bought, 0.2 * bought)
        step = np.where(np.abs(moved) <= power, paid, np.inf)
        cost = (cost[:, None] + step).min(axis=0)
    return float(np.where(levels >= end, cost, np.inf).min())


@QUIET
@given(load=st.lists(st.integers(0, 12).map(lambda v: 10.0 * v), min_size=4, max_size=10), shift=st.integers(0, 20))
def test_a_battery_does_what_dynamic_programming_finds(dispatcher, load, shift):
    site = site_of([grid(), consumer("electricity"), battery(charge_efficiency=1, discharge_efficiency=1)])
    horizon = hours(len(load), START + timedelta(hours=shift))
    price = optimizer_terms(site.tariff("power"), horizon).import_per_kwh
    ends = {"battery": EndTerm(50.0, short_price_per_kwh=100.0)}
    plan = dispatcher.dispatch(problem_of(site, horizon, {"mill_electricity_kw": load}, ends=ends))
    assert plan.total_cost == pytest.approx(best_by_levels(price, load), abs=1e-6)


def hour_cost(units, on, price, load_kw, heat_kw):
    """Least cost of one hour with the given engines running, by another solver: grid at ``price``, gas 0.35, boiler 0.9."""
    weights = [(u, k) for u, runs in zip(units, on, strict=True) if runs for k in range(len(u.part_load.power_kw))]
    n = len(weights)
    at = lambda name: [getattr(u.part_load, name)[k] for u, k in weights]  # noqa: E731
    cost = [0.35 * f for f in at("fuel_kw")] + [price, -0.2, 0.35 / 0.9, 0.0]
    rows = [[*at("power_kw"), 1, -1, 0, 0], [*at("heat_kw"), 0, 0, 1, -1]]
    sides = [load_kw, heat_kw]
    for unit, runs in zip(units, on, strict=True):
        if runs:
            rows.append([float(u is unit) for u, _ in weights] + [0, 0, 0, 0])
            sides.append(1.0)
    most_dumped = sum(max(u.part_load.heat_kw) for u, _ in weights)
    found = linprog(
        cost, A_eq=rows, b_eq=sides, bounds=[(0, None)] * n + [(0, 1000), (0, 500), (0, 400), (0, most_dumped)]
    )
    return found.fun if found.status == 0 else np.inf


def allowed(pattern, state, up_h, down_h):
    """Whether an hourly on/off pattern keeps minimum up and down times, the past included; the end is open."""
    runs, hours_in, ok = state.running, state.hours_in_state, True
    for on in pattern:
        if on == runs:
            hours_in += 1
            continue
        ok = ok and hours_in >= (up_h if runs else down_h)
        runs, hours_in = on, 1
    return ok


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("equal", [True, False])
def test_commitment_is_the_best_of_all_patterns(dispatcher, seed, equal):
    rng = np.random.default_rng(seed)
    second = (
        {}
        if equal
        else {"part_load": {"power_kw": [30, 60], "fuel_kw": [80, 150], "heat_kw": [40, 75]}, "start_cost": 4}
    )
    times = {"min_up_h": int(rng.integers(0, 4)), "min_down_h": int(rng.integers(0, 4))}
    site = site_of(
        [
            grid(),
            gas(),
            boiler(),
            engine("chp", **times),
            engine("more", **(times | second)),
            consumer("electricity", "heat"),
        ]
    )
    horizon = hours(5, START + timedelta(hours=int(rng.integers(0, 20))))
    load, heat = rng.uniform(0, 250, 5), rng.uniform(0, 300, 5)
    states = {u: UnitState(bool(rng.integers(0, 2)), float(rng.integers(1, 4))) for u in ("chp", "more")}
    series = {"mill_electricity_kw": load, "mill_heat_kw": heat}
    plan = dispatcher.dispatch(problem_of(site, horizon, series, units=states, gap_share=1e-9))
    units: list[Chp] = [site.asset("chp"), site.asset("more")]
    price = optimizer_terms(site.tariff("power"), horizon).import_per_kwh
    by_hour = [
        {on: hour_cost(units, on, price[t], load[t], heat[t]) for on in itertools.product((False, True), repeat=2)}
        for t in range(5)
    ]
    patterns = [
        [p for p in itertools.product((False, True), repeat=5) if allowed(p, states[u.id], u.min_up_h, u.min_down_h)]
        for u in units
    ]
    best = np.inf
    for both in itertools.product(*patterns):
        starts = sum(
            u.start_cost * sum(b and not a for a, b in zip((states[u.id].running, *p), p, strict=False))
            for u, p in zip(units, both, strict=True)
        )
        best = min(best, starts + sum(by_hour[t][on] for t, on in enumerate(zip(*both, strict=True))))
    assert plan.total_cost == pytest.approx(best, rel=1e-6)


def in_state_long_enough(plan, unit, state, steps_h):
    """Walk the plan in real time and check both minimum times; the last state may be cut by the horizon."""
    runs, hours_in = state.running, state.hours_in_state
    for on, step_h in zip(plan.running.sel(asset=unit.id).values > 0.5, steps_h, strict=True):
        if on != runs:
            assert hours_in >= (unit.min_up_h if runs else unit.min_down_h) - 1e-9
            runs, hours_in = on, 0.0
        hours_in += step_h


@QUIET
@given(data=st.data())
def test_every_engine_keeps_its_minimum_times_on_steps_of_any_length(dispatcher, data):
    times = {
        "min_up_h": data.draw(st.sampled_from([0.5, 1.25, 2.0, 3.0])),
        "min_down_h": data.draw(st.sampled_from([0.25, 1.0, 2.5])),
    }
    site = site_of(
        [grid(), gas(), boiler(), engine("chp", **times), engine("more", **times), consumer("electricity", "heat")]
    )
    horizon = Horizon.quarters_then_hours(START + timedelta(hours=14), quarters=8, hours=6)
    load = data.draw(st.lists(st.floats(0, 250), min_size=14, max_size=14))
    heat = data.draw(st.lists(st.floats(0, 220), min_size=14, max_size=14))
    states = {
        u: UnitState(data.draw(st.booleans()), data.draw(st.sampled_from([0.25, 0.5, 1.0, 5.0])))
        for u in ("chp", "more")
    }
    problem = problem_of(site, horizon, {"mill_electricity_kw": load, "mill_heat_kw": heat}, units=states)
    plan = dispatcher.dispatch(problem)
    assert_balanced(plan)
    for name, state in states.items():
        in_state_long_enough(plan, site.asset(name), state, horizon.step_h)


@pytest.fixture(scope="module")
def hub():
    pump = {"id": "pump", "kind": "heat_pump", "ports": ["electricity", "heat"], "heat_max_kw": 120, "cop_rated": 3.0}
    chiller = {
        "id": "chiller",
        "kind": "electric_chiller",
        "ports": ["electricity", "cold"],
        "cold_max_kw": 200,
        "cop_rated": 4.0,
    }
    absorber = {
        "id": "absorber",
        "kind": "absorption_chiller",
        "ports": ["heat", "cold"],
        "cold_max_kw": 60,
        "cop": 0.7,
    }
    tank = {
        "id": "tank",
        "kind": "hot_tank",
        "ports": ["heat"],
        "charge_max_kw": 150,
        "discharge_max_kw": 150,
        "energy_kwh": 600,
    }
    flex = {"id": "flex", "kind": "flexible_load", "ports": ["electricity"], "profile": "flex_kw", "shift_up_kw": 20}
    fleet = {"id": "fleet", "kind": "ev_fleet", "ports": ["electricity"], "charger_kw": 11, "workdays_only": False}
    group = {"vehicles": 6, "arrive_h": 8, "depart_h": 17, "energy_kwh": 25}
    return site_of(
        [
            grid(co2_kg_per_kwh=0.6), gas(), boiler(), engine(om_cost_per_kwh=0.1, min_up_h=2), battery(wear_cost_per_kwh=0.1),
            {**pump, "rated_air_degc": 7, "supply_degc": 60, "air_profile": "air_degc"}, chiller, absorber,
            {**tank, "charge_efficiency": 1.0, "discharge_efficiency": 1.0, "loss_share_per_h": 0.003},
            {**flex, "shift_down_kw": 20, "shiftable_kwh": 40}, {**fleet, "groups": [group]},
            {"id": "pv", "kind": "pv", "ports": ["electricity"], "peak_kw": 150, "profile": "sun_pu"},
            consumer("electricity", "heat", "cold", "gas"),
        ]
    )  # fmt: skip


def day(site, seed, **more):
    rng = np.random.default_rng(seed)
    horizon = Horizon.quarters_then_hours(START + timedelta(hours=float(rng.integers(0, 24))), quarters=8, hours=16)
    n = len(horizon)
    series = {f"mill_{c}_kw": rng.uniform(20, 200, n) for c in ("electricity", "heat", "cold", "gas")}
    series |= {"sun_pu": rng.uniform(0, 1, n), "air_degc": rng.uniform(-10, 20, n), "flex_kw": rng.uniform(20, 60, n)}
    return problem_of(site, horizon, series, demand=DemandTerms(20.0, 150.0, 180.0), **more)


@pytest.mark.parametrize("seed", range(5))
def test_the_objective_is_what_the_models_say_the_plan_costs(dispatcher, hub, seed):
    problem = day(hub, seed, co2_price_per_kg=0.05)
    plan = dispatcher.dispatch(problem)
    step_h = problem.horizon.step_h
    kw = lambda a, c="electricity": plan.power_kw.sel(asset=a, carrier=c).values  # noqa: E731
    price = optimizer_terms(hub.tariff("power"), problem.horizon).import_per_kwh
    bought, sold, burnt = np.maximum(kw("grid"), 0), np.maximum(-kw("grid"), 0), kw("gas", "gas")
    running = plan.running.sel(asset="chp").values
    starts = np.maximum(np.diff(running, prepend=0.0), 0).sum()
    expected = {
        "energy": price * step_h @ bought, "export": -0.2 * step_h @ sold, "gas": 0.35 * step_h @ burnt,
        "co2": 0.05 * (0.6 * step_h @ bought + 0.202 * step_h @ burnt), "demand": 20.0 * max(bought.max() - 180.0, 0.0),
        "start": 10 * starts, "maintenance": 0.1 * step_h @ kw("chp"), "wear": 0.1 * step_h @ np.maximum(kw("battery"), 0),
    }  # fmt: skip
    for part, value in expected.items():
        assert plan.cost[part] == pytest.approx(value, abs=1e-5), part
    assert plan.total_cost == pytest.approx(plan.solver.objective, rel=1e-9)
    assert plan.cost["unserved"] == pytest.approx(0.0, abs=1e-6)
    assert_balanced(plan)


@pytest.mark.parametrize("seed", range(3))
def test_every_unit_follows_its_own_equations(dispatcher, hub, seed):
    problem = day(hub, seed)
    plan = dispatcher.dispatch(problem)
    kw = lambda a, c: plan.power_kw.sel(asset=a, carrier=c).values  # noqa: E731
    pump: HeatPump = hub.asset("pump")
    air = problem.forecast.values.sel(series="air_degc").values
    np.testing.assert_allclose(-kw("pump", "electricity"), pump.electricity_kw(kw("pump", "heat"), air), atol=1e-6)
    unit: ElectricChiller = hub.asset("chiller")
    np.testing.assert_allclose(-kw("chiller", "electricity"), unit.electricity_kw(kw("chiller", "cold")), atol=1e-6)
    fired: GasBoiler = hub.asset("boiler")
    np.testing.assert_allclose(-kw("boiler", "gas"), fired.gas_kw(kw("boiler", "heat")), atol=1e-6)
    for store in ("battery", "tank"):
        held, carrier = 0.5 * hub.asset(store).energy_kwh, hub.asset(store).control.value
        for power_kw, step_h, planned in zip(
            kw(store, carrier), problem.horizon.step_h, plan.stored_kwh.sel(asset=store).values, strict=True
        ):
            held = hub.asset(store).stored_after(held, power_kw, step_h)
            assert held == pytest.approx(planned, abs=1e-5)
    ahead = 0.0
    base = problem.forecast.values.sel(series="flex_kw").values
    for power_kw, baseline, step_h in zip(kw("flex", "electricity"), base, problem.horizon.step_h, strict=True):
        ahead = hub.asset("flex").ahead_after(ahead, power_kw, baseline, step_h)
    assert ahead == pytest.approx(float(plan.stored_kwh.sel(asset="flex")[-1]), abs=1e-5)
    assert ahead >= -1e-6


def test_curved_chillers_share_a_load_and_stay_near_their_curve(dispatcher):
    curve = {"cold_max_kw": 160, "cop_rated": 4.0, "part_load": [0.2, 0.3, 0.5], "min_load_share": 0.1}
    chillers = [
        {"id": f"chiller{k}", "kind": "electric_chiller", "ports": ["electricity", "cold"], **curve} for k in (1, 2)
    ]
    site = site_of([grid(), *chillers, consumer("cold")])
    cold = [20.0, 100.0, 150.0, 220.0, 310.0]
    plan = dispatcher.dispatch(problem_of(site, hours(5), {"mill_cold_kw": cold}, gap_share=1e-9))
    drawn = -plan.power_kw.sel(asset="grid", carrier="electricity").values
    unit: ElectricChiller = site.asset("chiller1")
    alone = np.where(np.array(cold) <= 160, unit.electricity_kw(np.minimum(cold, 160)), np.inf)
    shared = 2 * unit.electricity_kw(np.array(cold) / 2)
    best = np.minimum(alone, np.where(np.array(cold) >= 32, shared, np.inf))
    assert ((-drawn >= best - 1e-6) & (-drawn <= best * 1.005)).all()


def test_vehicles_leave_with_what_they_need(dispatcher):
    group = {"vehicles": 4, "arrive_h": 1, "depart_h": 5, "energy_kwh": 23}
    fleet = {"id": "fleet", "kind": "ev_fleet", "ports": ["electricity"], "charger_kw": 10, "workdays_only": False}
    site = site_of([grid(), {**fleet, "groups": [group]}])
    plan = dispatcher.dispatch(problem_of(site, hours(6), {}))
    assert plan.stored_kwh.values[0] == pytest.approx([0, *plan.stored_kwh.values[0][1:4], 0, 0])
    assert -plan.power_kw.sel(asset="fleet", carrier="electricity").sum() == pytest.approx(4 * 23 / 0.92)
    late = site_of([grid(), {**fleet, "groups": [{**group, "energy_kwh": 46}]}])
    plan = dispatcher.dispatch(problem_of(late, hours(6), {}))
    assert "vehicles leave with 36.8 kWh too little" in plan.findings[0].message


def test_buying_and_selling_at_once_is_forbidden_where_it_would_earn(dispatcher):
    site = site_of([grid(), consumer("electricity")], prices={"export_price_per_kwh": 0.5})
    plan = dispatcher.dispatch(problem_of(site, hours(3), {"mill_electricity_kw": 100.0}))
    assert plan.total_cost == pytest.approx(300 * 0.3)


@pytest.mark.parametrize("seed", range(4))
def test_a_kept_model_gives_what_a_fresh_one_gives(dispatcher, hub, seed, tmp_path):
    problem = replace(day(hub, 100 + seed), integer_h=0.0)
    kept = dispatcher.dispatch(problem)
    fresh = Dispatcher(cache_folder=tmp_path)
    try:
        assert fresh.dispatch(problem).total_cost == pytest.approx(kept.total_cost, rel=1e-8)
        whole = replace(problem, integer_h=None, gap_share=1e-3)
        assert fresh.dispatch(whole).total_cost >= kept.total_cost - 1e-6
    finally:
        fresh.close()
