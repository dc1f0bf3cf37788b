"""Forecasts that need no training: what happened at the same time before, and what really will happen."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from math import ceil
from types import MappingProxyType
from typing import Protocol

import numpy as np
import xarray as xr

from models.carriers import Carrier
from models.components import Consumer, FlexibleLoad
from models.forecast.forecast import Forecast
from models.horizon import Horizon
from models.site import Site

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


class History(Protocol):
    """What every series of a site was, as step means."""

    def means(self, horizon: Horizon) -> xr.DataArray:
        """Return the mean of every series over every step; dims (series, time)."""
        ...


class Forecaster(Protocol):
    """Something that says what every series of a site will be."""

    def forecast(self, horizon: Horizon, present: Mapping[str, float] = MappingProxyType({})) -> Forecast:
        """Return the expected step means, made at the horizon's start; ``present`` holds series measured just now, in their own units."""
        ...


class NaiveForecaster:
    """Electric loads as at the same time last week, everything else as at the same time yesterday, the present step as measured."""

    def __init__(self, site: Site, history: History) -> None:
        self.history = history
        self.weekly = frozenset(electric_loads(site))

    def forecast(self, horizon: Horizon, present: Mapping[str, float] = MappingProxyType({})) -> Forecast:
        """Return what the same time one lag ago was; steps further ahead than a lag take the nearest whole number of lags.

        Nothing later than the horizon's start is read.
        """
        daily, weekly = (lagged(self.history, horizon, lag) for lag in (DAY, WEEK))
        names = [str(s) for s in daily["series"].to_numpy()]
        from_last_week = np.array([n in self.weekly for n in names])
        table = np.where(from_last_week[:, None], weekly.to_numpy(), daily.to_numpy())
        table[:, 0] = [present.get(n, table[k, 0]) for k, n in enumerate(names)]
        return Forecast(horizon.start, horizon, daily.copy(data=table).rename("forecast"), "same time before")


class PerfectForecaster:
    """What really happens, known beforehand: the bound that no forecast can beat."""

    def __init__(self, actuals: History) -> None:
        self.actuals = actuals

    def forecast(self, horizon: Horizon, present: Mapping[str, float] = MappingProxyType({})) -> Forecast:
        """Return the actual step means; what was measured just now adds nothing to them."""
        del present
        return Forecast(horizon.start, horizon, self.actuals.means(horizon), "perfect")


def electric_loads(site: Site) -> Iterator[str]:
    """Yield the series that consumers and flexible loads draw electricity by."""
    for consumer in site.of_kind(Consumer):
        yield from (d.profile for d in consumer.demands if d.carrier is Carrier.ELECTRICITY)
    yield from (load.profile for load in site.of_kind(FlexibleLoad))


def lagged(history: History, horizon: Horizon, lag: timedelta) -> xr.DataArray:
    """Return what history was one or more whole lags before each step, the least number that ends before the horizon starts."""
    parts = [shifted_means(history, run, lags * lag) for run, lags in runs(horizon, lag)]
    return xr.concat(parts, "time") if len(parts) > 1 else parts[0]


def runs(horizon: Horizon, lag: timedelta) -> Iterator[tuple[Horizon, int]]:
    """Yield consecutive parts of the horizon, each with the number of lags that takes it into the past."""
    edges: list[datetime] = [horizon.start]
    current = 1
    for end in horizon.edges[1:]:
        lags = ceil((end - horizon.start) / lag)
        if lags != current and len(edges) > 1:
            yield Horizon(tuple(edges)), current
            edges = edges[-1:]
        current = lags
        edges.append(end)
    yield Horizon(tuple(edges)), current


def shifted_means(history: History, horizon: Horizon, back: timedelta) -> xr.DataArray:
    """Return history's means ``back`` before the horizon, labelled with the horizon's own times."""
    earlier = history.means(Horizon(tuple(e - back for e in horizon.edges)))
    return earlier.assign_coords(time=horizon.times)
