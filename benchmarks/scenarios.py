"""What-if cases: a year by the hour, sweeps in processes and on Dask against one after the other, and many runs side by side."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.process import run_process
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_least, ratio_at_most, value_at_most

if TYPE_CHECKING:
    from scenarios.cases.sweep import Sweep

ROOT = Path(__file__).parents[1]
HOURS_OF_A_YEAR = 8760
RUNS = 50
WORKERS = 2
KILLED_AT = (0.0, 0.13, 0.37, 0.38, 0.81)
"""How much of a sweep is done when its runner is killed; it goes on each time."""
YEAR = """format: jouletwin-case/1
name: year
title: The park over a year, by the hour
start: 2015-01-01
days: {days}
run: {{mode: operate, step: hour, forecast: perfect, proof: each_step}}
"""
POINTS = """format: jouletwin-case/1
name: points
title: Six hours with another battery
start: 2015-07-15
days: 0.25
run: {{step: hour}}
parameters:
  energy_kwh: {{default: 3000, low: 500, high: 8000, steps: {count}, unit: kWh}}
changes:
- {{kind: resize, asset: battery, to: {{energy_kwh: "${{energy_kwh}}"}}}}
"""


@case("scenarios", "year by the hour", size=HOURS_OF_A_YEAR, quick_size=24, packages=("highspy", "pandapower"))
def year(bench: Bench) -> Iterator[Row]:
    """Give seconds and memory of the whole program: rolling plans, the twin as the plant, every step on four networks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "year.yaml"
        path.write_text(YEAR.format(days=bench.size / 24), encoding="utf-8")
        command = [sys.executable, "-m", "service.cli", "scenario", "run", str(path), "--alone", "-o", f"{folder}/out"]
        run = run_process(command, cwd=ROOT, timeout_s=3600.0)
    if run.exit_code:
        raise RuntimeError(f"the year ended with code {run.exit_code}:\n{run.output[-2000:]}")
    yield bench.figure(run.seconds, "s", target=value_at_most(180.0), phase=f"{bench.size} rolling hours")
    yield bench.figure(run.peak_mb, "MB", target=value_at_most(2048.0), phase=f"{bench.size} rolling hours, memory")


@contextmanager
def sweep_of(count: int) -> "Iterator[tuple[Sweep, Path]]":
    """Give a sweep of so many points, and a folder to work in."""
    from scenarios.cases.file import load_case
    from scenarios.cases.sweep import Sweep, points_of

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.yaml"
        path.write_text(POINTS.format(count=count), encoding="utf-8")
        yield Sweep(str(path), "grid", points_of(load_case(path), "grid")), Path(folder)


def seconds_of_sweep(run: "Callable[[Sweep, Path], None]", sweep: "Sweep", folder: Path) -> float:
    """Return how long a sweep takes in a new folder; every point must have a result."""
    from scenarios.cases.sweep import begin, failures, open_points

    begin(sweep, folder)
    start = time.perf_counter()
    run(sweep, folder)
    seconds = time.perf_counter() - start
    if open_points(sweep, folder) or failures(sweep, folder):
        raise RuntimeError(f"points are missing: {failures(sweep, folder)}")
    return seconds


@case("scenarios", "sweep in processes", size=200, quick_size=4, packages=("highspy",))
def sweep_in_processes(bench: Bench) -> Row:
    """Give the speed of a pool of two processes against one, set-up of the processes included."""
    from scenarios.cases.sweep import run_sweep

    with sweep_of(bench.size) as (sweep, folder):
        alone = seconds_of_sweep(lambda s, f: run_sweep(s, f, workers=1), sweep, folder / "alone")
        pool = seconds_of_sweep(lambda s, f: run_sweep(s, f, workers=WORKERS), sweep, folder / "pool")
    target = ratio_at_least(1.6) if not bench.quick else None  # a few points do not pay for starting processes
    phase = f"sweep of {bench.size} points, one process / two"
    return bench.figure(alone, "s", reference=pool, target=target, phase=phase)


@case("scenarios", "sweep on Dask", size=60, quick_size=4, packages=("distributed",))
def sweep_on_dask(bench: Bench) -> Row:
    """Give the time of a Dask cluster of two workers against the pool, both with their set-up done."""
    from scenarios.cases.sweep import run_sweep, run_sweep_on_dask

    distributed: Any = import_module("distributed")

    with sweep_of(bench.size) as (sweep, folder):
        pool = seconds_of_sweep(lambda s, f: run_sweep(s, f, workers=WORKERS), sweep, folder / "pool")
        cluster = distributed.LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        )
        try:
            dask = seconds_of_sweep(
                lambda s, f: run_sweep_on_dask(s, f, cluster.scheduler_address), sweep, folder / "d"
            )
        finally:
            cluster.close()
    phase = f"sweep of {bench.size} points, Dask / pool"
    return bench.figure(dask, "s", reference=pool, target=ratio_at_most(1.2), phase=phase)


@case("scenarios", "killed worker", size=24, quick_size=4, packages=("distributed",))
def killed_worker(bench: Bench) -> Row:
    """Give how many points are lost when one of two Dask workers is killed in the middle of a sweep."""
    from scenarios.cases.sweep import begin, failures, open_points, run_sweep_on_dask

    distributed: Any = import_module("distributed")

    with (
        sweep_of(bench.size) as (sweep, folder),
        distributed.LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster.scheduler_address) as client,
    ):
        victims = sorted(client.run(os.getpid).values())[:1]

        def kill_one(done: int, _failed: int, _total: int) -> None:
            if done >= bench.size // 3 and victims:
                os.kill(victims.pop(), signal.SIGKILL)

        begin(sweep, folder / "d")
        run_sweep_on_dask(sweep, folder / "d", cluster.scheduler_address, progress=kill_one)
        lost = len(open_points(sweep, folder / "d")) + len(failures(sweep, folder / "d"))
    return bench.figure(float(lost), "points", target=value_at_most(0.0), phase=f"lost of {bench.size} with a worker")


@case("scenarios", "killed runner", size=200, quick_size=4, packages=("highspy",))
def killed_runner(bench: Bench) -> Row:
    """Give how many points differ between a sweep whose runner was killed again and again and one that ran through, to the last bit."""
    from scenarios.cases.sweep import begin, run_sweep

    with sweep_of(bench.size) as (sweep, folder):
        begin(sweep, folder / "through")
        run_sweep(sweep, folder / "through", workers=WORKERS)
        command = [sys.executable, "-m", "service.cli", "scenario", "sweep", sweep.case, "-o", str(folder / "killed")]
        for share in KILLED_AT:
            killed_when(command, folder / "killed", round(share * bench.size))
        ended = run_process(command, cwd=ROOT, timeout_s=3600.0)
        if ended.exit_code:
            raise RuntimeError(f"the sweep ended with code {ended.exit_code}:\n{ended.output[-2000:]}")
        apart = sum(not same_run(folder / "through" / p.name, folder / "killed" / p.name) for p in sweep.points)
    phase = f"points of {bench.size} that differ after {len(KILLED_AT)} kill -9"
    return bench.figure(float(apart), "points", target=value_at_most(0.0), phase=phase)


def killed_when(command: list[str], folder: Path, done: int) -> None:
    """Start a sweep and kill it with all its processes as soon as so many of its points are done."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as runner:
        while len(list(folder.glob("point-*/result.json"))) < done and runner.poll() is None:
            time.sleep(0.02)
        os.killpg(runner.pid, signal.SIGKILL)


def same_run(one: Path, other: Path) -> bool:
    """Return whether two folders hold the same run: every figure and every number of its arrays."""
    from scenarios.cases.results import load_result

    a, b = load_result(one), load_result(other)
    networks = a.networks.keys() == b.networks.keys() and all(a.networks[n].equals(b.networks[n]) for n in a.networks)
    figures = json.dumps(dict(a.kpis)) == json.dumps(dict(b.kpis))  # as text, in which what is no number equals itself
    return figures and a.arrays.identical(b.arrays) and networks


@case("scenarios", "side by side", size=RUNS, quick_size=3)
def side_by_side(bench: Bench) -> Row:
    """Give how long it takes to hold many saved runs against their base, table and sentences included."""
    from dataclasses import replace

    from scenarios.cases.compare import compare
    from scenarios.cases.file import load_case
    from scenarios.cases.run import run_case

    with sweep_of(2) as (sweep, folder):
        result = run_case(load_case(sweep.case))
        places = [replace(result, case=f"run{k}").save(folder / f"run{k}") for k in range(bench.size + 1)]

        def work() -> object:
            comparison = compare(places[0], places[1:])
            return comparison.table(), [list(comparison.why(run)) for run in comparison.runs]

        return bench.time(work, unit="s", target=value_at_most(2.0), phase=f"comparison of {bench.size} runs")
