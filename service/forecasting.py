"""What the operating loop expects: the same time before as measured, or what the site has learned by itself."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from models.errors import DataError
from models.forecast import Forecast
from models.forecast.drift import drifted
from models.forecast.grid import PER_DAY, number_of, read_quarters
from models.forecast.margins import NetBand
from models.forecast.measured import MeasuredHistory
from models.forecast.naive import Forecaster, NaiveForecaster
from models.forecast.netload import cautiously
from models.forecast.own import OwnForecaster
from models.forecast.training import Trained, Trainer
from models.horizon import Horizon
from models.ports import Clock
from models.site import Site
from models.tariffs.time_of_use import calendar_month
from scenarios.learning import forecaster_without_weather, own_forecaster
from scenarios.loop_settings import LoopSettings
from service.memory import Memory
from service.runtime import PlantKind, Runtime

RETRAIN_EVERY = timedelta(days=1)
YEAR = 365 * PER_DAY


class Expects(StrEnum):
    """Where the loop's forecasts come from."""

    NAIVE = "naive"
    """The same time before."""
    OWN = "own"
    """Models trained on the site's year."""


def forecasting(
    runtime: Runtime, history: MeasuredHistory, expects: Expects, settings: LoopSettings, seed: int
) -> tuple[Forecaster, LoopSettings]:
    """Return the loop's forecaster, and settings that make use of how sure it is.

    An own forecaster is trained when it is not kept yet, without the month that is operated; that takes up to a minute.
    """
    site = runtime.site
    if expects is Expects.NAIVE:
        return WholeMinutes(Remembering(site, history)), settings
    if runtime.plant is PlantKind.DEVICES:
        own = forecaster_without_weather(site, history)
    else:
        own = own_forecaster(site, seed, history, (calendar_month(runtime.clock.now(), site.location.time_zone),))
    band = NetBand(own, site)
    return WholeMinutes(own), replace(settings, margin_kw=band.margin_kw, overtaken=band.left)


@asynccontextmanager
async def learning_beside(forecaster: Forecaster, runtime: Runtime) -> AsyncIterator[None]:
    """Keep an own forecaster learning as long as the body runs; a day that passes faster than real leaves no time for it."""
    own = forecaster.inner if isinstance(forecaster, WholeMinutes) else forecaster
    if not isinstance(own, OwnForecaster) or runtime.speed > 1:
        yield
        return
    task = asyncio.create_task(keep_learning(own, runtime.memory, runtime.clock))
    try:
        yield
    finally:
        task.cancel()


async def keep_learning(own: OwnForecaster, memory: Memory, clock: Clock) -> None:
    """Train again on what was measured, once a day for ever, in a thread of its own; tell when the forecaster has drifted."""
    while True:
        await clock.sleep(RETRAIN_EVERY.total_seconds())
        for alarm in drifted(own):
            memory.take_fault(clock.now(), "forecast", str(alarm))
        try:
            own.trained = await asyncio.to_thread(trained_again, own, clock.now())
        except (DataError, ValueError) as problem:
            memory.take_fault(clock.now(), "forecast", f"could not be trained again ({problem}); what it knew stays")


def trained_again(own: OwnForecaster, now: datetime) -> Trained:
    """Return what the year before now teaches, as it was measured where it was."""
    end = number_of(now)
    return Trainer(own.site, read_quarters(own.history, end - YEAR, end), own.service).train()


class WholeMinutes:
    """A forecaster for clocks that never stand on a whole minute: it expects the minute that has begun."""

    def __init__(self, inner: Forecaster) -> None:
        self.inner = inner

    def forecast(self, horizon: Horizon, present: Mapping[str, float] = MappingProxyType({})) -> Forecast:
        """Return the forecast of the horizon moved back to whole minutes, on the horizon's own steps."""
        return _on(horizon, self.inner.forecast(whole_minutes(horizon), present))

    def cautious(self, horizon: Horizon) -> Forecast:
        """Return the same on the safe side of a peak, as far as the forecaster knows how sure it is."""
        return _on(horizon, cautiously(self.inner, whole_minutes(horizon)))


def whole_minutes(horizon: Horizon) -> Horizon:
    """Return a horizon whose edges are moved back to whole minutes."""
    return Horizon(tuple(e.replace(second=0, microsecond=0) for e in horizon.edges))


def _on(horizon: Horizon, found: Forecast) -> Forecast:
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
