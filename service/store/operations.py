"""Tables of what is operated: plans, schedules with who approved them, and what became of every command."""

from datetime import datetime

from sqlalchemy import Boolean, Float, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.store.columns import ID_LENGTH, NAME_LENGTH, Base, Edited, Instant, Owned, Plain, identifier

COMMAND_LENGTH = 120


class PlanRow(Owned, Base):
    """A plan as it was made; ``body`` is the whole document, packed."""

    __tablename__ = "plans"

    id: Mapped[str] = identifier()
    made_at: Mapped[datetime] = mapped_column(Instant, index=True)
    source: Mapped[str] = mapped_column(Text)
    check_ok: Mapped[bool | None] = mapped_column(Boolean)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class ScheduleRow(Owned, Edited, Base):
    """Set-points that somebody wants some assets to have; ``steps`` is asset → [[at, kW], ...]."""

    __tablename__ = "schedules"

    id: Mapped[str] = identifier()
    title: Mapped[str] = mapped_column(String(NAME_LENGTH))
    plan_id: Mapped[str] = mapped_column(String(ID_LENGTH), index=True)
    start: Mapped[datetime] = mapped_column(Instant)
    end: Mapped[datetime] = mapped_column(Instant)
    steps: Mapped[dict[str, list[list[object]]]] = mapped_column(Plain)
    state: Mapped[str] = mapped_column(String(12), index=True)
    drafted_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    created_at: Mapped[datetime] = mapped_column(Instant)
    approved_by: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    applied_by: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    applied_at: Mapped[datetime | None] = mapped_column(Instant)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    """On the site's clock, as ``start`` and ``end``."""


class CommandRow(Owned, Base):
    """A command and its receipt; ``plan_id`` names the plan or the schedule behind it."""

    __tablename__ = "commands"
    __table_args__ = (Index("ix_commands_tenant_id_at", "tenant_id", "at"),)

    id: Mapped[str] = mapped_column(String(COMMAND_LENGTH), primary_key=True)
    device: Mapped[str] = mapped_column(String(NAME_LENGTH))
    quantity: Mapped[str] = mapped_column(String(NAME_LENGTH))
    value: Mapped[float] = mapped_column(Float)
    read_back: Mapped[float | None] = mapped_column(Float)
    issued_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    issued_at: Mapped[datetime] = mapped_column(Instant)
    plan_id: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    outcome: Mapped[str] = mapped_column(String(12))
    code: Mapped[str] = mapped_column(String(40))
    message: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant)
