"""What every table of the store is made of: instants as whole microseconds, plain values as JSON, and rows that belong to a tenant."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, ForeignKey, Integer, MetaData, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from models.chain import canonical
from models.horizon import require_utc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ID_LENGTH = 40
NAME_LENGTH = 120


def micros(instant: datetime) -> int:
    """Return an instant as microseconds since 1970, UTC."""
    return (require_utc(instant) - EPOCH) // MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An instant, to the microsecond and in UTC on either engine."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return what is kept of an instant."""
        del dialect
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return the instant that was kept."""
        del dialect
        return None if value is None else EPOCH + value * MICROSECOND


class Plain(TypeDecorator[Any]):
    """Plain values as canonical JSON text, the same on either engine so that a hash of them is the same too."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        """Return what is kept of plain values."""
        del dialect
        return None if value is None else canonical(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Return the values that were kept."""
        del dialect
        return None if value is None else json.loads(value)


class Base(DeclarativeBase):
    """Every table; constraints have names, so that a migration can take them away again."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Owned:
    """A row that belongs to a tenant; nobody else reads or changes it."""

    @declared_attr
    def tenant_id(cls) -> Mapped[str]:  # noqa: N805 # SQLAlchemy calls it with the class
        """Return the column of the tenant whose row it is."""
        return mapped_column(String(ID_LENGTH), ForeignKey("tenants.id"), index=True)


class Edited:
    """A row that people edit; ``version`` rises by one with every change and is the object's ETag."""

    version: Mapped[int] = mapped_column(Integer, default=1)


def identifier() -> Mapped[str]:
    """Return the column of an id."""
    return mapped_column(String(ID_LENGTH), primary_key=True)
