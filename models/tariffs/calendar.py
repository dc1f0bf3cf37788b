"""Which period of a tariff holds when: local hours by month and kind of day, with holidays and clock changes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.horizon import require_utc
from models.tariffs.time_of_use import Window

Ints = npt.NDArray[np.int64]
Rows = tuple[tuple[int, ...], ...]
MONTHS = 12
GAP = -1
"""Period of a local time that no rule covers."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The time zone that a tariff's hours are meant in, and the days that count otherwise than their weekday.

    ``holidays`` and ``working_days`` (weekend days that are worked instead) come from official notices, year by year.
    """

    time_zone: str
    holidays: frozenset[date] = frozenset()
    working_days: frozenset[date] = frozenset()

    def local(self, times_utc: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Return naive-UTC times as naive local times; a repeated hour in autumn appears twice, as meters saw it."""
        return times_utc.tz_localize("UTC").tz_convert(ZoneInfo(self.time_zone)).tz_localize(None)

    def midnight(self, day: date) -> datetime:
        """Return the instant at which a local day begins, in UTC."""
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.time_zone)).astimezone(ZoneInfo("UTC"))

    def kinds(self, local: pd.DatetimeIndex) -> Ints:
        """Return 0 for a working day, 1 for a weekend day, 2 for a holiday, per local time."""
        days = local.normalize()
        kind = (local.dayofweek.to_numpy() >= 5).astype(np.int64)
        kind[days.isin(_in_order(self.working_days))] = 0
        kind[days.isin(_in_order(self.holidays))] = 2
        return kind


@lru_cache(maxsize=64)
def _in_order(days: frozenset[date]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(sorted(days))


@dataclass(frozen=True, slots=True)
class Schedule:
    """A period number for every slot of the local day, per month (12 rows) and kind of day.

    A row has as many equal slots as it has entries: 24 hours, 48 half hours or 96 quarters. Holidays follow the weekend's rows
    unless they have their own.
    """

    weekday: Rows
    weekend: Rows
    holiday: Rows | None = None

    @property
    def tables(self) -> tuple[Rows, Rows, Rows]:
        """The rows by kind of day: working day, weekend, holiday."""
        return self.weekday, self.weekend, self.holiday if self.holiday is not None else self.weekend

    def periods(self, local: pd.DatetimeIndex, kinds: Ints) -> Ints:
        """Return the period of every local time; shape (time,)."""
        month = local.month.to_numpy() - 1
        minute = local.hour.to_numpy() * 60 + local.minute.to_numpy()
        found = np.full(len(local), GAP, dtype=np.int64)
        for kind, rows in enumerate(self.tables):
            table = np.asarray(rows, dtype=np.int64)
            here = kinds == kind
            found[here] = table[month[here], minute[here] * table.shape[1] // (24 * 60)]
        return found

    def used(self) -> frozenset[int]:
        """Return every period number that appears."""
        return frozenset(p for rows in self.tables for row in rows for p in row)

    def at(self, month: int, hour: int) -> int:
        """Return the period of a working day at a local hour; ``month`` 1..12."""
        row = self.weekday[month - 1]
        return row[hour * len(row) // 24]


def always(period: int = 0) -> Schedule:
    """Return the schedule of one period that always holds."""
    rows = ((period,) * 24,) * MONTHS
    return Schedule(rows, rows)


def by_month(periods: Sequence[int]) -> Schedule:
    """Return a schedule whose period depends on the month alone (12 entries, January first)."""
    rows = tuple((p,) * 24 for p in periods)
    return Schedule(rows, rows)


def from_windows(windows: Iterable[tuple[int, Window]], slots: int = 48) -> Schedule:
    """Return the schedule in which each window holds its period every day; later windows override earlier ones.

    What no window covers is a gap, which the check of a tariff reports.
    """
    table = np.full((MONTHS, slots), GAP, dtype=np.int64)
    minute = np.arange(slots) * (24 * 60) // slots
    hours = minute // 60 + (minute % 60) / 60.0
    for period, window in windows:
        for month in window.months:
            table[month - 1, window.holds(hours, np.full(slots, month, dtype=np.int64))] = period
    rows = tuple(tuple(int(p) for p in row) for row in table)
    return Schedule(rows, rows)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Equal meter intervals from ``start`` (UTC): interval k covers ``start + k * minutes`` up to the next, half-open."""

    start: datetime
    count: int
    minutes: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", require_utc(self.start))
        if self.count < 1 or self.minutes < 1 or 60 % self.minutes:
            raise ValueError(
                f"{self.count} intervals of {self.minutes} min: needs at least one, of a length that divides an hour"
            )

    @property
    def end(self) -> datetime:
        """The first instant behind the last interval."""
        return self.start + self.count * timedelta(minutes=self.minutes)

    @property
    def times(self) -> pd.DatetimeIndex:
        """Start of every interval, naive UTC."""
        return pd.date_range(self.start.replace(tzinfo=None), periods=self.count, freq=f"{self.minutes}min")

    def instant(self, index: int) -> datetime:
        """Return when interval ``index`` begins."""
        return self.start + index * timedelta(minutes=self.minutes)

    def index(self, instant: datetime) -> int:
        """Return the first interval that begins at or after an instant, held to 0..count."""
        passed = -(-(require_utc(instant) - self.start) // timedelta(minutes=self.minutes))
        return min(max(passed, 0), self.count)
