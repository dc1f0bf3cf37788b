"""What is wrong with orders, all of it at once: the gate, the participant, lots and ticks, families of blocks."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from market.orders import PPM, BlockOrder, CurveOrder, FlexibleOrder, Order, StepOrder
from market.products import WH_PER_MWH, MarketError, Participant, Product, check_product
from models.findings import Finding, error


def require_orders(product: Product, people: Iterable[Participant], orders: Sequence[Order], at: datetime) -> None:
    """Accept orders that arrive at an instant.

    Raises
    ------
    MarketError
        With everything that is wrong with the product, the orders and who sent them.
    """
    found = list(check_product(product)) or list(check_orders(product, people, orders, at))
    if found:
        raise MarketError(found)


def check_orders(
    product: Product, people: Iterable[Participant], orders: Sequence[Order], at: datetime
) -> Iterator[Finding]:
    """Give every finding of a sound product's orders."""
    known = {p.id: p for p in people}
    if not product.gate.holds(at):
        gate = product.gate
        told = f"took orders from {gate.opens_at.isoformat()} until {gate.closes_at.isoformat()}; {at.isoformat()} is outside"
        yield error(product.id, told)
    for name, count in Counter(o.id for o in orders).items():
        if count > 1:
            yield error(name, f"is the id of {count} orders; an id names one")
    for o in orders:
        yield from _sender(product, known.get(o.participant), o)
        yield from _content(product, o)
    yield from _families([o for o in orders if isinstance(o, BlockOrder)])
    yield from _credit(product, known, orders)


def _sender(product: Product, who: Participant | None, o: Order) -> Iterator[Finding]:
    if who is None:
        yield error(o.id, f"comes from {o.participant}, who is no participant; register them first")
    elif who.suspended:
        yield error(o.id, f"comes from {o.participant}, who is suspended: {who.suspended}")
    elif product.kind not in who.kinds:
        yield error(o.id, f"comes from {o.participant}, who is not admitted to {product.kind.value}")


def _content(p: Product, o: Order) -> Iterator[Finding]:
    quantities, prices, blank = _numbers(o)
    if not all(type(v) is int for v in (*quantities, *prices, getattr(o, "fixed_micro", 0))):
        yield error(o.id, "holds something else than whole numbers; NaN and fractions have no place in an order")
        return
    if isinstance(o, BlockOrder) and o.fixed_micro % p.unit_micro:
        yield error(o.id, f"fixed_micro comes in whole steps of {p.unit_micro}, what a lot costs per tick")
    if not any(quantities):
        yield error(o.id, "has no quantity")
    if any(q % p.lot_wh for q in quantities):
        yield error(o.id, f"quantities are whole lots of {p.lot_wh} Wh")
    if any(v % p.tick_micro for v in prices):
        yield error(o.id, f"prices are whole ticks of {p.tick_micro} micro-units per MWh")
    if any(not p.lowest_micro <= v <= p.highest_micro for v in prices):
        yield error(o.id, f"prices lie from {p.lowest_micro} to {p.highest_micro} micro-units per MWh")
    yield from blank
    yield from _periods(p, o)


def _numbers(o: Order) -> tuple[tuple[int, ...], tuple[int, ...], Iterator[Finding]]:
    """Return an order's quantities, its prices, and what else its own kind asks for."""
    if isinstance(o, CurveOrder):
        return tuple(q for _, q in o.points), tuple(v for v, _ in o.points), _curve(o)
    if isinstance(o, BlockOrder):
        return o.quantity_wh, (o.price_micro,), _block(o)
    quantities = (o.quantity_wh,) if isinstance(o, StepOrder) else o.quantity_wh
    return quantities, (o.price_micro,), iter(())


def _curve(o: CurveOrder) -> Iterator[Finding]:
    pairs = list(pairwise(o.points))
    if not pairs:
        yield error(o.id, "a curve has at least two points")
    if any(b[0] < a[0] or b[1] < a[1] for a, b in pairs):
        yield error(o.id, "prices and quantities of a curve never fall; who sells more at a lower price sends blocks")


def _block(o: BlockOrder) -> Iterator[Finding]:
    if not 0 <= o.least_ppm <= PPM:
        yield error(o.id, f"the least ratio of {o.least_ppm} ppm is outside 0 to {PPM}")


def _periods(p: Product, o: Order) -> Iterator[Finding]:
    if isinstance(o, BlockOrder):
        if len(o.quantity_wh) != p.periods:
            yield error(o.id, f"has {len(o.quantity_wh)} quantities; {p.id} has {p.periods} periods")
        return
    if isinstance(o, FlexibleOrder):
        first, last = o.earliest, o.latest + len(o.quantity_wh) - 1
        if o.latest < o.earliest:
            yield error(o.id, f"may begin at no period: {o.earliest} is behind {o.latest}")
    else:
        first = last = o.period
    if first < 0 or last >= p.periods:
        yield error(o.id, f"reaches from period {first} to {last}; {p.id} has 0 to {p.periods - 1}")


def _families(blocks: Sequence[BlockOrder]) -> Iterator[Finding]:
    known = {b.id: b for b in blocks}
    for b in blocks:
        if b.parent is not None and b.parent not in known:
            yield error(b.id, f"needs the block {b.parent}, which is not among the orders")
        elif b.id in _ancestors(b, known):
            yield error(b.id, "is its own ancestor; links must form a tree")


def _ancestors(b: BlockOrder, known: Mapping[str, BlockOrder]) -> list[str]:
    """Return a block's parents, nearest first, as far as they are known and new."""
    found: list[str] = []
    while b.parent is not None and b.parent in known and b.parent not in found:
        found.append(b.parent)
        b = known[b.parent]
    return found


def _credit(p: Product, known: Mapping[str, Participant], orders: Sequence[Order]) -> Iterator[Finding]:
    """Give whoever's purchases at their own prices cost more than their credit; sales earn no credit before they are settled."""
    owed: Counter[str] = Counter()
    for o in orders:
        owed[o.participant] += _worst_micro(p, o)
    for name, micro in owed.items():
        credit = known[name].credit_micro if name in known else None
        if credit is not None and micro > credit:
            yield error(name, f"could have to pay {micro} micro-units for these purchases; the credit is {credit}")


def _worst_micro(p: Product, o: Order) -> int:
    quantities, prices, _ = _numbers(o)
    numbers = (*quantities, *prices)
    if not numbers or not all(type(v) is int for v in numbers):
        return 0  # told already
    if isinstance(o, CurveOrder):
        rises = pairwise(o.points)
        bought = (
            sum((min(b[1], 0) - min(a[1], 0)) * max(b[0], 0) for a, b in rises)
            - min(quantities[-1], 0) * p.highest_micro
        )
        return bought // WH_PER_MWH
    return -sum(min(q, 0) for q in quantities) * max(prices[0], 0) // WH_PER_MWH
