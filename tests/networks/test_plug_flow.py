import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import district

from models.networks.heat import solve_heat
from models.networks.parcels import flow_through
from models.networks.plugflow import advance_pipes, start_state
from models.networks.status import Status

CONSUMERS = ["x", "y", "z"]


def demand(*rows: list[float]) -> xr.DataArray:
    return xr.DataArray(np.array(rows, dtype=float), dims=("time", "consumer"), coords={"consumer": CONSUMERS})


def test_constant_operation_ends_in_the_steady_state():
    network = district()
    q = demand(*[[300, 500, 200]] * 24)
    steady = solve_heat(network, q.isel(time=[0]))
    _, moved = advance_pipes(network, start_state(network), q, step_s=900.0)
    last = moved.isel(time=-1)
    np.testing.assert_allclose(last.supply_degc, steady.supply_degc.isel(time=0), atol=0.02)
    np.testing.assert_allclose(last.flow_kg_per_s, steady.flow_kg_per_s.isel(time=0), rtol=1e-3)
    assert last.loss_kw.item() == pytest.approx(steady.loss_kw.item(), rel=0.01)


def test_a_warmer_supply_arrives_after_the_water_has_travelled():
    network = district(ground_degc=84.999)
    q = demand(*[[300, 500, 200]] * 40)
    _, moved = advance_pipes(network, start_state(network), q, 95.0, step_s=60.0)
    volume_m3 = 600 * np.pi / 4 * 0.1**2
    flow = moved.flow_kg_per_s.sel(pipe="main").mean("time").item()
    minutes = volume_m3 * 970 / flow / 60
    at_k = moved.supply_degc.sel(junction="k").to_numpy()
    arrival = int(np.argmax(at_k > 90))
    assert arrival == pytest.approx(minutes, abs=2)


@given(
    st.lists(st.lists(st.floats(0, 800), min_size=3, max_size=3), min_size=1, max_size=6),
    st.floats(70, 110),
    st.sampled_from(["heat", "meshed"]),
)
@settings(max_examples=25, deadline=None)
def test_energy_is_conserved_through_stagnation_reversal_and_front(rows, supply, shape):
    network = district(meshed=shape == "meshed", wall_kj_per_m_k=2.0)
    before = start_state(network)
    after, moved = advance_pipes(network, before, demand(*rows), supply, step_s=300.0)
    fed = (moved.plant_kw - moved.consumer_kw.sum("consumer") - moved.loss_kw).sum().item() * 300 / 3600
    stored = after.stored_kwh(network) - before.stored_kwh(network)
    assert stored == pytest.approx(fed, abs=1e-9 * before.stored_kwh(network) + 1e-9)


@given(
    st.lists(st.tuples(st.floats(-40, 40), st.floats(10, 95)), min_size=1, max_size=60),
    st.floats(0, 1e-3),
)
@settings(max_examples=60, deadline=None)
def test_a_tube_keeps_mass_and_energy_in_both_directions(steps, rate):
    mass, t = np.zeros(12), np.zeros(12)
    mass[0], t[0], count = 100.0, 50.0, 1
    for amount, degc in steps:
        if abs(amount) < 1e-6:
            continue
        before = (mass[:count] * t[:count]).sum()
        count, out, lost = flow_through(mass, t, count, abs(amount), degc, 10.0, rate, 60.0, amount > 0)
        after = (mass[:count] * t[:count]).sum()
        assert mass[:count].sum() == pytest.approx(100.0, rel=1e-12)
        assert after - before == pytest.approx(abs(amount) * (degc - out) - lost, abs=1e-9 * 5000)


def test_a_night_without_demand_only_cools_and_the_morning_works():
    network = district()
    night = demand(*[[0, 0, 0]] * 8)
    cold, slept = advance_pipes(network, start_state(network), night, step_s=3600.0)
    assert (slept.plant_flow_kg_per_s == 0).all()
    assert cold.stored_kwh(network) < start_state(network).stored_kwh(network)
    _, morning = advance_pipes(network, cold, demand(*[[100, 100, 100]] * 8), step_s=900.0)
    assert morning.status.isel(time=-1) == Status.OK
    assert morning.consumer_kw.isel(time=-1).sum().item() == pytest.approx(300, rel=1e-3)


def test_a_day_in_two_halves_is_the_same_day():
    network = district()
    q = demand(*np.random.default_rng(3).uniform(50, 500, (20, 3)).tolist())
    whole, _ = advance_pipes(network, start_state(network), q, step_s=900.0)
    half, _ = advance_pipes(network, start_state(network), q.isel(time=slice(0, 9)), step_s=900.0)
    half, _ = advance_pipes(network, half, q.isel(time=slice(9, None)), step_s=900.0)
    np.testing.assert_array_equal(whole.supply.node_degc, half.supply.node_degc)
    np.testing.assert_array_equal(whole.back.mass_kg, half.back.mass_kg)


def test_a_fork_leaves_its_origin_untouched():
    network = district()
    origin = start_state(network)
    kept = origin.supply.degc.copy()
    advance_pipes(network, origin, demand([300, 500, 200]), 110.0, step_s=3600.0)
    np.testing.assert_array_equal(origin.supply.degc, kept)
