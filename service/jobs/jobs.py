"""The queue of jobs: one runs at a time, in a process of its own; every job comes to a final state."""

import pickle
import secrets
import threading
from collections import deque

from hil.clocks import RealClock
from models.errors import SetupError
from models.ports import Clock
from models.site import Site
from service.jobs.child import JobProcess
from service.jobs.job import Job, JobRegister, JobState, PassingRegister
from service.jobs.requests import Request

QUEUE_MOST = 20
"""So many jobs may wait."""
CANCEL_S = 1.0
ORDER = "order.pickle"


class QueueFullError(SetupError):
    """Too many jobs wait already."""


class Jobs:
    """Takes orders, works on them one after the other, and cancels them."""

    def __init__(self, register: JobRegister | None = None, clock: Clock | None = None) -> None:
        self.register: JobRegister = register or PassingRegister()
        self._clock = clock or RealClock()
        self._queue: deque[str] = deque()
        self._turn = threading.Condition()
        self._running: tuple[str, JobProcess] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, request: Request, site: Site) -> Job:
        """Queue a study of a site.

        Raises
        ------
        QueueFullError
            If too many wait already, or the service is ending.
        """
        with self._turn:
            if self._closed or len(self._queue) >= QUEUE_MOST:
                raise QueueFullError(
                    f"{len(self._queue)} jobs wait already; ask again when one has ended, or cancel one"
                )
            job = Job(secrets.token_hex(8), request.kind, self._clock.now())
            folder = self.register.add(job)
            (folder / ORDER).write_bytes(pickle.dumps((request, site)))
            self._queue.append(job.id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
                self._thread.start()
            self._turn.notify_all()
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job wherever it is and return it, at most a second later."""
        with self._turn:
            job = self.register.change(job_id, state=JobState.CANCELLED, words="cancelled", ended_at=self._clock.now())
            if job_id in self._queue:
                self._queue.remove(job_id)
            elif self._running is not None and self._running[0] == job_id:
                self._running[1].kill()
                self._turn.wait_for(lambda: self._running is None or self._running[0] != job_id, CANCEL_S)
        return job

    def stop(self) -> None:
        """Cancel everything and let go of the results; no job is taken any more."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        for job in self.register.newest_first():
            if not job.state.final:
                self.cancel(job.id)
        if self._thread is not None:
            self._thread.join(CANCEL_S)
        self.register.close()

    def _work(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                job_id = self._queue.popleft()
                began = self._begun(job_id)
            if began is not None:
                self._follow(job_id, began)

    def _begun(self, job_id: str) -> JobProcess | None:
        """Start a job's process; a machine that refuses it is the job's end, not the queue's."""
        try:
            process = JobProcess(self.register.folder(job_id))
        except OSError as fault:
            words = f"its process could not be started: {fault.strerror}"
            self.register.change(job_id, state=JobState.DIED, words=words, ended_at=self._clock.now())
            return None
        self._running = job_id, process
        self.register.change(job_id, state=JobState.RUNNING, share=None, words="starts", started_at=self._clock.now())
        return process

    def _follow(self, job_id: str, process: JobProcess) -> None:
        """Listen to a job until it has ended, and note how."""
        for share, words in process.told():
            self.register.change(job_id, share=share, words=words)
        found, now = process.outcome(), self._clock.now()
        with self._turn:
            self._running = None
            if found is None:
                self.register.change(job_id, state=JobState.DIED, words=process.death(), ended_at=now)
            else:
                done, words, findings = found
                last = {"state": JobState.DONE, "share": 1.0} if done else {"state": JobState.FAILED}
                self.register.change(job_id, words=words, findings=findings, ended_at=now, **last)
            self._turn.notify_all()
