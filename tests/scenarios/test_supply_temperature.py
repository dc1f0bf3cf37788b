"""A heat pump, a dear backup boiler and 44 t of water under way: what moving the supply temperature is worth, and what it must not break."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from models.carriers import Carrier
from models.dispatch import DispatchProblem
from models.errors import DataError
from models.findings import errors_in
from models.horizon import QUARTER, Horizon
from models.networks.data import Junction, Pipe, PipeNetwork
from models.networks.plugflow import advance_pipes, start_state
from models.site import Networks, Node
from optimizers.dispatch import Dispatcher
from optimizers.supply import SupplyProblem, SupplyRange
from scenarios.planners import Optimizer
from scenarios.supply import Schedule, plan_with_supply, supply_schedule
from service.commands.plan_files import plan_table
from tests.optimizers.problems import START, consumer, gas, grid, problem_of, site_of
from twin.judge_networks import arrival_degc
from twin.supply import SupplyCheck, SupplyWatch
from twin.verify import Verifier

PUMP = {
    "id": "pump", "kind": "heat_pump", "ports": ["electricity", "heat"], "heat_max_kw": 700, "cop_rated": 3.0,
    "rated_air_degc": 7.0, "supply_degc": 85.0, "air_profile": "air_degc",
}  # fmt: skip
BOILER = {
    "id": "boiler",
    "kind": "electric_boiler",
    "ports": ["electricity", "heat"],
    "heat_max_kw": 600,
    "efficiency": 0.98,
}
TANK = {
    "id": "tank", "kind": "hot_tank", "ports": ["heat"], "charge_max_kw": 1000, "discharge_max_kw": 1000, "energy_kwh": 6000,
    "charge_efficiency": 1.0, "discharge_efficiency": 1.0, "loss_share_per_h": 0.0,
}  # fmt: skip
ABOVE = SupplyRange(85.0, 95.0)


def tube(name: str, start: str, end: str, metres: float) -> Pipe:
    return Pipe(
        id=name, from_junction=start, to_junction=end, length_m=metres, inner_diameter_mm=150, heat_loss_w_per_m_k=0.3,
        roughness_mm=0.1,
    )  # fmt: skip


def town(*assets: dict, **network: float) -> DispatchProblem:
    """A winter's morning that asks more than the pump gives."""
    site = site_of([grid(), gas(), PUMP, BOILER, consumer("heat"), *assets])
    junctions = ("plant", "k", "near", "far")
    warm = PipeNetwork(
        id="warm", carrier="heat", junctions=tuple(Junction(id=j) for j in junctions), plant_junction="plant",
        consumers=("near", "far"), pipes=(tube("main", "plant", "k", 900), tube("a", "k", "near", 200), tube("b", "k", "far", 900)),
        **network,
    )  # fmt: skip
    mill = next(a for a in site.assets if a.id == "mill")
    there = [
        replace(mill, id=j, demands=tuple(replace(d, node=j, scale=s) for d in mill.demands))
        for j, s in (("near", 0.6), ("far", 0.4))
    ]
    rest = [
        replace(a, heat_node="plant") if getattr(a, "heat_node", None) else a for a in site.assets if a.id != "mill"
    ]
    nodes = [n for n in site.nodes if n.carrier is not Carrier.HEAT]
    nodes += [Node(id=j, carrier=Carrier.HEAT, network="warm") for j in junctions]
    site = replace(site, assets=(*rest, *there), nodes=tuple(nodes), networks=Networks(heat=(warm,)))
    horizon = Horizon.uniform(START, START + timedelta(hours=12), QUARTER)
    hour = np.arange(48) / 4
    asked = 500 + 400 * np.exp(-(((hour - 5.5) / 1.5) ** 2))
    return problem_of(site, horizon, {"mill_heat_kw": asked, "air_degc": 2 + 4 * np.sin((hour - 9) / 24 * 2 * np.pi)})


def check_of(problem: DispatchProblem, **watch: float) -> SupplyCheck:
    network = problem.site.networks.heat[0]
    return SupplyCheck(problem.site, network, problem.horizon, problem.forecast, SupplyWatch(**watch))


def schedule_of(problem: DispatchProblem, dispatcher: Dispatcher, allowed: SupplyRange = ABOVE) -> Schedule:
    planner = SupplyProblem(problem, "warm", dispatcher, deadline_s=30.0)
    return supply_schedule(planner, check_of(problem), allowed, deadline_s=60.0)


@pytest.fixture(scope="module")
def dispatcher(tmp_path_factory):
    made = Dispatcher(cache_folder=tmp_path_factory.mktemp("stencils"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def morning(dispatcher) -> tuple[DispatchProblem, Schedule]:
    problem = town()
    return problem, schedule_of(problem, dispatcher)


def test_warm_water_sent_early_spares_the_boiler(morning):
    _, found = morning
    assert found.saving > 0.01 * found.constant.cost
    assert abs(found.promised - found.saving) <= 5e-3 * found.constant.cost
    sent = found.best.schedule.values[:, 0]
    assert sent.min() >= 85.0 - 1e-9
    assert sent.max() <= 95.0 + 1e-9
    assert np.allclose(sent[-ABOVE.tail :], 85.0), "what is under way at the end is not sold"
    taken = [a.report.losses_kw[Carrier.HEAT].sum() for a in (found.constant, found.best)]
    assert taken[1] > taken[0] > 0, "warmer water loses more; nothing is got from emptier pipes"


def test_the_plan_carries_its_schedule_and_the_twin_finds_the_same(morning, dispatcher):
    problem, found = morning
    plan = Optimizer(dispatcher).plan(found.best.problem)
    np.testing.assert_allclose(plan.supply_degc.sel(network="warm"), found.best.schedule.values[:, 0])
    np.testing.assert_allclose(plan_table(plan)["warm.supply_degc"], found.best.schedule.values[:, 0])
    check = Verifier(problem.site)(plan, problem.initial, problem.forecast)
    assert check.ok
    np.testing.assert_allclose(
        check.losses_kw.sel(carrier="heat"), found.best.report.losses_kw[Carrier.HEAT], atol=1e-6
    )
    arriving = check.states["warm"]["supply_degc"].sel(junction=["near", "far"])
    assert float(arriving.min()) >= arrival_degc(problem.site.networks.heat[0])
    assert not [f for f in check.findings if f.place in ("pump", "boiler")], "heat and electricity are the plan's"
    drawn = plan.power_kw.sel(asset="pump", carrier="electricity")
    given = plan.power_kw.sel(asset="pump", carrier="heat")
    air = problem.forecast.values.sel(series="air_degc").values
    sent = found.best.schedule.values[:, 0]
    np.testing.assert_allclose(-drawn, given / problem.site.asset("pump").cop(air, sent), rtol=1e-6)


def test_colder_water_is_sent_where_pump_and_pipes_gain_and_still_arrives_warm_enough(dispatcher):
    problem = town()
    plan = plan_with_supply(Optimizer(dispatcher), problem, SupplyRange(75.0, 90.0), deadline_s=30.0)
    constant = Optimizer(dispatcher).plan(schedule_of(problem, dispatcher, SupplyRange(85.0, 85.0)).best.problem)
    assert plan.total_cost < 0.95 * constant.total_cost
    assert any("instead of 85 all day, which saves" in f.message for f in plan.findings)
    check = Verifier(problem.site)(plan, problem.initial, problem.forecast)
    assert check.ok
    assert float(check.states["warm"]["supply_degc"].sel(junction=["near", "far"]).min()) >= 65.0


def test_beside_a_large_tank_there_is_nothing_to_gain(dispatcher):
    found = schedule_of(town(TANK), dispatcher)
    assert found.saving == 0.0
    assert not found.moved


def test_a_pressure_that_is_short_is_bought_with_warmer_water(dispatcher):
    problem = town(pump_lift_kpa=130.0, dp_min_kpa=109.0)
    found = schedule_of(problem, dispatcher)
    assert found.constant.report.margins["dp_kpa"] < -1.0
    assert found.best.report.margins["dp_kpa"] > -0.1


def test_where_consumers_hold_their_flow_rows_are_exact():
    """At constant flow the arrival is linear in what was sent, delay and losses included, as long as no pipe has to join what it holds."""
    network = town().site.networks.heat[0]
    times = np.arange(24)
    held = xr.DataArray(
        np.tile([9.0, 12.0], (24, 1)), {"time": times, "consumer": ["near", "far"]}, ("time", "consumer")
    )

    def arriving(sent: np.ndarray) -> np.ndarray:
        _, moved = advance_pipes(
            network,
            start_state(network),
            100.0 * held,
            xr.DataArray(sent, dims="time"),
            step_s=900.0,
            flow_kg_per_s=held,
        )
        return moved["supply_degc"].sel(junction=["near", "far"]).values

    base = 85.0 + np.sin(times)
    weights = np.stack([arriving(base + (times == k)) - arriving(base) for k in range(24)])
    sent = 85.0 + np.random.default_rng(1).uniform(0.0, 10.0, 24)
    told = arriving(base) + np.einsum("kct,k->ct", weights, sent - base)
    assert np.abs(told - arriving(sent)).max() < 1e-6


def test_rows_foretell_the_heat_of_a_nearby_schedule():
    problem = town()
    check = check_of(problem)
    here = check.plan(88.0 + np.sin(np.arange(48) / 5))
    there = check.plan(here.values[:, 0] + np.random.default_rng(2).uniform(-1.0, 1.0, 48))
    told = check.check(here).balance.at(there.values)
    missed = told - check.check(there, gradients=False).losses_kw[Carrier.HEAT]
    assert np.sqrt(np.mean(missed**2)) < 30.0


def test_what_cannot_be_planned_this_way_is_refused_at_once(dispatcher):
    problem = town()
    pump = replace(problem.site.asset("pump"), heat_node="near")
    inside = tuple(pump if a.id == "pump" else a for a in problem.site.assets)
    uneven = Horizon.quarters_then_hours(START, quarters=4, hours=2)
    with pytest.raises(DataError) as refused:
        SupplyCheck(replace(problem.site, assets=inside), problem.site.networks.heat[0], uneven, problem.forecast)
    assert {f.place for f in errors_in(refused.value.findings)} == {"pump", "horizon"}
    bare = replace(problem, site=replace(problem.site, networks=Networks()))
    with pytest.raises(DataError, match="one heat network"):
        plan_with_supply(Optimizer(dispatcher), bare, ABOVE, deadline_s=5.0)
