import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import gas_town

from models.errors import DataError
from models.networks.data import Compressor
from models.networks.fluids import gas_law
from models.networks.gas import solve_gas
from models.networks.linepack import advance_gas, start_gas
from models.networks.status import Status

CONSUMERS = ["a", "b", "c"]
KG_PER_KWS = 1 / (13.1 * 3600)


def demand(*rows: list[float]) -> xr.DataArray:
    return xr.DataArray(np.array(rows, dtype=float), dims=("time", "consumer"), coords={"consumer": CONSUMERS})


def test_the_source_feeds_exactly_what_is_drawn():
    flow = solve_gas(gas_town(), demand([800, 500, 300], [0, 0, 0], [10, -50, 0]))
    np.testing.assert_allclose(flow.source_kw, [1600, 0, -40], rtol=1e-12, atol=1e-9)
    assert (flow.status == Status.OK).all()


def test_at_rest_every_pressure_is_the_source_pressure():
    flow = solve_gas(gas_town(), demand([0, 0, 0]))
    np.testing.assert_allclose(flow.pressure_kpa, 300.0, rtol=1e-12)


def test_gas_weighs_on_the_way_up():
    flow = solve_gas(gas_town(height_m=100.0), demand([0, 0, 0]))
    law = gas_law(gas_town())
    expected = 300.0 * np.exp(-9.80665 * 100.0 / law.specific_j_per_kg)
    assert flow.pressure_kpa.sel(junction="c").item() == pytest.approx(expected, rel=1e-6)


def test_a_demand_beyond_the_network_is_bound_and_its_neighbours_are_fine():
    flow = solve_gas(gas_town(), demand([800, 500, 300], [8e5, 5e5, 3e5], [800, 500, 300]))
    assert flow.status.to_numpy().tolist() == [Status.OK, Status.BOUND, Status.OK]
    np.testing.assert_array_equal(flow.pressure_kpa.isel(time=0), flow.pressure_kpa.isel(time=2))
    assert flow.pressure_kpa.isel(time=1).isnull().any()


@pytest.mark.parametrize("law", ["constant", "linear", "cnga"])
@pytest.mark.parametrize("friction", ["colebrook", "swamee_jain", "nikuradse", "hofer"])
def test_a_regulator_of_ratio_one_changes_nothing(law, friction):
    slope = {"compressibility_slope_per_mpa": -0.02} if law == "linear" else {}
    plain = gas_town(equation_of_state=law, friction=friction, **slope)
    station = gas_town(equation_of_state=law, friction=friction, station=True, **slope)
    q = demand([800, 500, 300], [80, 50, 30])
    a, b = solve_gas(plain, q), solve_gas(station, q)
    np.testing.assert_allclose(
        b.pressure_kpa.sel(junction=CONSUMERS), a.pressure_kpa.sel(junction=CONSUMERS), rtol=1e-7
    )
    assert (b.status == Status.OK).all()


def test_a_regulator_holds_the_pressure_behind_it():
    held = Compressor(id="s", from_junction="gate", to_junction="behind", outlet_pressure_kpa=180.0)
    flow = solve_gas(gas_town(station=True, compressors=(held,)), demand([800, 500, 300], [80, 50, 30]))
    assert (flow.status == Status.OK).all()
    np.testing.assert_allclose(flow.pressure_kpa.sel(junction="behind"), 180.0, rtol=1e-9)
    np.testing.assert_allclose(flow.pressure_kpa.sel(junction="gate"), 300.0, rtol=1e-9)
    np.testing.assert_allclose(flow.source_kw, [1600, 160], rtol=1e-9)


def test_a_flow_controller_lets_through_what_it_is_told():
    bypass = Compressor(id="s", from_junction="gate", to_junction="b", flow_kg_per_s=0.01)
    flow = solve_gas(gas_town(compressors=(bypass,)), demand([800, 500, 300]))
    assert flow.status.item() == Status.OK
    assert flow.flow_kg_per_s.sel(pipe="s").item() == pytest.approx(0.01, rel=1e-9)
    assert flow.flow_kg_per_s.sel(pipe="ga").item() == pytest.approx(1600 * KG_PER_KWS - 0.01, rel=1e-9)


def test_a_flow_that_nobody_can_take_has_no_solution_and_spoils_nothing():
    forced = Compressor(id="s", from_junction="gate", to_junction="behind", flow_kg_per_s=0.01)
    flow = solve_gas(gas_town(station=True, compressors=(forced,)), demand([800, 500, 300], [0.01 / KG_PER_KWS, 0, 0]))
    assert flow.status[0] == Status.NOT_CONVERGED


def test_a_long_batch_gives_the_same_bits_as_single_steps():
    q = demand(*np.random.default_rng(1).uniform(0, 900, (100, 3)).tolist())
    batch = solve_gas(gas_town(), q)
    for step in (0, 41, 99):
        single = solve_gas(gas_town(), q.isel(time=[step]))
        np.testing.assert_array_equal(batch.pressure_kpa.isel(time=step), single.pressure_kpa.isel(time=0))


@given(st.lists(st.lists(st.floats(-300, 900), min_size=3, max_size=3), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_linepack_grows_by_what_comes_in(rows):
    network, q = gas_town(), demand(*rows)
    before = start_gas(network, solve_gas(network, demand([100, 100, 100])))
    _, first = advance_gas(network, before, demand([100, 100, 100]), step_s=60.0)
    held = first.linepack_kg.item()
    _, moved = advance_gas(network, before, q, step_s=60.0)
    assert (moved.status == Status.OK).all()
    came_in = ((moved.source_kw - q.sum("consumer")) * KG_PER_KWS * 60).sum().item()
    assert moved.linepack_kg.isel(time=-1).item() - held == pytest.approx(came_in, abs=1e-7)


def test_steady_operation_stays_steady():
    network, q = gas_town(), demand([800, 500, 300])
    steady = solve_gas(network, q)
    _, moved = advance_gas(network, start_gas(network, steady), xr.concat([q] * 3, "time"), step_s=900.0)
    np.testing.assert_allclose(moved.pressure_kpa.isel(time=-1), steady.pressure_kpa.isel(time=0), rtol=1e-9)


def test_without_supply_the_pipes_empty_until_a_step_fails_and_the_state_is_kept():
    network = gas_town()
    state, drained = advance_gas(
        network, start_gas(network), demand(*[[800, 500, 300]] * 60), step_s=60.0, source_kw=0.0
    )
    assert drained.status.isel(time=0) == Status.OK
    assert drained.status.isel(time=-1) == Status.NOT_CONVERGED
    packed = drained.linepack_kg.to_numpy()
    assert (np.diff(packed) <= 1e-9).all()
    assert packed[-1] >= 0
    assert np.isfinite(state.pressure_pa).all()


def test_linepack_says_that_it_knows_no_compressors():
    network = gas_town(compressors=(Compressor(id="k", from_junction="b", to_junction="c", ratio=1.1),))
    with pytest.raises(DataError, match="compressors"):
        advance_gas(network, start_gas(gas_town()), demand([1, 1, 1]), step_s=60.0)
