"""Tenants, users, sessions, keys, the audit log and answers that are given twice."""

import sqlalchemy as sa
from alembic import op

from service.store.migrations.guards import append_only, drop_append_only, guard, make_app_role

revision = "0001"
down_revision = None


def owned(*, key: bool = False) -> sa.Column[str]:
    """Return the column that says whose row it is, as part of the key or with an index of its own."""
    tenant = sa.ForeignKey("tenants.id")
    return sa.Column("tenant_id", sa.String(40), tenant, nullable=False, primary_key=key, index=None if key else True)


def upgrade() -> None:
    """Make the tables."""
    make_app_role()
    people()
    secrets()
    op.create_table(
        "audit",
        owned(key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("thing", sa.String(120), nullable=False, index=True),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_heads",
        owned(key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    append_only("audit")
    guard("tenants", shared=True, owner="id")
    for table in ("users", "sessions", "api_keys"):
        guard(table, shared=True)
    guard("audit", rights="SELECT, INSERT")
    guard("audit_heads")
    guard("repetitions")
    guard("setup_tokens", owner="current_setting('app.tenant', true)", shared=True)


def people() -> None:
    """Make the tables of tenants and users."""
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("four_eyes", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False, unique=True),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("totp_secret", sa.String(64)),
        sa.Column("totp_used", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", sa.BigInteger),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        owned(),
        sa.Column("version", sa.Integer, nullable=False),
    )


def secrets() -> None:
    """Make the tables of what lets people and programs in, and of answers that are given twice."""
    op.create_table(
        "sessions",
        sa.Column("secret_hash", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(40), nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        owned(),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(120), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        owned(),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "setup_tokens",
        sa.Column("secret_hash", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
    )
    op.create_table(
        "repetitions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        owned(),
        sa.UniqueConstraint("tenant_id", "actor", "key"),
    )


def downgrade() -> None:
    """Take the tables away; the role stays, since other stores on the same server may use it."""
    drop_append_only("audit")
    for table in (
        "repetitions",
        "setup_tokens",
        "api_keys",
        "sessions",
        "audit_heads",
        "audit",
        "users",
        "tenants",
    ):
        op.drop_table(table)
