"""The quarter-hours that forecasts are made on: numbered since 1970, looked up by number, stepped back by local days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.forecast.naive import History
from models.horizon import QUARTER, Horizon, require_utc

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
QUARTER_S = 900
PER_DAY = 96
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def number_of(at: datetime) -> int:
    """Return the number of the quarter-hour around an instant."""
    return int((require_utc(at) - EPOCH) // QUARTER)


def instant_of(number: int) -> datetime:
    """Return the start of a numbered quarter-hour, UTC."""
    return EPOCH + int(number) * QUARTER


def index_of(numbers: Numbers) -> pd.DatetimeIndex:
    """Return the starts of numbered quarter-hours as an aware index, UTC."""
    return pd.DatetimeIndex(pd.to_datetime(np.asarray(numbers) * QUARTER_S, unit="s", utc=True))


def covered(horizon: Horizon) -> Numbers:
    """Return the numbers of all quarter-hours that a horizon touches."""
    last = number_of(horizon.end - timedelta(microseconds=1))
    return np.arange(number_of(horizon.start), last + 1)


@dataclass(frozen=True, slots=True)
class LocalTime:
    """The clock on the wall of a time zone, asked by quarter-hour."""

    zone: str

    def offset(self, numbers: Numbers) -> Numbers:
        """Return how far local time is ahead of UTC, in quarter-hours."""
        aware = index_of(numbers).tz_convert(self.zone)
        ahead = aware.tz_localize(None) - index_of(numbers).tz_localize(None)
        return np.asarray(ahead / pd.Timedelta(QUARTER)).astype(np.int64)

    def back(self, numbers: Numbers, days: Numbers | int) -> Numbers:
        """Return the quarter-hours with the same local time some days earlier, also across a change of clocks."""
        plain = np.asarray(numbers - PER_DAY * np.asarray(days), dtype=np.int64)
        return plain + self.offset(numbers) - self.offset(plain)

    def day(self, numbers: Numbers) -> Numbers:
        """Return the local days, counted since 1970."""
        return np.asarray((numbers + self.offset(numbers)) // PER_DAY, dtype=np.int64)

    def slot(self, numbers: Numbers) -> Numbers:
        """Return the quarter-hours of the local day, 0..95."""
        return np.asarray((numbers + self.offset(numbers)) % PER_DAY, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Quarters:
    """Series by quarter-hour; ``values`` has shape (series, quarter), NaN where nothing is known."""

    names: tuple[str, ...]
    first: int
    values: Array

    @property
    def end(self) -> int:
        """The first number behind the table."""
        return self.first + int(self.values.shape[1])

    def at(self, numbers: Numbers) -> Array:
        """Return all series at some quarter-hours; NaN outside the table; shape (series, len(numbers))."""
        place = np.asarray(numbers) - self.first
        inside = (place >= 0) & (place < self.values.shape[1])
        found = self.values[:, np.where(inside, place, 0)] if self.values.shape[1] else np.zeros((len(self.names), 1))
        return np.where(inside, found, np.nan)

    def rows(self, names: Sequence[str]) -> list[int]:
        """Return the row of each named series."""
        place = {n: k for k, n in enumerate(self.names)}
        return [place[n] for n in names]

    def before(self, number: int) -> "Quarters":
        """Return what was known at the start of a quarter-hour."""
        return Quarters(self.names, self.first, self.values[:, : max(number - self.first, 0)])

    def without(self, first: int, end: int) -> "Quarters":
        """Return the table with a stretch forgotten."""
        values = self.values.copy()
        values[:, max(first - self.first, 0) : max(end - self.first, 0)] = np.nan
        return Quarters(self.names, self.first, values)


def read_quarters(history: History, first: int, end: int) -> Quarters:
    """Return a history's quarter-hours ``first <= n < end``, read month by month."""
    parts: list[Array] = []
    names: tuple[str, ...] = ()
    for start in range(first, end, 31 * PER_DAY):
        stop = min(start + 31 * PER_DAY, end)
        means = history.means(Horizon.uniform(instant_of(start), instant_of(stop))).transpose("series", "time")
        names = tuple(str(s) for s in means["series"].to_numpy())
        parts.append(means.to_numpy())
    return Quarters(names, first, np.concatenate(parts, axis=1) if parts else np.zeros((0, 0)))
