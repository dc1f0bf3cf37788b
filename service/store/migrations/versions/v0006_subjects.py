"""Users whom a provider lets in."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add who they are to the provider."""
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("subject", sa.String(64)))
        users.create_unique_constraint("uq_users_subject", ["subject"])


def downgrade() -> None:
    """Take it away; they would need a password then."""
    with op.batch_alter_table("users") as users:
        users.drop_constraint("uq_users_subject", type_="unique")
        users.drop_column("subject")
