"""The networks at the command line: flow, outages and estimates, in words and files."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from models.networks.status import Status
from models.site.file import load_site
from service.cli import app
from service.commands.network_files import write_states
from service.commands.network_tables import year_table
from service.commands.year import year_states
from service.places import PARK


def run(*arguments):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def week():
    """Every network of the park over a winter week, hour by hour."""
    return year_states(load_site(PARK), 2015, seed=1, hours=168)


def test_all_four_networks_solve_at_every_hour_of_a_week(week):
    assert len(week) == 4
    for state in week.values():
        assert state.sizes["time"] == 168
        assert (state["status"] == Status.OK).all()


def test_extremes_of_a_week_name_element_and_hour(week):
    table = year_table(week)
    rows = list(zip(*(c.cells for c in table.columns), strict=True))
    voltage = next(r for r in rows if r[2] == "voltage, pu")
    assert voltage[1] == "0"
    element, hour = voltage[4].split()
    lowest = week["park_20kv"]["vm_pu"].min().item()
    assert float(voltage[3]) == pytest.approx(lowest, abs=1e-4)
    at = week["park_20kv"]["vm_pu"].sel(bus=element, time=np.datetime64(hour))
    assert at.item() == lowest


def test_states_are_written_with_network_element_and_unit_in_their_names(week, tmp_path):
    for name in ("week.csv", "week.nc", "week.json", "week.parquet", "week.zarr"):
        write_states(week, tmp_path / name)
    table = pd.read_csv(tmp_path / "week.csv", index_col="start_utc", parse_dates=True)
    assert len(table) == 168
    losses = week["park_20kv"]["loss_kw"].to_numpy()
    assert np.allclose(table["park_20kv.loss_kw"], losses, rtol=1e-5)
    with xr.open_dataset(tmp_path / "week.nc", engine="scipy") as found:
        assert found["park_20kv.vm_pu"].dims == ("park_20kv.bus", "time")
        assert np.array_equal(found["park_20kv.loss_kw"], losses)
    with xr.open_zarr(tmp_path / "week.zarr", chunks=None) as found:
        assert np.array_equal(found["park_20kv.loss_kw"], losses)
    assert np.array_equal(pd.read_parquet(tmp_path / "week.parquet")["park_20kv.loss_kw"], losses)
    body = json.loads((tmp_path / "week.json").read_text())
    assert len(body["start_utc"]) == len(body["park_20kv.loss_kw"]) == 168


def test_flow_at_an_instant_writes_one_step(tmp_path):
    out = tmp_path / "now.csv"
    done = run("flow", "--at", "2015-07-15T12:00+08:00", "-o", str(out))
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out)
    assert list(table["start_utc"]) == ["2015-07-15 04:00:00+00:00"]


def test_an_unknown_ending_is_refused_in_words(week, tmp_path):
    done = run("flow", "-o", str(tmp_path / "now.xlsx"))
    assert done.exit_code != 0
    assert "use one of .zarr, .nc, .parquet, .csv, .json" in done.output


def test_outages_name_who_is_left_without_supply(tmp_path):
    out = tmp_path / "n1.csv"
    done = run("n1", "-o", str(out))
    assert done.exit_code == 0, done.output
    line = next(row for row in done.output.splitlines() if row.startswith("│ line_12_13"))
    assert "bus_13, bus_14" in line
    assert "within all limits" in done.output
    assert pd.read_csv(out)["park_20kv.line_12_13.unsupplied_kw"][0] > 100


def test_honest_meters_of_an_emulated_plant_are_plausible(tmp_path):
    out = tmp_path / "estimate.json"
    done = run("estimate", "--at", "2015-01-15T12:00+08:00", "-o", str(out))
    assert done.exit_code == 0, done.output
    body = json.loads(out.read_text())
    assert body["converged"]
    assert body["chi2"] < body["chi2_limit"]
    assert {s["status"] for s in body["sensors"]} <= {"ok", "flagged", "untestable"}


def test_readings_come_from_a_table_and_few_of_them_leave_states_unseen(tmp_path):
    site = load_site(PARK)
    device = site.device_of("office").id
    table = tmp_path / "readings.csv"
    table.write_text(f"device,quantity,value\n{device},electricity_kw,-400\n")
    done = run("estimate", "--readings", str(table), "--full")
    assert "no sensor sees its" in done.output
    assert "office.electricity_kw" in done.output


def test_readings_that_observe_nothing_are_an_error_with_its_place(tmp_path):
    table = tmp_path / "readings.csv"
    table.write_text("device,quantity,value\nsomebody,electricity_kw,-400\n")
    done = run("estimate", "--readings", str(table))
    assert done.exit_code == 1
    assert "hold nothing that a meter of this site shows" in done.output


def test_a_table_without_a_needed_column_is_refused_in_words(tmp_path):
    table = tmp_path / "readings.csv"
    table.write_text("device,value\nx,1\n")
    done = run("estimate", "--readings", str(table))
    assert done.exit_code != 0
    assert "lacks the column quantity" in done.output
