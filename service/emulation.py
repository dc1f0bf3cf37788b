"""The emulated plant as a process of its own: started, asked where its devices listen, ended with the one who started it."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from hil.clocks import RealClock, ScaledClock
from models.errors import SetupError
from models.ports import Clock
from models.site import Site

START_S = 180.0
"""How long the devices may take to listen."""
END_S = 10.0


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Site time as a function of real time: ``epoch`` is what the site's clock shows at the real instant ``anchor``."""

    epoch: datetime
    speed: float
    anchor: datetime

    @classmethod
    def beginning(cls, epoch: datetime, speed: float) -> Self:
        """Return a scale that starts now."""
        return cls(epoch, speed, RealClock().now())

    @classmethod
    def of(cls, line: str) -> Self | None:
        """Return the scale that a line tells of, None for any other line."""
        parts = line.split()
        if len(parts) != 4 or parts[0] != CLOCK_MARK:
            return None
        return cls(datetime.fromisoformat(parts[1]), float(parts[2]), datetime.fromisoformat(parts[3]))

    def __str__(self) -> str:
        return f"{CLOCK_MARK} {self.epoch.isoformat()} {self.speed:g} {self.anchor.isoformat()}"

    def clock(self) -> Clock:
        """Return a clock that shows this scale's time."""
        return ScaledClock(self.epoch + (RealClock().now() - self.anchor) * self.speed, self.speed)


CLOCK_MARK = "clock"


class EmulatedProcess:
    """The devices of a site in a process of their own; a context that never leaves a process behind."""

    def __init__(
        self, site: Site, site_file: Path, start: datetime, speed: float, *, seed: int = 1, outages: bool = False
    ) -> None:
        self._expected = len(site.devices)
        self._command = [
            *(sys.executable, "-m", "service.cli", "emulate", str(site_file), "--base-port", "0"),
            *("--seed", str(seed), "--speed", f"{speed:g}", "--start", start.isoformat()),
            *("--until-stdin-closes", "--outages" if outages else "--no-outages"),
        ]
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._said: deque[str] = deque(maxlen=20)
        self.addresses: Mapping[str, tuple[str, int]] = {}
        self.scale = TimeScale.beginning(start, speed)
        """The plant's time; known for good when its devices listen."""

    @property
    def pid(self) -> int | None:
        """The process's number while it runs."""
        return None if self._process is None else self._process.pid

    def failed(self) -> str | None:
        """Return in words why the process is no longer there, None while it runs."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"the emulated plant ended with code {self._process.returncode}: {' '.join(self._said) or 'it said nothing'}"

    def __enter__(self) -> Self:
        """Start the process and wait until every device listens.

        Raises
        ------
        SetupError
            If it ends or does not listen in time.
        """
        self._process = subprocess.Popen(  # noqa: S603 # our own command line
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for us; we end it
        )
        assert self._process.stdout is not None  # noqa: S101 # a pipe was asked for
        threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
        try:
            self.addresses = self._collect()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.stop()

    def tell(self, line: str) -> None:
        """Give the plant an order: ``unplug ID`` or ``plug ID``; nothing happens when it is gone."""
        process = self._process
        if process is not None and process.stdin is not None and process.poll() is None:
            with contextlib.suppress(OSError, ValueError):  # it may end at any moment
                process.stdin.write(line.rstrip("\n") + "\n")
                process.stdin.flush()

    def stop(self) -> None:
        """End the process, gently first."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _listen(self, stream: IO[str]) -> None:
        for line in stream:
            self._said.append(line.strip())
            self._lines.put(line)
        self._lines.put(None)

    def _collect(self) -> Mapping[str, tuple[str, int]]:
        """Return where every device listens, from the lines that the process prints; take its time from them too."""
        found: dict[str, tuple[str, int]] = {}
        until = RealClock().now() + timedelta(seconds=START_S)
        while len(found) < self._expected:
            left_s = (until - RealClock().now()).total_seconds()
            try:
                line = self._lines.get(timeout=max(left_s, 0.001))
            except queue.Empty:
                raise SetupError(
                    f"the emulated plant did not listen within {START_S:g} s: {' '.join(self._said)}"
                ) from None
            if line is None:
                raise SetupError(f"the emulated plant ended at its start: {' '.join(self._said)}")
            told = TimeScale.of(line)
            if told is not None:
                self.scale = told
                continue
            device, place, *_ = [*line.split(), "", ""]
            host, colon, port = place.rpartition(":")
            if colon and port.isdigit():
                found[device] = (host, int(port))
        return found


def heed(stream: IO[str], order: Callable[[str], None], end: Callable[[], None] | None = None) -> None:
    """Pass on every line of a stream, from a thread of its own; at the stream's end call ``end``."""

    def listen() -> None:
        for line in stream:
            if line.strip():
                order(line)
        if end is not None:
            end()

    threading.Thread(target=listen, daemon=True).start()


def typed_here() -> IO[str] | None:
    """Return what people type here, None where nobody can: behind a terminal that belongs to another program."""
    stream = sys.stdin
    if stream is None or stream.closed:
        return None
    return stream if not stream.isatty() or os.tcgetpgrp(stream.fileno()) == os.getpgrp() else None


def terminate() -> None:
    """End this process as Ctrl-C from outside would."""
    os.kill(os.getpid(), signal.SIGTERM)
