"""A job: what was asked for, how far it is, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from models.findings import Finding, Severity
from service.store.work import JobRow


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
    """One study that was asked for; ``share`` (0..1) is None while nobody can know how much is left.

    ``version`` rises with every change; ``fence`` is the number of the attempt that counts.
    """

    id: str
    tenant_id: str
    kind: str
    asked_by: str
    created_at: datetime
    state: JobState
    share: float | None
    words: str
    started_at: datetime | None
    ended_at: datetime | None
    findings: tuple[Finding, ...]
    limit_s: float
    fence: int
    version: int
    request: Mapping[str, Any]
    """What was asked for, as it was sent."""

    @classmethod
    def of(cls, row: JobRow) -> Self:
        """Return a job as the store has it."""
        same = ("id", "tenant_id", "kind", "asked_by", "created_at", "share", "words", "started_at", "ended_at")
        numbers = ("limit_s", "fence", "version", "request")
        findings = tuple(Finding(Severity(s), place, words) for s, place, words in row.findings)
        return cls(
            state=JobState(row.state), findings=findings, **{name: getattr(row, name) for name in (*same, *numbers)}
        )

    def folder(self, results: Path) -> Path:
        """Return where the attempt that counts has its results; each attempt has a folder of its own."""
        return results / self.id / str(self.fence)
