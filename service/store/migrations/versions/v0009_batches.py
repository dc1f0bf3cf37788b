"""Points that came together stand together: a row per series, batch and block's time in place of a row per point."""

from itertools import groupby
from typing import Any

import numpy as np
import sqlalchemy as sa
from alembic import op

from service.store.migrations.guards import everybody, guard

revision = "0009"
down_revision = "0008"

POINT = np.dtype([("at", "<i8"), ("value", "<f8"), ("quality", "u1")])
SPAN_US = 4 * 3600 * 1_000_000


def body(rows: list[tuple[int, float | None, int]]) -> bytes:
    """Return points as the bytes of a batch."""
    return np.array([(at, np.nan if value is None else value, quality) for at, value, quality in rows], POINT).tobytes()


def rows_of(kept: bytes) -> list[tuple[int, float | None, int]]:
    """Return the points of a batch; a value that there is not is nothing."""
    return [
        (at, None if value != value else value, quality) for at, value, quality in np.frombuffer(kept, POINT).tolist()
    ]


def upgrade() -> None:
    """Put the points of each series and time into one batch."""
    everybody("telemetry_hot")
    rows = (
        op.get_bind()
        .execute(sa.text("SELECT tenant_id, tag, at, value, quality FROM telemetry_hot ORDER BY tag, at"))
        .all()
    )
    op.drop_table("telemetry_hot")
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    hot = op.create_table(
        "telemetry_hot",
        sa.Column("number", number, sa.Identity(), primary_key=True),
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("tag", sa.BigInteger, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_telemetry_hot_tag", "telemetry_hot", ["tag", "start"])
    found: list[dict[str, Any]] = [
        {"tenant_id": tenant, "tag": tag, "start": start, "body": body([tuple(r)[2:] for r in mine])}
        for (tenant, tag, start), mine in groupby(rows, lambda r: (r.tenant_id, r.tag, r.at // SPAN_US * SPAN_US))
    ]
    if found:
        op.bulk_insert(hot, found)
    guard("telemetry_hot")


def downgrade() -> None:
    """Give every point its row again; of two at one instant the later one stays."""
    everybody("telemetry_hot")
    batches = op.get_bind().execute(sa.text("SELECT tenant_id, tag, body FROM telemetry_hot ORDER BY number")).all()
    points = {
        (tag, at): (tenant, value, quality) for tenant, tag, kept in batches for at, value, quality in rows_of(kept)
    }
    op.drop_table("telemetry_hot")
    hot = op.create_table(
        "telemetry_hot",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("tag", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Double),
        sa.Column("quality", sa.SmallInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    found: list[dict[str, Any]] = [
        {"tenant_id": tenant, "tag": tag, "at": at, "value": value, "quality": quality}
        for (tag, at), (tenant, value, quality) in points.items()
    ]
    if found:
        op.bulk_insert(hot, found)
    guard("telemetry_hot")
