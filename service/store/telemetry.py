"""Tables of telemetry: series by name, points as they come, and sealed blocks of them.

Points belong to a tenant by their series as well as by their own column; they carry no foreign key, which every single one would pay for.
"""

from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, SmallInteger, String, Table, UniqueConstraint
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
    Column("tenant_id", String(ID_LENGTH), nullable=False),
    Column("tag", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Double),
    Column("quality", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Points that no block holds yet, or that stand in place of one in a block; ``at`` is in microseconds."""

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
