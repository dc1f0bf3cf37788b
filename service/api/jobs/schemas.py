"""What jobs answer."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from service.api.fields import Share
from service.api.operations.schemas import FindingOut
from service.jobs.job import Job, JobState


class JobOut(BaseModel):
    """One study and how far it is."""

    id: str = Field(examples=["5f0c3a9be2d14f77"])
    kind: str = Field(examples=["dispatch"])
    asked_by: str
    state: JobState = Field(description="done, failed, cancelled and died are final")
    share: Share = Field(description="share that is done, 0..1; null while nobody can know", examples=[0.4])
    words: str = Field(
        description="what is being done, or how it ended", examples=["3 s, best 48,210, bound 48,102, 0.22% apart"]
    )
    created_at: datetime = Field(description="UTC")
    started_at: datetime | None = Field(description="UTC; null while it waits")
    ended_at: datetime | None = Field(description="UTC; null until it has ended")
    findings: list[FindingOut] = Field(description="why it failed")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return a job as the interface shows it."""
        return cls.model_validate(job, from_attributes=True)


class JobPage(BaseModel):
    """Jobs, newest first."""

    items: list[JobOut]
    next: str | None = Field(description="value for `before` that gives the next page; null on the last")
