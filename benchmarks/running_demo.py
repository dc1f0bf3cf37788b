"""The demo as users start it, in a process of its own: its address, its terminal, and a way to end it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).parents[1]
CHROMIUM = Path(os.environ.get("JOULETWIN_CHROMIUM", "/usr/bin/chromium"))
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
PLANNED_S = 300.0
"""How long the first plan may take on a machine that does much else."""
LONGEST_S = 7200
"""A demo whose starter died ends by itself after this time."""
Found = TypeVar("Found")


class Demo:
    """A running demo; what it says is read as it comes, so that it never waits for a reader."""

    def __init__(self, speed: float = 60.0) -> None:
        command = [sys.executable, "-m", "service.cli", "demo", "--port", "0"]
        command += ["--speed", f"{speed:g}", "--seconds", str(LONGEST_S)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self.address = self._address()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _address(self) -> str:
        assert self.process.stdout is not None  # a pipe was asked for
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                return found.group()
        raise RuntimeError("the demo ended before it had an address: " + "".join(self.said))

    def _listen(self) -> None:
        assert self.process.stdout is not None  # a pipe was asked for
        self.said.extend(self.process.stdout)

    def type_in(self, line: str) -> None:
        """Type a line at the demo's terminal."""
        assert self.process.stdin is not None  # a pipe was asked for
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, path: str) -> Any:
        """Return what the interface answers, None where it has nothing."""
        answer = httpx.get(f"{self.address}api/v1/{path}", timeout=60)
        return answer.json() if answer.status_code == 200 else None

    def wait_for(self, wanted: Callable[[], Found | None], what: str, within_s: float = 120.0) -> Found:
        """Return what is waited for as soon as it is there.

        Raises
        ------
        RuntimeError
            If it is not there in time, or the demo has ended.
        """
        until = time.monotonic() + within_s
        while time.monotonic() < until and self.process.poll() is None:
            if (found := wanted()) is not None:
                return found
            time.sleep(0.1)
        raise RuntimeError(f"no {what} within {within_s:g} s; the demo said: {''.join(self.said[-20:])}")

    def wait_for_plan(self) -> None:
        """Wait for the first plan."""
        self.wait_for(lambda: self.ask("plans/latest"), "plan", PLANNED_S)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold the demo as a machine does that has stalled."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """End the demo as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(timeout=10)
        return code


@contextmanager
def running_demo(speed: float = 60.0) -> Iterator[Demo]:
    """Give a demo that has a plan; it has ended afterwards, and well.

    Raises
    ------
    RuntimeError
        If it did not start, had no plan in time, or ended with an error.
    """
    demo = Demo(speed)
    try:
        demo.wait_for_plan()
        yield demo
    finally:
        code = demo.stop()
    if code != 0:
        raise RuntimeError(f"the demo ended with {code}: {''.join(demo.said)}")
