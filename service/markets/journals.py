"""Journals in the store: what domain objects have added, entry by entry, each with the digest of the one before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.chain import FIRST
from service.store.trading import JournalHead, JournalRow


@dataclass(slots=True)
class Journal:
    """A journal that is held by a transaction: how long it is, where it ends, and how something is added."""

    session: AsyncSession
    head: JournalHead

    @property
    def length(self) -> int:
        """How many entries there are."""
        return self.head.number

    @property
    def digest(self) -> str:
        """The digest of the last entry."""
        return self.head.digest

    def add(self, at: datetime, thing: str, content: dict[str, Any], digest: str) -> None:
        """Add an entry whose digest covers its content and the last entry's digest."""
        self.head.number += 1
        self.head.digest = digest
        known = {"journal": self.head.journal, "number": self.head.number, "thing": thing, "at": at}
        self.session.add(JournalRow(id=token_hex(8), content=content, digest=digest, **known))


async def held(session: AsyncSession, name: str) -> Journal:
    """Return a journal of the transaction's tenant; nobody else adds to it until the transaction ends."""
    mine = JournalHead.tenant_id == session.sync_session.info["tenant"]
    head = await session.scalar(select(JournalHead).where(mine, JournalHead.journal == name).with_for_update())
    if head is None:
        head = JournalHead(id=token_hex(8), journal=name, number=0, digest=FIRST)
        session.add(head)
        await session.flush()
    return Journal(session, head)


async def entries(
    session: AsyncSession,
    name: str,
    *,
    things: Sequence[str] | None = None,
    before: int | None = None,
    after: int = 0,
    limit: int | None = None,
) -> Sequence[JournalRow]:
    """Return entries, oldest first, of some things alone where they are named; with ``before`` the newest come first."""
    wanted = select(JournalRow).where(
        JournalRow.tenant_id == session.sync_session.info["tenant"], JournalRow.journal == name
    )
    if things is not None:
        wanted = wanted.where(JournalRow.thing.in_(things))
    if before is not None:
        wanted = wanted.where(JournalRow.number < before).order_by(JournalRow.number.desc())
    else:
        wanted = wanted.where(JournalRow.number > after).order_by(JournalRow.number)
    return (await session.scalars(wanted if limit is None else wanted.limit(limit))).all()
