"""The operating loop of one site in a thread of its own, telling the memory what happens."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from hil.bridge import Bridge, BridgeEvent, BridgeStats, CommandState, DeviceBack
from models.actuals import Actuals
from models.forecast import Forecast
from models.forecast.measured import MeasuredHistory
from models.forecast.naive import Forecaster, NaiveForecaster
from models.forecast.present import measured_series
from models.horizon import Horizon
from models.ports import Quality, Reading
from models.site import Site
from models.state import Snapshot
from scenarios.day import local_day
from scenarios.events import CommandsSent, Event, Fault, GuardActed, PlanMade, SnapshotTaken
from scenarios.operate import LoopSettings, OperatingLoop
from scenarios.planners import planner_for
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from twin.state import powers_of, start_snapshot
from twin.sync import Synchroniser
from twin.verify import Verifier

STOP_S = 15.0
REAL_POLL = timedelta(seconds=10)
"""In real time a snapshot is taken so often; a faster run takes one every minute of site time."""


class Operation:
    """Measures, plans and commands a site until it is stopped; what goes wrong for good is kept in ``failure``."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        addresses: Mapping[str, tuple[str, int]] | None = None,
        journal: Path | None = None,
        seed: int = 1,
    ) -> None:
        self.runtime = runtime
        self.failure: Exception | None = None
        self.stats: BridgeStats | None = None
        self._addresses, self._journal, self._seed = addresses, journal, seed
        self._thread = threading.Thread(target=self._run, name="operating loop", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()

    def start(self) -> None:
        """Begin to operate."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Stop operating and wait until every connection is closed."""
        if self._loop is not None and self._task is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread.ident is not None:
            self._thread.join(STOP_S)

    @property
    def running(self) -> bool:
        """Whether the loop still turns."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._operate())
        except asyncio.CancelledError:
            pass
        except Exception as fault:  # whatever ends the thread is told by the one who started it
            self.failure = fault
        finally:
            self._ready.set()

    async def _operate(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._ready.set()
        site, clock = self.runtime.site, self.runtime.clock
        history = MeasuredHistory(Actuals(site, self._seed, calm=self.runtime.plant is PlantKind.DEVICES))
        hear = Hearing(self.runtime.memory, history)
        planner = planner_for(site)
        bridge = Bridge(site, clock, self._journal, hear.bridge, addresses=self._addresses)
        try:
            async with bridge:
                loop = OperatingLoop(
                    site,
                    bridge,
                    clock,
                    planner,
                    WholeMinutes(Remembering(site, history)),
                    Synchroniser(site, initial=start_snapshot(site, clock.now())),
                    checker=Verifier(site),
                    floor_planner=planner,
                    listener=hear.loop,
                    settings=settings_for(self.runtime),
                )
                await loop.run()
        finally:
            self.stats = bridge.stats
            planner.close()


def settings_for(runtime: Runtime) -> LoopSettings:
    """Return the loop's settings: in real time the calendar month is billed, in a faster run each local day by itself."""
    if runtime.speed <= 1:
        return LoopSettings(poll=REAL_POLL)
    zone = ZoneInfo(runtime.site.location.time_zone)
    return LoopSettings(billing_period=lambda at: local_day(runtime.site, at.astimezone(zone).date()))


class WholeMinutes:
    """A forecaster for clocks that never stand on a whole minute: it expects the minute that has begun."""

    def __init__(self, inner: Forecaster) -> None:
        self._inner = inner

    def forecast(self, horizon: Horizon, present: Mapping[str, float] = MappingProxyType({})) -> Forecast:
        """Return the forecast of the horizon moved back to whole minutes, on the horizon's own steps."""
        whole = Horizon(tuple(e.replace(second=0, microsecond=0) for e in horizon.edges))
        found = self._inner.forecast(whole, present)
        return replace(found, horizon=horizon, values=found.values.assign_coords(time=horizon.times))


class Remembering:
    """The same time before, as it was measured; as the site's profiles say where it was not; its source tells since when."""

    def __init__(self, site: Site, history: MeasuredHistory) -> None:
        self._history, self._naive = history, NaiveForecaster(site, history)

    def forecast(self, horizon: Horizon, present: Mapping[str, float] = MappingProxyType({})) -> Forecast:
        """Return what the same time one day (electric loads: one week) ago was."""
        found, since = self._naive.forecast(horizon, present), self._history.since
        words = "from profiles" if since is None else f"measured since {since:%Y-%m-%d %H:%M} UTC, from profiles before"
        return replace(found, source=f"{found.source}, {words}")


def trusted_series(site: Site, snapshot: Snapshot, readings: Sequence[Reading]) -> dict[str, float]:
    """Return the series that were really measured: nothing stale or filled in, no field that its own set-point holds down."""
    doubtful = {key for key, tag in snapshot.tags.items() if tag.quality not in (Quality.GOOD, Quality.UNCERTAIN)}
    powers = {p: kw for p, kw in powers_of(snapshot).items() if (p[0], f"{p[1].value}_kw") not in doubtful}
    served = {d.id: d.asset for d in site.devices}
    limits = {served[r.device]: r.value for r in readings if r.quantity == "setpoint_kw" and isfinite(r.value)}
    return measured_series(site, powers, limits, readings)


class Hearing:
    """Writes what the loop and the bridge tell into the memory, and what was measured into the history that forecasts read."""

    def __init__(self, memory: Memory, history: MeasuredHistory | None = None) -> None:
        self.memory, self.history = memory, history
        self._guarding_since: datetime | None = None

    def loop(self, event: Event) -> None:
        """Take one event of the operating loop."""
        memory = self.memory
        match event:
            case SnapshotTaken():
                memory.take_snapshot(event.snapshot)
                if self.history is not None:
                    self.history.add(event.at, trusted_series(memory.site, event.snapshot, event.readings))
            case PlanMade():
                self._guarding_since = None
                cap_kw = event.cap_kw if isfinite(event.cap_kw) else None
                memory.take_plan(event.plan, event.check, cap_kw, event.forecast.source)
            case CommandsSent():
                memory.take_receipts(event.receipts)
            case GuardActed():
                self._guard(event)
            case Fault():
                memory.take_fault(event.at, event.place, event.message)

    def bridge(self, event: BridgeEvent) -> None:
        """Take one event of the bridge; the life of a single command is in its receipt already."""
        if isinstance(event, CommandState):
            return
        take = self.memory.take_recovery if isinstance(event, DeviceBack) else self.memory.take_fault
        take(event.at, event.device, event.words)

    def _guard(self, event: GuardActed) -> None:
        """Tell of the guard once between two plans; it acts every minute while the peak is near."""
        if self._guarding_since is None:
            self._guarding_since = event.at
            moved = ", ".join(f"{asset} {kw:+.0f} kW" for asset, kw in event.moved_kw.items())
            words = f"import {event.import_kw:.0f} kW, allowed {event.allowed_kw:.0f} kW: {moved}"
            self.memory.take_guard(event.at, words)
