"""Continuous order books: events one by one or in batches, trades, and what is shown on either side."""

import asyncio
from datetime import datetime
from typing import Annotated, Self

import numpy as np
from annotated_types import Ge, Le, Len
from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field

from market.book import Act, Life, OrderBook, Side
from models.horizon import require_utc
from service.api.access import Backed, Known, guarded, only
from service.api.problems import described
from service.api.trading.common import After, Asked, Id, Limit, Text, known
from service.auth.roles import Deed
from service.markets import books as shelf
from service.store.trading import OrderBookRow

router = guarded(Deed.SEE, "/api/v1/books", "trading")
Whole = Annotated[int, Ge(-(2**53)), Le(2**53)]
Tick = Annotated[int, Ge(-1_000_000), Le(1_000_000)]
TRADES_MOST = 1_000


class NewBook(Asked):
    """A book over whole ticks of a price."""

    title: Text = Field(examples=["hour 18, park"])
    lowest: Tick = Field(0, description="lowest price, ticks")
    highest: Tick = Field(100_000, description="highest price, ticks")


class BookOut(BaseModel):
    """A book."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    lowest: int
    highest: int
    created_at: datetime

    @classmethod
    def of(cls, row: OrderBookRow) -> Self:
        """Return a book as the interface shows it."""
        return cls.model_validate(row)


class Level(BaseModel):
    """What is shown at a price."""

    tick: int
    lots: int


class TradeOut(BaseModel):
    """A trade between two orders by their numbers; ``event`` made it."""

    resting: int
    incoming: int
    tick: int
    lots: int
    event: int


class BookState(BookOut):
    """A book with what is shown, the best price first, and its last trades."""

    buys: list[Level]
    sales: list[Level]
    events: int
    trades: list[TradeOut]


class BookPage(BaseModel):
    """Books by id."""

    items: list[BookOut]
    next: str | None


class EventIn(Asked):
    """One event: a new order, a change or a cancel of ``order``, by its number."""

    act: Act = Field(examples=[0], description="0 new, 1 cancel, 2 change")
    owner: Whole = Field(examples=[7], description="who sends it, by number")
    order: Whole = Field(0, description="the order that is meant; new ones are numbered from 0 on")
    side: Side = Field(Side.BUY, examples=[0], description="0 buys, 1 sells")
    tick: Tick = Field(0, examples=[3500])
    lots: Whole = Field(0, examples=[10])
    shown: Whole = Field(0, description="lots that an iceberg shows, 0 for all")
    life: Life = Field(Life.GTC, description="0 until cancelled, 1 until `until`, 2 at once or not, 3 all or nothing")
    until: Whole = 0


class Events(Asked):
    """Events in the order of their arrival."""

    events: Annotated[list[EventIn], Len(1, 10_000)] = Field(
        examples=[[{"act": 0, "owner": 7, "side": 0, "tick": 3500, "lots": 10}]]
    )


class EventsOut(BaseModel):
    """What became of events, in their order, and the trades they made."""

    outcomes: list[str]
    trades: list[TradeOut]


@router.post("", status_code=201, **only(Deed.TRADE))
async def open_book(backing: Backed, who: Known, asked: NewBook, response: Response) -> BookOut:
    """Open a book."""
    async with backing.store.changing(who.tenant_id) as session:
        row = await shelf.opened(session, backing.store.clock.now(), who, asked.title, asked.lowest, asked.highest)
    response.headers["Location"] = f"/api/v1/books/{row.id}"
    return BookOut.of(row)


@router.get("")
async def books(backing: Backed, who: Known, limit: Limit = 20, after: After = "") -> BookPage:
    """List books by id."""
    async with backing.store.reading(who.tenant_id) as session:
        found = await shelf.listed(session, after, limit + 1)
    return BookPage(
        items=[BookOut.of(r) for r in found[:limit]], next=found[limit - 1].id if len(found) > limit else None
    )


@router.get("/{book_id}", responses=described(404))
async def book(
    backing: Backed,
    who: Known,
    book_id: Id,
    since: Annotated[int, Query(ge=0, lt=2**40, description="number of the first trade that is wanted")] = 0,
) -> BookState:
    """Return a book as its journal makes it: the same events, the same trades."""
    async with backing.store.reading(who.tenant_id) as session:
        row = known(await shelf.one(session, book_id), "book", book_id)
        state = await shelf.replayed(session, row)
    now = _second(backing.store.clock.now())
    sides = [[Level(tick=t, lots=q) for t, q in state.depth(side, now)] for side in (Side.BUY, Side.SELL)]
    return BookState(
        **BookOut.of(row).model_dump(),
        buys=sides[0],
        sales=sides[1],
        events=len(state.events()),
        trades=_trades(state, since)[:TRADES_MOST],
    )


@router.post("/{book_id}/events", responses=described(404, 413), **only(Deed.TRADE))
async def send(backing: Backed, who: Known, book_id: Id, asked: Events) -> EventsOut:
    """Apply events; each is told what became of it, and the batch is one link of the book's journal."""
    now = backing.store.clock.now()
    rows = [
        [e.act, e.order, e.owner, e.side, e.tick, e.lots, e.shown, e.life, e.until, _second(now)] for e in asked.events
    ]
    async with backing.store.changing(who.tenant_id) as session:
        row = known(await shelf.one(session, book_id), "book", book_id)
        state, outcomes = await shelf.apply(session, now, row, await asyncio.to_thread(np.array, rows, np.int64))
    first = len(state.events()) - len(rows)
    made = [t for t in _trades(state, 0) if t.event >= first]
    return EventsOut(outcomes=[o.name.lower() for o in outcomes], trades=made)


def _trades(state: OrderBook, first: int) -> list[TradeOut]:
    return [
        TradeOut(resting=t.resting, incoming=t.incoming, tick=t.tick, lots=t.lots, event=t.event)
        for t in state.trades(first)
    ]


def _second(at: datetime) -> int:
    """Return the book's unit of time: whole seconds since 1970."""
    return int(require_utc(at).timestamp())
