"""How much of the time equipment was in service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Service:
    """An asset and when it was out of service; ``start`` and ``end`` bound the time that it was to be there."""

    asset_id: str
    name: str
    power_kw: float
    start: datetime
    end: datetime
    outages: tuple[tuple[datetime, datetime | None], ...]
    """From, to; None while it lasts. They may overlap."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Share of the time, 0..1, that an asset was in service."""

    asset_id: str
    name: str
    share: float
    down_h: float
    outages: int


def availability(service: Service) -> Availability:
    """Return an asset's availability; hours in several outages at once count once."""
    down, reached, count = NOTHING, service.start, 0
    for start, end in sorted(service.outages, key=lambda o: o[0]):
        first, last = max(start, reached), min(end or service.end, service.end)
        count += min(end or service.end, service.end) > max(start, service.start)
        if last > first:
            down += last - first
            reached = last
    whole = service.end - service.start
    share = 1 - down / whole if whole > NOTHING else 1.0
    return Availability(service.asset_id, service.name, share, down / timedelta(hours=1), count)


def weighted_share(services: Sequence[Service]) -> float | None:
    """Return the availability of all, weighted by power and time; None where there is neither."""
    weights = [s.power_kw * (s.end - s.start).total_seconds() for s in services]
    if not sum(weights):
        return None
    return sum(w * availability(s).share for w, s in zip(weights, services, strict=True)) / sum(weights)
