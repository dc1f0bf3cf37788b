"""Laws that hold in every pipe network: drops and their slopes, mass, and steps that do not disturb each other."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import district, gas_town, tube

from models.networks.friction import CODE, friction_factor
from models.networks.gas import solve_gas
from models.networks.heat import solve_heat
from models.networks.hydraulics import drop, drop_and_slope, tubes_of
from models.networks.linepack import advance_gas, start_gas
from models.networks.plugflow import advance_pipes, start_state
from models.networks.status import Status
from models.networks.water import solve_water

TUBES = tubes_of([tube("p", "a", "b", 100.0, loss_coefficient=1.5), tube("k", "a", "b", 50.0, friction_factor=0.02)])
flows = st.floats(-5, 5).filter(lambda m: abs(m) > 1e-6)
three = st.lists(st.floats(-300, 900), min_size=3, max_size=3)


def rows(values: list[list[float]], *names: str) -> xr.DataArray:
    return xr.DataArray(np.array(values, dtype=float), dims=("time", "consumer"), coords={"consumer": list(names)})


@given(flows, st.sampled_from(sorted(CODE)), st.sampled_from([0, 1]))
@settings(max_examples=80, deadline=None)
def test_a_slope_is_the_limit_of_its_drop(m, friction, k):
    code, viscosity = CODE[friction], 4e-4
    fall, slope = drop_and_slope(m, k, TUBES, code, viscosity)
    re = abs(m) * TUBES[1, k] / (TUBES[2, k] * viscosity)
    assert drop(-m, k, TUBES, code, viscosity) == -fall
    assert slope > 0
    if min(abs(re - 2320), abs(re - 4000)) > 1:  # the factor has corners there
        step = 1e-6 * abs(m)
        near = drop(m + step, k, TUBES, code, viscosity) - drop(m - step, k, TUBES, code, viscosity)
        assert near / (2 * step) == pytest.approx(slope, rel=1e-5)


@given(st.floats(4000, 1e8), st.floats(1e-7, 0.05))
@settings(max_examples=80, deadline=None)
def test_colebrook_solves_its_own_equation(re, roughness):
    root = friction_factor(CODE["colebrook"], re, roughness)[0] ** -0.5
    assert root == pytest.approx(-2 * math.log10(roughness / 3.71 + 2.51 * root / re), rel=1e-9)


@given(st.lists(three, min_size=1, max_size=4), st.floats(-40, 40))
@settings(max_examples=25, deadline=None)
def test_gas_keeps_its_mass_at_every_junction(demands, height):
    network, drawn = gas_town(height_m=height), rows(demands, "a", "b", "c")
    flow = solve_gas(network, drawn)
    assert (flow.status == Status.OK).all()
    gap = -drawn / (13.1 * 3600)
    for pipe in network.pipes:
        m = flow.flow_kg_per_s.sel(pipe=pipe.id, drop=True)
        gap.loc[{"consumer": pipe.to_junction}] += m
        if pipe.from_junction != "gate":
            gap.loc[{"consumer": pipe.from_junction}] -= m
    scale = max(1e-6, float(np.abs(drawn).max()) / (13.1 * 3600))
    assert float(np.abs(gap).max()) < 1e-9 * scale


@given(st.lists(st.lists(st.floats(-5, 20), min_size=3, max_size=3), min_size=1, max_size=4), st.booleans())
@settings(max_examples=25, deadline=None)
def test_water_comes_out_of_the_plant_as_it_is_drawn(demands, meshed):
    flow = solve_water(district(carrier="water", meshed=meshed, supply_degc=10.0), rows(demands, "x", "y", "z"))
    assert (flow.status != Status.NOT_CONVERGED).all()
    drawn = np.sum(demands, axis=1) * 999.7 / 3600
    np.testing.assert_allclose(flow.plant_flow_kg_per_s, drawn, rtol=1e-9, atol=1e-9)


def test_a_step_without_numbers_fails_alone():
    good, bad = [300.0, 500.0, 200.0], [np.nan, 1.0, 1.0]
    alone, mixed = rows([good], "x", "y", "z"), rows([good, bad, good], "x", "y", "z")
    state = start_state(district())
    for solve in (
        lambda q: solve_heat(district(meshed=True), q),
        lambda q: solve_water(district(carrier="water", meshed=True), q / 100),
        lambda q: solve_gas(gas_town(), q.assign_coords(consumer=["a", "b", "c"])),
    ):
        single, batch = solve(alone), solve(mixed)
        assert batch.status.to_numpy().tolist() == [Status.OK, Status.NOT_CONVERGED, Status.OK]
        assert batch.flow_kg_per_s.isel(time=1).isnull().all()
        for step in (0, 2):
            np.testing.assert_array_equal(batch.flow_kg_per_s.isel(time=step), single.flow_kg_per_s.isel(time=0))
    gas = gas_town()
    _, packed = advance_gas(gas, start_gas(gas), mixed.assign_coords(consumer=["a", "b", "c"]), step_s=60.0)
    assert packed.status.to_numpy().tolist() == [Status.OK, Status.NOT_CONVERGED, Status.OK]
    after, moved = advance_pipes(district(), state, mixed, step_s=60.0)
    assert moved.status.to_numpy().tolist() == [Status.OK, Status.NOT_CONVERGED, Status.OK]
    assert np.isfinite(after.supply.node_degc).all()
