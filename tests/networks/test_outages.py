from dataclasses import replace

import numpy as np
import xarray as xr
from sample_networks import cable, ring

from models.networks.data import Switch
from models.networks.electricity import n1, solve_electricity
from models.networks.status import Status

STATIONS = ["a", "b", "c", "d"]
P_KW = xr.DataArray(
    [[-400.0, -2500.0, 900.0, -1800.0], [-100.0, -200.0, -300.0, 0.0]], dims=("time", "bus"), coords={"bus": STATIONS}
)


def test_an_outage_equals_the_grid_without_that_line():
    network = ring(lines=(*ring().lines, cable("bc2", "c", "b", 1.0)))
    failed = n1(network, P_KW)
    assert failed.outage.to_numpy().tolist() == ["ab", "bc", "cd", "da", "bc2", "t1"]
    for name in ("ab", "bc", "cd", "da", "bc2"):
        lines = tuple(replace(line, in_service=line.id != name) for line in network.lines)
        alone = solve_electricity(replace(network, lines=lines), P_KW)
        np.testing.assert_allclose(failed.vm_pu.sel(outage=name), alone.vm_pu, atol=1e-9)
        np.testing.assert_allclose(failed.loading_share.sel(outage=name), alone.loading_share, atol=1e-8)
    assert (failed.status.drop_sel(outage="t1") == Status.OK).all()


def test_the_outage_of_a_line_open_at_one_end_takes_its_charging_away():
    network = ring(Switch(id="open", bus="a", element="da", kind="line", closed=False))
    failed = n1(network, P_KW, outages=["da"]).isel(outage=0)
    lines = tuple(replace(line, in_service=line.id != "da") for line in network.lines)
    alone = solve_electricity(replace(network, lines=lines), P_KW)
    np.testing.assert_allclose(failed.vm_pu, alone.vm_pu, atol=1e-9)
    assert abs(failed.vm_pu - solve_electricity(network, P_KW).vm_pu).max() > 1e-6


def test_a_lost_transformer_leaves_everybody_dark_and_says_how_much():
    failed = n1(ring(), P_KW, outages=["t1"]).isel(outage=0)
    assert (failed.status == Status.ISLAND).all()
    assert failed.vm_pu.sel(bus=STATIONS).isnull().all()
    assert (failed.vm_pu.sel(bus="grid") == 1.02).all()
    np.testing.assert_allclose(failed.unsupplied_kw, [4700, 600])


def test_on_a_feeder_only_what_lies_behind_goes_dark():
    feeder = ring(lines=ring().lines[:3])
    failed = n1(feeder, P_KW, outages=["bc"]).isel(outage=0)
    assert failed.vm_pu.sel(bus=["c", "d"]).isnull().all()
    shorter = replace(feeder, lines=(feeder.lines[0], replace(feeder.lines[1], in_service=False), feeder.lines[2]))
    np.testing.assert_allclose(failed.vm_pu, solve_electricity(shorter, P_KW).vm_pu, atol=1e-9)
    np.testing.assert_allclose(failed.unsupplied_kw, [1800, 300])


def test_the_worst_branch_is_the_most_loaded_one():
    failed = n1(ring(), P_KW, outages=["ab", "da"])
    for name in ("ab", "da"):
        row = failed.sel(outage=name).isel(time=0)
        assert row.loading_share.sel(branch=row.worst_branch.item()) == row.loading_max_share
        assert row.loading_share.sel(branch=name) == 0
