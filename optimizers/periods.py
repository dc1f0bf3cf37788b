"""Typical periods: a year of hours told by a few days, each with the days that it stands for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.components import Consumer, GridConnection
from models.dispatch import DispatchProblem
from models.forecast import Forecast
from models.horizon import Horizon
from models.tariffs.terms import optimizer_terms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PRICE, TOTAL = "import price", "total"
"""How added columns begin: they steer the choice of days and are no series of the site."""
LIGHT = 1e-3
"""Weight of the totals in the choice of typical days: they repeat what their parts say and only mark the extreme days."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time that stands for ``count`` like it; ``months`` are the local months that it stands in, by step.

    Months are counted from 0 and given as sets: the typical day of a cluster belongs to every month that has a day of it.
    """

    problem: DispatchProblem
    count: float
    months: tuple[frozenset[int], ...]


@dataclass(frozen=True, slots=True)
class TypicalYear:
    """Periods, and which of them stands where in the year (``order``, from 0, in the order of time)."""

    periods: tuple[Period, ...]
    order: Ints
    mean_error_share: float
    """Root mean square error of the series put together from the periods, as a share of each series' range, mean over series."""


def whole_year(year: DispatchProblem) -> TypicalYear:
    """Return a year as the one period that it is."""
    months = tuple(frozenset((m,)) for m in local_months(year))
    return TypicalYear((Period(year, 1.0, months),), np.zeros(1, np.int64), 0.0)


def typical_year(year: DispatchProblem, *, count: int, hours: int = 24) -> TypicalYear:
    """Return ``count`` typical periods of ``hours`` hours, and as many more as extremes need.

    Real days (medoids) are chosen by hierarchical clustering of all series with the import price among them, and scaled so that the mean of
    every series over the year is kept; the day with the highest demand of each carrier is added as it is. Steps must be hours.

    Source: Kotzur et al., Impact of different time series aggregation methods on optimal energy system design, Renewable Energy 117 (2018).
    """
    import tsam

    table = _table(year)
    per_period = hours
    if len(table) // per_period <= count:
        return _chronological(year, per_period)
    moving = table.loc[:, table.nunique() > 1]
    totals = [c for c in moving.columns if c.startswith(TOTAL)]
    found = tsam.aggregate(
        moving,
        count,
        period_duration=hours,
        temporal_resolution=1.0,
        numerical_tolerance=1e-6,
        cluster=tsam.ClusterConfig(method="hierarchical", representation="medoid"),
        extremes=tsam.ExtremeConfig(method="append", max_value=totals),
        weights=dict.fromkeys(totals, LIGHT),
        rescale_exclude_columns=[c for c in moving.columns if not c.endswith(("_kw", "_pu"))],
    )
    order = np.asarray(found.cluster_assignments, np.int64)
    centers = [int(c) for c in found.clustering.cluster_centers or ()]
    shapes = found.cluster_representatives.to_numpy().reshape(len(centers), per_period, -1)
    names = list(moving.columns)
    months = np.asarray(local_months(year))
    periods = []
    for k, center in enumerate(centers):
        part = _part(year, center * per_period, per_period, names, shapes[k])
        here = frozenset(
            int(m) for d in np.flatnonzero(order == k) for m in set(months[d * per_period : (d + 1) * per_period])
        )
        periods.append(Period(part, float((order == k).sum()), (here,) * per_period))
    return TypicalYear(tuple(periods), order, float(np.mean(found.accuracy.rmse.to_numpy())))


def _chronological(year: DispatchProblem, per_period: int) -> TypicalYear:
    """Return every period of a short year as itself."""
    months = [frozenset((m,)) for m in local_months(year)]
    starts = range(0, len(year.horizon), per_period)
    periods = tuple(Period(_part(year, s, per_period), 1.0, tuple(months[s : s + per_period])) for s in starts)
    return TypicalYear(periods, np.arange(len(periods)), 0.0)


def _table(year: DispatchProblem) -> pd.DataFrame:
    """Return every series that the site reads with the import price of each grid connection and the demand of each carrier, by naive UTC time."""
    values = year.forecast.values.transpose("time", "series").sel(series=list(year.site.series()))
    table = pd.DataFrame(values.to_numpy(), year.horizon.times, [str(s) for s in values["series"].to_numpy()])
    for k, grid in enumerate(year.site.of_kind(GridConnection)):
        terms = optimizer_terms(year.site.tariff(grid.contract), year.horizon)
        table[f"{PRICE} {k}"] = terms.marginal_per_kwh()[0]
    for consumer in year.site.of_kind(Consumer):
        for demand in consumer.demands:
            name = f"{TOTAL} {demand.carrier.value}"
            table[name] = table.get(name, 0.0) + demand.scale * table[demand.profile]
    return table


def _part(
    year: DispatchProblem, start: int, steps: int, names: Sequence[str] = (), shape: Floats | None = None
) -> DispatchProblem:
    """Return a stretch of a year as a problem of its own, the named series in another shape (step, series)."""
    horizon = Horizon(year.horizon.edges[start : start + steps + 1])
    values = year.forecast.values.isel(time=slice(start, start + steps)).copy(deep=True)
    known = set(values["series"].to_numpy().tolist())
    if shape is not None:
        for k, name in enumerate(names):
            if name in known:
                values.loc[{"series": name}] = shape[:, k]
    forecast = Forecast(horizon.start, horizon, values, year.forecast.source)
    return replace(year, horizon=horizon, forecast=forecast, initial=replace(year.initial, at=horizon.start))


def local_months(problem: DispatchProblem) -> list[int]:
    """Return the local month of every step, from 0."""
    zone = problem.site.location.time_zone
    local = problem.horizon.times.tz_localize("UTC").tz_convert(zone)
    return [int(m) - 1 for m in local.month]
