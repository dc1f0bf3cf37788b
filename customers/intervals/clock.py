"""The clock that customers live by, laid over UTC intervals: time of day, local day, month, and kind of day."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from customers.intervals.series import MeterTable
from models.forecast.calendar import country_of, kind_of
from models.tariffs.calendar import Intervals

Ints = npt.NDArray[np.int64]
DIFFER_SHARE = 0.1
"""Customers whose Sundays differ by less from working days say nothing about holidays."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalClock:
    """Per interval: ``slot`` of the local day (0 .. per_day - 1) and ``day``, the place of the local day in the arrays per day.

    Per local day: ``date`` (days since 1970), ``month`` (0 .. 11), ``weekday`` (0 Monday), ``kind`` (0 working day, 1 Saturday,
    2 Sunday or holiday) and ``standard``, whether the zone keeps its standard time then.
    """

    slot: npt.NDArray[np.int16]
    day: npt.NDArray[np.int32]
    date: Ints
    month: npt.NDArray[np.int8]
    weekday: npt.NDArray[np.int8]
    kind: npt.NDArray[np.int8]
    standard: npt.NDArray[np.bool_]
    per_day: int

    @property
    def days(self) -> int:
        """Number of local days, the first and the last perhaps cut."""
        return len(self.date)


@lru_cache(maxsize=16)
def local_clock(intervals: Intervals, zone: str, country: str | None = None) -> LocalClock:
    """Return the clock of a zone over intervals; holidays are those of ``country``, by default the one whose capital keeps the zone."""
    times = intervals.times
    local = times.tz_localize("UTC").tz_convert(zone).tz_localize(None)
    minutes = local.hour.to_numpy() * 60 + local.minute.to_numpy()
    date = (local.normalize().to_numpy().astype("datetime64[D]")).astype(np.int64)
    unique, first, day = np.unique(date, return_index=True, return_inverse=True)
    stamps = pd.DatetimeIndex(unique.astype("datetime64[D]"))
    nation = country_of(zone) if country is None else country
    ahead_h = (local - times).total_seconds().to_numpy()[first] / 3600
    return LocalClock(
        (minutes // intervals.minutes).astype(np.int16),
        day.astype(np.int32),
        unique,
        (stamps.month.to_numpy() - 1).astype(np.int8),
        stamps.dayofweek.to_numpy().astype(np.int8),
        np.array([kind_of(int(d), nation) for d in unique], dtype=np.int8),
        np.asarray(ahead_h == _standard_h(zone, int(stamps[0].year))),
        24 * 60 // intervals.minutes,
    )


def _standard_h(zone: str, year: int) -> float:
    """Return how far a zone's standard time is ahead of UTC: the lesser of January and July."""
    ahead = [pd.Timestamp(datetime(year, m, 1, tzinfo=UTC)).tz_convert(zone).utcoffset() for m in (1, 7)]
    return min(a.total_seconds() for a in ahead if a is not None) / 3600


def clock_of(table: MeterTable) -> LocalClock:
    """Return the clock that the customers of a table live by."""
    return local_clock(table.intervals, table.zone, table.country)


def keep_holidays(table: MeterTable) -> bool:
    """Return whether most customers draw on public holidays rather what they draw on Sundays than what they draw on working days.

    True where the data hold no holiday on a weekday, or the two differ in nobody.
    """
    clock = clock_of(table)
    sunday, holiday = (clock.kind == 2) & (clock.weekday == 6), (clock.kind == 2) & (clock.weekday < 5)
    if not holiday.any() or not sunday.any():
        return True
    there = np.isfinite(table.energy_kwh)
    energy = np.where(there, table.energy_kwh, 0.0)
    means = []
    for days in (clock.kind == 0, sunday, holiday):
        part = days[clock.day]
        means.append(energy[:, part].sum(axis=1, dtype=np.float64) / np.maximum(there[:, part].sum(axis=1), 1))
    work, rest, found = means
    differ = np.abs(work - rest) > DIFFER_SHARE * np.maximum(work, rest)
    like_sunday = np.abs(found - rest) < np.abs(found - work)
    return not differ.any() or bool(like_sunday[differ].mean() >= 0.5)
