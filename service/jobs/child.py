"""A job's process: started, listened to, and ended with everything that it started itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from models.findings import Finding, Severity

OUTCOME = "outcome.json"
SAID = "said.txt"


class JobProcess:
    """The process that works on the job in a folder, with whatever solver it starts, as one group."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with (folder / SAID).open("wb") as said:
            self._process = subprocess.Popen(  # noqa: S603 # our own interpreter and module
                [sys.executable, "-m", "service.jobs.work", str(folder)],
                stdin=subprocess.PIPE,  # it ends when we do
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
            )

    def told(self) -> Iterator[tuple[float | None, str]]:
        """Yield its progress, as share (None: unknown) and words, until it has ended."""
        assert self._process.stdout is not None  # noqa: S101 # a pipe was asked for
        with self._process.stdout as lines:
            for line in lines:
                with contextlib.suppress(ValueError):  # a line cut off by its death
                    share, words = json.loads(line)
                    yield share, words
        self._process.wait()

    def kill(self) -> None:
        """End it and its solver at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def outcome(self) -> tuple[bool, str, tuple[Finding, ...]] | None:
        """Return whether it did its work, its last words and its findings; None when it died before."""
        self.kill()  # what it may have left behind
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.wait() != 0 or not (self._folder / OUTCOME).exists():
            return None
        found = json.loads((self._folder / OUTCOME).read_text(encoding="utf-8"))
        findings = tuple(Finding(Severity(s), place, words) for s, place, words in found["findings"])
        return found["done"], found["words"], findings

    def death(self) -> str:
        """Return in words how it died."""
        code = self._process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        last = (self._folder / SAID).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        said = f": {last[0]}" if last else ""
        return f"the job's process {how} before it was done{said}. Nothing of it is kept; ask for it again."
