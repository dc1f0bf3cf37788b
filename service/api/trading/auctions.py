"""Auctions: opened with their product and participants, orders until the gate closes, cleared once, positions from their trades."""

import asyncio
import json
from collections import defaultdict
from datetime import datetime
from secrets import token_hex
from typing import Annotated, Any, Self

from annotated_types import Ge, Le, Len
from fastapi import Query, Response
from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter
from sqlalchemy import select

from market.documents import OrderDocument, ParticipantDocument, ProductDocument
from market.portfolio import EnergyContract, Portfolio
from market.settlement import Trade
from market.written import Number, micro_of
from service.api.access import Backed, Known, guarded, only
from service.api.problems import described
from service.api.trading.common import After, Asked, Behind, Id, Limit, Named, Text, known, place
from service.auth.roles import Deed, Principal
from service.backing import Backing
from service.markets import auctions as house
from service.store.trading import AuctionRow, OrderRow

router = guarded(Deed.SEE, "/api/v1", "trading")
GATE = {"opens": "2020-01-01T00:00:00Z", "closes": "2099-12-31T00:00:00Z"}
PRODUCT = {"id": "day-ahead-21000101", "area": "park", "start": "2100-01-01T00:00:00Z", "gate": GATE, "periods": 2}
PEOPLE = [{"id": "works", "name": "Steel works"}, {"id": "grid", "name": "The public grid"}]
ORDER = {"auction_id": "0123456789abcdef", "participant": "works", "period": 0, "price": 350, "mwh": 1.5}


class NewAuction(Asked, json_schema_extra={"examples": [{"product": PRODUCT, "participants": PEOPLE}]}):
    """An auction to be opened: product with its gate, and who may trade."""

    product: ProductDocument
    participants: Annotated[list[ParticipantDocument], Len(1, 5_000)]


class AuctionOut(BaseModel):
    """An auction, and what came of it once it is cleared: prices, volumes, welfare and every order's outcome."""

    id: str
    product: dict[str, Any]
    participants: list[dict[str, Any]]
    opened_by: str
    created_at: datetime
    cleared_at: datetime | None
    result: dict[str, Any] | None

    @classmethod
    def of(cls, row: AuctionRow) -> Self:
        """Return an auction as the interface shows it."""
        return cls(**{n: getattr(row, n) for n in cls.model_fields})


class AuctionPage(BaseModel):
    """Auctions by id."""

    items: list[AuctionOut]
    next: str | None


@router.post("/auctions", status_code=201, **only(Deed.TRADE))
async def open_auction(backing: Backed, who: Known, asked: NewAuction, response: Response) -> AuctionOut:
    """Open an auction; everything wrong with its product is told at once."""
    async with backing.store.changing(who.tenant_id) as session:
        row = await house.opened(session, backing.store.clock.now(), who, asked.product, asked.participants)
    response.headers["Location"] = f"/api/v1/auctions/{row.id}"
    return AuctionOut.of(row)


@router.get("/auctions")
async def auctions(backing: Backed, who: Known, limit: Limit = 20, after: After = "") -> AuctionPage:
    """List auctions by id."""
    wanted = select(AuctionRow).where(AuctionRow.id > after).order_by(AuctionRow.id).limit(limit + 1)
    async with backing.store.reading(who.tenant_id) as session:
        found = (await session.scalars(wanted)).all()
    return AuctionPage(
        items=[AuctionOut.of(r) for r in found[:limit]], next=found[limit - 1].id if len(found) > limit else None
    )


@router.get("/auctions/{auction_id}", responses=described(404))
async def auction(backing: Backed, who: Known, auction_id: Id) -> AuctionOut:
    """Return an auction with its result."""
    async with backing.store.reading(who.tenant_id) as session:
        return AuctionOut.of(known(await house.one(session, auction_id), "auction", auction_id))


@router.post("/auctions/{auction_id}/clear", responses=described(404, 409), **only(Deed.TRADE))
async def clear(
    backing: Backed,
    who: Known,
    auction_id: Id,
    deadline_s: Annotated[float, Query(ge=0.1, le=60, description="how long the search may take")] = 20.0,
) -> AuctionOut:
    """Clear an auction whose gate has closed: exact lots, one price per period, a reason for every order; its trades are kept."""
    now = backing.store.clock.now()
    async with backing.store.reading(who.tenant_id) as session:
        row = known(await house.one(session, auction_id), "auction", auction_id)
        house.require_open(row)
        document = house.document_of(row, [o.document for o in await house.orders_of(session, auction_id)], now)
    result, trades = await asyncio.to_thread(house.cleared, document, now, deadline_s)
    async with backing.store.changing(who.tenant_id) as session:
        row = known(await house.one(session, auction_id, changing=True), "auction", auction_id)
        await house.settled_on(session, now, who, row, result, trades)
    return AuctionOut.of(row)


class NewOrder(OrderDocument, json_schema_extra={"examples": [ORDER]}):
    """One order; which fields are there says of which kind. Its name is made up when left out."""

    auction_id: str = Field(max_length=40, description="the auction that it is for")
    id: str = Field("", max_length=100)


class OrderOut(BaseModel):
    """An order as it was sent; ``outcome`` is there once its auction is cleared."""

    id: str
    auction_id: str
    name: str
    participant: str
    arrived_at: datetime
    document: dict[str, Any]

    @classmethod
    def of(cls, row: OrderRow) -> Self:
        """Return an order as the interface shows it."""
        return cls(**{n: getattr(row, n) for n in cls.model_fields})


class OrderPage(BaseModel):
    """Orders by id."""

    items: list[OrderOut]
    next: str | None


@router.post("/orders", status_code=201, responses=described(404, 409), **only(Deed.TRADE))
async def send(backing: Backed, who: Known, asked: NewOrder, response: Response) -> OrderOut:
    """Send an order before the gate closes; the gate, the sender, lots, ticks, credit and families are checked beside all others."""
    order = OrderDocument(**asked.model_dump(exclude={"auction_id", "id"}), id=asked.id or f"o-{token_hex(6)}")
    async with backing.store.changing(who.tenant_id) as session:
        row = known(await house.one(session, asked.auction_id, changing=True), "auction", asked.auction_id)
        (kept,) = await house.take(session, backing.store.clock.now(), who, row, [order])
    response.headers["Location"] = f"/api/v1/orders/{kept.id}"
    return OrderOut.of(kept)


@router.get("/orders")
async def orders(
    backing: Backed, who: Known, limit: Limit = 50, after: After = "", auction: Named = None, participant: Named = None
) -> OrderPage:
    """List orders by id, of one auction or participant alone where asked for."""
    wanted = select(OrderRow).where(OrderRow.id > after)
    wanted = wanted if auction is None else wanted.where(OrderRow.auction_id == auction)
    wanted = wanted if participant is None else wanted.where(OrderRow.participant == participant)
    async with backing.store.reading(who.tenant_id) as session:
        found = (await session.scalars(wanted.order_by(OrderRow.id).limit(limit + 1))).all()
    return OrderPage(
        items=[OrderOut.of(r) for r in found[:limit]], next=found[limit - 1].id if len(found) > limit else None
    )


@router.get("/orders/{order_id}", responses=described(404))
async def one_order(backing: Backed, who: Known, order_id: Id) -> OrderOut:
    """Return an order."""
    async with backing.store.reading(who.tenant_id) as session:
        return OrderOut.of(known(await house.order(session, order_id), "order", order_id))


@router.delete("/orders/{order_id}", responses=described(404, 409), **only(Deed.TRADE))
async def withdraw(backing: Backed, who: Known, order_id: Id) -> OrderOut:
    """Take an order back before the gate closes."""
    async with backing.store.changing(who.tenant_id) as session:
        row = known(await house.order(session, order_id), "order", order_id)
        held = known(await house.one(session, row.auction_id, changing=True), "auction", row.auction_id)
        await house.withdraw(session, backing.store.clock.now(), who, held, row)
    return OrderOut.of(row)


class NewContract(Asked):
    """Energy agreed beforehand at one price, delivered along a curve; positive is sold by ``participant``."""

    delivery: Text = Field(examples=["day-ahead-21000101"])
    id: Text | None = Field(None, description="made up when left out")
    participant: Text = Field(examples=["works"])
    counterparty: Text = Field(examples=["grid"])
    mwh: Number = Field(description="over all periods together", examples=[-24])
    price: Number = Field(description="currency per MWh", examples=[420])
    weights: Annotated[list[Annotated[FiniteFloat, Ge(0), Le(1e9)]], Len(1, 400)] = Field(
        description="how much falls into each period", examples=[[1, 1]]
    )


class PositionOut(BaseModel):
    """What somebody has sold (> 0) or bought in each period of a delivery, over auctions and contracts."""

    delivery: str
    participant: str
    position_wh: list[int]
    cash_micro: list[int] = Field(description="what its trades bring (> 0) or cost")
    by_trace_wh: dict[str, int] = Field(description="how much comes from which order or contract")


class Positions(BaseModel):
    """Positions by delivery and participant."""

    items: list[PositionOut]
    next: str | None = Field(description="what asks for the next page as `after`")


HOLDER: TypeAdapter[tuple[str, str]] = TypeAdapter(tuple[Text, Text])
"""A delivery and who takes part in it."""


@router.post("/contracts-of-energy", status_code=201, **only(Deed.TRADE))
async def agree(backing: Backed, who: Known, asked: NewContract) -> Positions:
    """Enter an energy contract: it falls into the periods without losing a watt-hour, as trades of both its sides."""
    contract = EnergyContract(
        asked.id or f"c-{token_hex(6)}", asked.counterparty, micro_of(asked.mwh, "mwh"), micro_of(asked.price, "price"),
        tuple(asked.weights),
    )  # fmt: skip
    async with backing.store.changing(who.tenant_id) as session:
        await house.agree(session, backing.store.clock.now(), who, asked.delivery, asked.participant, contract)
        await session.flush()
        rows = await house.trades_of(session, asked.delivery, asked.participant)
    return Positions(items=_positions(rows), next=None)


@router.get("/positions")
async def positions(
    backing: Backed,
    who: Known,
    limit: Limit = 100,
    after: Behind = None,
    delivery: Named = None,
    participant: Named = None,
) -> Positions:
    """Return positions by delivery and participant, of one alone where asked for."""
    async with backing.store.reading(who.tenant_id) as session:
        held = await house.holders_of(session, delivery, participant, place(after, HOLDER), limit + 1)
        shown = held[:limit]
        rows = await house.trades_of(session, delivery, participant, (shown[0], shown[-1])) if shown else []
    return Positions(items=_positions(rows), next=json.dumps(shown[-1]) if len(held) > limit else None)


async def last_positions(backing: Backing, who: Principal, count: int) -> list[PositionOut]:
    """Return the positions of the last deliveries."""
    async with backing.store.reading(who.tenant_id) as session:
        held = await house.last_holders(session, count)
        return _positions(await house.trades_of(session, None, None, (held[0], held[-1]))) if held else []


def _positions(rows: list[Any]) -> list[PositionOut]:
    grouped: defaultdict[tuple[str, str], list[Trade]] = defaultdict(list)
    for r in rows:
        grouped[r.delivery, r.participant].append(Trade(r.participant, r.period, r.quantity_wh, r.price_micro, r.trace))
    found = []
    for (delivery, name), trades in grouped.items():
        held = Portfolio(name, max(t.period for t in trades) + 1).with_trades(trades)
        cash, position = held.cash_micro().tolist(), held.position_wh().tolist()
        found.append(
            PositionOut(
                delivery=delivery, participant=name, position_wh=position, cash_micro=cash, by_trace_wh=held.by_trace()
            )
        )
    return found
