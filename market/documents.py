"""Files of markets: auctions and deliveries as people write them (MWh and currency), read whole into exact integers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from annotated_types import MinLen
from pydantic import AwareDatetime, Field, ValidationError

from market.capacity_documents import CapacityDocument, capacity_items
from market.network_auction import Transfer
from market.orders import PPM, BlockOrder, CurveOrder, FlexibleOrder, Order, StepOrder
from market.products import Gate, Kind, MarketError, Participant, Product
from market.settlement import Band, Delivery, DifferenceContract, Exemption, Item, Trade, settle
from market.written import MICRO, Number, Part, Whole
from models.findings import Finding, error
from models.site.documents import finding_of, read_yaml, repeated_keys


class GateDocument(Part):
    """When orders are taken."""

    opens: AwareDatetime
    closes: AwareDatetime


class ProductDocument(Part):
    """What is traded; prices are currency per MWh."""

    id: str
    area: str
    start: AwareDatetime
    gate: GateDocument
    minutes: int = 60
    periods: int = 24
    lot_kwh: Number = Decimal(1)
    tick: Number = Decimal("0.01")
    lowest: Number = Decimal(-500)
    highest: Number = Decimal(4000)
    kind: Kind = Kind.ENERGY
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "CNY"


class ParticipantDocument(Part):
    """Who may trade; ``credit`` in currency."""

    id: str
    name: str
    kinds: tuple[Kind, ...] = (Kind.ENERGY,)
    credit: Number | None = None
    suspended: str = ""


class OrderDocument(Part):
    """One order; which fields are there says of which kind: ``mwh``, ``curve``, or ``profile_mwh`` with or without ``earliest``."""

    id: str
    participant: str
    period: int | None = None
    price: Number | None = None
    mwh: Number | None = None
    curve: tuple[tuple[Number, Number], ...] | None = None
    profile_mwh: tuple[Number, ...] | None = None
    least_share: Number = Decimal(1)
    parent: str | None = None
    group: str | None = None
    fixed: Number = Decimal(0)
    earliest: int | None = None
    latest: int | None = None
    place: str | None = None
    """Zone or bus, in an auction over places; steps and curves alone can be of a place."""


class TransferDocument(Part):
    """What may be carried between two zones in every period, in MWh."""

    id: str
    start: str
    end: str
    forward_mwh: Number
    back_mwh: Number


class AuctionDocument(Part):
    """An auction with everybody's orders, as they stood when the gate closed."""

    format: Literal["jouletwin-auction/1"]
    product: ProductDocument
    participants: Annotated[tuple[ParticipantDocument, ...], MinLen(1)]
    orders: tuple[OrderDocument, ...]
    arrived: AwareDatetime
    transfers: tuple[TransferDocument, ...] = ()
    """Between the places of the orders, where they are zones."""


class TradeDocument(Part):
    """A trade; ``mwh`` > 0 was sold."""

    participant: str
    period: int
    mwh: Number
    price: Number
    trace: str = ""


class ContractDocument(Part):
    """A contract for difference."""

    id: str
    holder: str
    writer: str
    strike: Number
    mwh: tuple[Number, ...]


class BandDocument(Part):
    """A band of deviation, shares of the position and of the price."""

    free_share: Number
    price_share: Number


class ExemptionDocument(Part):
    """Periods that are not assessed, ``last`` not included."""

    participant: str
    first: int
    last: int
    cause: str


class SettlementDocument(Part):
    """What is settled together; ``mwh`` > 0 feeds the network, prices are currency per MWh."""

    format: Literal["jouletwin-settlement/1"]
    delivery: str
    settled_at: AwareDatetime
    metered_mwh: Mapping[str, tuple[Number, ...]]
    real_time: tuple[Number, ...]
    reference: tuple[Number, ...]
    trades: tuple[TradeDocument, ...] = ()
    contracts: tuple[ContractDocument, ...] = ()
    bands: tuple[BandDocument, ...] = ()
    exemptions: tuple[ExemptionDocument, ...] = ()
    capacity: tuple[CapacityDocument, ...] = ()
    """Ancillary services, period by period."""


D = TypeVar("D", AuctionDocument, SettlementDocument)
Auction = tuple[Product, tuple[Participant, ...], tuple[Order, ...], datetime]


def read_auction(path: Path) -> Auction:
    """Return product, participants, orders and their arrival out of a file.

    Raises
    ------
    MarketError
        With everything that is wrong with the file; what is wrong with the orders as such is for ``require_orders``.
    """
    return auction_of(_read(path, AuctionDocument))


def auction_of(d: AuctionDocument) -> Auction:
    """Return an auction's parts in exact integers.

    Raises
    ------
    MarketError
        If an order is of no kind, or a number has more decimals than can be kept.
    """
    whole = Whole()
    p = d.product
    product = Product(
        p.id, p.area, p.start, Gate(p.gate.opens, p.gate.closes), p.minutes, p.periods,
        whole(p.lot_kwh / 1000, f"{p.id}.lot_kwh"), whole(p.tick, f"{p.id}.tick"),
        whole(p.lowest, f"{p.id}.lowest"), whole(p.highest, f"{p.id}.highest"), p.kind, currency=p.currency,
    )  # fmt: skip
    people = tuple(
        Participant(q.id, q.name, frozenset(q.kinds), None if q.credit is None else whole(q.credit, q.id), q.suspended)
        for q in d.participants
    )
    orders = tuple(o for given in d.orders for o in _order(given, whole))
    whole.require()
    return product, people, orders, d.arrived


@dataclass(frozen=True, slots=True)
class PlacedAuction:
    """An auction over zones or buses: who sends what where, and what may be carried between zones."""

    product: Product
    people: tuple[Participant, ...]
    orders: Mapping[str, tuple[StepOrder | CurveOrder, ...]]
    transfers: tuple[Transfer, ...]
    arrived: datetime


def read_places(path: Path) -> PlacedAuction:
    """Return an auction over places out of a file.

    Raises
    ------
    MarketError
        With everything that is wrong with the file, and every order without a place or of a kind that has none.
    """
    d = _read(path, AuctionDocument)
    product, people, orders, arrived = auction_of(d)
    place = {o.id: o.place for o in d.orders}
    found: dict[str, list[StepOrder | CurveOrder]] = {p: [] for t in d.transfers for p in (t.start, t.end)}
    wrong: list[Finding] = []
    for o in orders:
        at = place.get(o.id)
        if at is None or not isinstance(o, StepOrder | CurveOrder):
            wrong.append(error(o.id, "needs a place and is a step or a curve; blocks are cleared in one place alone"))
        else:
            found.setdefault(at, []).append(o)
    whole = Whole()
    transfers = tuple(
        Transfer(t.id, t.start, t.end, whole(t.forward_mwh, t.id), whole(t.back_mwh, t.id)) for t in d.transfers
    )
    if wrong or whole.findings:
        raise MarketError([*wrong, *whole.findings])
    return PlacedAuction(product, people, {p: tuple(o) for p, o in found.items()}, transfers, arrived)


def read_delivery(path: Path) -> SettlementDocument:
    """Return what a file says about a delivery.

    Raises
    ------
    MarketError
        With everything that is wrong with the file; what is wrong with the delivery is for ``items_of``.
    """
    return _read(path, SettlementDocument)


def delivery_of(d: SettlementDocument) -> Delivery:
    """Return a delivery in exact integers.

    Raises
    ------
    MarketError
        If a number has more decimals than can be kept.
    """
    whole = Whole()
    found = Delivery(
        {n: whole.all(v, n) for n, v in d.metered_mwh.items()},
        whole.all(d.real_time, "real_time"),
        whole.all(d.reference, "reference"),
        tuple(
            Trade(t.participant, t.period, whole(t.mwh, t.trace), whole(t.price, t.trace), t.trace) for t in d.trades
        ),
        tuple(
            DifferenceContract(c.id, c.holder, c.writer, whole(c.strike, c.id), whole.all(c.mwh, c.id))
            for c in d.contracts
        ),
        tuple(Band(whole(b.free_share, "bands"), whole(b.price_share, "bands")) for b in d.bands),
        tuple(Exemption(e.participant, e.first, e.last, e.cause) for e in d.exemptions),
    )
    whole.require()
    return found


def items_of(d: SettlementDocument) -> list[Item]:
    """Return every item of a delivery, those of ancillary services included.

    Raises
    ------
    MarketError
        With what is wrong with the delivery, or with the capacity of a period.
    """
    ancillary = [i for c in d.capacity for i in capacity_items(c, Whole())]
    return [*settle(delivery_of(d)), *ancillary]


def _order(o: OrderDocument, whole: Whole) -> Iterator[Order]:
    kinds = [o.mwh is not None, o.curve is not None, o.profile_mwh is not None]
    needs_price = o.curve is None and o.price is None
    if sum(kinds) != 1 or needs_price or (o.profile_mwh is None and o.period is None):
        told = "needs period, mwh and price; or period and curve; or profile_mwh and price"
        whole.findings.append(error(o.id, f"is of no kind: an order {told}"))
        return
    price, period = whole(o.price or Decimal(0), o.id), o.period or 0
    if o.mwh is not None:
        yield StepOrder(o.id, o.participant, period, whole(o.mwh, o.id), price)
    elif o.curve is not None:
        points = tuple((whole(p, o.id), whole(q, o.id)) for p, q in o.curve)
        yield CurveOrder(o.id, o.participant, period, points)
    elif o.profile_mwh is not None and o.earliest is not None and o.latest is not None:
        yield FlexibleOrder(o.id, o.participant, whole.all(o.profile_mwh, o.id), price, o.earliest, o.latest)
    elif o.profile_mwh is not None:
        least, profile = whole(o.least_share, o.id) * PPM // MICRO, whole.all(o.profile_mwh, o.id)
        yield BlockOrder(o.id, o.participant, profile, price, least, o.parent, o.group, whole(o.fixed, o.id))


def _read(path: Path, kind: type[D]) -> D:
    document, root, findings = read_yaml(path)
    findings += repeated_keys(root)
    try:
        if not findings:
            return kind.model_validate(document)
    except ValidationError as problems:
        findings = [finding_of(p, document, root, kind) for p in problems.errors()]
    raise MarketError(findings)
