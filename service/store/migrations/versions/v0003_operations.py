"""Plans, schedules and commands with their receipts."""

import sqlalchemy as sa
from alembic import op

from service.store.migrations.guards import guard

revision = "0003"
down_revision = "0002"


def owned(*, index: bool = True) -> sa.Column[str]:
    """Return the column that says whose row it is."""
    return sa.Column("tenant_id", sa.String(40), sa.ForeignKey("tenants.id"), nullable=False, index=index)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "plans",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("made_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("check_ok", sa.Boolean),
        sa.Column("body", sa.LargeBinary, nullable=False),
        owned(),
    )
    schedules()
    op.create_table(
        "commands",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("device", sa.String(120), nullable=False),
        sa.Column("quantity", sa.String(120), nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("read_back", sa.Float),
        sa.Column("issued_by", sa.String(120), nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("plan_id", sa.String(120), nullable=False, index=True),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        owned(),
        sa.Index("ix_commands_tenant_id_at", "tenant_id", "at"),
    )
    for table in ("plans", "schedules", "commands"):
        guard(table)


def schedules() -> None:
    """Make the table of schedules."""
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("plan_id", sa.String(40), nullable=False, index=True),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("steps", sa.Text, nullable=False),
        sa.Column("state", sa.String(12), nullable=False, index=True),
        sa.Column("drafted_by", sa.String(120), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("approved_by", sa.String(120)),
        sa.Column("approved_at", sa.BigInteger),
        sa.Column("applied_by", sa.String(120)),
        sa.Column("applied_at", sa.BigInteger),
        sa.Column("lease_until", sa.BigInteger),
        owned(),
        sa.Column("version", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Take the tables away, with everything in them."""
    for table in ("commands", "schedules", "plans"):
        op.drop_table(table)
