"""A past window lived once more: from the state that it began in, in the weather and demand that were measured, with another operator."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import xarray as xr

from models.actuals import Actuals
from models.components import Store
from models.errors import SetupError
from models.forecast.measured import MeasuredHistory
from models.forecast.naive import Forecaster, PerfectForecaster
from models.horizon import Horizon
from models.site import ElectricityContract, Site
from models.state import Snapshot
from scenarios.costs import Powers, operating_cost, stored_value
from scenarios.day import JumpingClock
from scenarios.events import Event, SnapshotTaken
from scenarios.loop_settings import LoopSettings, at_once
from scenarios.operate import OperatingLoop
from scenarios.problem import Horizons, Planner
from twin.inprocess import TwinPlant
from twin.log import Kind, RecordLog
from twin.packing import unpack
from twin.replay import Moment
from twin.state import stored_of, trajectory
from twin.sync import Synchroniser


@dataclass(frozen=True, slots=True)
class Course:
    """What a window cost and did: parts of the cost in the site's currency, the energy that the stores gained among them."""

    name: str
    cost: Mapping[str, float]
    import_kwh: float
    peak_kw: float
    """Highest import at an instant that was looked at."""

    @property
    def total_cost(self) -> float:
        """Sum of all parts."""
        return float(sum(self.cost.values()))


class AsMeasured:
    """The world outside as it was measured, minute by minute; what nothing measured is the profiles'."""

    def __init__(self, log: RecordLog, site: Site, start: datetime, end: datetime, seed: int = 1) -> None:
        self._site, self._profiles = site, Actuals(site, seed, calm=True)
        self.history = MeasuredHistory(self._profiles, kept=end - start)
        self._seen: list[tuple[datetime, dict[str, float]]] = []
        for record in log.read(start, end, (Kind.MEASURED,)):
            series = unpack(record.body)
            self.history.add(record.at, series)
            self._seen.append((record.at, series))
        self._next = 0
        self._present: dict[str, float] = {}

    def at(self, instant: datetime) -> Mapping[str, float]:
        """Return every series at an instant; instants must not go back."""
        while self._next < len(self._seen) and self._seen[self._next][0] <= instant:
            self._present |= self._seen[self._next][1]
            self._next += 1
        return {**self._profiles.at(instant), **self._present}


def fork(
    log: RecordLog, site: Site, moments: Sequence[Moment], planner: Planner, name: str, *, looks_ahead: bool = True
) -> tuple[Course, Course]:
    """Return what the window really cost, and what it would have cost under another planner or other prices.

    Both sides are counted in the same way, at the prices of ``site``. The other operator starts from the first snapshot, knows what was
    measured then as its forecast, and operates the twin; ``looks_ahead`` False gives a rule its one step.

    Raises
    ------
    SetupError
        If the window holds fewer than two turns.
    """
    if len(moments) < 2:
        raise SetupError(
            f"{len(moments)} turn(s) on record there; a what-if needs two at least. Choose a longer window."
        )
    first, last = moments[0].snapshot, moments[-1].snapshot
    # steps of whole minutes: measured series are kept so
    start = first.at.replace(second=0, microsecond=0)
    world = AsMeasured(log, site, first.at, last.at)
    lived = _lived(site, replace(first, at=start), last.at, world, planner, looks_ahead=looks_ahead)
    return course_of(site, "as it was", [m.snapshot for m in moments]), course_of(site, name, lived)


def _lived(
    site: Site, initial: Snapshot, end: datetime, world: AsMeasured, planner: Planner, *, looks_ahead: bool
) -> list[Snapshot]:
    """Return the snapshots of the window under another planner, on the twin."""
    clock, seen = JumpingClock(initial.at), list[Snapshot]()
    forecaster: Forecaster = PerfectForecaster(world.history)

    def listen(event: Event) -> None:
        if isinstance(event, SnapshotTaken):
            seen.append(event.snapshot)

    horizons = Horizons() if looks_ahead else Horizons(quarters=1, hours=0)
    loop = OperatingLoop(
        site,
        TwinPlant(site, world, clock, initial),
        clock,
        planner,
        forecaster,
        Synchroniser(site, initial=initial),
        listener=listen,
        settings=LoopSettings(in_background=at_once, horizons=horizons),
    )
    asyncio.run(loop.run(until=end))
    return seen


def course_of(site: Site, name: str, snapshots: Sequence[Snapshot]) -> Course:
    """Return what a run of snapshots cost, each taken to hold until the next."""
    run = trajectory(snapshots[:-1])
    horizon = Horizon(tuple(s.at for s in snapshots))
    power: xr.DataArray = run.power_kw.assign_coords(time=horizon.times)
    powers = Powers(horizon, power)
    cost = operating_cost(site, powers)
    before, after = stored_of(snapshots[0]), stored_of(snapshots[-1])
    stores = {s.id for s in site.of_kind(Store)}
    worth = [stored_value(site, {k: v for k, v in held.items() if k in stores}) for held in (before, after)]
    cost["stored"] = worth[0] - worth[1]
    drawn = np.clip(sum(powers.of(g.id, "electricity") for g in site.assets if g.kind == "grid_connection"), 0.0, None)
    return Course(name, cost, powers.energy_kwh(drawn), float(drawn.max()))


def dearer(site: Site, factor: float) -> Site:
    """Return the site with every energy price of its electricity contracts multiplied."""

    def changed(contract: ElectricityContract) -> ElectricityContract:
        bands = tuple(replace(b, price_per_kwh=b.price_per_kwh * factor) for b in contract.tariff.bands)
        return replace(contract, tariff=replace(contract.tariff, bands=bands))

    contracts = tuple(changed(c) if isinstance(c, ElectricityContract) else c for c in site.contracts)
    return replace(site, contracts=contracts)
