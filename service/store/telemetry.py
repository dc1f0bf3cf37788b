"""Tables of telemetry: series by name, batches of points as they come, and sealed blocks of them.

Points belong to a tenant by their series as well as by their own column; they carry no foreign key, which every row would pay for.
"""

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, LargeBinary, String, Table, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.store.columns import ID_LENGTH, NAME_LENGTH, Base, Owned

RAW = 0
"""The resolution of blocks that hold every point as it came."""


class TagRow(Owned, Base):
    """A series; ``number`` is what its points carry in place of its name, and no other series of any tenant has it."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))


HOT = Table(
    "telemetry_hot",
    Base.metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("tenant_id", String(ID_LENGTH), nullable=False),
    Column("tag", BigInteger, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_telemetry_hot_tag", "tag", "start"),
)
"""Points that no block holds yet, or that count before those in one: what came together, by series and the start of their block's time
in microseconds. What came later has the higher ``number``."""

BLOCKS = Table(
    "telemetry_blocks",
    Base.metadata,
    Column("tenant_id", String(ID_LENGTH), nullable=False),
    Column("tag", BigInteger, primary_key=True, autoincrement=False),
    Column("resolution_s", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""Sealed points of one series; ``resolution_s`` 0 holds them as they came, any other their means over so many seconds."""
