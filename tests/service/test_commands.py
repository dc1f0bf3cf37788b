"""Commands that work on a site: flow and dispatch in words and files, bridge and emulate over a real wire."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
import yaml
from typer.testing import CliRunner

from models.errors import SetupError
from service.cli import app
from service.commands.plan_files import write_plan

ROOT = Path(__file__).parents[2]


def run(*arguments):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    out = tmp_path_factory.mktemp("plan") / "plan.csv"
    return run("dispatch", "--day", "2015-07-15", "--out", str(out)), out


def test_dispatch_prints_a_certified_plan_and_what_the_twin_says(planned):
    done, _ = planned
    assert done.exit_code == 0, done.output
    assert "certified" in done.output
    assert "the twin agrees" in done.output
    assert "00:00" in done.output
    assert "23:00" in done.output


def test_a_plan_as_csv_has_a_row_per_step_and_units_in_its_heads(planned):
    _, out = planned
    table = pd.read_csv(out, index_col="start_utc", parse_dates=True)
    assert len(table) == 96
    assert {"grid.electricity_kw", "battery.stored_kwh", "chp1.running"} <= set(table.columns)
    electricity = [c for c in table.columns if c.endswith(".electricity_kw")]
    assert abs(table[electricity].sum(axis=1)).max() < 200.0  # what is left over are the losses


def test_a_plan_becomes_netcdf_and_json(running, tmp_path):
    made = running.memory.plan
    write_plan(made, tmp_path / "plan.nc")
    with xr.open_dataset(tmp_path / "plan.nc", engine="scipy") as found:
        assert found["power_kw"].shape == made.plan.power_kw.shape
        assert found.attrs["id"] == made.plan.id
    write_plan(made, tmp_path / "plan.json")
    assert json.loads((tmp_path / "plan.json").read_text())["id"] == made.plan.id


def test_a_plan_refuses_an_unknown_ending_and_a_missing_folder(running, tmp_path):
    for path in (tmp_path / "plan.docx", tmp_path / "none" / "plan.nc", tmp_path / "none" / "plan.csv"):
        with pytest.raises(SetupError, match=r"plan\."):
            write_plan(running.memory.plan, path)


def test_flow_shows_balances_and_every_network():
    done = run("flow", "--at", "2015-07-15T12:00+08:00", "--full")
    assert done.exit_code == 0, done.output
    for words in ("voltage, pu", "supply, degC", "pressure, kPa", "bus_14", "electricity"):
        assert words in done.output


def test_an_instant_without_zone_is_a_wrong_call():
    done = run("flow", "--at", "2015-07-15T12:00")
    assert done.exit_code == 2
    assert "zone" in done.output


@pytest.fixture
def small_site(tmp_path):
    """A site with one meter on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    day = "start_utc,load_kw\n" + "".join(f"2015-07-15T{h:02d}:00:00Z,50\n" for h in range(24))
    (tmp_path / "profiles.csv").write_text(day)
    flat = [{"name": "flat", "price_per_kwh": 0.5, "windows": [{"start_h": 0, "end_h": 24}]}]
    document = {
        "format": "jouletwin-site/1",
        "name": "small",
        "title": "Small site",
        "currency": "CNY",
        "location": {"latitude_deg": 36.0, "longitude_deg": 117.0},
        "nodes": [{"id": "bus", "carrier": "electricity"}],
        "assets": [
            {
                "kind": "grid_connection",
                "id": "grid",
                "electricity_node": "bus",
                "import_max_kw": 100,
                "export_max_kw": 0,
                "contract": "power",
            },
            {
                "kind": "consumer",
                "id": "hall",
                "demands": [{"carrier": "electricity", "node": "bus", "profile": "load_kw"}],
            },
        ],
        "contracts": [{"kind": "electricity", "id": "power", "party": "utility", "tariff": {"bands": flat}}],
        "devices": [{"id": "grid", "asset": "grid", "map": "janitza_umg604", "port": port, "poll_s": 1}],
        "profiles": {"file": "profiles.csv"},
    }
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_bridge_reads_what_the_emulator_serves(small_site):
    command = [sys.executable, "-m", "service.cli", "emulate", str(small_site), "--start", "2015-07-15T04:00Z"]
    plant = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert plant.stdout.readline().startswith("clock 2015-07-15T04:00:00+00:00")
        assert plant.stdout.readline().startswith("grid 127.0.0.1:")
        done = run("bridge", str(small_site), "--seconds", "2")
    finally:
        plant.send_signal(signal.SIGINT)
        plant.communicate(timeout=240)
    assert done.exit_code == 0, done.output
    assert re.search(r"electricity (4|5)\d\.\d kW", done.output)  # 50 kW, as far as the meter can tell
    assert "good" in done.output
    assert plant.returncode == 0


def test_the_bridge_says_that_no_device_answers(small_site):
    done = run("bridge", str(small_site), "--seconds", "1")
    assert done.exit_code == 1
    assert "No device answers" in done.output
    assert "jouletwin emulate" in done.output
