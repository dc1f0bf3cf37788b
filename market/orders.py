"""Orders for an auction: steps, curves, blocks that hang together, and energy whose hour the auction may choose.

A block is a profile taken whole or, from ``least_ppm`` on, in part. A child needs its parent; of an exclusive group the ratios together
are at most one. Flexible orders are an exclusive group of the same profile at every start they allow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class StepOrder:
    """Energy of one period at one price: a sale (quantity > 0) from that price up, or a purchase (< 0) from it down."""

    id: str
    participant: str
    period: int
    quantity_wh: int
    price_micro: int


@dataclass(frozen=True, slots=True)
class CurveOrder:
    """The net quantity of one period over the price: ``points`` of (price, quantity), neither ever falling.

    Two points at one price are a jump, two of one quantity a flat part, others a slope, which is traded in whole lots on whole ticks.
    The first quantity holds below the first price, the last one above the last.
    """

    id: str
    participant: str
    period: int
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class BlockOrder:
    """A profile over all periods, taken at one ratio of at least ``least_ppm``, or not at all.

    It is paid the price of every period and costs ``price_micro`` per MWh, plus ``fixed_micro`` for the whole of it. ``parent`` names a
    block that must be taken at least at this one's ratio, ``group`` an exclusive group.
    """

    id: str
    participant: str
    quantity_wh: tuple[int, ...]
    price_micro: int
    least_ppm: int = PPM
    parent: str | None = None
    group: str | None = None
    fixed_micro: int = 0


@dataclass(frozen=True, slots=True)
class FlexibleOrder:
    """A profile of consecutive periods that may begin at any period from ``earliest`` to ``latest``, taken once and whole."""

    id: str
    participant: str
    quantity_wh: tuple[int, ...]
    price_micro: int
    earliest: int
    latest: int

    def blocks(self, periods: int) -> Iterator[BlockOrder]:
        """Give the exclusive blocks that it stands for; their ids are ``id@period``."""
        for start in range(self.earliest, self.latest + 1):
            after = periods - start - len(self.quantity_wh)
            profile = (0,) * start + self.quantity_wh + (0,) * after
            yield BlockOrder(f"{self.id}@{start}", self.participant, profile, self.price_micro, group=self.id)


Order = StepOrder | CurveOrder | BlockOrder | FlexibleOrder


@dataclass(frozen=True, slots=True)
class Widths:
    """Simple orders of one auction in lots and ticks; ``owner`` is the place of the order that each belongs to."""

    owner: tuple[int, ...]
    period: tuple[int, ...]
    lots: tuple[int, ...]
    ticks: tuple[int, ...]


def widths(orders: Sequence[Order], lot_wh: int, tick_micro: int, tick_span: tuple[int, int]) -> Widths:
    """Return every step and every piece of every curve as a quantity at one price."""
    rows: list[tuple[int, int, int, int]] = []
    for k, o in enumerate(orders):
        if isinstance(o, StepOrder):
            rows.append((k, o.period, o.quantity_wh // lot_wh, o.price_micro // tick_micro))
        elif isinstance(o, CurveOrder):
            points = [(p // tick_micro, q // lot_wh) for p, q in o.points]
            rows += [(k, o.period, lots, ticks) for ticks, lots in pieces(points, tick_span)]
    columns = tuple(zip(*rows, strict=True)) or ((), (), (), ())
    return Widths(*columns)


def pieces(points: Sequence[tuple[int, int]], tick_span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Give a curve's (tick, lots): purchases (< 0) while the quantity is below zero, sales above it."""
    first, last = points[0][1], points[-1][1]
    if first > 0:
        yield tick_span[0], first
    for (p, q), (after_p, after_q) in pairwise(points):
        yield from _rise(p, q, after_p, after_q)
    if last < 0:
        yield tick_span[1], last


def _rise(p: int, q: int, after_p: int, after_q: int) -> Iterator[tuple[int, int]]:
    """Give what the quantity gains tick by tick between two points; a jump gains all at its price."""
    if after_q == q:
        return
    before, span = q, after_p - p
    for tick in range(p + 1 if span else p, after_p + 1):
        now = after_q if not span else q + (after_q - q) * (tick - p) // span
        bought, sold = min(now, 0) - min(before, 0), max(now, 0) - max(before, 0)
        if bought:
            yield tick, -bought
        if sold:
            yield tick, sold
        before = now
