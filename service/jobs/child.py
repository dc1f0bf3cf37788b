"""A job's process: started ahead of its order, listened to, and ended with everything that it started itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from models.findings import Finding, Severity

OUTCOME = "outcome.json"
SAID = "said.txt"


class JobProcess:
    """A process that waits for the folder of a job and works on it, with whatever solver it starts, as one group.

    ``share`` and ``words`` are its newest progress.
    """

    def __init__(self) -> None:
        self.share: float | None = None
        self.words = "starts"
        self._folder: Path | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "service.jobs.work"],
            stdin=subprocess.PIPE,  # it ends when we do
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._listen, name="job", daemon=True).start()

    @property
    def pid(self) -> int:
        """The number of the process, and of its group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def begin(self, folder: Path) -> None:
        """Give it the folder of its job; BrokenPipeError when it is gone already."""
        assert self._process.stdin is not None  # noqa: S101 # a pipe was asked for
        self._folder = folder
        self._process.stdin.write(f"{folder.absolute()}\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it and its solver at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # nobody reads it any more
                self._process.stdin.close()
        self._process.wait()

    def outcome(self) -> tuple[bool, str, tuple[Finding, ...]] | None:
        """Return whether it did its work, its last words and its findings; None when it died before."""
        self.kill()  # what it may have left behind
        assert self._folder is not None  # noqa: S101 # it had an order
        if self._process.returncode != 0 or not (self._folder / OUTCOME).exists():
            return None
        found = json.loads((self._folder / OUTCOME).read_text(encoding="utf-8"))
        findings = tuple(Finding(Severity(s), place, words) for s, place, words in found["findings"])
        return found["done"], found["words"], findings

    @property
    def was_told_to_end(self) -> bool:
        """Whether it was ended as a supervisor ends a service, and not by itself or for lack of memory."""
        return self._process.returncode in (-signal.SIGTERM, -signal.SIGINT)

    def death(self) -> str:
        """Return in words how it died."""
        code = self._process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        said = "" if self._folder is None else _last_line(self._folder / SAID)
        return f"the job's process {how} before it was done{said}. Nothing of it is kept; ask for it again."

    def resident_mb(self) -> float:
        """Return how much memory the process and those it started hold, as far as the machine tells."""
        return sum(_resident_mb(pid) for pid in (self.pid, *_children(self.pid)))

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 # a pipe was asked for
        with self._process.stdout as lines:
            for line in lines:
                with contextlib.suppress(ValueError):  # a line cut off by its death
                    self.share, self.words = json.loads(line)


def _last_line(file: Path) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines() if file.exists() else []
    return f": {lines[-1]}" if lines else ""


def _children(pid: int) -> list[int]:
    try:
        mine = [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):  # it has ended, or this machine does not tell
        return []
    return [*mine, *(n for child in mine for n in _children(child))]


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):  # as above
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
