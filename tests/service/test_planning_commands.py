"""Planners' commands: schema, files and faults told in one line, plans in every format, and progress in words."""

import json
from datetime import UTC, datetime

import numpy as np
import openpyxl
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from models.dispatch import Plan, SolverReport
from models.horizon import HOUR, Horizon
from optimizers.session import Progress
from scenarios.sites import park_path
from service.cli import app
from service.commands.plan_files import write_plan
from service.commands.screen import gap_words
from service.memory import MadePlan

PARK = str(park_path())


def run(*words):
    return CliRunner().invoke(app, list(words))


def test_the_schema_of_options_is_printed():
    schema = json.loads(run("schema", "--options").output)
    assert schema["properties"]["format"]["const"] == "jouletwin-options/1"


@pytest.mark.parametrize(
    ("words", "expected", "code"),
    [
        (("size", PARK, "nowhere.yaml"), "the file cannot be read", 1),
        (("size", PARK, "nowhere.yaml", "-o", "x.docx"), "no format for this ending; use one of .json, .xlsx", 2),
        (
            ("pareto", PARK, "nowhere.yaml", "-o", "x.json"),
            "no format for this ending; use one of .csv, .xlsx, .parquet",
            2,
        ),
        (("explain", PARK, "--asset", "chp9"), "the site has no asset chp9", 2),
        (("explain", PARK, "--at", "2016-01-01T00:00Z"), "lies outside the day", 2),
        (("explain", PARK, "--at", "noon"), "noon is no time", 2),
    ],
)
def test_faults_are_told_with_the_way_on(words, expected, code):
    result = run(*words)
    assert result.exit_code == code
    assert expected in " ".join((result.output + result.stderr).split())


def test_progress_is_told_in_words():
    assert gap_words(Progress(3.2, float("inf"), 1.0, float("inf"))) == "3 s, nothing found yet"
    words = gap_words(Progress(12.0, 1010.0, 1000.0, 0.0099))
    assert words == "12 s, best 1,010, bound 1,000, 0.99% apart; Ctrl-C takes the best so far"


@pytest.fixture
def made():
    horizon = Horizon.uniform(datetime(2015, 1, 1, tzinfo=UTC), datetime(2015, 1, 1, 2, tzinfo=UTC), HOUR)
    port = {"asset": ["grid"], "carrier": ["electricity"], "time": horizon.times}
    power = xr.DataArray(np.array([[[5.0, 7.5]]]), port, ("asset", "carrier", "time"))
    empty = xr.DataArray(np.zeros((0, 2)), {"asset": [], "time": horizon.times}, ("asset", "time"))
    price = xr.DataArray([[0.5, 0.9]], {"carrier": ["electricity"], "time": horizon.times}, ("carrier", "time"))
    report = SolverReport("optimal", 9.25, 9.25, 0.0, 0.1, 0.1)
    plan = Plan("plan-1", horizon.start, horizon, power, empty, empty, 0.0 * power, {"energy": 9.25}, price, report)
    return MadePlan(plan, None, None, np.zeros((2, 1, 1)), np.zeros((2, 0)))


def test_a_plan_as_parquet_and_excel_is_the_plan(made, tmp_path):
    write_plan(made, tmp_path / "plan.parquet")
    table = pd.read_parquet(tmp_path / "plan.parquet")
    assert table["grid.electricity_kw"].tolist() == [5.0, 7.5]
    assert table.attrs["cost"] == {"energy": 9.25}
    assert str(table.index[0]) == "2015-01-01 00:00:00+00:00"
    write_plan(made, tmp_path / "plan.xlsx")
    book = openpyxl.load_workbook(tmp_path / "plan.xlsx")
    assert book.sheetnames == ["plan", "prices", "cost", "findings"]
    assert [c.value for c in book["plan"]["C"]] == ["grid.electricity_kw", 5, 7.5]
    assert [c.value for c in book["cost"][2]] == ["energy", 9.25]
