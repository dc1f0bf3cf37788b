"""Ancillary services as files have them: who offered capacity, what was asked for, what was done, and the items that come of it."""

from collections.abc import Iterator
from decimal import Decimal

from market.ancillary import PPM, CapacityOffer, Performance, activate, ancillary_items, award
from market.settlement import Item
from market.written import MICRO, Number, Part, Whole


class CapacityOfferDocument(Part):
    """Capacity that somebody offers; prices are currency per MW of capacity and of mileage, and per MWh when it is called."""

    id: str
    participant: str
    mw: Number
    price: Number
    mileage_price: Number = Decimal(0)
    performance: Number = Decimal(1)
    """Share of what was asked that it has shown so far."""
    energy_price: Number = Decimal(0)


class PerformanceDocument(Part):
    """What an awarded offer did: mileage in MW, and the least share of its capacity that was there when it was called."""

    offer: str
    mileage_asked_mw: Number = Decimal(0)
    mileage_done_mw: Number = Decimal(0)
    delivered: Number = Decimal(1)


class CapacityDocument(Part):
    """One period of an ancillary service: ``required_mw`` is awarded, ``called_mw`` of it is called."""

    period: int
    required_mw: Number
    mileage_per_mw: int = 0
    called_mw: Number = Decimal(0)
    offers: tuple[CapacityOfferDocument, ...]
    done: tuple[PerformanceDocument, ...] = ()


def capacity_items(d: CapacityDocument, whole: Whole) -> list[Item]:
    """Return what awarded capacity earned in a period.

    Raises
    ------
    MarketError
        With everything that is wrong with offers or performances.
    """
    offers = [_offer(o, whole) for o in d.offers]
    done = [
        Performance(
            p.offer,
            whole(p.mileage_asked_mw, p.offer),
            whole(p.mileage_done_mw, p.offer),
            whole(p.delivered, p.offer) * PPM // MICRO,
        )
        for p in d.done
    ]
    required = whole(d.required_mw, f"capacity.{d.period}")
    whole.require()
    awards, _ = award(required, offers, mileage_per_mw=d.mileage_per_mw)
    return list(ancillary_items(d.period, awards, done))


def called_w(d: CapacityDocument, whole: Whole) -> Iterator[tuple[str, int, int]]:
    """Give each awarded offer with what was awarded and what of it is called, in W, the cheapest energy first."""
    offers = [_offer(o, whole) for o in d.offers]
    required, asked = (whole(v, f"capacity.{d.period}") for v in (d.required_mw, d.called_mw))
    whole.require()
    awards, _ = award(required, offers, mileage_per_mw=d.mileage_per_mw)
    awarded = {a.offer.id: a.capacity_w for a in awards}
    for name, called in activate(asked, awards).items():
        yield name, awarded[name], called


def _offer(o: CapacityOfferDocument, whole: Whole) -> CapacityOffer:
    return CapacityOffer(
        o.id,
        o.participant,
        whole(o.mw, o.id),
        whole(o.price, o.id),
        whole(o.mileage_price, o.id),
        whole(o.performance, o.id) * PPM // MICRO,
        whole(o.energy_price, o.id),
    )
