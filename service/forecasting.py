"""What the operating loop expects: the same time before as measured, or what the site has learned by itself."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType

from models.forecast import Forecast
from models.forecast.margins import NetBand
from models.forecast.measured import MeasuredHistory
from models.forecast.naive import Forecaster, NaiveForecaster
from models.horizon import Horizon
from models.site import Site
from models.tariffs.time_of_use import calendar_month
from scenarios.learning import own_forecaster
from scenarios.operate import LoopSettings
from service.runtime import Runtime


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
    month = calendar_month(runtime.clock.now(), site.location.time_zone)
    own = own_forecaster(site, seed, history, month)
    band = NetBand(own, site)
    return WholeMinutes(own), replace(settings, margin_kw=band.margin_kw, overtaken=band.left)


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
