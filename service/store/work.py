"""The table of jobs: the queue itself, and what became of every job."""

from datetime import datetime

from sqlalchemy import Float, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.store.columns import NAME_LENGTH, Base, Edited, Instant, Owned, Plain, identifier


class JobRow(Owned, Edited, Base):
    """One study; ``fence`` rises with every claim, and who holds an older one is no longer heard."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_waiting", "state", "priority", "created_at"),)

    id: Mapped[str] = identifier()
    kind: Mapped[str] = mapped_column(String(40))
    asked_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    request: Mapped[dict[str, object]] = mapped_column(Plain)
    priority: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(12))
    share: Mapped[float | None] = mapped_column(Float)
    words: Mapped[str] = mapped_column(Text)
    findings: Mapped[list[list[str]]] = mapped_column(Plain)
    limit_s: Mapped[float] = mapped_column(Float)
    created_at: Mapped[datetime] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    worker: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")
    fence: Mapped[int] = mapped_column(Integer, default=0)
    losses: Mapped[int] = mapped_column(Integer, default=0)
    """How often its worker was lost."""
