"""The operating loop of one site in a thread of its own, telling the memory what happens."""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from hil.bridge import Bridge, BridgeStats
from models.actuals import Actuals
from models.forecast import Forecast
from models.forecast.measured import MeasuredHistory
from models.forecast.naive import Forecaster, NaiveForecaster
from models.horizon import Horizon
from models.site import Site
from scenarios.operate import LoopSettings, OperatingLoop
from scenarios.planners import balances_of, planner_for
from scenarios.recording import Billing, period_finder
from service.recorded import recorded
from service.runtime import PlantKind, Runtime
from twin.state import start_snapshot
from twin.sync import Synchroniser
from twin.verify import Verifier
from twin.watch import Watch

STOP_S = 15.0
ESTIMATE_REAL, ESTIMATE_FAST = timedelta(seconds=30), timedelta(minutes=5)
"""Time between two estimates of all carriers; one takes some forty milliseconds of the loop's thread."""
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
        log: Path | None = None,
        seed: int = 1,
    ) -> None:
        self.runtime = runtime
        self.failure: Exception | None = None
        self.stats: BridgeStats | None = None
        self._addresses, self._journal, self._log, self._seed = addresses, journal, log, seed
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
        settings, planner = settings_for(self.runtime), planner_for(site)
        history = MeasuredHistory(Actuals(site, self._seed, calm=self.runtime.plant is PlantKind.DEVICES))
        sync = Synchroniser(site, initial=start_snapshot(site, clock.now()), billing_period=settings.billing_period)
        watch = Watch(site, sync, every=ESTIMATE_REAL if self.runtime.speed <= 1 else ESTIMATE_FAST)
        with recorded(self.runtime, self._log, watch, history, billing_for(self.runtime)) as hear:
            bridge = Bridge(site, clock, self._journal, hear.bridge, addresses=self._addresses, approve=watch.objection)
            try:
                async with bridge:
                    loop = OperatingLoop(
                        site,
                        bridge,
                        clock,
                        planner,
                        WholeMinutes(Remembering(site, history)),
                        watch,
                        checker=Verifier(site),
                        floor_planner=balances_of(planner),
                        listener=hear.loop,
                        settings=settings,
                    )
                    await loop.run()
            finally:
                self.stats = bridge.stats
                planner.close()


def billing_for(runtime: Runtime) -> Billing:
    """Return which period's peak is charged: in real time the calendar month's, in a faster run that of each local day by itself."""
    return Billing.MONTH if runtime.speed <= 1 else Billing.DAY


def settings_for(runtime: Runtime) -> LoopSettings:
    """Return the loop's settings: polled more often in real time than in a faster run."""
    billing = billing_for(runtime)
    period = period_finder(runtime.site, billing)
    return LoopSettings(billing_period=period, poll=REAL_POLL if billing is Billing.MONTH else LoopSettings().poll)


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
