"""What really happens: a site's hourly profiles with the life inside the hour that loads, clouds and gusts have.

A profile gives means; reality moves inside them. Every step of the profile is drawn as a continuous line with the same mean, and a
seeded disturbance of its class (load, cloud, gust, weather) is laid over it whose own step means are taken out again. So the energy
of every profile step stays what the profile says, and the peaks are harder.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from models.carriers import Carrier
from models.components import Consumer, FlexibleLoad, Pv, Wind
from models.errors import SiteError
from models.findings import error
from models.horizon import Horizon, from_index, require_utc, to_index
from models.labelled import labelled, named, time_axis
from models.site import Site
from models.site.profiles import load_profiles

Array = npt.NDArray[np.float64]
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
DAY_MIN = 1440
WARM_UP_MIN = 120
"""How much of the day before is run through the filter, so that midnight is no seam."""
DAYS_KEPT = 40
YEAR_DAYS = 365
CLEAR_SKY_DAYS = 10
"""The brightest same hour within so many days stands for a cloudless one."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """How a class of series moves inside a profile step.

    ``share`` is one standard deviation relative to the value, ``absolute`` the same in the series' unit, ``memory_min`` the time after
    which a deviation has mostly gone. Bursts begin ``bursts_per_h`` times an hour, last up to ``burst_min`` and add up to ``burst_share``.
    """

    share: float = 0.0
    absolute: float = 0.0
    memory_min: float = 10.0
    bursts_per_h: float = 0.0
    burst_min: float = 1.0
    burst_share: float = 0.0
    smooth: bool = True
    """Whether the value glides from one step to the next; prices hold."""
    clouds: bool = False
    """Whether ``share`` grows under broken clouds and vanishes under a clear or a closed sky."""


HELD = Disturbance(smooth=False)
CALM = Disturbance()
WEATHER = Disturbance(absolute=0.15, memory_min=30.0)
CLOUDS = Disturbance(share=0.45, memory_min=7.0, clouds=True)
GUSTS = Disturbance(share=0.15, memory_min=4.0)
LOADS: Mapping[Carrier, Disturbance] = {
    Carrier.ELECTRICITY: Disturbance(share=0.05, memory_min=8.0, bursts_per_h=0.8, burst_min=9.0, burst_share=0.25),
    Carrier.HEAT: Disturbance(share=0.03, memory_min=25.0),
    Carrier.COLD: Disturbance(share=0.03, memory_min=20.0),
    Carrier.GAS: Disturbance(share=0.04, memory_min=10.0),
    Carrier.HYDROGEN: CALM,
    Carrier.WATER: Disturbance(share=0.1, memory_min=5.0, bursts_per_h=2.0, burst_min=4.0, burst_share=0.6),
}
BY_UNIT: Mapping[str, Disturbance] = {
    "_degc": WEATHER,
    "_w_per_m2": CLOUDS,
    "_m_per_s": GUSTS,
    "_per_kwh": HELD,
}


def disturbances(site: Site, names: tuple[str, ...]) -> dict[str, Disturbance]:
    """Return how each series moves: by the asset that reads it, else by the unit in its name, else not at all."""
    found = {n: next((d for unit, d in BY_UNIT.items() if n.endswith(unit)), CALM) for n in names}
    for asset in site.assets:
        if isinstance(asset, Pv):
            found[asset.profile] = CLOUDS
        elif isinstance(asset, Wind):
            found[asset.profile] = GUSTS
        elif isinstance(asset, FlexibleLoad):
            found[asset.profile] = LOADS[Carrier.ELECTRICITY]
        elif isinstance(asset, Consumer):
            found.update({d.profile: LOADS[d.carrier] for d in asset.demands})
    return found


class Actuals:
    """What every profile of a site really does, minute by minute; a deterministic function of seed, series and day.

    ``calm`` leaves out what moves inside the profile's steps: the profile itself, where nobody knows the weather behind it.
    Beyond the profile's own period the typical year repeats: every day takes the profile day of the same weekday nearest to the same
    date, so a working day in summer stays one. Profiles shorter than a year repeat as they are.

    Raises
    ------
    SiteError
        If the profiles cannot be read, or their step is no whole number of minutes that divides a day.
    """

    def __init__(self, site: Site, seed: int, *, calm: bool = False) -> None:
        table = load_profiles(site)
        self.names: tuple[str, ...] = tuple(str(c) for c in table.columns)
        self.seed = seed
        self._row = {name: i for i, name in enumerate(self.names)}
        kinds = disturbances(site, self.names)
        self._calm = calm
        self._kinds = {n: CALM if k.smooth else HELD for n, k in kinds.items()} if calm else kinds
        self._step_min = _step_min(site, table)
        self._values = np.ascontiguousarray(table.to_numpy(dtype=float).T)
        self._epoch = pd.Timestamp(table.index[0]) if len(table) else pd.Timestamp("2015-01-01")
        self._began = from_index(self._epoch)
        self._days = len(table) * self._step_min // DAY_MIN
        self._clear = {n: self._clear_sky(n) for n in self.names if self._kinds[n].clouds}
        self._kept: OrderedDict[int, Array] = OrderedDict()

    def minute(self, series: str, start: datetime, end: datetime) -> Array:
        """Return one series at every minute of ``start <= t < end``; shape (minute,), in the series' unit.

        Each value is the mean of its minute. ``start`` and ``end`` lie on whole minutes; KeyError for a series the site does not have.
        """
        return np.asarray(self._minutes(start, end)[self._row[series]], dtype=float)

    def minutes(self, start: datetime, end: datetime) -> xr.DataArray:
        """Return every series at every minute of ``start <= t < end``; dims (series, time)."""
        times = pd.date_range(to_index(start), to_index(end), freq="1min", inclusive="left")
        return xr.DataArray(
            self._minutes(start, end), {"series": list(self.names), "time": times}, ("series", "time"), "actual"
        )

    def means(self, horizon: Horizon) -> xr.DataArray:
        """Return the mean of every series over every step of a horizon; dims (series, time).

        Raises
        ------
        ValueError
            If an edge of the horizon is not on a whole minute.
        """
        first = [self._minute_number(e) - self._minute_number(horizon.start) for e in horizon.edges]
        sums = np.add.reduceat(self._minutes(horizon.start, horizon.end), first[:-1], axis=1)
        means = sums / np.diff(first)
        return labelled(means, named("series", self.names), time_axis(horizon), name="actual")

    def at(self, instant: datetime) -> dict[str, float]:
        """Return every series in the minute around ``instant``."""
        day, minute = divmod(self._epoch_minute(instant), DAY_MIN)
        return dict(zip(self.names, self._day(day)[:, minute].tolist(), strict=True))

    def over(self, instant: datetime, step_s: float) -> dict[str, float]:
        """Return the mean of every series over the minutes that begin in a step; within a minute the value of that minute."""
        if step_s <= MINUTE.total_seconds():
            return self.at(instant)
        first = self._epoch_minute(instant)
        table = self._span(first, first + int(step_s // MINUTE.total_seconds()))
        return dict(zip(self.names, table.mean(axis=1).tolist(), strict=True))

    def _epoch_minute(self, instant: datetime) -> int:
        return (instant - self._began) // MINUTE

    def _minute_number(self, instant: datetime) -> int:
        number, rest = divmod(instant - self._began, MINUTE)
        if rest:
            raise ValueError(f"{require_utc(instant).isoformat()} is not on a whole minute")
        return number

    def _minutes(self, start: datetime, end: datetime) -> Array:
        """Return all series between two whole minutes; shape (series, minute)."""
        return self._span(self._minute_number(start), self._minute_number(end))

    def _span(self, first: int, last: int) -> Array:
        """Return all series between two minutes counted from the profile's first; shape (series, minute)."""
        days = range(first // DAY_MIN, max(last - 1, first) // DAY_MIN + 1)
        whole = np.concatenate([self._day(d) for d in days], axis=1)
        offset = first - days.start * DAY_MIN
        return whole[:, offset : offset + last - first]

    def _day(self, day: int) -> Array:
        """Return all series of one day, counted from the profile's first instant; shape (series, 1440)."""
        if day in self._kept:
            self._kept.move_to_end(day)
            return self._kept[day]
        made = self._make_day(day) if self.names else np.zeros((0, DAY_MIN))
        made.setflags(write=False)
        self._kept[day] = made
        if len(self._kept) > DAYS_KEPT:
            self._kept.popitem(last=False)
        return made

    def _make_day(self, day: int) -> Array:
        means = self._steps_around(self._values, day)
        smooth = np.array([self._kinds[n].smooth for n in self.names])
        signed = np.array([n.endswith(("_degc", "_per_kwh")) for n in self.names])
        line = glide(means, self._step_min, signed)
        line[~smooth] = np.repeat(means[~smooth, 1:-1], self._step_min, axis=1)
        if self._calm:
            return with_means(line, means[:, 1:-1], signed)
        noise = self._noise(day)
        share = np.array([self._share(n, day) for n in self.names])
        absolute = np.array([self._kinds[n].absolute for n in self.names])
        factor = 1.0 + np.clip(share * noise + self._bursts(day), -0.95, 3.0)
        return with_means(line * factor + absolute[:, None] * noise, means[:, 1:-1], signed)

    def _share(self, name: str, day: int) -> Array:
        """Return one standard deviation of a series over the day; shape (1440,)."""
        kind = self._kinds[name]
        if not kind.clouds:
            return np.full(DAY_MIN, kind.share)
        value = self._steps_around(self._values[[self._row[name]]], day)[0, 1:-1]
        clear = self._steps_around(self._clear[name][None, :], day)[0, 1:-1]
        open_share = np.divide(value, clear, out=np.zeros_like(value), where=clear > 0)
        return np.repeat(kind.share * 4.0 * open_share * np.clip(1.0 - open_share, 0.0, 1.0), self._step_min)

    def _noise(self, day: int) -> Array:
        """Return unit noise with each series' memory, continuous over midnight and without step means; shape (series, 1440)."""
        shocks = [np.concatenate([self._shocks(n, day - 1)[-WARM_UP_MIN:], self._shocks(n, day)]) for n in self.names]
        keep = np.exp(-1.0 / np.array([self._kinds[n].memory_min for n in self.names]))
        noise = autoregress(np.array(shocks), keep)[:, WARM_UP_MIN:]
        return without_means(noise, self._step_min)

    def _bursts(self, day: int) -> Array:
        """Return what starts and stops of machines add to each series, relative and without step means; shape (series, 1440)."""
        added = np.zeros((len(self.names), DAY_MIN))
        for name, row in self._row.items():
            if self._kinds[name].bursts_per_h:
                added[row] = _day_bursts(self._kinds[name], self._rng(name, day, "bursts"))
        return without_means(added, self._step_min)

    def _shocks(self, name: str, day: int) -> Array:
        return self._rng(name, day, "noise").standard_normal(DAY_MIN)

    def _rng(self, name: str, day: int, purpose: str) -> np.random.Generator:
        key = hashlib.blake2b(f"{self.seed}/{name}/{day}/{purpose}".encode(), digest_size=16).digest()
        return np.random.Generator(np.random.SFC64(int.from_bytes(key, "big")))

    def _steps_around(self, values: Array, day: int) -> Array:
        """Return a day's profile steps with one neighbour on either side; shape (series, steps + 2)."""
        per_day = DAY_MIN // self._step_min
        here, before, after = (self._source(d) * per_day for d in (day, day - 1, day + 1))
        return np.concatenate(
            [
                values[:, before + per_day - 1 : before + per_day],
                values[:, here : here + per_day],
                values[:, after : after + 1],
            ],
            axis=1,
        )

    def _source(self, day: int) -> int:
        """Return the profile day that stands for a day counted from the profile's first."""
        if 0 <= day < self._days:
            return day
        if self._days < YEAR_DAYS:
            return day % self._days
        date = self._epoch + pd.Timedelta(days=day)
        same = date.replace(year=self._epoch.year, day=min(date.day, 28) if date.month == 2 else date.day)
        near = (same - self._epoch).days
        return int((near + (day - near + 3) % 7 - 3) % YEAR_DAYS)

    def _clear_sky(self, name: str) -> Array:
        """Return the brightest value of the same time of day within some days around each step; shape (step,)."""
        per_day = DAY_MIN // self._step_min
        by_day = self._values[self._row[name]].reshape(-1, per_day)
        frame = pd.DataFrame(by_day).rolling(2 * CLEAR_SKY_DAYS + 1, center=True, min_periods=1)
        return np.asarray(frame.max().to_numpy(), dtype=float).ravel()


def _step_min(site: Site, table: pd.DataFrame) -> int:
    """Return the profile step in minutes; SiteError unless whole steps fill whole days."""
    step_s = site.profiles.step_s if site.profiles is not None else 3600
    if step_s % 60 == 0 and 86400 % step_s == 0 and len(table) * step_s % 86400 == 0:
        return step_s // 60
    words = f"{len(table)} steps of {step_s} s do not fill whole days in whole minutes; use 60, 900 or 3600 s steps"
    raise SiteError([error("profiles.step_s", words)])


def glide(means: Array, step_min: int, signed: npt.NDArray[np.bool_]) -> Array:
    """Return a continuous line through steps whose means stay as given; shape (series, minutes).

    ``means`` has shape (series, steps + 2): one neighbour on either side. The line runs straight from a step's edge to its middle and
    on to the next edge. Where ``signed`` is false the line stays at or above zero.
    """
    left, right = means[:, :-1], means[:, 1:]
    edge = (left + right) / 2.0
    # an edge above twice the smaller mean would need a middle below zero to keep that mean
    edge = np.where(signed[:, None], edge, np.minimum(edge, 2.0 * np.minimum(left, right)))
    middle = 2.0 * means[:, 1:-1] - (edge[:, :-1] + edge[:, 1:]) / 2.0
    up = _ramp_down(step_min)
    down = up[::-1]
    line = edge[:, :-1, None] * up + middle[:, :, None] * (1.0 - up - down) + edge[:, 1:, None] * down
    return np.asarray(line.reshape(len(means), -1), dtype=float)


def _ramp_down(step_min: int) -> Array:
    """Return the mean, in each minute of a step, of a ramp from 1 at the step's start to 0 at its middle; shape (minute,)."""
    x = np.minimum(np.arange(step_min + 1) / step_min, 0.5)
    return np.asarray(np.diff(x - x**2) * step_min, dtype=float)


def without_means(noise: Array, step_min: int) -> Array:
    """Return ``noise`` less a continuous line with its step means, so that every step's mean is zero; shape (series, minutes)."""
    means = noise.reshape(len(noise), -1, step_min).mean(axis=2)
    around = np.pad(means, ((0, 0), (1, 1)), mode="edge")
    return noise - glide(around, step_min, np.ones(len(noise), dtype=bool))


def with_means(values: Array, means: Array, signed: npt.NDArray[np.bool_]) -> Array:
    """Return ``values`` with every step's mean made exact: by a factor where values cannot be negative, by a shift where they can."""
    steps = values.reshape(*means.shape, -1)
    found = steps.mean(axis=2)
    factor = np.divide(means, found, out=np.zeros_like(found), where=found > 0)
    scaled = steps * factor[:, :, None]
    shifted = steps + (means - found)[:, :, None]
    return np.asarray(np.where(signed[:, None, None], shifted, scaled).reshape(values.shape), dtype=float)


def autoregress(shocks: Array, keep: Array) -> Array:
    """Return first-order autoregressive noise of unit variance; ``keep`` is the share left after one minute, per row."""
    noise = np.empty_like(shocks)
    level = shocks[:, 0]
    gain = np.sqrt(1.0 - keep**2)
    noise[:, 0] = level
    for minute in range(1, shocks.shape[1]):
        level = keep * level + gain * shocks[:, minute]
        noise[:, minute] = level
    return noise


def _day_bursts(kind: Disturbance, rng: np.random.Generator) -> Array:
    """Return the relative power that a day's bursts add; shape (1440,)."""
    count = rng.poisson(kind.bursts_per_h * 24.0)
    starts = rng.integers(0, DAY_MIN, count)
    lengths = rng.integers(1, max(round(kind.burst_min), 1) + 1, count)
    sizes = rng.uniform(0.2, 1.0, count) * kind.burst_share
    change = np.zeros(DAY_MIN + 1)
    np.add.at(change, starts, sizes)
    np.add.at(change, np.minimum(starts + lengths, DAY_MIN), -sizes)
    return np.cumsum(change)[:-1]
