"""Tables of tenants, users, sessions, keys and the audit log."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.store.columns import ID_LENGTH, NAME_LENGTH, Base, Edited, Instant, Owned, Plain, identifier


class Tenant(Base):
    """Somebody whose data nobody else sees."""

    __tablename__ = "tenants"

    id: Mapped[str] = identifier()
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    four_eyes: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether nobody may apply a schedule that nobody else has approved."""
    created_at: Mapped[datetime] = mapped_column(Instant)
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)
    """Since when nobody of theirs is let in."""


class User(Owned, Edited, Base):
    """A person; ``password_hash`` is None where another system knows the password."""

    __tablename__ = "users"

    id: Mapped[str] = identifier()
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    roles: Mapped[list[str]] = mapped_column(Plain)
    password_hash: Mapped[str | None] = mapped_column(Text)
    totp_secret: Mapped[str | None] = mapped_column(String(64))
    totp_used: Mapped[int] = mapped_column(BigInteger, default=0)
    """Number of the last time step whose code was taken; a code is taken once."""
    failures: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[datetime | None] = mapped_column(Instant)
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(Instant)
    subject: Mapped[str | None] = mapped_column(String(64), unique=True)
    """A hash of who they are to the provider that lets them in, None for who has a password here."""


class LoginSession(Owned, Base):
    """A browser that is logged in; only the hash of its secret is kept."""

    __tablename__ = "sessions"

    secret_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class ApiKey(Owned, Edited, Base):
    """A program's key; only the hash of its secret is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = identifier()
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    roles: Mapped[list[str]] = mapped_column(Plain)
    created_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class AuditEntry(Owned, Base):
    """One thing that somebody did; ``hash`` covers everything else in the row, ``previous`` is the hash of the row before."""

    __tablename__ = "audit"

    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), ForeignKey("tenants.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str] = mapped_column(String(NAME_LENGTH))
    action: Mapped[str] = mapped_column(String(60))
    thing: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    details: Mapped[dict[str, object]] = mapped_column(Plain)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Owned, Base):
    """Where a tenant's chain ends; whoever appends holds this row."""

    __tablename__ = "audit_heads"

    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), ForeignKey("tenants.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))


class SetupToken(Base):
    """The one-time secret with which the first person comes in; a hash, like every secret here."""

    __tablename__ = "setup_tokens"

    secret_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class Repetition(Owned, Base):
    """What was answered to a request with an Idempotency-Key, so that asking again changes nothing."""

    __tablename__ = "repetitions"
    __table_args__ = (UniqueConstraint("tenant_id", "actor", "key"),)

    id: Mapped[str] = identifier()
    actor: Mapped[str] = mapped_column(String(NAME_LENGTH))
    key: Mapped[str] = mapped_column(String(255))
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    headers: Mapped[dict[str, str]] = mapped_column(Plain)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
