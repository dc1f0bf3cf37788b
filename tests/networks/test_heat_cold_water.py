from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import district

from models.networks.cold import solve_cold
from models.networks.data import Junction, PressureSource, Pump, Regulator
from models.networks.heat import solve_heat
from models.networks.status import Status
from models.networks.water import solve_water

CONSUMERS = ["x", "y", "z"]


def demand(*rows: list[float]) -> xr.DataArray:
    return xr.DataArray(np.array(rows, dtype=float), dims=("time", "consumer"), coords={"consumer": CONSUMERS})


def imbalance_kg_per_s(network, flow: xr.Dataset) -> float:
    """The largest gap of any junction's mass balance."""
    net = {j.id: 0.0 * flow.plant_flow_kg_per_s for j in network.junctions}
    for pipe in network.pipes:
        m = flow.flow_kg_per_s.sel(pipe=pipe.id, drop=True)
        net[pipe.from_junction] = net[pipe.from_junction] - m
        net[pipe.to_junction] = net[pipe.to_junction] + m
    for consumer in network.consumers:
        net[consumer] = net[consumer] - flow.consumer_flow_kg_per_s.sel(consumer=consumer, drop=True)
    net[network.plant_junction] = net[network.plant_junction] + flow.plant_flow_kg_per_s
    return max(float(np.abs(gap).max()) for gap in net.values())


@given(
    st.lists(st.lists(st.floats(5, 900), min_size=3, max_size=3), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from(["colebrook", "swamee_jain", "nikuradse"]),
)
@settings(max_examples=40, deadline=None)
def test_mass_and_energy_are_conserved(rows, meshed, friction):
    network = district(meshed=meshed, friction=friction)
    flow = solve_heat(network, demand(*rows))
    assert (flow.status != Status.NOT_CONVERGED).all()
    assert imbalance_kg_per_s(network, flow) < 1e-9
    served = flow.status == Status.OK
    gap = flow.plant_kw - flow.loss_kw - demand(*rows).sum("consumer")
    assert (np.abs(gap.where(served, 0)) < 1e-9 * demand(*rows).sum("consumer")).all()


def test_a_step_without_any_demand_is_ordinary_and_so_is_the_next():
    flow = solve_heat(district(meshed=True), demand([300, 500, 200], [0, 0, 0], [300, 500, 200]))
    assert (flow.status == Status.OK).all()
    assert (flow.flow_kg_per_s.isel(time=1) == 0).all()
    assert flow.plant_kw[1] == 0
    np.testing.assert_array_equal(flow.supply_degc.isel(time=0), flow.supply_degc.isel(time=2))


def test_the_flow_in_a_loop_turns_with_the_demand():
    flow = solve_heat(district(meshed=True), demand([900, 10, 10], [10, 10, 900]))
    through = flow.flow_kg_per_s.sel(pipe="xz")
    assert through[0] < 0 < through[1]
    assert (flow.status == Status.OK).all()


def test_a_demand_beyond_the_pump_is_bound_and_names_the_worst_place():
    flow = solve_heat(district(), demand([300, 500, 200], [300, 500, 20_000]))
    assert flow.status.to_numpy().tolist() == [Status.OK, Status.BOUND]
    assert flow.worst_junction[1].item() == "z"
    assert flow.dp_kpa.sel(junction="z")[1] < 0


def test_a_trickle_that_arrives_cold_is_bound_and_solved():
    flow = solve_heat(district(), demand([0, 0, 0.02]))
    assert flow.status.item() == Status.BOUND
    assert flow.residual_k.item() < 1e-6


def test_a_consumer_behind_a_shut_valve_is_an_island():
    shut = tuple(replace(p, open=p.id != "yz") for p in district().pipes)
    flow = solve_heat(district(pipes=shut), demand([300, 500, 200], [300, 500, 0]))
    assert flow.status.to_numpy().tolist() == [Status.ISLAND, Status.OK]
    assert flow.supply_degc.sel(junction="z").isnull().all()


def test_a_long_batch_gives_the_same_bits_as_single_steps():
    network, q = district(meshed=True), demand(*np.random.default_rng(2).uniform(20, 800, (100, 3)).tolist())
    batch = solve_heat(network, q)
    for step in (0, 50, 99):
        single = solve_heat(network, q.isel(time=[step]))
        np.testing.assert_array_equal(batch.supply_degc.isel(time=step), single.supply_degc.isel(time=0))


def test_a_plant_with_a_set_power_relieves_the_main_plant():
    network = district(feed_in_junctions=("z",))
    fed = xr.DataArray([250.0], dims="feed_in", coords={"feed_in": ["z"]})
    alone, helped = (
        solve_heat(network, demand([300, 500, 200])),
        solve_heat(network, demand([300, 500, 200]), feed_in_kw=fed),
    )
    assert helped.status.item() == Status.OK
    assert helped.plant_kw.item() == pytest.approx(750 + helped.loss_kw.item(), abs=1e-6)
    assert helped.flow_kg_per_s.sel(pipe="yz").item() < 0 < alone.flow_kg_per_s.sel(pipe="yz").item()


def test_hotter_supply_needs_less_flow_and_loses_more():
    cool, hot = (solve_heat(district(), demand([300, 500, 200]), t) for t in (75.0, 95.0))
    assert hot.plant_flow_kg_per_s < cool.plant_flow_kg_per_s
    assert hot.loss_kw > cool.loss_kw


def test_a_flow_controller_sends_back_what_its_demand_leaves():
    network, q = district(meshed=True), demand([300, 500, 200])
    held = xr.DataArray([3.5], dims="consumer", coords={"consumer": ["y"]})
    flow = solve_heat(network, q, flow_kg_per_s=held)
    assert flow.status.item() == Status.OK
    assert flow.consumer_flow_kg_per_s.sel(consumer="y").item() == pytest.approx(3.5, rel=1e-12)
    assert flow.plant_kw.item() == pytest.approx(1000 + flow.loss_kw.item(), rel=1e-9)
    free = solve_heat(network, q)
    assert free.consumer_flow_kg_per_s.sel(consumer="y").item() > 3.5
    assert flow.return_degc.sel(junction="plant").item() < free.return_degc.sel(junction="plant").item()


def test_a_held_flow_too_small_for_its_demand_is_bound():
    held = xr.DataArray([0.5], dims="consumer", coords={"consumer": ["y"]})
    assert solve_heat(district(), demand([300, 500, 200]), flow_kg_per_s=held).status.item() == Status.BOUND


def test_a_pump_that_watches_the_worst_consumer_lifts_no_more_than_it_needs():
    network, q = district(pump_control="worst_consumer"), demand([100, 100, 100], [300, 500, 200], [300, 500, 20_000])
    flow, full = solve_heat(network, q), solve_heat(district(), q)
    least = flow.dp_kpa.sel(junction=CONSUMERS).min("junction")
    np.testing.assert_allclose(least[:2], network.dp_min_kpa, rtol=1e-12)
    assert flow.status.to_numpy().tolist() == [Status.OK, Status.OK, Status.BOUND]
    assert (flow.pump_kw[:2] < full.pump_kw[:2]).all()
    np.testing.assert_array_equal(flow.flow_kg_per_s, full.flow_kg_per_s)
    lift = flow.supply_pressure_kpa.sel(junction="plant") - flow.return_pressure_kpa.sel(junction="plant")
    assert lift[2].item() == pytest.approx(network.pump_lift_kpa)


def test_cold_water_warms_on_its_way_and_glycol_takes_more_of_it():
    cold = district(carrier="cold", supply_degc=6.0, return_degc=12.0, ground_degc=15.0, glycol_share=0.0)
    flow = solve_cold(cold, demand([100, 150, 80]))
    assert (flow.supply_degc.isel(time=0) >= 6.0 - 1e-12).all()
    assert flow.plant_kw.item() == pytest.approx(330 + flow.loss_kw.item(), abs=1e-6)
    assert flow.loss_kw > 0
    brine = solve_cold(replace(cold, glycol_share=0.3), demand([100, 150, 80]))
    assert brine.plant_flow_kg_per_s > flow.plant_flow_kg_per_s


def test_a_booster_pump_adds_its_lift():
    network = district()
    behind = district(
        junctions=(*network.junctions, Junction(id="b")),
        pipes=tuple(replace(p, from_junction="b") if p.id == "kx" else p for p in network.pipes),
        pumps=(Pump(id="boost", from_junction="k", to_junction="b", lift_kpa=50.0, lift_drop_kpa_s2_per_kg2=0.1),),
    )
    plain, boosted = solve_heat(network, demand([300, 500, 200])), solve_heat(behind, demand([300, 500, 200]))
    m = boosted.flow_kg_per_s.sel(pipe="boost").item()
    gained = (boosted.dp_kpa - plain.dp_kpa).sel(junction="x").item()
    assert gained == pytest.approx(50.0 - 0.1 * m**2, abs=1e-6)


def test_water_stands_lower_on_a_hill_and_flows_balance():
    hill = tuple(replace(j, height_m=20.0 if j.id == "z" else 0.0) for j in district().junctions)
    network = district(carrier="water", junctions=hill, supply_degc=10.0, meshed=True)
    flow = solve_water(network, demand([0, 0, 0], [3.6, 7.2, 3.6]))
    assert (flow.status == Status.OK).all()
    drop = flow.pressure_kpa.sel(junction="plant") - flow.pressure_kpa.sel(junction="z")
    assert drop[0].item() == pytest.approx(999.7 * 9.80665 * 20 / 1e3, rel=1e-6)
    assert flow.plant_flow_kg_per_s[1].item() == pytest.approx(14.4 * 999.7 / 3600, rel=1e-9)


def water(*rows: list[float], **changes):
    network = district(carrier="water", supply_degc=10.0, **changes)
    return network, solve_water(network, demand(*rows))


def at(flow, junction: str) -> np.ndarray:
    return flow.pressure_kpa.sel(junction=junction).to_numpy()


def test_a_regulator_holds_the_pressure_behind_it_and_opens_when_there_is_too_little():
    pipes = (*(p for p in district().pipes if p.id != "kx"),)
    valve = Regulator(id="prv", from_junction="k", to_junction="x", outlet_pressure_kpa=450.0)
    _, flow = water([5, 5, 5], [25, 20, 5], [25, 30, 10], pipes=pipes, regulators=(valve,))
    assert (flow.status == Status.OK).all()
    before, behind = at(flow, "k"), at(flow, "x")
    np.testing.assert_allclose(behind, np.minimum(before, 450.0), atol=2e-3)
    assert before[0] > 451 > 449 > before[2]


def test_two_regulators_into_one_ring_agree_and_share_its_demand():
    valves = (
        Regulator(id="one", from_junction="k", to_junction="x", outlet_pressure_kpa=450.0),
        Regulator(id="two", from_junction="y", to_junction="z", outlet_pressure_kpa=440.0),
    )
    pipes = (*(p for p in district(meshed=True).pipes if p.id not in ("kx", "yz")),)
    _, flow = water([10, 5, 10], pipes=pipes, regulators=valves)
    assert (flow.status == Status.OK).all()
    assert at(flow, "x")[0] == pytest.approx(450.0, abs=2e-3)
    assert at(flow, "z")[0] == pytest.approx(440.0, abs=2e-3)


@given(st.lists(st.floats(0, 40), min_size=3, max_size=3), st.floats(680, 720))
@settings(max_examples=15, deadline=None)
def test_a_second_source_holds_its_pressure_and_feeds_what_the_plant_does_not(drawn, kpa):
    main = PressureSource(junction="z", pressure_kpa=kpa)
    network, flow = water(drawn, meshed=True, further_sources=(main,))
    assert at(flow, "z")[0] == pytest.approx(kpa, abs=1e-6)
    assert at(flow, "plant")[0] == pytest.approx(network.return_pressure_kpa + network.pump_lift_kpa)
    fed = flow.source_flow_kg_per_s.sel(source="z").item() + flow.plant_flow_kg_per_s.item()
    assert fed == pytest.approx(sum(drawn) * 999.7 / 3600, abs=1e-9)
    assert flow.residual_kpa.item() < 1e-6
