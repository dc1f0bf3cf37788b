"""What is traded, by whom and until when: exact integers of lots and ticks, so that every amount is exact.

Energy is in Wh, prices are micro-units of currency per MWh. Positive quantities feed the network (a sale), negative ones draw from
it (a purchase), as everywhere in this product.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.carriers import Carrier
from models.errors import DataError
from models.findings import Finding, error

WH_PER_MWH = 1_000_000


class MarketError(DataError):
    """A market cannot take what it was given; every finding is there, and nothing of it is booked."""


class Kind(StrEnum):
    """What a product delivers."""

    ENERGY = "energy"
    RESERVE_UP = "reserve_up"
    RESERVE_DOWN = "reserve_down"
    REGULATION = "regulation"
    PEAK_SHAVING = "peak_shaving"


@dataclass(frozen=True, slots=True)
class Gate:
    """When orders are taken: from ``opens_at`` until ``closes_at``, which is not included; both with a zone."""

    opens_at: datetime
    closes_at: datetime

    def holds(self, at: datetime) -> bool:
        """Return whether an order that arrives at an instant is in time."""
        return self.opens_at <= at < self.closes_at


@dataclass(frozen=True, slots=True)
class Product:
    """Deliveries of ``periods`` consecutive intervals of ``minutes`` from ``start`` on, in one area.

    Quantities are whole lots and prices whole ticks from ``lowest_micro`` to ``highest_micro``; one lot at one tick is a whole number of
    micro-units, so no amount is ever rounded.
    """

    id: str
    area: str
    start: datetime
    gate: Gate
    minutes: int = 60
    periods: int = 24
    lot_wh: int = 1_000
    tick_micro: int = 10_000
    lowest_micro: int = -500_000_000
    highest_micro: int = 4_000_000_000
    kind: Kind = Kind.ENERGY
    carrier: Carrier = Carrier.ELECTRICITY
    currency: str = "CNY"

    @property
    def unit_micro(self) -> int:
        """What one lot costs per tick."""
        return self.lot_wh * self.tick_micro // WH_PER_MWH

    @property
    def tick_span(self) -> tuple[int, int]:
        """The lowest and the highest price in ticks."""
        return self.lowest_micro // self.tick_micro, self.highest_micro // self.tick_micro

    def begins(self, period: int) -> datetime:
        """Return the first instant of a period."""
        return self.start + period * timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody who may trade; ``credit_micro`` bounds what their purchases may cost at worst, None for no bound.

    ``suspended`` says why no orders are taken, empty where they are.
    """

    id: str
    name: str
    kinds: frozenset[Kind] = frozenset({Kind.ENERGY})
    credit_micro: int | None = None
    suspended: str = ""


def amount_micro(quantity_wh: int, price_micro_per_mwh: int) -> int:
    """Return what energy costs at a price, rounded once to a micro-unit, halves away from zero."""
    product = quantity_wh * price_micro_per_mwh
    whole = (2 * abs(product) + WH_PER_MWH) // (2 * WH_PER_MWH)
    return -whole if product < 0 else whole


def check_product(p: Product) -> Iterable[Finding]:
    """Give what is wrong with a product: its times, its lots and ticks, its price band."""
    if any(t.tzinfo is None for t in (p.start, p.gate.opens_at, p.gate.closes_at)):
        yield error(f"{p.id}.start", "needs times with a zone, for example 2026-07-01T00:00+08:00")
    elif not p.gate.opens_at < p.gate.closes_at <= p.start:
        yield error(f"{p.id}.gate", "must open, then close, then deliver; order the three instants so")
    if p.minutes < 1 or p.periods < 1:
        yield error(
            f"{p.id}.periods", f"{p.periods} periods of {p.minutes} min deliver nothing; use whole numbers from 1 on"
        )
    if p.lot_wh < 1 or p.tick_micro < 1:
        yield error(f"{p.id}.lot_wh", "lot and tick are whole numbers from 1 on")
    elif p.lot_wh * p.tick_micro % WH_PER_MWH:
        product = f"a lot of {p.lot_wh} Wh at a tick of {p.tick_micro} micro-units per MWh"
        yield error(f"{p.id}.tick_micro", f"{product} is no whole number of micro-units; make either larger")
    elif p.lowest_micro % p.tick_micro or p.highest_micro % p.tick_micro:
        yield error(f"{p.id}.lowest_micro", f"the price band must lie on ticks of {p.tick_micro}")
    if p.lowest_micro >= p.highest_micro:
        yield error(f"{p.id}.lowest_micro", "is not below highest_micro; no price would be allowed")
