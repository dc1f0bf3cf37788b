"""The demo day: both loops over loopback Modbus, the rules and perfect foresight, from a cold start to the table."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.process import run_process
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most

ROOT = Path(__file__).parents[1]
DAYS = {"winter": "2015-01-20", "spring": "2015-04-22", "summer": "2015-07-15"}
SECONDS_MAX, MEMORY_MAX_MB = 90.0, 1500.0


@case("demo_day", "once", packages=("highspy", "pymodbus", "pandapower"))
def once(bench: Bench) -> Iterator[Row]:
    """Give seconds and memory of the whole program, and what each day saves; a quick run takes the spring day only."""
    for season, day in DAYS.items():
        if bench.quick and season != "spring":
            continue
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "day.json"
            command = [sys.executable, "-m", "service.cli", "demo", "--once", "--day", day, "--json", str(out)]
            run = run_process(command, cwd=ROOT)
            if run.exit_code:
                raise RuntimeError(f"the demo day {day} ended with code {run.exit_code}:\n{run.output[-2000:]}")
            report = json.loads(out.read_text())
        yield bench.figure(run.seconds, "s", target=value_at_most(SECONDS_MAX), phase=f"{season} seconds")
        yield bench.figure(run.peak_mb, "MB", target=value_at_most(MEMORY_MAX_MB), phase=f"{season} memory")
        costs = {row["operator"]: row["total_cost"] for row in report["rows"]}
        common = costs["common rule"]
        for operator in ("loop, perfect forecasts", "loop, naive forecasts"):
            saved = 100.0 * (1.0 - costs[operator] / common)
            target = value_at_least(0.0) if operator.startswith("loop, perfect") else None
            yield bench.figure(saved, "% saved", target=target, phase=f"{season} {operator}")
