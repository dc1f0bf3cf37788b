"""Meter data of a party by carrier, with what people have edited in them."""

import sqlalchemy as sa
from alembic import op

from service.store.migrations.guards import everybody, on_postgresql

revision = "0012"
down_revision = "0011"
TABLE = "customer_meter_data"
NAMES = {"uq": "uq_%(table_name)s_%(column_0_N_name)s"}
ONCE, ONCE_EACH = f"uq_{TABLE}_tenant_id_party_id", f"uq_{TABLE}_tenant_id_party_id_carrier"


def upgrade() -> None:
    """Take what is kept already for electricity that nobody has edited."""
    with op.batch_alter_table(TABLE, naming_convention=NAMES) as data:
        data.add_column(sa.Column("carrier", sa.String(24), nullable=False, server_default="electricity"))
        data.add_column(sa.Column("kwh_per_m3", sa.Float))
        data.add_column(sa.Column("edits", sa.Text, nullable=False, server_default="[]"))
        data.drop_constraint(ONCE, type_="unique")
        data.create_unique_constraint(ONCE_EACH, ["tenant_id", "party_id", "carrier"])


def downgrade() -> None:
    """Keep electricity alone."""
    everybody(TABLE)
    op.execute(f"DELETE FROM {TABLE} WHERE carrier <> 'electricity'")  # noqa: S608 # a name of our own
    with op.batch_alter_table(TABLE, naming_convention=NAMES) as data:
        data.drop_constraint(ONCE_EACH, type_="unique")
        data.create_unique_constraint(ONCE, ["tenant_id", "party_id"])
        for name in ("edits", "kwh_per_m3", "carrier"):
            data.drop_column(name)
    if on_postgresql():
        op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
