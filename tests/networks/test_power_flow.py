import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import cable, ring

from models.errors import DataError
from models.networks.data import Bus, ElectricNetwork, Shunt, Switch, VoltageControl
from models.networks.electricity import solve_electricity
from models.networks.electricity.reference import run_reference
from models.networks.status import Status

ROOT = Path(__file__).parents[2]
STATIONS = ["a", "b", "c", "d"]


def at_stations(*rows: list[float]) -> xr.DataArray:
    return xr.DataArray(np.array(rows, dtype=float), dims=("time", "bus"), coords={"bus": STATIONS})


def assert_agrees(network: ElectricNetwork, p: dict[str, float], q: dict[str, float]) -> None:
    buses = sorted(set(p) | set(q))
    series = [xr.DataArray([x.get(b, 0.0) for b in buses], dims="bus", coords={"bus": buses}) for x in (p, q)]
    ours = solve_electricity(network, *series).isel(time=0)
    theirs = run_reference(network, p, q)
    np.testing.assert_allclose(ours.vm_pu, theirs.vm_pu, atol=1e-8, equal_nan=True)
    np.testing.assert_allclose(ours.angle_deg, theirs.angle_deg, atol=1e-6, equal_nan=True)
    np.testing.assert_allclose(ours.loading_share, theirs.loading_share.fillna(0), atol=1e-7)
    for quantity in ("loss_kw", "slack_p_kw", "slack_q_kvar"):
        assert ours[quantity].item() == pytest.approx(theirs[quantity].item(), abs=1e-4)


LOADS = {"a": -400.0, "b": -2500.0, "c": 900.0, "d": -1800.0}
REACTIVE = {"b": -700.0, "d": -300.0}


def test_a_ring_behind_a_tapped_phase_shifting_transformer_agrees_with_pandapower():
    assert_agrees(ring(), LOADS, REACTIVE)


def test_open_line_ends_keep_their_charging_current():
    switches = (
        Switch(id="s1", bus="b", element="bc", kind="line", closed=False),
        Switch(id="s2", bus="d", element="da", kind="line", closed=True),
    )
    assert_agrees(ring(*switches), LOADS, REACTIVE)


def test_a_transformer_open_on_its_low_side_still_magnetizes():
    both = (*ring().transformers, replace(ring().transformers[0], id="t2", tap_side="lv", tap_pos=1.0))
    switches = (Switch(id="s", bus="a", element="t2", kind="transformer", closed=False),)
    assert_agrees(ring(*switches, transformers=both), LOADS, REACTIVE)
    assert_agrees(ring(transformers=both), LOADS, REACTIVE)


def test_a_closed_bus_switch_makes_two_buses_one():
    buses = (*ring().buses, Bus(id="e", vn_kv=10.0))
    closed = Switch(id="s", bus="e", element="c", kind="bus")
    assert_agrees(ring(closed, buses=buses), LOADS | {"e": -300.0}, REACTIVE)


def test_shunts_and_held_voltages_agree_with_pandapower():
    network = ring(
        shunts=(Shunt(id="bank", bus="d", q_kvar=600.0, p_kw=-5.0),),
        voltage_controls=(VoltageControl(id="g", bus="c", vm_pu=1.03),),
    )
    assert_agrees(network, LOADS, REACTIVE)


def test_what_feeds_equals_what_draws_plus_losses():
    p = at_stations([-400, -2500, 900, -1800], [0, 0, 0, 0], [4000, 0, 3000, -100])
    flow = solve_electricity(ring(), p)
    balance = flow.slack_p_kw + p.sum("bus") - flow.loss_kw
    assert np.abs(balance).max() < 1e-6
    assert (flow.status == Status.OK).all()
    assert (flow.loss_kw > 0).all()


def test_a_step_beyond_what_the_grid_can_carry_leaves_its_neighbours_alone():
    fine = [-400.0, -2500.0, 900.0, -1800.0]
    alone = solve_electricity(ring(), at_stations(fine))
    batch = solve_electricity(ring(), at_stations(fine, [-1e6, -1e6, -1e6, -1e6], fine))
    assert batch.status.to_numpy().tolist() == [Status.OK, Status.NOT_CONVERGED, Status.OK]
    assert np.isnan(batch.vm_pu.isel(time=1)).all()
    assert batch.residual_kva[1] > 1.0
    assert batch.worst_bus[1].item() in STATIONS
    for step in (0, 2):
        np.testing.assert_array_equal(batch.vm_pu.isel(time=step), alone.vm_pu.isel(time=0))


def test_an_island_without_the_grid_is_reported_and_the_rest_is_solved():
    cut = tuple(
        Switch(id=name, bus=bus, element=name, kind="line", closed=False) for name, bus in (("bc", "b"), ("da", "a"))
    )
    flow = solve_electricity(ring(*cut), at_stations([0, -100, 0, 0], [0, -100, -50, 0]))
    assert flow.status.to_numpy().tolist() == [Status.OK, Status.ISLAND]
    assert np.isnan(flow.vm_pu.sel(bus=["c", "d"])).all()
    assert (flow.vm_pu.sel(bus="b") > 0.9).all()


def test_a_long_batch_gives_the_same_bits_as_single_steps():
    rng = np.random.default_rng(5)
    p = at_stations(*rng.normal(-800, 600, (130, 4)).tolist())
    q = at_stations(*rng.normal(-200, 200, (130, 4)).tolist())
    batch = solve_electricity(ring(), p, q)
    for step in (0, 57, 129):
        single = solve_electricity(ring(), p.isel(time=[step]), q.isel(time=[step]))
        np.testing.assert_array_equal(batch.vm_pu.isel(time=step), single.vm_pu.isel(time=0))


def test_an_earlier_result_is_a_start_that_needs_no_iteration():
    p = at_stations([-400, -2500, 900, -1800])
    first = solve_electricity(ring(), p)
    again = solve_electricity(ring(), p, start=first)
    np.testing.assert_allclose(first.vm_pu, again.vm_pu, atol=1e-12)


def test_unknown_buses_and_doubled_buses_are_named_together():
    p = xr.DataArray([1.0, 2.0, 3.0], dims="bus", coords={"bus": ["x", "a", "a"]})
    with pytest.raises(DataError) as caught:
        solve_electricity(ring(), p)
    assert [f.ids for f in caught.value.findings] == [("x",), ("a",)]


@st.composite
def feeders(draw: st.DrawFn) -> tuple[ElectricNetwork, xr.DataArray]:
    size = draw(st.integers(2, 9))
    parents = [draw(st.integers(0, i)) for i in range(size)]
    km = [draw(st.floats(0.05, 3.0)) for _ in parents]
    network = ElectricNetwork(
        id="feeder",
        buses=tuple(Bus(id=f"b{i}", vn_kv=20.0) for i in range(size + 1)),
        lines=tuple(
            cable(f"l{i}", f"b{parent}", f"b{i + 1}", length)
            for i, (parent, length) in enumerate(zip(parents, km, strict=True))
        ),
        slack_bus="b0",
    )
    p = [draw(st.floats(-500, 500)) for _ in range(size)]
    return network, xr.DataArray(p, dims="bus", coords={"bus": [f"b{i + 1}" for i in range(size)]})


@given(feeders())
@settings(max_examples=30, deadline=None)
def test_every_feeder_balances_and_loses_power(case: tuple[ElectricNetwork, xr.DataArray]):
    network, p = case
    flow = solve_electricity(network, p).isel(time=0)
    assert flow.status == Status.OK
    assert flow.loss_kw > -1e-6
    assert flow.slack_p_kw.item() + p.sum().item() == pytest.approx(flow.loss_kw.item(), abs=1e-5)


def test_without_any_line_only_the_slack_has_voltage():
    network = ElectricNetwork(id="one", buses=(Bus(id="grid", vn_kv=10.0),), slack_bus="grid")
    flow = solve_electricity(network, xr.DataArray([-5.0], dims="bus", coords={"bus": ["grid"]}))
    assert flow.slack_p_kw.item() == pytest.approx(5.0)
    assert flow.vm_pu.item() == 1.0


def test_threads_may_solve_at_the_same_time():
    p = at_stations(*np.random.default_rng(9).normal(-800, 600, (200, 4)).tolist())
    alone = solve_electricity(ring(), p).vm_pu
    with ThreadPoolExecutor(4) as pool:
        for together in pool.map(lambda _: solve_electricity(ring(), p).vm_pu, range(8)):
            np.testing.assert_array_equal(together, alone)


def test_the_engine_is_imported_without_pandapower_and_the_compiler():
    code = "import sys, models.networks.electricity; print('pandapower' in sys.modules, 'numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == ["False", "False"]
