"""Documents that people bring: sites, profiles, register maps, tariffs."""

import sqlalchemy as sa
from alembic import op

from service.store.migrations.guards import guard

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "documents",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("changed_by", sa.String(120), nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("tenant_id", sa.String(40), sa.ForeignKey("tenants.id"), nullable=False, index=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.UniqueConstraint("tenant_id", "kind", "name"),
    )
    guard("documents")


def downgrade() -> None:
    """Take the table away, with everything in it."""
    op.drop_table("documents")
