"""Telemetry: series, points as they come, sealed blocks; and policies that ask once per query, not once per row, who is asking."""

import sqlalchemy as sa
from alembic import op

from service.store.migrations.guards import ask_once, guard

revision = "0004"
down_revision = "0003"

TABLES = ("tags", "telemetry_hot", "telemetry_blocks")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tags",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("tenant_id", sa.String(40), sa.ForeignKey("tenants.id"), nullable=False, index=True),
        sa.UniqueConstraint("tenant_id", "name"),
    )
    op.create_table(
        "telemetry_hot",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("tag", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Double),
        sa.Column("quality", sa.SmallInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "telemetry_blocks",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("tag", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("resolution_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    for table in TABLES:
        guard(table)
    ask_once()


def downgrade() -> None:
    """Take the tables away, with everything in them."""
    for table in reversed(TABLES):
        op.drop_table(table)
