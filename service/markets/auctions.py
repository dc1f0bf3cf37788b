"""Auctions in the store: opened, orders taken until the gate closes, cleared once, and the trades that came of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from market.clearing import clear_auction
from market.documents import AuctionDocument, OrderDocument, ParticipantDocument, ProductDocument, auction_of
from market.order_check import check_orders, require_orders
from market.outcomes import AuctionResult, recheck
from market.portfolio import EnergyContract
from market.products import MarketError, check_product
from market.settlement import Trade
from models.errors import JouletwinError
from models.findings import error
from service.auth.roles import Principal
from service.store.audit import record
from service.store.trading import AuctionRow, OrderRow, TradeRow

FORMAT = "jouletwin-auction/1"
BY_HOLDER = (TradeRow.delivery, TradeRow.participant)
Held = tuple[str, str]
"""A delivery and who takes part in it."""


class WrongStateError(JouletwinError):
    """The auction is cleared already, or its gate is still open."""


def _mine(session: AsyncSession, row: type[AuctionRow] | type[OrderRow] | type[TradeRow]) -> Any:
    return row.tenant_id == session.sync_session.info["tenant"]


def document_of(row: AuctionRow, orders: Iterable[Mapping[str, Any]], arrived: datetime) -> AuctionDocument:
    """Return an auction with orders as the document that a file would be."""
    return AuctionDocument.model_validate(
        {
            "format": FORMAT,
            "product": row.product,
            "participants": row.participants,
            "orders": list(orders),
            "arrived": arrived,
        }
    )


async def opened(
    session: AsyncSession,
    now: datetime,
    who: Principal,
    product: ProductDocument,
    people: Sequence[ParticipantDocument],
) -> AuctionRow:
    """Open an auction; raises MarketError with what is wrong with its product."""
    row = AuctionRow(
        id=token_hex(8),
        product=product.model_dump(mode="json"),
        participants=[p.model_dump(mode="json") for p in people],
        opened_by=who.name,
        created_at=now,
        version=1,
    )
    sound, *_ = auction_of(document_of(row, (), now))
    if found := list(check_product(sound)):
        raise MarketError(found)
    session.add(row)
    await record(session, now, who.name, "auction.opened", f"auction/{row.id}", {"product": product.id})
    return row


async def one(session: AsyncSession, auction_id: str, *, changing: bool = False) -> AuctionRow | None:
    """Return an auction of the transaction's tenant, held while it is changed."""
    wanted = select(AuctionRow).where(_mine(session, AuctionRow), AuctionRow.id == auction_id)
    return await session.scalar(wanted.with_for_update() if changing else wanted)


async def orders_of(session: AsyncSession, auction_id: str) -> Sequence[OrderRow]:
    """Return an auction's orders in the order of their arrival."""
    wanted = select(OrderRow).where(_mine(session, OrderRow), OrderRow.auction_id == auction_id)
    return (await session.scalars(wanted.order_by(OrderRow.arrived_at, OrderRow.name))).all()


async def order(session: AsyncSession, order_id: str) -> OrderRow | None:
    """Return an order by its id."""
    return await session.scalar(select(OrderRow).where(_mine(session, OrderRow), OrderRow.id == order_id))


async def take(
    session: AsyncSession, now: datetime, who: Principal, auction: AuctionRow, wanted: Sequence[OrderDocument]
) -> list[OrderRow]:
    """Take orders, all of them or none; raises MarketError with everything that is wrong with them beside those that are there."""
    require_open(auction)
    before = [o.document for o in await orders_of(session, auction.id)]
    new = [o.model_dump(mode="json") for o in wanted]
    product, people, every, _ = auction_of(document_of(auction, [*before, *new], now))
    require_orders(product, people, every, now)
    rows = [
        OrderRow(
            id=token_hex(8), auction_id=auction.id, name=o.id, participant=o.participant, document=d, arrived_at=now
        )
        for o, d in zip(wanted, new, strict=True)
    ]
    session.add_all(rows)
    await record(session, now, who.name, "orders.sent", f"auction/{auction.id}", {"orders": [o.id for o in wanted]})
    return rows


def require_open(auction: AuctionRow) -> None:
    """Refuse to change an auction that is cleared."""
    if auction.cleared_at is not None:
        raise WrongStateError(f"auction {auction.id} is cleared; its orders stay as they are")


async def withdraw(session: AsyncSession, now: datetime, who: Principal, auction: AuctionRow, row: OrderRow) -> None:
    """Take an order back before the gate closes."""
    require_open(auction)
    product, people, every, _ = auction_of(document_of(auction, [row.document], now))
    if late := [f for f in check_orders(product, people, every, now) if f.place == product.id]:
        raise MarketError(late)
    await session.delete(row)
    await record(session, now, who.name, "order.withdrawn", f"auction/{auction.id}", {"order": row.name})


def cleared(document: AuctionDocument, now: datetime, deadline_s: float) -> tuple[AuctionResult, list[Trade]]:
    """Return what an auction gives, rechecked, and everybody's trades.

    Raises
    ------
    WrongStateError
        If the gate is still open.
    """
    product, _, orders, _ = auction_of(document)
    if now < product.gate.closes_at:
        raise WrongStateError(f"the gate is open until {product.gate.closes_at.isoformat()}; clear it after that")
    result = clear_auction(product, orders, deadline_s=deadline_s)
    if found := list(recheck(product, orders, result)):
        raise MarketError(found)
    trades = [
        Trade(o.participant, k, wh, result.price_micro[k], o.order)
        for o in result.outcomes
        for k, wh in enumerate(o.accepted_wh)
        if wh
    ]
    return result, trades


async def settled_on(
    session: AsyncSession,
    now: datetime,
    who: Principal,
    auction: AuctionRow,
    result: AuctionResult,
    trades: Sequence[Trade],
) -> None:
    """Keep what came of an auction; its trades are of the delivery that its product names."""
    require_open(auction)
    auction.result = {**asdict(result), "gap_share": result.gap_share}
    auction.cleared_at = now
    auction.version += 1
    add_trades(session, str(auction.product["id"]), trades)
    details = {"welfare_micro": result.welfare_micro, "trades": len(trades)}
    await record(session, now, who.name, "auction.cleared", f"auction/{auction.id}", details)


def add_trades(session: AsyncSession, delivery: str, trades: Iterable[Trade]) -> None:
    """Keep trades of a delivery."""
    session.add_all(
        TradeRow(
            id=token_hex(8), delivery=delivery, participant=t.participant, period=t.period, quantity_wh=t.quantity_wh,
            price_micro=t.price_micro, trace=t.trace,
        )
        for t in trades
    )  # fmt: skip


async def agree(
    session: AsyncSession, now: datetime, who: Principal, delivery: str, participant: str, contract: EnergyContract
) -> None:
    """Keep an energy contract as the trades of both its sides; raises MarketError for one that cannot be decomposed or is there."""
    mine = contract.trades(participant)
    there = await session.scalar(
        select(TradeRow.id).where(
            _mine(session, TradeRow), TradeRow.delivery == delivery, TradeRow.trace == contract.id
        )
    )
    if there is not None:
        raise MarketError([error(contract.id, f"stands among the trades of {delivery} already")])
    other = [Trade(contract.counterparty, t.period, -t.quantity_wh, t.price_micro, t.trace) for t in mine]
    add_trades(session, delivery, (*mine, *other))
    details = {"delivery": delivery, "total_wh": contract.total_wh}
    await record(session, now, who.name, "contract.entered", f"contract/{contract.id}", details)


async def holders_of(
    session: AsyncSession, delivery: str | None, participant: str | None, after: Held | None, limit: int
) -> list[Held]:
    """Return who holds a position in which delivery, in order, from the one behind ``after`` on."""
    wanted = select(*BY_HOLDER).where(*_sought(session, delivery, participant))
    if after is not None:
        wanted = wanted.where(tuple_(*BY_HOLDER) > tuple_(*after))
    found = await session.execute(wanted.distinct().order_by(*BY_HOLDER).limit(limit))
    return [(d, p) for d, p in found]


async def last_holders(session: AsyncSession, limit: int) -> list[Held]:
    """Return the last ones that hold a position, in order."""
    by = (column.desc() for column in BY_HOLDER)
    found = await session.execute(
        select(*BY_HOLDER).where(_mine(session, TradeRow)).distinct().order_by(*by).limit(limit)
    )
    return [(d, p) for d, p in found][::-1]


async def trades_of(
    session: AsyncSession, delivery: str | None, participant: str | None, between: tuple[Held, Held] | None = None
) -> list[TradeRow]:
    """Return every trade by delivery, participant and period; of the holders from the first to the last of ``between`` where given."""
    wanted = select(TradeRow).where(*_sought(session, delivery, participant))
    if between is not None:
        first, last = between
        held = tuple_(*BY_HOLDER)
        wanted = wanted.where(held >= tuple_(*first), held <= tuple_(*last))
    return list((await session.scalars(wanted.order_by(*BY_HOLDER, TradeRow.period, TradeRow.trace))).all())


def _sought(session: AsyncSession, delivery: str | None, participant: str | None) -> Iterator[Any]:
    yield _mine(session, TradeRow)
    if delivery is not None:
        yield TradeRow.delivery == delivery
    if participant is not None:
        yield TradeRow.participant == participant
