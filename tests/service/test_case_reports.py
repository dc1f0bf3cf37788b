"""Reports of what-ifs: their numbers are the data's, as a page and as PDF, of a comparison, of a sweep, and of what to build."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.finance import present_value
from scenarios.cases.file import load_case, read_case
from scenarios.cases.results import KPIS, load_record, load_result, words_of
from scenarios.cases.run import run_case
from scenarios.cases.sweep import Sweep, begin, points_of, run_point
from service.cli import app

CASE = """
format: jouletwin-case/1
name: six_hours
title: Six hours with <dearer> gas
story: What does gas at twice its price do to a morning?
start: 2015-01-20
days: 0.25
run: {step: hour, proof: each_step}
parameters:
  factor: {default: 2.0, low: 1.0, high: 3.0, steps: 2}
changes:
- {kind: price_change, contract: natural_gas, energy_factor: "${factor}"}
"""
SIZE = """
format: jouletwin-case/1
name: sizes
title: What to build
start: 2015-01-01
run: {mode: size}
sizing: {options: park, typical_periods: 1, worst_weeks: 0}
"""


def jouletwin(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["scenario", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "six_hours.yaml").write_text(CASE, encoding="utf-8")
    jouletwin("run", folder / "six_hours.yaml", "-o", folder / "out")
    return folder


def test_a_page_shows_every_figure_of_both_runs_and_loads_nothing(runs, tmp_path):
    jouletwin("report", runs / "out" / "base", runs / "out" / "case", "-o", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for place in ("base", "case"):
        record = load_record(runs / "out" / place)
        shown = [words_of(k, v, record["currency"]) for k, v in record["kpis"].items()]
        assert [words for words in shown if f"<td>{words}</td>" not in page] == []
    assert "Six hours with &lt;dearer&gt; gas" in page
    assert "What does gas at twice its price do to a morning?" in page
    assert "price_change: contract natural_gas, energy_factor 2" in page
    assert "src=" not in page
    assert "http-equiv" not in page


def test_a_chinese_report_names_every_figure_in_chinese(runs, tmp_path):
    jouletwin("report", runs / "out" / "base", runs / "out" / "case", "-o", tmp_path / "r.html", "--lang", "zh")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    record = load_record(runs / "out" / "case")
    assert all(KPIS[k].title_zh in page for k in record["kpis"])
    assert "总成本上升" in page


def test_a_pdf_has_pages(runs, tmp_path):
    jouletwin("report", runs / "out" / "base", runs / "out" / "case", "-o", tmp_path / "report.pdf")
    made = (tmp_path / "report.pdf").read_bytes()
    assert made.startswith(b"%PDF-")
    assert len(made) > 20_000


def test_a_sweeps_report_shows_its_course_and_what_failed(runs, tmp_path):
    path = runs / "six_hours.yaml"
    sweep = begin(Sweep(str(path), "grid", points_of(load_case(path), "grid")), tmp_path / "sweep")
    run_point(sweep.case, None, sweep.points[0], str(tmp_path / "sweep"))
    (tmp_path / "sweep" / sweep.points[1].name).mkdir()
    (tmp_path / "sweep" / sweep.points[1].name / "failed.json").write_text(json.dumps({"why": "no gas at all"}))
    jouletwin("report", tmp_path / "sweep", "-o", tmp_path / "sweep.html")
    page = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    record = load_record(tmp_path / "sweep" / sweep.points[0].name)
    assert words_of("total_cost", record["kpis"]["total_cost"], "CNY") in page
    assert "point 1: no gas at all" in page
    assert "1 of 2 runs have a result" in page


def test_what_to_build_is_a_case_and_its_figures_are_its_payments(tmp_path):
    (tmp_path / "sizes.yaml").write_text(SIZE, encoding="utf-8")
    result = run_case(load_case(tmp_path / "sizes.yaml"))
    returns = result.arrays["returns"].to_numpy()
    assert result.kpis["npv"] == pytest.approx(present_value(0.06, returns.tolist()))
    base, built = result.arrays["payments"].to_numpy()
    np.testing.assert_allclose(base - built, returns)
    assert result.kpis["npv"] >= 0.0  # building nothing is among the choices
    assert (result.arrays["built"].to_numpy() >= 0).all()
    result.save(tmp_path / "sizes")
    assert load_result(tmp_path / "sizes").arrays.attrs["units"] == result.arrays.attrs["units"]
    replace(result, case="other").save(tmp_path / "other")
    jouletwin("report", tmp_path / "sizes", tmp_path / "other", "-o", tmp_path / "sizes.html")
    page = (tmp_path / "sizes.html").read_text(encoding="utf-8")
    assert "Payments over the years" in page
    assert "pv_new, kW" in page


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sizing: {options: park, typical_periods: 1, worst_weeks: 0}", "", "is missing"),
        ("run: {mode: size}", "run: {mode: operate}", "is for cases of mode size"),
        ("options: park", "options: nowhere.yaml", "nowhere.yaml"),
        ("typical_periods: 1", "typical_periods: 0", "typical_periods"),
    ],
)
def test_a_sizing_that_cannot_be_is_told_before_it_runs(tmp_path, old, new, words):
    path = tmp_path / "sizes.yaml"
    path.write_text(SIZE.replace(old, new), encoding="utf-8")
    done = CliRunner().invoke(app, ["scenario", "check", str(path)])
    assert done.exit_code == 1
    assert words in "".join(done.output.split("\n")).replace("│", "") or words in str(read_case(path))


def test_a_slice_of_the_library_meets_its_expectations_and_its_baseline(tmp_path):
    chosen = [option for name in ("chp_outage", "battery_4mwh") for option in ("--only", name)]
    junit = tmp_path / "verdict.xml"
    output = jouletwin("verify", *chosen, "--junit", junit)
    assert output.count("passes") == 2
    assert 'tests="2" failures="0"' in junit.read_text(encoding="utf-8")


def test_figures_of_other_steps_are_no_measure():
    done = CliRunner().invoke(app, ["scenario", "verify", "--only", "chp_outage", "--step", "quarter_hour"])
    assert done.exit_code == 2
    assert "were made with steps of another length" in " ".join(done.output.replace("│", " ").split())
