"""Settlement of a delivery: positions and meters become amounts between participants and the market, in exact integers.

Two settlements: what was traded at the price of its trade, and what was metered beside it at the price of real time. Whoever feeds the
network is paid. Contracts for difference, imbalance beyond a band and ancillary services are settled beside it. The market is everybody's
counterparty, so every item is a debit of one and a credit of the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from market.products import WH_PER_MWH, MarketError, amount_micro
from models.findings import Finding, error

PPM = 1_000_000


class Part(StrEnum):
    """What an amount is for."""

    TRADES = "trades"
    REAL_TIME = "real time"
    DIFFERENCE = "contract for difference"
    DEVIATION = "deviation"
    CAPACITY = "ancillary capacity"
    MILEAGE = "ancillary mileage"
    SHORTFALL = "ancillary shortfall"


@dataclass(frozen=True, slots=True)
class Item:
    """An amount that the market owes a participant (> 0), or is owed (< 0), and the quantity and price it is made of.

    ``quantity`` is in Wh or, for ancillary services, in W of capacity or mileage; ``price_micro`` per MWh or MW.
    """

    participant: str
    part: Part
    period: int
    quantity: int
    price_micro: int
    amount_micro: int
    trace: str


@dataclass(frozen=True, slots=True)
class Trade:
    """Energy sold (> 0) or bought (< 0) in one period at a price, in any market; ``trace`` follows it from its offer on."""

    participant: str
    period: int
    quantity_wh: int
    price_micro: int
    trace: str = ""


@dataclass(frozen=True, slots=True)
class DifferenceContract:
    """``quantity_wh`` per period at ``strike_micro``: the holder is paid strike less reference for it (a buyer holds negative quantities)."""

    id: str
    holder: str
    writer: str
    strike_micro: int
    quantity_wh: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """What deviation from the position is charged: beyond ``free_ppm`` of it, ``price_ppm`` of the period's real-time price, up to the next band."""

    free_ppm: int
    price_ppm: int


@dataclass(frozen=True, slots=True)
class Exemption:
    """Periods of a participant that are not assessed, and why: a fault of the network, a call of the operator, force majeure."""

    participant: str
    first: int
    last: int
    """Not included."""
    cause: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is settled together: metered energy (participant, then Wh per period; > 0 feeds the network) and prices per period."""

    metered_wh: Mapping[str, tuple[int, ...]]
    real_time_micro: tuple[int, ...]
    reference_micro: tuple[int, ...]
    """Of the contracts for difference, mostly the day-ahead price."""
    trades: tuple[Trade, ...] = ()
    contracts: tuple[DifferenceContract, ...] = ()
    bands: tuple[Band, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


def settle(delivery: Delivery) -> list[Item]:
    """Return every item of a delivery.

    Raises
    ------
    MarketError
        With everything that is wrong: meter gaps, periods outside, unknown participants, bands that do not rise.
    """
    if found := list(check_delivery(delivery)):
        raise MarketError(found)
    return [*_traded(delivery), *_real_time(delivery), *_differences(delivery), *_deviations(delivery)]


def positions_wh(delivery: Delivery) -> dict[str, list[int]]:
    """Return what everybody has sold (> 0) or bought per period, over all markets."""
    found = {name: [0] * len(delivery.real_time_micro) for name in delivery.metered_wh}
    for t in delivery.trades:
        found[t.participant][t.period] += t.quantity_wh
    return found


def _traded(d: Delivery) -> Iterator[Item]:
    for t in d.trades:
        amount = amount_micro(t.quantity_wh, t.price_micro)
        yield Item(t.participant, Part.TRADES, t.period, t.quantity_wh, t.price_micro, amount, t.trace)


def _real_time(d: Delivery) -> Iterator[Item]:
    positions = positions_wh(d)
    for name, metered in d.metered_wh.items():
        for k, (wh, sold, price) in enumerate(zip(metered, positions[name], d.real_time_micro, strict=True)):
            if wh != sold:
                yield Item(name, Part.REAL_TIME, k, wh - sold, price, amount_micro(wh - sold, price), "")


def _differences(d: Delivery) -> Iterator[Item]:
    for c in d.contracts:
        for k, (wh, reference) in enumerate(zip(c.quantity_wh, d.reference_micro, strict=True)):
            amount = amount_micro(wh, c.strike_micro - reference)
            if amount:
                price = c.strike_micro - reference
                yield Item(c.holder, Part.DIFFERENCE, k, wh, price, amount, c.id)
                yield Item(c.writer, Part.DIFFERENCE, k, -wh, price, -amount, c.id)


def _deviations(d: Delivery) -> Iterator[Item]:
    positions = positions_wh(d)
    exempt = {(e.participant, k) for e in d.exemptions for k in range(e.first, e.last)}
    for name, metered in d.metered_wh.items():
        for k, (wh, sold, price) in enumerate(zip(metered, positions[name], d.real_time_micro, strict=True)):
            if (name, k) in exempt:
                continue
            charge = deviation_micro(abs(wh - sold), abs(sold), abs(price), d.bands)
            if charge:
                yield Item(name, Part.DEVIATION, k, wh - sold, price, -charge, "")


def deviation_micro(deviation_wh: int, position_wh: int, price_micro: int, bands: Sequence[Band]) -> int:
    """Return the charge for a deviation: each band's share of the price on what lies between its limit and the next one's."""
    edges = [position_wh * b.free_ppm // PPM for b in bands]
    limits = [*edges[1:], deviation_wh] if bands else []
    within = [max(min(deviation_wh, after) - edge, 0) for edge, after in zip(edges, limits, strict=True)]
    exact = sum(wh * price_micro * b.price_ppm for wh, b in zip(within, bands, strict=True))
    return (2 * exact + WH_PER_MWH * PPM) // (2 * WH_PER_MWH * PPM)


def check_delivery(d: Delivery) -> Iterator[Finding]:
    """Give everything that keeps a delivery from being settled."""
    count = len(d.real_time_micro)
    series = {"reference_micro": d.reference_micro, "real_time_micro": d.real_time_micro}
    series |= {c.id: c.quantity_wh for c in d.contracts} | dict(d.metered_wh)
    for name, values in series.items():
        if len(values) != count:
            yield error(
                name, f"has {len(values)} values for {count} periods; a gap is read or estimated before it is settled"
            )
        if any(type(v) is not int for v in values):
            yield error(name, "holds something else than whole numbers; a missing value is estimated, never NaN")
    for t in d.trades:
        if t.participant not in d.metered_wh:
            yield error(t.participant, "has traded and has no meter in this delivery")
        if not 0 <= t.period < count:
            yield error(t.trace or t.participant, f"a trade is of period {t.period}; there are 0 to {count - 1}")
        if type(t.quantity_wh) is not int or type(t.price_micro) is not int:
            yield error(t.trace or t.participant, "a trade holds something else than whole numbers")
    for e in d.exemptions:
        if not 0 <= e.first < e.last <= count or not e.cause:
            yield error(
                e.participant, f"an exemption reaches from {e.first} to {e.last} of {count} periods and needs a cause"
            )
    if any(b.free_ppm <= a.free_ppm for a, b in zip(d.bands, d.bands[1:], strict=False)) or any(
        b.free_ppm < 0 or b.price_ppm < 0 for b in d.bands
    ):
        yield error("bands", "must rise from 0 on, with prices of 0 or more")
