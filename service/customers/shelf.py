"""Where records of customers are kept: read, made and replaced, with versions; every change and its entry in the record are one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import Enum
from functools import cached_property
from secrets import token_hex
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Select, Text, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from service.auth.roles import Principal
from service.store.audit import record
from service.store.columns import Plain
from service.store.customers import KeptRow

Content = TypeVar("Content")


@dataclass(frozen=True)
class Shelf(Generic[Content]):
    """A kind of record and the table that keeps it, a column for each of its fields.

    ``parent`` is the column of what a record belongs to, ``state`` that of how far it is; "" where there is none.
    """

    row: type[Any]
    content: type[Content]
    name: str
    """One of them (``work_order``); in the record of deeds too."""
    path: str
    """All of them, in addresses (``work-orders``)."""
    parent: str = ""
    state: str = ""

    @cached_property
    def _adapter(self) -> TypeAdapter[Content]:
        return TypeAdapter(self.content)

    @cached_property
    def _plain(self) -> frozenset[str]:
        """Columns that keep lists and mappings."""
        return frozenset(c.name for c in self.row.__table__.c if isinstance(c.type, Plain))

    def of(self, row: KeptRow) -> Content:
        """Return the record that a row keeps."""
        names = [f.name for f in fields(self.content)]  # type: ignore[arg-type] # every content is a dataclass
        return self._adapter.validate_python({n: getattr(row, n) for n in names})

    def columns(self, content: Content) -> dict[str, Any]:
        """Return what the columns of a record's row hold."""
        names = {f.name: getattr(content, f.name) for f in fields(content)}  # type: ignore[arg-type] # as above
        plain: dict[str, Any] = self._adapter.dump_python(content, mode="json", include=set(self._plain & names.keys()))
        return {n: v.value if isinstance(v, Enum) else v for n, v in names.items()} | plain

    async def one(self, session: AsyncSession, thing_id: str, *, changing: bool = False) -> KeptRow | None:
        """Return a row of the transaction's tenant, held while it is changed."""
        row = await session.get(self.row, thing_id, with_for_update=changing or None)
        mine = row is not None and row.tenant_id == session.sync_session.info["tenant"]
        return row if mine else None

    async def content_of(self, session: AsyncSession, thing_id: str) -> Content | None:
        """Return a record of the transaction's tenant by its id."""
        row = await self.one(session, thing_id)
        return None if row is None else self.of(row)

    async def all(self, session: AsyncSession, **wanted: str | Iterable[str]) -> dict[str, Content]:
        """Return every record whose columns have the wanted values, oldest first, by id."""
        found = await session.scalars(self._mine(session, wanted).order_by(self.row.made_at, self.row.id))
        return {row.id: self.of(row) for row in found}

    async def page(
        self, session: AsyncSession, wanted: Mapping[str, str], last: KeptRow | None, limit: int
    ) -> Sequence[KeptRow]:
        """Return rows behind the row ``last``, newest first."""
        asked = self._mine(session, wanted)
        if last is not None:
            older = self.row.made_at < last.made_at
            asked = asked.where(older | ((self.row.made_at == last.made_at) & (self.row.id < last.id)))
        return (await session.scalars(asked.order_by(self.row.made_at.desc(), self.row.id.desc()).limit(limit))).all()

    def _mine(self, session: AsyncSession, wanted: Mapping[str, str | Iterable[str]]) -> Select[Any]:
        asked = select(self.row).where(self.row.tenant_id == session.sync_session.info["tenant"])
        for name, value in wanted.items():
            column = getattr(self.row, name)
            if name in self._plain and isinstance(value, str):
                asked = asked.where(type_coerce(column, Text).contains(f'"{value}"', autoescape=True))
            else:
                asked = asked.where(column == value if isinstance(value, str) else column.in_(list(value)))
        return asked

    async def add(
        self,
        session: AsyncSession,
        now: datetime,
        who: Principal,
        content: Content,
        *,
        thing_id: str | None = None,
        **more: str,
    ) -> KeptRow:
        """Keep a new record, under an id of its own where nobody has chosen one; ``more`` are columns that no field of it has."""
        row: KeptRow = self.row(
            id=thing_id or token_hex(8), version=1, made_at=now, changed_at=now, changed_by=who.name
        )
        columns = self.columns(content) | more
        _put(row, columns)
        session.add(row)
        await record(session, now, who.name, f"{self.name}.made", f"{self.name}/{row.id}", self._about(columns))
        return row

    async def put(
        self,
        session: AsyncSession,
        now: datetime,
        who: Principal,
        row: KeptRow,
        content: Content,
        deed: str = "changed",
    ) -> None:
        """Keep a record in place of what its row keeps; the entry in the record of deeds names what is new, not the words themselves."""
        columns, before = self.columns(content), self.columns(self.of(row))
        changed = sorted(n for n, v in columns.items() if before[n] != v)
        _put(row, columns)
        row.version += 1
        row.changed_at, row.changed_by = now, who.name
        details = {"version": row.version, "changed": changed} | self._about(columns)
        await record(session, now, who.name, f"{self.name}.{deed}", f"{self.name}/{row.id}", details)

    def _about(self, columns: Mapping[str, object]) -> dict[str, object]:
        """Return what an entry tells of a record: whose it is and how far, and nothing about persons."""
        return {n: columns[n] for n in (self.parent, self.state) if n and n not in self._plain}


def _put(row: KeptRow, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, value)


def taken_over(content: Content, new: object) -> Content:
    """Return a record with the fields of what somebody has written, and its own where they may not write."""
    return replace(content, **{f.name: getattr(new, f.name) for f in fields(new)})  # type: ignore[type-var, arg-type] # dataclasses
