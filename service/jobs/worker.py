"""A worker: claims jobs from the store and works on them, each in a process that was warmed up before it was needed."""

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from service.jobs import queue
from service.jobs.child import JobProcess
from service.jobs.job import Job, JobState
from service.store.engine import Store

LOOK_S = 0.15
"""So often an idle worker looks for a job, and a busy one whether its job was cancelled."""
TELL_S = 1.0
RESIDENT_MOST_MB = 6_000.0
CALM_S = 5.0
"""How long a worker waits when the store cannot be reached or has no room."""


def worker_name() -> str:
    """Return who this worker is, for people who look at a job that hangs."""
    return f"{socket.gethostname()[:60]}/{os.getpid()}"


@dataclass
class Worker:
    """Works until it is told to stop; one slot takes everything, the other only what is urgent, so that no study is in its way."""

    store: Store
    results: Path
    resident_most_mb: float = RESIDENT_MOST_MB
    warm: bool = True
    running: dict[str, JobProcess] = field(default_factory=dict)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _spare: JobProcess | None = None

    def stop(self) -> None:
        """Put back what is being worked on, and end."""
        self._stop.set()

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        try:
            await asyncio.gather(self._slot(urgent_only=False), self._slot(urgent_only=True))
        finally:
            if self._spare is not None:
                self._spare.kill()

    async def _slot(self, *, urgent_only: bool) -> None:
        while not self._stop.is_set():
            try:
                if not await self._next(urgent_only=urgent_only):
                    await self._pause(LOOK_S)
            except (DBAPIError, OSError):  # the store is away or full; jobs are taken back by whoever reaches it first
                await self._pause(CALM_S)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _next(self, *, urgent_only: bool) -> bool:
        """Work on one job; False where there is none."""
        if self.warm and not urgent_only:
            self._keep_spare()
        if not await queue.waiting(self.store, urgent_only=urgent_only):
            return False
        job = await queue.claim(self.store, worker_name(), urgent_only=urgent_only)
        if job is None:
            return False
        await self._work(job)
        await queue.forget_old(self.store, self.results)
        return True

    def _keep_spare(self) -> None:
        if self._spare is None or not self._spare.alive:
            self._spare = JobProcess()

    def _process(self) -> JobProcess:
        spare, self._spare = self._spare, None
        return spare if spare is not None and spare.alive else JobProcess()

    async def _work(self, job: Job) -> None:
        """See one job to its end, whatever that is."""
        folder = job.folder(self.results)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            process = self._process()
            process.begin(folder)
        except OSError as fault:
            await queue.ended(self.store, job, JobState.DIED, f"its process could not be started: {fault.strerror}")
            return
        self.running[job.id] = process
        try:
            ending = await self._followed(job, process)
        finally:
            await asyncio.to_thread(process.kill)
            del self.running[job.id]
        if ending:
            await queue.ended(self.store, job, JobState.FAILED, ending)

    async def _followed(self, job: Job, process: JobProcess) -> str:
        """Follow a job until it has ended or must end; return why it was ended, "" where everything is said already."""
        clock = self.store.clock
        began = told = clock.monotonic()
        said: tuple[float | None, str] = (None, "")
        while process.alive:
            await self._pause(LOOK_S)
            now = clock.monotonic()
            if self._stop.is_set():
                await queue.released(self.store, job)
                return ""
            if not await queue.still_mine(self.store, job):
                return ""
            if now - began > job.limit_s:
                return f"was ended after {job.limit_s:g} s, its limit; give it more or ask for less"
            if process.resident_mb() > self.resident_most_mb:
                return f"was ended because it took more than {self.resident_most_mb:g} MB; ask for less at once"
            if (process.share, process.words) != said or now - told >= TELL_S:
                said, told = (process.share, process.words), now
                await queue.told(self.store, job, *said)
        await self._noted(job, process)
        return ""

    async def _noted(self, job: Job, process: JobProcess) -> None:
        """Write down how a process ended by itself."""
        found = await asyncio.to_thread(process.outcome)
        if found is None and process.was_told_to_end:
            await self._pause(CALM_S)  # who ends a whole group of processes at once tells the worker too
        if found is None and self._stop.is_set():
            await queue.released(self.store, job)
            return
        if found is None:
            await queue.ended(self.store, job, JobState.DIED, process.death())
            return
        done, words, findings = found
        await queue.ended(self.store, job, JobState.DONE if done else JobState.FAILED, words, findings)
