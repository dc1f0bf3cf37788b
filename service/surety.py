"""How sure a forecast is, of what people look at: the load, sun and wind, and what is left for the grid."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import Consumer, Pv, Wind
from models.forecast import Forecast
from models.forecast.measured import MeasuredHistory
from models.forecast.naive import Forecaster, NaiveForecaster
from models.forecast.netload import import_weights
from models.forecast.own import OwnForecaster
from models.horizon import Horizon
from models.site import Site

Array = npt.NDArray[np.float64]
LEVELS = (0.1, 0.9)
PAST_DAYS = 7
"""So many days before are asked how far the same rule was off then."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Sums of a forecast in kW over the steps that begin at ``starts``: what is expected, and the limits that eight of ten days keep.

    ``rows`` holds (low, expected, high) by name: ``load``, ``renewable`` and ``net``, the load that sun and wind leave over.
    """

    starts: tuple[datetime, ...]
    end: datetime
    source: str
    rows: Mapping[str, tuple[Array, Array, Array]]


Surety = Callable[[Forecast], Callable[[], Expected]]
"""Takes a forecast and returns who says how sure it is when somebody looks."""


def weights_of(site: Site) -> Mapping[str, Mapping[str, float]]:
    """Return what every sum is made of: kW per unit of each series."""
    fields = [(p.profile, p.peak_kw) for p in site.of_kind(Pv)] + [(w.profile, w.rated_kw) for w in site.of_kind(Wind)]
    loads = [
        (d.profile, d.scale) for c in site.of_kind(Consumer) for d in c.demands if d.carrier is Carrier.ELECTRICITY
    ]
    return {"load": _summed(loads), "renewable": _summed(fields), "net": import_weights(site)}


def _summed(parts: list[tuple[str, float]]) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for name, weight in parts:
        found[name] = found.get(name, 0.0) + weight
    return found


def sums(forecast: Forecast, weights: Mapping[str, Mapping[str, float]]) -> Mapping[str, Array]:
    """Return the sums of a forecast, shape (step,)."""
    names = [str(s) for s in forecast.values["series"].to_numpy()]
    table = np.asarray(forecast.values.transpose("series", "time").to_numpy(), dtype=float)
    return {what: np.array([own.get(n, 0.0) for n in names]) @ table for what, own in weights.items()}


def surety_of(site: Site, forecaster: Forecaster, history: MeasuredHistory) -> Surety:
    """Return who says how sure a forecast is: a forecaster that knows its own errors, else those of the same time before."""
    weights = weights_of(site)
    inner = getattr(forecaster, "inner", forecaster)
    if isinstance(inner, OwnForecaster):
        return lambda forecast: _known(
            _by_itself(inner, forecast, weights)
        )  # now: it goes on learning in the loop's thread
    naive = NaiveForecaster(site, history)
    return lambda forecast: cache(lambda: _by_the_past(naive, history, forecast, weights))


def _known(expected: Expected) -> Callable[[], Expected]:
    return lambda: expected


def _by_itself(own: OwnForecaster, forecast: Forecast, weights: Mapping[str, Mapping[str, float]]) -> Expected:
    """Take a forecaster's own quantiles; errors of different series are taken as independent, so that they add up as squares."""
    whole = _whole(forecast.horizon)
    bands = own.bands(whole, levels=LEVELS)
    names = [str(s) for s in bands.values["series"].to_numpy()]
    point = bands.forecast.values.transpose("series", "time").to_numpy()
    away = bands.values.transpose("quantile", "series", "time").to_numpy() - point
    middle = sums(forecast, weights)
    rows = {}
    for what, parts in weights.items():
        moved = np.array([[parts.get(n, 0.0)] for n in names]) * away
        below, above = np.minimum(moved, 0.0), np.maximum(moved, 0.0)
        low, high = (np.sqrt((side**2).sum(axis=1)).max(axis=0) for side in (below, above))
        rows[what] = (middle[what] - low, middle[what], middle[what] + high)
    return _expected(forecast, rows)


def _by_the_past(
    naive: NaiveForecaster, history: MeasuredHistory, forecast: Forecast, weights: Mapping[str, Mapping[str, float]]
) -> Expected:
    """Take what the same rule was off at the same hours of the days before."""
    errors: dict[str, list[Array]] = {what: [] for what in weights}
    for past in _pasts(_whole(forecast.horizon)):
        then = sums(naive.forecast(past), weights)
        was = sums(Forecast(past.start, past, history.means(past), "measured"), weights)
        for what in weights:
            errors[what].append(was[what] - then[what])
    middle = sums(forecast, weights)
    rows = {}
    for what, found in errors.items():
        low, high = np.quantile(np.array(found), LEVELS, axis=0)
        rows[what] = (middle[what] + np.minimum(low, 0.0), middle[what], middle[what] + np.maximum(high, 0.0))
    return _expected(forecast, rows)


def _pasts(horizon: Horizon) -> Iterator[Horizon]:
    """Yield the same hours of the days before, those that have been."""
    for days in range(2, PAST_DAYS + 2):
        yield Horizon(tuple(e - timedelta(days=days) for e in horizon.edges))


def _whole(horizon: Horizon) -> Horizon:
    return Horizon(tuple(e.replace(second=0, microsecond=0) for e in horizon.edges))


def _expected(forecast: Forecast, rows: Mapping[str, tuple[Array, Array, Array]]) -> Expected:
    edges = forecast.horizon.edges
    return Expected(edges[:-1], edges[-1], forecast.source, rows)
