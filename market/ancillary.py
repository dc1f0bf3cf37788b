"""Ancillary services: who is awarded capacity, who is called, and what is paid for what was done.

Capacity is awarded at one price in the order of what each offer costs the system: its capacity price plus the mileage it is expected to
do at its mileage price, both over the performance it has shown. Who performs at half counts at twice the price. Regulation is paid for
capacity and for mileage (the way its output went, in W); reserve for capacity alone, its energy is settled as energy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from market.products import MarketError
from market.settlement import Item, Part
from models.findings import Finding, error

PPM = 1_000_000
W_PER_MW = 1_000_000


@dataclass(frozen=True, slots=True)
class CapacityOffer:
    """Capacity for one period; prices in micro-units per MW (of capacity, of mileage), performance in millionths of what was asked."""

    id: str
    participant: str
    capacity_w: int
    price_micro: int
    mileage_price_micro: int = 0
    performance_ppm: int = PPM
    energy_price_micro: int = 0
    """Per MWh, in the order of which awarded capacity is called."""


@dataclass(frozen=True, slots=True)
class Award:
    """Capacity that was taken, at the prices that everybody is paid."""

    offer: CapacityOffer
    capacity_w: int
    price_micro: int
    mileage_price_micro: int


@dataclass(frozen=True, slots=True)
class Performance:
    """What an awarded offer did: mileage asked and done in W, and the least share of its capacity that was there when it was called."""

    offer: str
    mileage_asked_w: int
    mileage_done_w: int
    delivered_ppm: int = PPM


def award(required_w: int, offers: Sequence[CapacityOffer], *, mileage_per_mw: int = 0) -> tuple[list[Award], int]:
    """Return awards in merit order and what is missing of the requirement, in W.

    ``mileage_per_mw`` is how many MW one MW of regulation is expected to travel in the period. The capacity price is the marginal offer's
    cost of capacity at perfect performance, the mileage price the highest among those awarded.

    Raises
    ------
    MarketError
        With everything that is wrong with the offers.
    """
    if found := list(check_offers(offers)):
        raise MarketError(found)
    chosen: list[tuple[CapacityOffer, int]] = []
    left = required_w
    for o in sorted(offers, key=lambda o: (_cost(o, mileage_per_mw), o.id)):
        taken = min(left, o.capacity_w)
        if taken > 0:
            chosen.append((o, taken))
            left -= taken
    price = max((o.price_micro * PPM // o.performance_ppm for o, _ in chosen), default=0)
    mileage = max((o.mileage_price_micro * PPM // o.performance_ppm for o, _ in chosen), default=0)
    return [Award(o, w, price, mileage) for o, w in chosen], left


def _cost(o: CapacityOffer, mileage_per_mw: int) -> int:
    """Return what a MW costs the system, in micro-units, as if it performed perfectly; rounded up, so that no one is ahead by rounding."""
    return -(-(o.price_micro + mileage_per_mw * o.mileage_price_micro) * PPM // o.performance_ppm)


def activate(asked_w: int, awards: Sequence[Award]) -> dict[str, int]:
    """Return what each awarded offer is called for, the cheapest energy first; at most everything that was awarded."""
    called: dict[str, int] = {}
    for a in sorted(awards, key=lambda a: (a.offer.energy_price_micro, a.offer.id)):
        called[a.offer.id] = min(max(asked_w - sum(called.values()), 0), a.capacity_w)
    return called


def ancillary_items(
    period: int, awards: Sequence[Award], done: Sequence[Performance], *, shortfall_ppm: int = 2 * PPM
) -> Iterator[Item]:
    """Give what awarded capacity earned: capacity, mileage done (not more than asked), less ``shortfall_ppm`` of the price for what was missing.

    Raises
    ------
    MarketError
        If a performance is of nobody who was awarded, or is no whole number from 0 on.
    """
    by_id = {a.offer.id: a for a in awards}
    wrong = [error(p.offer, "has performed and was not awarded") for p in done if p.offer not in by_id]
    wrong += [
        error(p.offer, "performance is whole numbers from 0 on, delivered at most 1000000 ppm")
        for p in done
        if not _sound(p)
    ]
    if wrong:
        raise MarketError(wrong)
    for a in awards:
        yield _item(a, Part.CAPACITY, period, a.capacity_w, a.price_micro)
    for p in done:
        a = by_id[p.offer]
        if mileage := min(p.mileage_done_w, p.mileage_asked_w):
            yield _item(a, Part.MILEAGE, period, mileage, a.mileage_price_micro)
        if missing := a.capacity_w * (PPM - p.delivered_ppm) // PPM:
            yield _item(a, Part.SHORTFALL, period, -missing, a.price_micro * shortfall_ppm // PPM)


def _sound(p: Performance) -> bool:
    numbers = (p.mileage_asked_w, p.mileage_done_w, p.delivered_ppm)
    return all(type(v) is int and v >= 0 for v in numbers) and p.delivered_ppm <= PPM


def _item(a: Award, part: Part, period: int, quantity_w: int, price_micro: int) -> Item:
    exact = quantity_w * price_micro
    amount = (2 * abs(exact) + W_PER_MW) // (2 * W_PER_MW)
    return Item(
        a.offer.participant, part, period, quantity_w, price_micro, -amount if exact < 0 else amount, a.offer.id
    )


def check_offers(offers: Sequence[CapacityOffer]) -> Iterator[Finding]:
    """Give what is wrong with offers of capacity."""
    seen: set[str] = set()
    for o in offers:
        if o.id in seen:
            yield error(o.id, "is the id of two offers; an id names one")
        seen.add(o.id)
        numbers = (o.capacity_w, o.price_micro, o.mileage_price_micro, o.performance_ppm, o.energy_price_micro)
        if any(type(v) is not int for v in numbers):
            yield error(o.id, "holds something else than whole numbers")
        elif o.capacity_w <= 0 or o.price_micro < 0 or o.mileage_price_micro < 0 or not 0 < o.performance_ppm <= PPM:
            yield error(o.id, "needs capacity above 0, prices from 0 on and a performance above 0 up to 1000000 ppm")
