"""Solves run in a child process with a hard deadline, so that no solver can stop or take down who asked.

The child keeps its HiGHS sessions between jobs; it is killed and replaced when it overruns, and replaced when it dies.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from models.errors import SolverCrashError, SolverTimeoutError
from optimizers.origin import Origin
from optimizers.rounding import near_whole
from optimizers.session import HighsSession, Program, Progress, Solution, Status, Watch
from optimizers.sweep import Sweep, Swept, run_sweep, swept

KEPT_SESSIONS = 8
READY = "ready"
START_S = 60.0
GRACE_S = 1.0
"""How long the child may overrun its own time limit before it is killed."""
STOP = "stop"
CANCEL_S = 5.0
"""How long a cancelled search may take to hand over what it has."""
TOLD_S = 0.2
"""Progress is told so often at most."""

MIXED_OPTIONS: Mapping[str, bool | int | float | str] = {
    "mip_heuristic_run_feasibility_jump": False,  # finds nothing on dispatch problems and costs as much as the root
    "mip_detect_symmetry": False,  # equal units are one count already
}


class SolverKilledError(SolverCrashError):
    """Somebody or something killed the solver's process; ``signal_number`` says with which signal."""

    def __init__(self, message: str, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Job:
    """One solve. Jobs with the same ``key`` have the same structure, so the child updates a live model instead of loading one.

    ``fresh`` forgets the live model first, which is how an answer that failed its recheck is asked for again. A ``watched`` job tells how far it
    has come and can be stopped.
    """

    key: str
    program: Program
    gap_share: float = 1e-4
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    fresh: bool = False
    watched: bool = False
    origin: Origin | None = None
    """An earlier job whose live model this one goes on from where it has none of its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``solution`` of the job, ``priced`` with integers fixed and duals, ``relaxed`` without integrality.

    For a linear program all three are the same.
    """

    solution: Solution
    priced: Solution | None
    relaxed: Solution


class SolverProcess:
    """A child process that solves jobs, one after the other; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._link: Connection | None = None
        self.watch: Callable[[Progress], None] | None = None
        """Is told how far each tree search has come; while somebody watches, Ctrl-C ends a search with the best found so far."""

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
        found = self._asked(replace(job, watched=self.watch is not None), deadline_s)
        if isinstance(found, Answer):
            return found
        raise SolverCrashError(f"the solver's process failed: {found}")

    def sweep(self, sweep: Sweep, *, deadline_s: float) -> Swept:
        """Solve every member of a sweep within ``deadline_s`` seconds, rechecked; raises as :meth:`solve` and :func:`swept`."""

        def ask(part: Sweep) -> list[Solution]:
            found = self._asked(part, deadline_s)
            if isinstance(found, list):
                return found
            raise SolverCrashError(f"the solver's process failed: {found}")

        return swept(sweep, ask)

    def _asked(self, job: "Job | Sweep", deadline_s: float) -> Any:
        with self._lock:
            try:
                link = self._linked()
                link.send((job, deadline_s))
                return self._answer(link, deadline_s)
            except (EOFError, OSError) as problem:
                raise self._death() from problem

    def start(self) -> None:
        """Start the child ahead of its first job, so that nobody waits for its imports."""
        with self._lock:
            self._linked()

    def cancel(self) -> None:
        """Let a watched search end with the best found so far; safe to call from another thread, without effect when nothing runs."""
        if self._link is not None and self.pid is not None:
            self._link.send(STOP)

    def _answer(self, link: Connection, deadline_s: float) -> Any:
        """Return what the child says in the end; progress is passed on, Ctrl-C of somebody who watches ends the search once."""
        end_s, stopped = time.monotonic() + deadline_s + GRACE_S, False
        while True:
            try:
                if not link.poll(max(end_s - time.monotonic(), 0.0)):
                    self._end()
                    raise SolverTimeoutError(
                        "stopped before anything was found" if stopped else
                        f"no answer within {deadline_s:g} s; the solver's process was stopped"
                    )  # fmt: skip
                found = link.recv()
            except KeyboardInterrupt:
                if self.watch is None or stopped:
                    self._end()
                    raise
                self.cancel()
                stopped, end_s = True, time.monotonic() + CANCEL_S
                continue
            if not isinstance(found, Progress):
                return found
            if self.watch is not None:
                self.watch(found)

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
        # the child's start is no part of anybody's deadline: a busy machine takes seconds for its imports
        if not self._link.poll(START_S) or self._link.recv() != READY:
            self._end()
            raise SolverCrashError(f"the solver's process did not start within {START_S:g} s")

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


@dataclass(slots=True)
class Kept:
    """What the child keeps per key: the program without integers, whose basis stays warm, and with them once they were needed."""

    relaxed: HighsSession
    mixed: HighsSession | None = None


def run(kept: dict[str, Kept], job: Job, deadline_s: float, watch: Watch | None = None) -> Answer:
    """Solve a job on the live models of its key.

    The relaxation is solved first, from the last basis. Where it is whole, or where rounding it costs little enough, its
    optimum proves the bound and no tree search is needed; otherwise the integer program is solved.
    """
    end_s = time.monotonic() + deadline_s
    models = _models(kept, job)
    relaxed = models.relaxed.run(time_limit_s=deadline_s, watch=watch)
    integers = job.program.integers
    if not len(integers):
        return Answer(relaxed, relaxed if relaxed.status is Status.OPTIMAL else None, relaxed)
    if relaxed.status is not Status.OPTIMAL or relaxed.x is None:
        return Answer(replace(relaxed, x=None), None, relaxed)
    allowed = job.gap_share * max(abs(relaxed.objective), 1.0)
    whole = near_whole(models.relaxed, relaxed, integers, allowed, end_s)
    if whole is not None:
        return Answer(whole, whole, relaxed)
    left_s = max(end_s - time.monotonic(), 0.05)
    found = _mixed(models, job).run(time_limit_s=left_s, gap_share=job.gap_share, watch=watch)
    if found.x is None:
        return Answer(found, None, relaxed)
    values = np.round(found.x[integers])
    priced = models.relaxed.run_within(integers, values, values, time_limit_s=max(end_s - time.monotonic(), 0.1))
    return Answer(found, priced if priced.status is Status.OPTIMAL else None, relaxed)


def _swept(kept: dict[str, Kept], sweep: Sweep, deadline_s: float) -> list[Solution]:
    """Solve the members of a sweep on the live model of its key."""
    first = Job(sweep.key, sweep.member(0), options=sweep.options)
    return run_sweep(_models(kept, first).relaxed, sweep, deadline_s)


def _models(kept: dict[str, Kept], job: Job) -> Kept:
    """Return the live models of a job's key with the job's numbers; the least used are forgotten."""
    models = None if job.fresh else kept.pop(job.key, None)
    if models is None:
        models = Kept(HighsSession(job.program.relaxed(), job.options))
        earlier = None if job.origin is None else kept.pop(job.origin.key, None)
        if earlier is not None and job.origin is not None and not job.fresh:
            models.relaxed.begin_from(earlier.relaxed, job.origin.columns, job.origin.rows)
    else:
        models.relaxed.update(job.program.relaxed())
    kept[job.key] = models
    while len(kept) > KEPT_SESSIONS:
        kept.pop(next(iter(kept)))
    return models


def _mixed(models: Kept, job: Job) -> HighsSession:
    if models.mixed is None:
        models.mixed = HighsSession(job.program, {**MIXED_OPTIONS, **job.options})
    else:
        models.mixed.update(job.program)
    return models.mixed


def serve(descriptor: int) -> None:
    """Answer jobs on a socket until the other side closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the link
    link, kept = Connection(descriptor), dict[str, Kept]()
    with suppress(EOFError, OSError):  # the parent is gone, and nobody waits for an answer any more
        link.send(READY)
        while True:
            asked = link.recv()
            if asked != STOP:  # a stop that came after its search had ended
                job, deadline_s = asked
                watch = _Telling(link) if isinstance(job, Job) and job.watched else None
                link.send(_guarded(kept, job, deadline_s, watch))


class _Telling:
    """Tells the parent how far a search has come, and hears when it wants it to stop."""

    def __init__(self, link: Connection) -> None:
        self.link, self.stopped, self.next_s = link, False, 0.0

    def __call__(self, progress: Progress | None) -> bool:
        if progress is not None and time.monotonic() >= self.next_s:
            self.next_s = time.monotonic() + TOLD_S
            self.link.send(progress)
        if not self.stopped and self.link.poll():
            self.stopped = self.link.recv() == STOP
        return self.stopped


def _guarded(kept: dict[str, Kept], job: Job | Sweep, deadline_s: float, watch: Watch | None) -> Any:
    """Return the answer, or what went wrong as text; a session that failed is dropped."""
    try:
        return _swept(kept, job, deadline_s) if isinstance(job, Sweep) else run(kept, job, deadline_s, watch)
    except Exception as problem:  # whatever it is, the parent must hear of it
        kept.pop(job.key, None)
        return f"{type(problem).__name__}: {problem}"
