"""Whole programs: how long they take and how much memory they and their children hold at the worst moment."""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessRun:
    """One finished program. ``peak_mb`` is the highest memory of its whole process tree, shared pages counted once; NaN without /proc."""

    seconds: float
    peak_mb: float
    exit_code: int
    output: str


def children_of(pid: int) -> list[int]:
    """Return the process and everything below it."""
    found = [pid]
    for parent in found:
        try:
            listed = (PROC / str(parent) / "task" / str(parent) / "children").read_text()
        except OSError:
            continue
        found += [int(c) for c in listed.split()]
    return found


def held_mb(pid: int) -> float:
    """Return the proportional set size of one process in MB, 0 for one that has ended."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def watch(pid: int, ended: threading.Event, samples_mb: list[float], every_s: float = 0.2) -> None:
    """Collect the memory of a process tree until ``ended`` is set."""
    while not ended.wait(every_s):
        samples_mb.append(sum(held_mb(p) for p in children_of(pid)))


def run_process(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = 600.0
) -> ProcessRun:
    """Run a program to its end and return seconds, peak memory, exit code and everything it printed.

    Raises
    ------
    subprocess.TimeoutExpired
        If it does not end within ``timeout_s``; it is killed before.
    """
    start, ended, samples_mb = time.perf_counter(), threading.Event(), [0.0]
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as child:
        watcher = threading.Thread(target=watch, args=(child.pid, ended, samples_mb), daemon=True)
        watcher.start()
        try:
            output, _ = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        finally:
            ended.set()
    peak_mb = max(samples_mb) if PROC.is_dir() else float("nan")
    return ProcessRun(time.perf_counter() - start, peak_mb, child.returncode, output)
