"""Solves run in a child process with a hard deadline, so that no solver can stop or take down who asked.

The child keeps its HiGHS sessions between jobs; it is killed and replaced when it overruns, and replaced when it dies.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from models.errors import SolverCrashError, SolverTimeoutError
from optimizers.session import HighsSession, Program, Solution, Status

KEPT_SESSIONS = 8
GRACE_S = 1.0
"""How long the child may overrun its own time limit before it is killed."""


class SolverKilledError(SolverCrashError):
    """Somebody or something killed the solver's process; ``signal_number`` says with which signal."""

    def __init__(self, message: str, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Job:
    """One solve. Jobs with the same ``key`` have the same structure, so the child updates a live model instead of loading one.

    With ``prices`` an integer program is solved a second time with its integers fixed, for the duals.
    """

    key: str
    program: Program
    gap_share: float = 1e-4
    prices: bool = True
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``solution`` of the job, and ``priced``, the one with duals (the same for a linear program)."""

    solution: Solution
    priced: Solution | None


class SolverProcess:
    """A child process that solves jobs, one after the other; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._link: Connection | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the living child, None before the first job and after an end."""
        return self._child.pid if self._child and self._child.poll() is None else None

    def solve(self, job: Job, *, deadline_s: float) -> Answer:
        """Solve within ``deadline_s`` seconds, counted from now.

        Raises
        ------
        SolverTimeoutError
            If the child did not answer in time; it has been killed and the next job gets a new one.
        SolverKilledError
            If the child was killed by a signal.
        SolverCrashError
            If the child ended or failed in another way.
        """
        with self._lock:
            link = self._linked()
            try:
                link.send((job, deadline_s))
                if not link.poll(deadline_s + GRACE_S):
                    self._end()
                    raise SolverTimeoutError(f"no answer within {deadline_s:g} s; the solver's process was stopped")
                found = link.recv()
            except (EOFError, OSError) as problem:
                raise self._death() from problem
        if isinstance(found, Answer):
            return found
        raise SolverCrashError(f"the solver's process failed: {found}")

    def close(self) -> None:
        """End the child; the next job starts a new one."""
        with self._lock:
            self._end()

    def _linked(self) -> Connection:
        if self._link is None or self.pid is None:
            self._end()
            self._start()
        assert self._link is not None  # noqa: S101 - set by _start
        return self._link

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        program = "import sys; from optimizers.worker import serve; serve(int(sys.argv[1]))"
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-c", program, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        theirs.close()
        self._link = Connection(ours.detach())

    def _end(self) -> None:
        if self._link is not None:
            self._link.close()
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        self._link = self._child = None

    def _death(self) -> SolverCrashError:
        """Return the error that says how the child died."""
        code = self._child.wait(timeout=GRACE_S) if self._child else None
        self._end()
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return SolverKilledError(
                f"the solver's process was killed ({name}); the next solve starts a new one", -code
            )
        return SolverCrashError(f"the solver's process ended with code {code}; the next solve starts a new one")


def run(sessions: dict[str, HighsSession], job: Job, deadline_s: float) -> Answer:
    """Solve a job on a live session of its key, or on a new one; integers fixed a second time for prices."""
    session = sessions.pop(job.key, None)
    if session is None:
        session = HighsSession(job.program, job.options)
    else:
        session.update(job.program)
    sessions[job.key] = session
    while len(sessions) > KEPT_SESSIONS:
        sessions.pop(next(iter(sessions)))
    solution = session.run(time_limit_s=deadline_s, gap_share=job.gap_share)
    if solution.row_dual is not None or solution.x is None:
        return Answer(solution, solution if solution.status is Status.OPTIMAL else None)
    priced = session.run_fixed(solution.x, time_limit_s=max(deadline_s - solution.seconds, 0.1)) if job.prices else None
    return Answer(solution, priced if priced and priced.status is Status.OPTIMAL else None)


def serve(descriptor: int) -> None:
    """Answer jobs on a socket until the other side closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the link
    link, sessions = Connection(descriptor), dict[str, HighsSession]()
    while True:
        try:
            job, deadline_s = link.recv()
        except (EOFError, OSError):
            return
        link.send(_guarded(sessions, job, deadline_s))


def _guarded(sessions: dict[str, HighsSession], job: Job, deadline_s: float) -> Any:
    """Return the answer, or what went wrong as text; a session that failed is dropped."""
    try:
        return run(sessions, job, deadline_s)
    except Exception as problem:  # whatever it is, the parent must hear of it
        sessions.pop(job.key, None)
        return f"{type(problem).__name__}: {problem}"
