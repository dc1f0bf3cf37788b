"""Electric vehicles come and go: the life of a fleet's charging station."""

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from models.components import EvFleet, EvGroup

DAY = timedelta(days=1)
ARRIVAL_SPREAD_H = 0.25
DEPARTURE_SPREAD_H = 0.2
LATEST_H = 0.75
"""Nobody is further off the timetable than this."""
NEED_RANGE = (0.7, 1.2)
"""What a vehicle needs, relative to its group's figure."""


@dataclass(slots=True)
class Park:
    """The vehicles at one charging station, taken together."""

    plugged: int = 0
    need_kwh: float = 0.0
    short_kwh: float = 0.0
    """Energy that vehicles left without."""

    def arrive(self, need_kwh: float) -> None:
        """Plug one vehicle in."""
        self.plugged += 1
        self.need_kwh += need_kwh

    def leave(self) -> None:
        """Unplug one vehicle; it takes its part of what is still missing with it."""
        missing = self.need_kwh / self.plugged
        self.plugged -= 1
        self.need_kwh = self.need_kwh - missing if self.plugged else 0.0
        self.short_kwh += missing


@dataclass(frozen=True, slots=True)
class Visit:
    """One vehicle's stay: seconds from the plant's start, and the energy it wants."""

    arrive_s: float
    leave_s: float
    need_kwh: float

    def left_share(self, now_s: float) -> float:
        """Return which part of the stay is still to come, and so of the energy."""
        return min((self.leave_s - now_s) / (self.leave_s - self.arrive_s), 1.0)


def come_and_go(
    env: Any, park: Park, fleet: EvFleet, start: datetime, zone: str, seed: int
) -> Generator[Any, None, None]:
    """Let vehicles arrive and leave, local day by local day; those who came before the start are there already."""
    local = start.astimezone(ZoneInfo(zone))
    day = local.date() - DAY
    while True:
        for visit in visits(fleet, day, start, zone, seed):
            if visit.leave_s > env.now:
                env.process(_stay(env, park, visit))
        day += DAY
        midnight_s = (datetime.combine(day, time(), ZoneInfo(zone)) - start).total_seconds()
        yield env.timeout(max(midnight_s - env.now, 0.0))


def visits(fleet: EvFleet, day: date, start: datetime, zone: str, seed: int) -> Iterator[Visit]:
    """Yield the stays that begin on a local day; a function of seed, fleet and day."""
    if fleet.workdays_only and day.weekday() >= 5:
        return
    key = hashlib.blake2b(f"{seed}/{fleet.id}/{day}".encode(), digest_size=8).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(key, "big")))
    midnight_s = (datetime.combine(day, time(), ZoneInfo(zone)) - start).total_seconds()
    for group in fleet.groups:
        for _ in range(group.vehicles):
            yield _visit(group, midnight_s, rng)


def _visit(group: EvGroup, midnight_s: float, rng: np.random.Generator) -> Visit:
    late = np.clip(rng.standard_normal(2) * (ARRIVAL_SPREAD_H, DEPARTURE_SPREAD_H), -LATEST_H, LATEST_H)
    overnight = 24.0 * (group.depart_h <= group.arrive_h)
    arrive_s = midnight_s + 3600.0 * (group.arrive_h + late[0])
    leave_s = midnight_s + 3600.0 * (group.depart_h + overnight + late[1])
    need_kwh = group.energy_kwh * rng.uniform(*NEED_RANGE)
    return Visit(float(arrive_s), float(max(leave_s, arrive_s + 600.0)), float(need_kwh))


def need_at_start_kwh(fleet: EvFleet, start: datetime, zone: str, seed: int) -> float:
    """Return what the vehicles that came before the plant's start still need at that instant."""
    day = start.astimezone(ZoneInfo(zone)).date() - DAY
    here = (v for v in visits(fleet, day, start, zone, seed) if v.arrive_s <= 0.0 < v.leave_s)
    return sum(v.need_kwh * v.left_share(0.0) for v in here)


def _stay(env: Any, park: Park, visit: Visit) -> Generator[Any, None, None]:
    """One vehicle: who is already there has charged in proportion to the time that has passed."""
    waiting_s = visit.arrive_s - env.now
    if waiting_s > 0:
        yield env.timeout(waiting_s)
    park.arrive(visit.need_kwh * visit.left_share(env.now))
    yield env.timeout(visit.leave_s - env.now)
    park.leave()
