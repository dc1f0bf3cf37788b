"""What-if cases: a year by the hour, sweeps in processes and on Dask against one after the other, and many runs side by side."""

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
