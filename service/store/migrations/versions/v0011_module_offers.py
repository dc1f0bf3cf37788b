"""What providers offer for modules of the catalogue."""

import sqlalchemy as sa
from alembic import op

from service.store.migrations.guards import guard
from service.store.migrations.versions.v0010_customers import day, long, make, of, words

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the table."""
    terms = (
        sa.Column(name, sa.Float, nullable=False) for name in ("price_factor", "capacity", "guarantee_share", "rating")
    )
    make(
        "module_offers",
        of("party_id", "parties"),
        words("module", index=True),
        *terms,
        day("valid_until"),
        long("note"),
    )
    guard("module_offers")


def downgrade() -> None:
    """Take the table away, with everything in it."""
    op.drop_table("module_offers")
