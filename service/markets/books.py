"""Continuous order books in the store: their events as a chained journal, replayed whenever somebody asks."""

from collections.abc import Sequence
from datetime import datetime
from secrets import token_hex
from typing import Any

import numpy as np
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from market.book import OrderBook, Outcome
from market.book_kernel import EVENT_COLUMNS, Ints
from models.chain import chained
from service.auth.roles import Principal
from service.markets.journals import entries, held
from service.store.audit import record
from service.store.trading import OrderBookRow


async def opened(
    session: AsyncSession, now: datetime, who: Principal, title: str, lowest: int, highest: int
) -> OrderBookRow:
    """Open a book; raises MarketError where it could hold no price."""
    OrderBook(lowest, highest)
    row = OrderBookRow(id=token_hex(8), title=title, lowest=lowest, highest=highest, created_at=now)
    session.add(row)
    await record(session, now, who.name, "book.opened", f"book/{row.id}", {"title": title})
    return row


async def one(session: AsyncSession, book_id: str) -> OrderBookRow | None:
    """Return a book of the transaction's tenant."""
    return await session.scalar(_mine(session).where(OrderBookRow.id == book_id))


async def listed(session: AsyncSession, after: str, limit: int) -> Sequence[OrderBookRow]:
    """Return books by id."""
    return (
        await session.scalars(_mine(session).where(OrderBookRow.id > after).order_by(OrderBookRow.id).limit(limit))
    ).all()


def _mine(session: AsyncSession) -> Select[OrderBookRow]:
    return select(OrderBookRow).where(OrderBookRow.tenant_id == session.sync_session.info["tenant"])


async def replayed(session: AsyncSession, row: OrderBookRow) -> OrderBook:
    """Return a book as its journal makes it."""
    book = OrderBook(row.lowest, row.highest)
    for entry in await entries(session, _name(row)):
        book.apply(events_of(entry.content["events"]))
    return book


async def apply(
    session: AsyncSession, now: datetime, row: OrderBookRow, events: Ints
) -> tuple[OrderBook, list[Outcome]]:
    """Apply a batch of events, keep it, and return the book and what became of each; the book is held meanwhile."""
    journal = await held(session, _name(row))
    book = await replayed(session, row)
    outcomes = [Outcome(o) for o in book.apply(events).tolist()]
    rows = events.tolist()
    journal.add(now, row.id, {"events": rows}, chained([rows], journal.digest))
    return book, outcomes


def events_of(rows: Any) -> Ints:
    """Return rows of events as the book takes them."""
    return np.array(rows, dtype=np.int64).reshape(-1, EVENT_COLUMNS)


def _name(row: OrderBookRow) -> str:
    return f"book/{row.id}"
