"""Jobs: the queue, and what became of every study."""

import sqlalchemy as sa
from alembic import op

from service.store.migrations.guards import guard

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("asked_by", sa.String(120), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("share", sa.Float),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
        sa.Column("limit_s", sa.Float, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("worker", sa.String(120), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("tenant_id", sa.String(40), sa.ForeignKey("tenants.id"), nullable=False, index=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Index("ix_jobs_waiting", "state", "priority", "created_at"),
    )
    guard("jobs", shared=True)


def downgrade() -> None:
    """Take the table away, with every job in it."""
    op.drop_table("jobs")
