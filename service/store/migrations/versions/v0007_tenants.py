"""Tenants that are shut out."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add since when they are."""
    op.add_column("tenants", sa.Column("disabled_at", sa.BigInteger))


def downgrade() -> None:
    """Take it away; whoever was shut out may come in again."""
    op.drop_column("tenants", "disabled_at")
