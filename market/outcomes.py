"""What became of every order of an auction, and a second look that shares nothing with the solver: whole numbers and the orders alone."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from market.orders import PPM, BlockOrder, CurveOrder, FlexibleOrder, Order, StepOrder, pieces
from market.products import WH_PER_MWH, Product
from models.findings import Finding, error


class Reason(StrEnum):
    """Why an order got what it got."""

    IN_THE_MONEY = "in the money"
    AT_THE_PRICE = "at the price"
    OUT_OF_THE_MONEY = "out of the money"
    TAKEN = "block taken"
    TAKEN_IN_PART = "block taken in part"
    CARRIED = "block taken, carried by blocks that need it"
    PARADOXICALLY_LEFT = "block left although it would gain at these prices; no common price with it does better"
    PARENT_LEFT = "block left with its parent"
    GROUP = "block left for another of its group"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order: ``accepted_wh`` per period (signed as the order), ``surplus_micro`` gained at the prices.

    ``missed_micro`` is what a block that was left would have gained; ``ratio_ppm`` the part that was taken.
    """

    order: str
    participant: str
    accepted_wh: tuple[int, ...]
    ratio_ppm: int
    surplus_micro: int
    missed_micro: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class AuctionResult:
    """A cleared auction: prices per period in micro-units per MWh, outcomes in the order of entry, and how sure it is.

    ``welfare_micro`` is reached, no clearing can exceed ``bound_micro``; ``cuts`` counts optima that had no price. Prices that no tick can
    express (some block is taken in part) are not ``on_ticks``.
    """

    product: str
    price_micro: tuple[int, ...]
    volume_wh: tuple[int, ...]
    outcomes: tuple[Outcome, ...]
    welfare_micro: int
    bound_micro: int
    cuts: int
    on_ticks: bool

    @property
    def gap_share(self) -> float:
        """How much better another clearing could be at most; 0 is the optimum."""
        return (self.bound_micro - self.welfare_micro) / max(abs(self.bound_micro), 1)


def gain_micro(quantity_wh: Sequence[int], price_micro: Sequence[int], asked_micro: int) -> int:
    """Return what a profile gains at prices over its own price per MWh, cut to whole micro-units."""
    return sum(q * (p - asked_micro) for q, p in zip(quantity_wh, price_micro, strict=True)) // WH_PER_MWH


@dataclass(slots=True)
class Filled:
    """What every order and block was given, while outcomes are written."""

    product: Product
    price_micro: tuple[int, ...]
    accepted_wh: dict[str, list[int]] = field(default_factory=dict)
    surplus: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """In Wh times micro-units per MWh, so that nothing is rounded before it is summed."""
    ratio_ppm: dict[str, int] = field(default_factory=dict)

    def add_simple(self, order: Order, period: int, wh: int, asked_micro: int) -> None:
        """Note what a piece of an order was given."""
        profile = self.accepted_wh.setdefault(order.id, [0] * self.product.periods)
        profile[period] += wh
        self.surplus[order.id] += wh * (self.price_micro[period] - asked_micro)

    def add_block(self, block: BlockOrder, wh: list[int], ratio_ppm: int) -> None:
        """Note what a block was given."""
        self.accepted_wh[block.id], self.ratio_ppm[block.id] = wh, ratio_ppm
        gained = sum(q * (p - block.price_micro) for q, p in zip(wh, self.price_micro, strict=True))
        self.surplus[block.id] = gained - block.fixed_micro * ratio_ppm * (WH_PER_MWH // PPM)

    def outcomes(self, orders: Sequence[Order]) -> tuple[Outcome, ...]:
        """Return every order's outcome; a flexible order's is that of the start it was given."""
        blocks = {b.id: b for o in orders for b in _blocks(o, self.product.periods)}
        taken = {b.group for b in blocks.values() if self.ratio_ppm[b.id]}
        return tuple(self._outcome(o, blocks, taken) for o in orders)

    def _outcome(self, o: Order, blocks: dict[str, BlockOrder], taken: set[str | None]) -> Outcome:
        if isinstance(o, StepOrder | CurveOrder):
            wh = self.accepted_wh.get(o.id, [0] * self.product.periods)
            return Outcome(o.id, o.participant, tuple(wh), *self._part(o, wh), 0, self._simple_reason(o, wh))
        tried = [blocks[b.id] for b in _blocks(o, self.product.periods)]
        b = max(tried, key=lambda b: (self.ratio_ppm[b.id], self._missed(b)))
        missed = 0 if self.ratio_ppm[b.id] else max(self._missed(b), 0)
        wh, ratio = self.accepted_wh[b.id], self.ratio_ppm[b.id]
        surplus = self.surplus[b.id] // WH_PER_MWH
        return Outcome(o.id, o.participant, tuple(wh), ratio, surplus, missed, self._block_reason(b, missed, taken))

    def _part(self, o: StepOrder | CurveOrder, wh: Sequence[int]) -> tuple[int, int]:
        whole = o.quantity_wh if isinstance(o, StepOrder) else max((q for _, q in o.points), key=abs)
        return abs(sum(wh)) * PPM // max(abs(whole), 1), self.surplus[o.id] // WH_PER_MWH

    def _simple_reason(self, o: StepOrder | CurveOrder, wh: Sequence[int]) -> Reason:
        price = self.price_micro[o.period]
        if isinstance(o, CurveOrder):
            return Reason.IN_THE_MONEY if any(wh) else Reason.OUT_OF_THE_MONEY
        if price == o.price_micro:
            return Reason.AT_THE_PRICE
        return Reason.IN_THE_MONEY if (o.quantity_wh > 0) == (price > o.price_micro) else Reason.OUT_OF_THE_MONEY

    def _missed(self, b: BlockOrder) -> int:
        return gain_micro(b.quantity_wh, self.price_micro, b.price_micro) - b.fixed_micro

    def _block_reason(self, b: BlockOrder, missed: int, taken: set[str | None]) -> Reason:
        if ratio := self.ratio_ppm[b.id]:
            if self.surplus[b.id] < 0 and ratio == PPM:
                return Reason.CARRIED
            return Reason.TAKEN if ratio == PPM else Reason.TAKEN_IN_PART
        if missed <= 0:
            return Reason.OUT_OF_THE_MONEY
        if b.group is not None and b.group in taken:
            return Reason.GROUP
        return Reason.PARENT_LEFT if b.parent and not self.ratio_ppm[b.parent] else Reason.PARADOXICALLY_LEFT


def _blocks(o: Order, periods: int) -> Sequence[BlockOrder]:
    if isinstance(o, FlexibleOrder):
        return list(o.blocks(periods))
    return (o,) if isinstance(o, BlockOrder) else ()


def recheck(product: Product, orders: Sequence[Order], result: AuctionResult) -> Iterator[Finding]:
    """Give what is wrong with a cleared auction: balance, steps against the price, blocks against their terms, nobody taken at a loss."""
    given = dict(zip((o.id for o in orders), result.outcomes, strict=True))
    for t in range(product.periods):
        if off := sum(x.accepted_wh[t] for x in result.outcomes):
            yield error(f"{product.id}.{t}", f"sales exceed purchases by {off} Wh; they must be equal")
    for o in orders:
        if isinstance(o, StepOrder | CurveOrder):
            yield from _simple_wrong(product, o, given[o.id], result)
        elif isinstance(o, BlockOrder):
            yield from _block_wrong(product, o, given[o.id])
    yield from _families_wrong(product, [o for o in orders if isinstance(o, BlockOrder)], given)


def _simple_wrong(product: Product, o: StepOrder | CurveOrder, x: Outcome, result: AuctionResult) -> Iterator[Finding]:
    """Give a step or curve that is not on its own supply at the price."""
    price, wh = result.price_micro[o.period], x.accepted_wh[o.period]
    rows = [(o.price_micro, o.quantity_wh)] if isinstance(o, StepOrder) else _rows(product, o)
    surely = sum(q for p, q in rows if (p < price if q > 0 else p > price))
    least = surely + sum(min(q, 0) for p, q in rows if p == price)
    most = surely + sum(max(q, 0) for p, q in rows if p == price)
    if not least <= wh <= most or any(q for t, q in enumerate(x.accepted_wh) if t != o.period):
        yield error(o.id, f"was given {wh} Wh at {price}; its own terms say {least} to {most}")


def _rows(product: Product, o: CurveOrder) -> list[tuple[int, int]]:
    points = [(p // product.tick_micro, q // product.lot_wh) for p, q in o.points]
    return [(p * product.tick_micro, q * product.lot_wh) for p, q in pieces(points, product.tick_span)]


def _block_wrong(product: Product, b: BlockOrder, x: Outcome) -> Iterator[Finding]:
    if 0 < x.ratio_ppm < b.least_ppm - 1:
        yield error(b.id, f"was taken at {x.ratio_ppm} ppm; it allows nothing between 0 and {b.least_ppm}")
    allowed = 0 if x.ratio_ppm in (0, PPM) else product.lot_wh
    for t, (q, wh) in enumerate(zip(b.quantity_wh, x.accepted_wh, strict=True)):
        if abs(wh * PPM - q * x.ratio_ppm) > allowed * PPM + abs(q):
            yield error(f"{b.id}.{t}", f"was given {wh} Wh of {q}, which is not its ratio of {x.ratio_ppm} ppm")


def _families_wrong(product: Product, blocks: Sequence[BlockOrder], given: dict[str, Outcome]) -> Iterator[Finding]:
    groups: defaultdict[str, int] = defaultdict(int)
    for b in blocks:
        x = given[b.id]
        if b.group is not None:
            groups[b.group] += x.ratio_ppm
        if b.parent is not None and x.ratio_ppm > given[b.parent].ratio_ppm + 1:
            yield error(b.id, f"was taken at {x.ratio_ppm} ppm, more than its parent {b.parent}")
        loss = -sum(given[m.id].surplus_micro for m in _branch(b, blocks))
        # a block taken in part breaks even to the lot and the millionth of a price, not to the unit
        slack = 1 if x.ratio_ppm == PPM else _slack_micro(product, b)
        if x.ratio_ppm and loss > slack:
            yield error(b.id, f"was taken although it and what hangs on it lose {loss} micro-units")
    for name, ratio in groups.items():
        if ratio > PPM + len(blocks):
            yield error(name, f"ratios of the exclusive group add up to {ratio} ppm")


def _branch(b: BlockOrder, blocks: Sequence[BlockOrder]) -> list[BlockOrder]:
    found = [b]
    for k in found:
        found += [c for c in blocks if c.parent == k.id]
    return found


def _slack_micro(product: Product, b: BlockOrder) -> int:
    span = product.highest_micro - product.lowest_micro
    return len(b.quantity_wh) * product.lot_wh * span // WH_PER_MWH + abs(b.fixed_micro) // PPM + 1
