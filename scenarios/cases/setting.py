"""What a case runs on: the site and the circumstances of the run."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.dispatch import ReductionEvent
from models.forecast import Forecast
from models.forecast.naive import Forecaster
from models.horizon import HOUR, Horizon, to_index
from models.site import Site
from scenarios.cases.beginning import Outside
from twin.simulate import Outage, Reliability, WorkOrder, carried_out

Array = npt.NDArray[np.float64]
Control = Literal["optimizer", "common rule", "tuned rule"]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a run, in hours after its start."""

    from_h: float
    hours: float

    def outage(self, asset: str, start: datetime) -> Outage:
        """Return an asset's outage in this window of a run that starts at ``start``."""
        begin = start + self.from_h * HOUR
        return Outage(asset, begin, begin + self.hours * HOUR)

    def share_of(self, horizon: Horizon, start: datetime) -> Array:
        """Return the part of each step of a horizon that lies in the window; shape (time,)."""
        edges_h = np.array([(e - start) / HOUR for e in horizon.edges])
        inside = np.clip(edges_h, self.from_h, self.from_h + self.hours)
        return np.asarray(np.diff(inside) / np.diff(edges_h), dtype=float)


@dataclass(frozen=True, slots=True)
class ImportLimit:
    """What a grid connection may import in a window: a demand response event, a works permit."""

    grid: str
    window: Window
    import_max_kw: float


@dataclass(frozen=True, slots=True)
class PaidCall:
    """A paid call on demand response in a window: the site's import stays ``reduction_kw`` below ``baseline_kw``, or pays for what is missing."""

    window: Window
    baseline_kw: float
    reduction_kw: float
    price_per_kwh: float
    penalty_per_kwh: float

    def event(self, start: datetime) -> ReductionEvent:
        """Return the call as a planner knows it, in a run that starts at ``start``."""
        begin = start + self.window.from_h * HOUR
        end = begin + self.window.hours * HOUR
        return ReductionEvent(begin, end, self.baseline_kw, self.reduction_kw, self.price_per_kwh, self.penalty_per_kwh)


@dataclass(frozen=True, slots=True)
class SeriesShift:
    """What becomes of the profile series whose names match ``pattern``: value times ``factor`` plus ``offset``."""

    pattern: str
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class ForecastNoise:
    """How far forecasts of the matching series are off: a relative error with memory, one standard deviation ``share``."""

    pattern: str
    share: float
    memory_h: float = 6.0


@dataclass(frozen=True, slots=True)
class Setting:
    """A site and the circumstances of a run; what a case changes."""

    site: Site
    outages: tuple[tuple[str, Window], ...] = ()
    orders: tuple[tuple[str, str, Window], ...] = ()
    """Work on assets: which one, by which crew, how long and not before when."""
    failures: Mapping[str, Reliability] = field(default_factory=dict)
    limits: tuple[ImportLimit, ...] = ()
    calls: tuple[PaidCall, ...] = ()
    shifts: tuple[SeriesShift, ...] = ()
    noises: tuple[ForecastNoise, ...] = ()
    control: Control = "optimizer"
    co2_price_per_kg: float = 0.0
    co2_cap_kg_per_day: float | None = None
    arrival_spread_h: float = 0.0

    def standing(self, start: datetime) -> tuple[Outage, ...]:
        """Return when assets stand in a run that starts at ``start``, as far as everybody knows beforehand."""
        orders = [WorkOrder(a, crew, start + w.from_h * HOUR, w.hours) for a, crew, w in self.orders]
        return (*(window.outage(asset, start) for asset, window in self.outages), *carried_out(orders))


class World:
    """The series of a run as they really are: the site's actuals with the case's shifts laid over them."""

    def __init__(self, actuals: Outside, shifts: Iterable[SeriesShift]) -> None:
        self.actuals = actuals
        factor = dict.fromkeys(actuals.names, 1.0)
        offset = dict.fromkeys(actuals.names, 0.0)
        for shift in shifts:
            for name in fnmatches(actuals.names, shift.pattern):
                factor[name] *= shift.factor
                offset[name] = offset[name] * shift.factor + shift.offset
        self._factor = np.array([factor[n] for n in actuals.names])
        self._offset = np.array([offset[n] for n in actuals.names])

    def means(self, horizon: Horizon) -> xr.DataArray:
        """Return the mean of every series over every step; dims (series, time)."""
        found = self.actuals.means(horizon)
        return found.copy(deep=False, data=found.to_numpy() * self._factor[:, None] + self._offset[:, None])

    def over(self, instant: datetime, step_s: float) -> dict[str, float]:
        """Return the mean of every series over a step."""
        found = self.actuals.over(instant, step_s)
        values = np.array([found[n] for n in self.actuals.names]) * self._factor + self._offset
        return dict(zip(self.actuals.names, values.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Steps:
    """A world told in steps of a plant's own length."""

    world: World
    step_s: float

    def at(self, instant: datetime) -> Mapping[str, float]:
        """Return the mean of every series over the step that begins at an instant."""
        return self.world.over(instant, self.step_s)


class ErringForecaster:
    """A forecaster with errors of a known size: what the inner one says, off by what the case says; the present step is right.

    Errors depend on seed, series and the hour in which a forecast is made, so that runs of different cases meet the same ones.
    """

    def __init__(self, inner: Forecaster, noises: Iterable[ForecastNoise], seed: int) -> None:
        self.inner, self.noises, self.seed = inner, tuple(noises), seed

    def forecast(self, horizon: Horizon, present: Mapping[str, float] = MappingProxyType({})) -> Forecast:
        """Return the inner forecast with its errors."""
        expected = self.inner.forecast(horizon, present)
        values = expected.values.transpose("series", "time")
        names, table = [str(s) for s in values["series"].to_numpy()], values.to_numpy().copy()
        lead_h = np.array([(e - horizon.start) / HOUR for e in horizon.edges[:-1]])
        for noise in self.noises:
            grown = noise.share * (1.0 - np.exp(-lead_h / noise.memory_h))  # nothing is unknown about now
            for name in fnmatches(names, noise.pattern):
                path = self._path(name, horizon.start, noise.memory_h, int(lead_h[-1]) + 1)
                table[names.index(name)] *= np.clip(1.0 + grown * path[lead_h.astype(int)], 0.0, None)
        return Forecast(expected.made_at, expected.horizon, values.copy(data=table), f"{expected.source}, with errors")

    def _path(self, name: str, made_at: datetime, memory_h: float, hours: int) -> Array:
        key = f"{self.seed}/{name}/{to_index(made_at).floor('h').isoformat()}"
        return remembering(generator(key), hours, memory_h)


def remembering(rng: np.random.Generator, hours: int, memory_h: float) -> Array:
    """Return a standard normal path by the hour that forgets within ``memory_h``."""
    keep = float(np.exp(-1.0 / memory_h))
    found = rng.standard_normal(hours)
    for k in range(1, hours):
        found[k] = keep * found[k - 1] + np.sqrt(1.0 - keep * keep) * found[k]
    return found


def generator(key: str) -> np.random.Generator:
    """Return a random generator that depends on a text alone."""
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def fnmatches(names: Iterable[str], pattern: str) -> list[str]:
    """Return the names that match a shell pattern, in order."""
    return [n for n in names if fnmatchcase(n, pattern)]
