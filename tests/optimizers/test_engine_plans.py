"""Engines in plans: starts by how long they stood, and turbines within their region, against brute force and vertices."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.components import ExtractionChp
from models.findings import errors_in
from models.site.file import parse_site
from models.state import UnitState
from models.tariffs.terms import optimizer_terms
from tests.optimizers.problems import START, consumer, engine, gas, grid, hours, problem_of, site_of, turbine

QUIET = settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
WARM = [{"off_below_h": 2, "cost": 1.0}, {"off_below_h": 4, "cost": 9.0}]
FUEL_PRICE = 0.35


def best_pattern(unit, price, state):
    """Least cost of a single-level engine that saves its power at the grid's price: every pattern of on and off."""
    gain = [FUEL_PRICE * 260 - p * 100 for p in price]
    least = np.inf
    for pattern in itertools.product([False, True], repeat=len(price)):
        cost, runs, off_h = 0.0, state.running, state.hours_in_state
        for on, worth in zip(pattern, gain, strict=True):
            if on and not runs:
                cost += unit.start_cost_after(off_h)
            off_h = 0.0 if on else (off_h if not runs else 0.0) + 1.0
            runs = on
            cost += worth * on
        least = min(least, cost)
    return least


@QUIET
@given(
    price=st.lists(st.integers(70, 120).map(lambda v: v / 100), min_size=7, max_size=7),
    running=st.booleans(),
    since=st.integers(1, 5),
)
def test_starts_by_hotness_are_the_best_of_all_patterns(dispatcher, price, running, since):
    # the lowest load is the highest too (within 1 W), so on or off is all there is to decide
    points = {"power_kw": [99.999, 100], "fuel_kw": [259.999, 260], "heat_kw": [1, 1]}
    bands = [
        {"name": f"h{k}", "price_per_kwh": p, "windows": [{"start_h": k, "end_h": k + 1}]} for k, p in enumerate(price)
    ]
    rest = {"name": "rest", "price_per_kwh": 0.9, "windows": [{"start_h": 0, "end_h": 24}]}
    site = site_of(
        [grid(), gas(), engine(part_load=points, warm_starts=WARM, start_cost=20.0), consumer("electricity")],
        prices={"bands": [rest, *bands], "export_price_per_kwh": 0.0},
    )
    horizon, state = hours(7), UnitState(running, float(since))
    problem = problem_of(site, horizon, {"mill_electricity_kw": 150.0}, units={"chp": state}, gap_share=0.0)
    paid = optimizer_terms(site.tariff("power"), horizon).import_per_kwh
    assert paid == pytest.approx(price)
    plan = dispatcher.dispatch(problem)
    best = best_pattern(site.asset("chp"), price, state) + 150.0 * sum(price)
    assert plan.total_cost == pytest.approx(best, abs=2e-2)


@QUIET
@given(
    load=st.lists(st.integers(0, 120).map(float), min_size=3, max_size=4),
    heat=st.integers(0, 60).map(float),
    price=st.sampled_from([0.4, 0.7, 1.1]),
)
def test_a_turbine_takes_the_best_corner_or_edge_of_its_region(dispatcher, load, heat, price):
    bands = [{"name": "flat", "price_per_kwh": price, "windows": [{"start_h": 0, "end_h": 24}]}]
    boiler = {"id": "boiler", "kind": "gas_boiler", "ports": ["heat", "gas"], "heat_max_kw": 400, "efficiency": 0.9}
    site = site_of(
        [grid(), gas(), turbine(start_cost=0, heat_can_be_dumped=False), boiler, consumer("electricity", "heat")],
        prices={"bands": bands, "export_price_per_kwh": 0.1},
    )
    series = {"mill_electricity_kw": load, "mill_heat_kw": heat}
    plan = dispatcher.dispatch(problem_of(site, hours(len(load)), series, gap_share=0.0))
    unit: ExtractionChp = site.asset("turbine")
    grid_of_points = [(0.0, 0.0, 0.0)]
    corners = list(zip(unit.region.power_kw, unit.region.heat_kw, strict=True))
    crossing = [
        p + (p2 - p) * (heat - q) / (q2 - q)
        for (p, q), (p2, q2) in itertools.pairwise([*corners, corners[0]])
        if min(q, q2) <= heat <= max(q, q2) and q != q2
    ]
    for power in {*unit.region.power_kw, *np.clip(load, 34, 100), *crossing}:
        least, most = unit.heat_range_kw(power)
        heats = {least, most, min(max(heat, least), most)}
        grid_of_points += [(power, q, float(unit.fuel_kw(np.array(power), np.array(q)))) for q in heats]
    for t, kw in enumerate(load):
        best = min(
            FUEL_PRICE * (fuel + (heat - q) / 0.9) + (price * (kw - p) if kw > p else 0.1 * (kw - p))
            for p, q, fuel in grid_of_points
            if q <= heat + 1e-9
        )
        planned = {
            c: float(plan.power_kw.sel(carrier=c)[:, t].sel(asset=a))
            for a, c in (("grid", "electricity"), ("gas", "gas"))
        }
        paid = FUEL_PRICE * planned["gas"] + (price if planned["electricity"] > 0 else 0.1) * planned["electricity"]
        assert paid == pytest.approx(best, abs=0.02)


def test_a_back_pressure_turbine_is_a_region_of_two_corners(dispatcher):
    line = {"power_kw": [20, 60], "heat_kw": [50, 150]}
    site = site_of(
        [grid(), gas(), turbine(region=line, fuel_idle_kw=10, fuel_per_heat=1.1, fuel_per_power=1.1), consumer("heat")]
    )
    plan = dispatcher.dispatch(problem_of(site, hours(2, START), {"mill_heat_kw": [100.0, 150.0]}))
    assert plan.power_kw.sel(asset="turbine", carrier="electricity").values == pytest.approx([40.0, 60.0])
    assert plan.power_kw.sel(asset="turbine", carrier="gas").values == pytest.approx([-(10 + 154.0), -(10 + 231.0)])


def test_what_contradicts_itself_in_an_engine_is_named(tmp_path):
    from tests.sites import document

    doc = document()
    chp = next(a for a in doc["assets"] if a["id"] == "chp")
    chp["warm_starts"] = [{"off_below_h": 4, "cost": 99}, {"off_below_h": 2, "cost": 3}]
    crossed = {"power_kw": [40, 100, 34, 88], "heat_kw": [0, 0, 30, 60]}
    nodes = {"electricity_node": "bus", "heat_node": "warm", "gas_node": "gate"}
    doc["assets"].append({**{k: v for k, v in turbine(region=crossed).items() if k != "ports"}, **nodes})
    doc["assets"].append(
        {
            **doc["assets"][-1],
            "id": "gift",
            "fuel_per_power": 0.5,
            "region": {"power_kw": [40, 100], "heat_kw": [90, 200]},
        }
    )
    _, findings = parse_site(doc, tmp_path)
    words = {f"{f.place}: {f.message}" for f in errors_in(findings)}
    for place, said in (
        ("assets[chp].warm_starts", "must rise"), ("assets[chp].warm_starts", "must not be cheaper"),
        ("assets[turbine].region", "convex"), ("assets[gift].region", "more than its"),
    ):  # fmt: skip
        assert any(w.startswith(place) and said in w for w in words), (place, words)
