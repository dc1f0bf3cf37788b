"""A job and where jobs are kept."""

import shutil
import threading
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from models.findings import Finding


class JobState(StrEnum):
    """How far a job is; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DIED = "died"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """One study that was asked for; ``share`` (0..1) is None while nobody can know how much is left."""

    id: str
    kind: str
    created_at: datetime
    state: JobState = JobState.QUEUED
    share: float | None = 0.0
    words: str = "waits for its turn"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    findings: tuple[Finding, ...] = ()


class JobRegister(Protocol):
    """Where jobs and their results are kept."""

    def add(self, job: Job) -> Path:
        """Keep a new job and return the empty folder of its results."""

    def get(self, job_id: str) -> Job | None:
        """Return a job, None where none of that name is kept."""

    def change(self, job_id: str, **fields: Any) -> Job:
        """Change a job and return it; a final job stays as it is."""

    def newest_first(self) -> list[Job]:
        """Return every job that is kept."""

    def folder(self, job_id: str) -> Path:
        """Return the folder of a job's results."""

    def close(self) -> None:
        """Let go of everything that does not outlive the service."""


class PassingRegister:
    """Jobs of one run of the service: states in memory, results in a folder that leaves with it.

    Of ended jobs the newest ``kept`` stay.
    """

    def __init__(self, kept: int = 50) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._place: TemporaryDirectory[str] | None = None

    def add(self, job: Job) -> Path:
        """Keep a new job and return the empty folder of its results."""
        with self._lock:
            if self._place is None:
                self._place = TemporaryDirectory(prefix="jouletwin-jobs-", ignore_cleanup_errors=True)
            self._jobs[job.id] = job
            ended = [j.id for j in self._jobs.values() if j.state.final]
            for old in ended[: max(len(ended) - self._kept, 0)]:
                del self._jobs[old]
                shutil.rmtree(Path(self._place.name) / old, ignore_errors=True)
            folder = Path(self._place.name) / job.id
            folder.mkdir()
            return folder

    def get(self, job_id: str) -> Job | None:
        """Return a job, None where none of that name is kept."""
        with self._lock:
            return self._jobs.get(job_id)

    def change(self, job_id: str, **fields: Any) -> Job:
        """Change a job and return it; a final job stays as it is."""
        with self._lock:
            job = self._jobs[job_id]
            if not job.state.final:
                job = self._jobs[job_id] = replace(job, **fields)
            return job

    def newest_first(self) -> list[Job]:
        """Return every job that is kept."""
        with self._lock:
            return list(self._jobs.values())[::-1]

    def folder(self, job_id: str) -> Path:
        """Return the folder of a job's results."""
        assert self._place is not None  # noqa: S101 # made with the first job
        return Path(self._place.name) / job_id

    def close(self) -> None:
        """Remove all results."""
        with self._lock:
            if self._place is not None:
                self._place.cleanup()
                self._place = None
            self._jobs.clear()
