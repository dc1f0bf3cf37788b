"""Vehicle fleets in time: who is plugged in, and how much energy is still needed before they leave."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from models.components import EvFleet, EvGroup
from models.horizon import HOUR, require_utc

SATURDAY = 5


def mean_plugged(fleet: EvFleet, start: datetime, end: datetime, time_zone: str) -> float:
    """Return how many vehicles are connected on average over ``start <= t < end``."""
    zone = ZoneInfo(time_zone)
    here, until = (require_utc(t).astimezone(zone).replace(tzinfo=None) for t in (start, end))
    hours = 0.0
    while here < until:
        midnight = datetime.combine(here.date(), datetime.min.time())
        stop = min(until, midnight + timedelta(days=1))
        if _works(fleet, here):
            span = (here - midnight) / HOUR, (stop - midnight) / HOUR
            hours += sum(g.vehicles * _hours_inside(g, *span) for g in fleet.groups)
        here = stop
    return hours / ((end - start) / HOUR)


def _hours_inside(group: EvGroup, from_h: float, to_h: float) -> float:
    """Return for how many hours of a stretch of one local day a group is there."""
    if group.arrive_h < group.depart_h:
        stays = [(group.arrive_h, group.depart_h)]
    else:
        stays = [(0.0, group.depart_h), (group.arrive_h, 24.0)]
    return sum(max(min(to_h, gone) - max(from_h, come), 0.0) for come, gone in stays)


def plugged(fleet: EvFleet, at: datetime, time_zone: str) -> float:
    """Return how many vehicles are connected at an instant."""
    local = require_utc(at).astimezone(ZoneInfo(time_zone))
    return float(sum(g.vehicles for g in fleet.groups if _works(fleet, local) and _inside(g, local)))


def need_after(fleet: EvFleet, need_kwh: float, start: datetime, end: datetime, time_zone: str) -> float:
    """Return the energy that the fleet still needs at ``end``, from what it needed at ``start`` less what it charged since.

    Groups that arrive in ``start < t <= end`` add their energy. Vehicles that leave are taken to have been served first, so what is
    needed never exceeds what the vehicles still present could have asked for.
    """
    arrived = sum(group.vehicles * group.energy_kwh for group, _ in arrivals(fleet, start, end, time_zone))
    local = require_utc(end).astimezone(ZoneInfo(time_zone))
    present = (g for g in fleet.groups if _works(fleet, local) and _inside(g, local))
    most = sum(map(fleet.owed_kwh, present))
    return min(need_kwh + arrived, most)


def arrivals(fleet: EvFleet, start: datetime, end: datetime, time_zone: str) -> Iterator[tuple[EvGroup, datetime]]:
    """Yield every group that arrives in ``start < t <= end`` with its arrival in UTC, group by group."""
    zone = ZoneInfo(time_zone)
    first, last = (require_utc(t).astimezone(zone) for t in (start, end))
    for group in fleet.groups:
        for day in range((last.date() - first.date()).days + 1):
            midnight = datetime.combine(first.date() + timedelta(days=day), datetime.min.time(), zone)
            arrival = midnight + timedelta(hours=group.arrive_h)
            if first < arrival <= last and _works(fleet, arrival):
                yield group, require_utc(arrival)


def _works(fleet: EvFleet, local: datetime) -> bool:
    return not fleet.workdays_only or local.weekday() < SATURDAY


def _inside(group: EvGroup, local: datetime) -> bool:
    """Return whether a group is there; half-open, past midnight when it leaves before it arrives."""
    hour = local.hour + local.minute / 60.0 + local.second / 3600.0
    if group.arrive_h < group.depart_h:
        return group.arrive_h <= hour < group.depart_h
    return hour >= group.arrive_h or hour < group.depart_h
