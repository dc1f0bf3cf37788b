"""Sweeps: the points that were asked for, each equal to a single run, resumed after a kill, on one machine and on a Dask cluster."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import distributed
import numpy as np
import pytest

from models.errors import DataError
from scenarios.cases.case import Parameter
from scenarios.cases.compare import tornado
from scenarios.cases.file import load_case, with_values
from scenarios.cases.results import load_record
from scenarios.cases.run import run_case
from scenarios.cases.sweep import (
    Sweep,
    begin,
    confidence,
    fail,
    failures,
    gathered,
    load_sweep,
    open_points,
    points_of,
    run_sweep,
    run_sweep_on_dask,
    stretched,
    tried,
)

CASE = """
format: jouletwin-case/1
name: grown
title: Two hours with more load
start: 2015-07-15
days: 0.0834
run: {step: hour, proof: each_step}
parameters:
  factor: {default: 1.0, values: [1.0, 1.2, 1.4]}
  gas: {default: 1.0, low: 0.5, high: 2.0, steps: 2}
changes:
- {kind: load_growth, carrier: electricity, factor: "${factor}"}
- {kind: price_change, contract: natural_gas, energy_factor: "${gas}"}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("sweep") / "grown.yaml"
    found.write_text(CASE, encoding="utf-8")
    return found


def test_points_cover_the_ranges_as_their_kind_says(path):
    case = load_case(path)
    grid = points_of(case, "grid")
    assert len(grid) == len({(p.values["factor"], p.values["gas"]) for p in grid}) == 6
    one = points_of(case, "one_at_a_time")
    assert one[0].values == {"factor": 1.0, "gas": 1.0}
    assert all(sum(p.values[n] != 1.0 for n in p.values) == 1 for p in one[1:])
    cube = points_of(case, "latin_hypercube", 20, seed=3)
    gas = np.sort([p.values["gas"] for p in cube])
    assert ((gas - 0.5) / 1.5 * 20 // 1).tolist() == list(range(20))  # one point in each twentieth of the range
    assert len(points_of(case, "sobol", 5)) == 8
    chance = points_of(case, "monte_carlo", 4)
    assert [p.seed for p in chance] == [1, 2, 3, 4]
    assert points_of(case, "sobol", 8, seed=5) == points_of(case, "sobol", 8, seed=5)


def test_a_share_of_a_range_is_a_value_in_it():
    listed, ranged = Parameter(default=1, values=(1.0, 2.0, 5.0)), Parameter(default=1, low=0.0, high=10.0, steps=3)
    assert [stretched(listed, u) for u in (0.0, 0.34, 0.999)] == [1.0, 2.0, 5.0]
    assert stretched(ranged, 0.25) == 2.5
    assert tried(ranged) == (0.0, 5.0, 10.0)


def test_a_case_without_a_range_cannot_be_swept():
    with pytest.raises(DataError, match="no parameter with values or a range"):
        points_of(load_case("winter_peak"), "grid")


def test_a_confidence_interval_narrows_with_the_points():
    mean, low, high = confidence([1.0, 2.0, 3.0])
    assert (mean, low) == pytest.approx((2.0, 2.0 - 4.302653 / np.sqrt(3)), rel=1e-6)
    assert high - low > np.diff(confidence([1.0, 2.0, 3.0] * 10)[1:])[0]
    assert np.isnan(confidence([4.0])[1])


def test_a_sweep_that_is_killed_goes_on_where_it_stopped_and_equals_single_runs(path, tmp_path):
    folder = tmp_path / "points"
    code = "import sys; from service.cli import app; app(sys.argv[1:])"
    arguments = ["scenario", "sweep", str(path), "-o", str(folder), "--workers", "1"]
    runner = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 300.0
    while not list(folder.glob("point-*/result.json")) and time.monotonic() < deadline and runner.poll() is None:
        time.sleep(0.05)
    os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()
    sweep = load_sweep(folder)
    before = {p.number for p in sweep.points} - {p.number for p in open_points(sweep, folder)}
    assert 1 <= len(before) < len(sweep.points)
    stamps = {n: (folder / f"point-{n:05d}" / "result.json").stat().st_mtime_ns for n in before}
    told = []
    run_sweep(sweep, folder, workers=2, progress=lambda *numbers: told.append(numbers))
    assert told[-1] == (6, 0, 6)
    assert all((folder / f"point-{n:05d}" / "result.json").stat().st_mtime_ns == at for n, at in stamps.items())
    figures = gathered(sweep, folder)
    last = sweep.points[-1]
    single = run_case(with_values(load_case(path), last.values))
    assert {n: float(figures[n][-1]) for n in single.kpis} == pytest.approx(single.kpis, nan_ok=True)
    assert load_record(folder / last.name)["values"] == last.values
    by_gas = tornado(figures.isel(point=[0, 1, 2, 4]))
    assert by_gas.loc["factor", "high"] > 0
    fail(folder, last, "said so")
    assert failures(sweep, folder) == {}  # a point with a result has not failed


def test_a_folder_keeps_the_sweep_that_it_was_begun_for(path, tmp_path):
    case = load_case(path)
    sweep = begin(Sweep(str(path), "grid", points_of(case, "grid")), tmp_path)
    assert begin(sweep, tmp_path) == load_sweep(tmp_path) == sweep
    with pytest.raises(DataError, match="holds another sweep"):
        begin(Sweep(str(path), "sobol", points_of(case, "sobol", 4)), tmp_path)
    (tmp_path / "sweep.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="no sweep that can be read"):
        load_sweep(tmp_path)


def test_a_point_that_cannot_be_run_stands_beside_the_others_with_its_reason(path, tmp_path):
    case = load_case(path)
    points = points_of(case, "grid")[:1]
    bad = type(points[0])(1, {**points[0].values, "factor": -1.0}, 1)
    sweep = begin(Sweep(str(path), "grid", (*points, bad)), tmp_path)
    run_sweep(sweep, tmp_path, workers=1)
    assert list(failures(sweep, tmp_path)) == [1]
    assert "factor" in failures(sweep, tmp_path)[1]
    assert open_points(sweep, tmp_path) == []
    assert open_points(sweep, tmp_path, again=True) == [bad]
    assert np.isnan(gathered(sweep, tmp_path)["total_cost"].to_numpy()).tolist() == [False, True]
    assert json.loads((tmp_path / bad.name / "failed.json").read_text())["values"]["factor"] == -1.0


def test_a_dask_cluster_runs_the_same_points(path, tmp_path):
    case = load_case(path)
    points = points_of(case, "grid")[:2]
    sweep = begin(Sweep(str(path), "grid", points), tmp_path)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        run_sweep_on_dask(sweep, tmp_path, cluster.scheduler_address)
    assert open_points(sweep, tmp_path) == []
    assert gathered(sweep, tmp_path)["total_cost"].notnull().all()


def test_a_cluster_without_scheduler_or_worker_is_said_in_words(path, tmp_path, monkeypatch):
    monkeypatch.setattr("scenarios.cases.sweep.SCHEDULER_ANSWERS_S", 2)
    monkeypatch.setattr("scenarios.cases.sweep.WORKER_COMES_S", 0.2)
    sweep = begin(Sweep(str(path), "grid", points_of(load_case(path), "grid")[:1]), tmp_path)
    with pytest.raises(DataError, match="no Dask scheduler answers"):
        run_sweep_on_dask(sweep, tmp_path, "tcp://127.0.0.1:9")
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as cluster,
        pytest.raises(DataError, match=r"has had no worker .* `dask worker"),
    ):
        run_sweep_on_dask(sweep, tmp_path, cluster.scheduler_address)
