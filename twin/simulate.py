"""Processes in time: units fail and are repaired, vehicles come and go, controllers follow what they are told.

Each life is a generator that waits for what comes next; the same processes run a what-if year in seconds or a day beside its plant.
Everything is drawn from a seed, each process from its own stream, so adding an asset changes nobody else's fate.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import zip_longest
from typing import Any

import numpy as np
import xarray as xr

from models.components import EvFleet, EvGroup
from models.fleets import arrivals
from models.horizon import Horizon, require_utc
from models.labelled import labelled, named, time_axis
from models.site import Site
from twin.state import unit_ids

Life = Generator[Any, None, None]


class Happening(StrEnum):
    """What can happen to an asset."""

    FAILS = "fails"
    RETURNS = "returns"
    ARRIVES = "arrives"
    LEAVES = "leaves"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: when, to which asset, and for a vehicle how much energy it needs or still lacks."""

    at: datetime
    asset: str
    what: Happening
    energy_kwh: float = 0.0


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often a unit fails and how long it stands then; times are exponentially distributed around these means."""

    mean_up_h: float = 400.0
    mean_repair_h: float = 1.5


@dataclass(frozen=True, slots=True)
class Outage:
    """An asset that stands from ``start`` until ``end``, whatever it is told: a repair, a tripped line, an island."""

    asset: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """Work on an asset, which stands meanwhile: ``hours`` of it, by a crew that comes as soon as it is free, not before ``at``."""

    asset: str
    crew: str
    at: datetime
    hours: float


@dataclass(slots=True)
class Park:
    """The vehicles of a fleet that are plugged in, and the energy that they still need together."""

    plugged: int = 0
    asked_kwh: float = 0.0
    need_kwh: float = 0.0


@dataclass(slots=True)
class Controller:
    """A unit's own controller: it moves the unit from what it does to what it is told, no faster than the unit can."""

    ramp_kw_per_min: float
    lowest_kw: float = 0.0
    wanted_kw: float = 0.0
    actual_kw: float = 0.0

    def move(self, minutes: float) -> None:
        """Follow for some minutes; below half its lowest load a unit stops, and it starts into its lowest load."""
        target = self.wanted_kw
        if 0.0 < target < self.lowest_kw:
            target = self.lowest_kw if target >= self.lowest_kw / 2.0 else 0.0
        reach = self.ramp_kw_per_min * minutes
        start = max(self.actual_kw, self.lowest_kw) if target > 0.0 else self.actual_kw
        stopping = target == 0.0 and self.actual_kw <= self.lowest_kw + reach
        self.actual_kw = 0.0 if stopping else min(max(target, start - reach), start + reach)


class Simulation:
    """The processes of one site, from ``start`` on.

    Parameters
    ----------
    site
        The site.
    start
        First instant.
    seed
        Decides every draw.
    reliability
        Which assets may fail, and how often; nothing fails where it is left out. :func:`usual_reliability` gives a usual set.
    outages
        Assets that stand at known times, beside those that fail by chance.
    arrival_spread_h
        One standard deviation of a vehicle's arrival around its group's hour; 0 lets all come on the stroke.
    vehicles
        Whether vehicles come at all.
    """

    def __init__(
        self,
        site: Site,
        start: datetime,
        seed: int,
        *,
        reliability: Mapping[str, Reliability] | None = None,
        outages: Iterable[Outage] = (),
        arrival_spread_h: float = 0.25,
        vehicles: bool = True,
    ) -> None:
        import simpy  # opened here so that a plan can be checked without it

        self.site, self.start, self.seed = site, require_utc(start), seed
        self.arrival_spread_h = arrival_spread_h
        self._standing: Counter[str] = Counter()
        self.parks = {f.id: Park() for f in site.of_kind(EvFleet)}
        self.controllers = {c.id: Controller(c.ramp_kw_per_min, c.power_min_kw) for c in site.engines}
        self.events: list[Event] = []
        self._env = simpy.Environment()
        for asset, habits in (reliability or {}).items():
            self._env.process(self._fail_and_return(asset, habits))
        for outage in outages:
            self._env.process(self._stand(outage))
        for fleet in site.of_kind(EvFleet) if vehicles else ():
            self._env.process(self._days(fleet))

    @property
    def out_of_service(self) -> frozenset[str]:
        """The assets that can do nothing now."""
        return frozenset(+self._standing)

    @property
    def now(self) -> datetime:
        """The instant up to which the processes have run."""
        return self.start + timedelta(seconds=self._env.now)

    def outages(self, until: datetime) -> tuple[Outage, ...]:
        """Return every outage so far in order of its start; one that has not ended is taken to end at ``until``."""
        found: list[Outage] = []
        for asset in {e.asset for e in self.events}:
            turns = [e.at for e in self.events if e.asset == asset and e.what in (Happening.FAILS, Happening.RETURNS)]
            found += (Outage(asset, off, on) for off, on in zip_longest(turns[::2], turns[1::2], fillvalue=until))
        return tuple(sorted(found, key=lambda o: (o.start, o.asset)))

    def run(self, until: datetime) -> None:
        """Let everything happen before ``until``."""
        seconds = (require_utc(until) - self.start).total_seconds()
        if seconds > self._env.now:
            self._env.run(until=seconds)

    def every(self, seconds: float, act: Callable[[], None]) -> None:
        """Call ``act`` now and then every so many seconds, after whatever else happens at the same instant."""

        def beat() -> Life:
            while True:
                act()
                yield self._env.timeout(seconds)

        self._env.process(beat())

    def charged(self, fleet: str, energy_kwh: float) -> None:
        """Take what went into a fleet's vehicles off what they still need."""
        park = self.parks[fleet]
        park.need_kwh = max(park.need_kwh - energy_kwh, 0.0)

    def _rng(self, *purpose: object) -> np.random.Generator:
        key = hashlib.blake2b("/".join(map(str, (self.seed, *purpose))).encode(), digest_size=16).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(key, "big")))

    def _note(self, asset: str, what: Happening, energy_kwh: float = 0.0) -> None:
        self.events.append(Event(self.now, asset, what, energy_kwh))

    def _fail_and_return(self, asset: str, habits: Reliability) -> Life:
        rng = self._rng(asset, "outages")
        while True:
            yield self._env.timeout(rng.exponential(habits.mean_up_h * 3600.0))
            yield from self._off(asset, rng.exponential(habits.mean_repair_h * 3600.0))

    def _stand(self, outage: Outage) -> Life:
        """Take an asset off at a known time; what began before the first instant has its rest left."""
        begin_s, end_s = ((t - self.start).total_seconds() for t in (outage.start, outage.end))
        if end_s <= 0.0:
            return
        yield self._env.timeout(max(begin_s, 0.0))
        yield from self._off(outage.asset, end_s - max(begin_s, 0.0))

    def _off(self, asset: str, seconds: float) -> Life:
        self._standing[asset] += 1
        self._note(asset, Happening.FAILS)
        yield self._env.timeout(seconds)
        self._standing[asset] -= 1
        self._note(asset, Happening.RETURNS)

    def _days(self, fleet: EvFleet) -> Life:
        """Send out each day's vehicles at the day's beginning; whoever came before the start is not there."""
        day = timedelta(days=1)
        while True:
            here = self.now
            # an arrival on the stroke of the start belongs to this day, not to none
            since = here - timedelta(seconds=1) if here == self.start else here
            for group, at in arrivals(fleet, since, here + day, self.site.location.time_zone):
                for number in range(group.vehicles):
                    self._env.process(self._visit(fleet, group, at, number))
            yield self._env.timeout(day.total_seconds())

    def _visit(self, fleet: EvFleet, group: EvGroup, at: datetime, number: int) -> Life:
        """Live one vehicle's visit: come around the group's hour, leave on the hour with whatever has been charged."""
        rng = self._rng(fleet.id, at.isoformat(), number)
        stay_s = ((group.depart_h - group.arrive_h) % 24.0 or 24.0) * 3600.0
        late_s = rng.normal(0.0, self.arrival_spread_h * 3600.0) if self.arrival_spread_h else 0.0
        leave_s = (at - self.start).total_seconds() + stay_s
        come_s = min(max(leave_s - stay_s + late_s, self._env.now), leave_s)
        yield self._env.timeout(come_s - self._env.now)
        park = self.parks[fleet.id]
        park.plugged += 1
        park.asked_kwh += group.energy_kwh
        park.need_kwh += group.energy_kwh
        self._note(fleet.id, Happening.ARRIVES, group.energy_kwh)
        yield self._env.timeout(leave_s - self._env.now)
        park.plugged -= 1
        park.asked_kwh -= group.energy_kwh
        # who leaves has been served first: it takes along only what the others cannot still be waiting for
        lacking = max(park.need_kwh - park.asked_kwh, 0.0) if park.plugged else park.need_kwh
        park.need_kwh -= lacking
        self._note(fleet.id, Happening.LEAVES, lacking)


def carried_out(orders: Iterable[WorkOrder]) -> tuple[Outage, ...]:
    """Return when the assets of work orders stand: each crew works on one at a time, in the order in which they fall due."""
    import simpy  # opened here so that a plan can be checked without it

    due = sorted(orders, key=lambda o: (o.at, o.asset))
    if not due:
        return ()
    start, env, found = due[0].at, simpy.Environment(), []
    crews = {o.crew: simpy.Resource(env) for o in due}

    def done(order: WorkOrder) -> Life:
        yield env.timeout((order.at - start).total_seconds())
        with crews[order.crew].request() as turn:
            yield turn
            begin = start + timedelta(seconds=env.now)
            yield env.timeout(order.hours * 3600.0)
        found.append(Outage(order.asset, begin, start + timedelta(seconds=env.now)))

    for order in due:
        env.process(done(order))
    env.run()
    return tuple(found)


def usual_reliability(site: Site) -> dict[str, Reliability]:
    """Return a failure about every 17 days and a repair of an hour and a half for every unit that converts energy."""
    return {u: Reliability() for u in unit_ids(site)}


def draw_outages(
    site: Site, start: datetime, end: datetime, seed: int, reliability: Mapping[str, Reliability] | None = None
) -> tuple[Outage, ...]:
    """Return one seeded fate of the units between two instants; everything works at its start, and a last repair may end behind."""
    habits = usual_reliability(site) if reliability is None else reliability
    simulation = Simulation(site, start, seed, reliability=habits, vehicles=False)
    simulation.run(end)
    return simulation.outages(end)


def available_share(outages: Iterable[Outage], horizon: Horizon) -> xr.DataArray:
    """Return the share of each step in which assets with outages are in service; dims (asset, time)."""
    known = tuple(outages)
    assets = sorted({o.asset for o in known})
    edges_s = np.array([(e - horizon.start).total_seconds() for e in horizon.edges])
    lost_s = {a: np.zeros(len(edges_s)) for a in assets}
    for outage in known:
        # time out of service up to every edge grows from the outage's start and stops growing at its end
        for at, sign in ((outage.start, 1.0), (outage.end, -1.0)):
            lost_s[outage.asset] += sign * np.clip(edges_s - (at - horizon.start).total_seconds(), 0.0, None)
    share = [np.clip(1.0 - np.diff(lost_s[a]) / np.diff(edges_s), 0.0, 1.0) for a in assets]
    values = np.array(share).reshape(len(assets), len(horizon))
    return labelled(values, named("asset", assets), time_axis(horizon), name="available_share")
