"""Grids that are no site at the command line: flow, linear model and outages of foreign files."""

import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from service.cli import app

TWO_BUSES = """
mpc.baseMVA = 100;
mpc.bus = [
  1  3  0    0    0  0   1  1.00  0  20   1  1.1  0.9;
  7  1  4    1    1  0   1  1.00  0  20   1  1.1  0.9;
];
mpc.gen = [ 1  0   0  300  -300  1.02  100  1  250  0 ];
mpc.branch = [ 1  7  0.3  0.2  0  10    0    0    0  0  1  -360  360 ];
"""


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def case(tmp_path):
    path = tmp_path / "two.m"
    path.write_text(TWO_BUSES)
    return path


def test_a_matpower_case_is_solved_drawn_and_written(case, tmp_path):
    found = run("flow", case, "--linear", "--full", "-o", tmp_path / "two.zarr", "--plot", tmp_path / "two.svg")
    assert found.exit_code == 0, found.output
    assert "branch 1" in found.output
    assert "LinDistFlow: voltages up to 0.00" in found.output
    assert (tmp_path / "two.svg").read_text().startswith("<?xml")
    with xr.open_zarr(tmp_path / "two.zarr", chunks=None) as state:
        assert state["two.vm_pu"].sel({"two.bus": "1"}).item() == pytest.approx(1.02)
    again = run("flow", case, "-o", tmp_path / "two.zarr")
    assert again.exit_code == 0, again.output


def test_a_pandapower_net_is_read_and_its_outages_listed(case, tmp_path):
    import pandapower as pp

    from models.networks.electricity.matpower import read_matpower
    from models.networks.electricity.reference import set_power, to_pandapower

    grid = read_matpower(case)
    net = to_pandapower(grid.network)
    set_power(net, grid.network, grid.p_kw, grid.q_kvar)
    pp.to_json(net, str(tmp_path / "net.json"))
    found = run("n1", tmp_path / "net.json", "-o", tmp_path / "net.parquet")
    assert found.exit_code == 0, found.output
    assert "0 outages of 1 within all limits" in found.output
    assert pd.read_parquet(tmp_path / "net.parquet")["net.branch 1.unsupplied_kw"].iloc[0] == pytest.approx(4000)


def test_what_a_grid_cannot_do_is_said_in_words(case, tmp_path):
    assert "holds one state and no profiles" in run("flow", case, "--year", 2016).output
    assert "no such file" in run("flow", tmp_path / "none.json").output
    assert "is for a grid" in run("flow", "--linear").output
