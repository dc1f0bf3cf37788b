"""What a newcomer waits for: set-up on a fresh machine, the command's help, the first page."""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.process import run_process
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_most

ROOT = Path(__file__).parents[1]
COMMAND = Path(sys.executable).parent / "jouletwin"


@contextmanager
def fresh_clone() -> Iterator[tuple[Path, dict[str, str]]]:
    """Give a clone of the last commit in a temporary folder, and an environment whose package caches are empty."""
    with tempfile.TemporaryDirectory(prefix="jouletwin-setup-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        yield clone, clean_environment() | {"UV_CACHE_DIR": f"{folder}/uv", "PIP_NO_CACHE_DIR": "1"}


def clean_environment() -> dict[str, str]:
    """Return this environment without an active virtual environment and with compiled modules kept."""
    return {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}


def timed(command: list[str], clone: Path, env: dict[str, str]) -> float:
    """Return how long a command takes in a clone; RuntimeError with its words if it fails."""
    run = run_process(command, cwd=clone, env=env)
    if run.exit_code:
        raise RuntimeError(f"{' '.join(command)} failed in a fresh clone:\n{run.output[-2000:]}")
    return run.seconds


def set_up_seconds(target: str) -> tuple[float, float]:
    """Return seconds of installing and of compiling the network loops, in a fresh clone with empty caches."""
    with fresh_clone() as (clone, env):
        return timed(["make", target], clone, env), timed([f"{clone}/.venv/bin/jouletwin", "warm"], clone, env)


@case("setup", "set-up on a fresh machine", packages=("uv",))
def set_up(bench: Bench) -> Iterator[Row]:
    """Time everything that ``make run`` and ``make test`` do before they start, downloads included."""
    for target, words in ((".venv/.ready", "for make run"), (".venv/.ready-dev", "for make test")):
        runs = [set_up_seconds(target) for _ in range(bench.repeats)]
        compiling = statistics.median(c for _, c in runs)
        total = statistics.median(i + c for i, c in runs)
        yield bench.figure(compiling, "s", phase=f"{bench.phase}, {words}: compiling network loops")
        yield bench.figure(total, "s", target=value_at_most(60), phase=f"{bench.phase}, {words}: all")


@case("setup", "jouletwin --help", packages=("typer",))
def show_help(bench: Bench) -> Row:
    """Time the whole program beside an interpreter that does nothing."""

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=clean_environment())

    return bench.pair(
        lambda: run(str(COMMAND), "--help"),
        lambda: run(sys.executable, "-c", "pass"),
        target=value_at_most(0.7),
        unit="s",
    )


@contextmanager
def running_demo() -> Iterator[str]:
    """Give the address of a demo that has just said that it is ready; it is ended and its plant with it."""
    command = [str(COMMAND), "demo", "--port", "0", "--speed", "60"]
    env = clean_environment() | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            assert process.stdout is not None
            told = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stdout)
            found = next((m for m in told if m), None)
            if found is None:
                raise RuntimeError("the demo ended before it said its address")
            yield found[0]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


PAINTED_MS = """() => new Promise(done => new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (entry.name === 'first-contentful-paint') done(entry.startTime)
}).observe({type: 'paint', buffered: true}))"""


@case("setup", "first page", packages=("fastapi", "uvicorn"))
def first_page(bench: Bench) -> Iterator[Row]:
    """Time the live page of a fresh demo in Chromium, from the click to the first words: the very first visitor's, then the next one's."""
    from playwright.sync_api import sync_playwright  # for development only

    with running_demo() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for visitor in ("first visitor", "next visitor"):
            page = browser.new_context().new_page()  # a new visitor has nothing in the cache
            page.goto(address, wait_until="commit")
            yield bench.figure(
                page.evaluate(PAINTED_MS) / 1000.0, "s", target=value_at_most(1.5), phase=f"{bench.phase}, {visitor}"
            )
        browser.close()
