"""What a year of intervals comes down to: energy by day, typical days by hour, peaks and lows; one pass over masses of customers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.intervals.clock import LocalClock, clock_of
from customers.intervals.series import MeterTable
from models.networks.jit import compiled, in_pieces

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]
HOURS = 24


@dataclass(frozen=True, slots=True, eq=False)
class DayData:
    """Days of customers; NaN where a day has no figure.

    ``daily_kw`` (customer, day) is the mean power of a local day and ``low_kw`` and ``high_kw`` its least and highest hour;
    ``typical_kw`` (customer, 2, 24) the mean hour of working days and of the others; ``peak_kw`` (customer,) the highest interval.
    """

    clock: LocalClock
    daily_kw: Floats
    low_kw: Floats
    high_kw: Floats
    typical_kw: Floats
    peak_kw: Floats

    @property
    def other(self) -> Array:
        """1 on every day that is no working day, else 0; shape (day,)."""
        return np.asarray((self.clock.kind > 0).astype(np.float64))

    @property
    def mean_kw(self) -> Array:
        """Mean over the days that have figures; shape (customer,)."""
        there = np.isfinite(self.daily_kw)
        total = np.where(there, self.daily_kw, 0.0).sum(axis=1, dtype=np.float64)
        return np.asarray(total / np.maximum(there.sum(axis=1), 1))


def days_of(table: MeterTable) -> DayData:
    """Return the days of every customer; intervals without a figure are left out of means."""
    clock = clock_of(table)
    count = len(table.customers)
    daily, low, high = (np.empty((count, clock.days), dtype=np.float32) for _ in range(3))
    typical, peak = np.empty((count, 2, HOURS), dtype=np.float32), np.empty(count, dtype=np.float32)
    other = (clock.kind > 0).astype(np.int64)

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        out = (daily[part], low[part], high[part], typical[part], peak[part])
        _sum_up(table.energy_kwh[part], clock.day, clock.slot, other, clock.per_day, *out)

    in_pieces(count, work)
    return DayData(clock, daily, low, high, typical, peak)


@compiled
def _sum_up(
    energy: Floats,
    day: npt.NDArray[np.int32],
    slot: npt.NDArray[np.int16],
    other: npt.NDArray[np.int64],
    per_day: int,
    daily: Floats,
    low: Floats,
    high: Floats,
    typical: Floats,
    peak: Floats,
) -> None:
    """Write the days of every customer; sums are kept per day and hour, then condensed when the day is over."""
    per_hour = per_day / HOURS
    for c in range(energy.shape[0]):
        hour_kwh, hour_n = np.zeros(HOURS), np.zeros(HOURS)
        total, number = np.zeros((2, HOURS)), np.zeros((2, HOURS))
        top, now = -np.inf, 0
        for k in range(energy.shape[1] + 1):
            if k == energy.shape[1] or day[k] != now:
                daily[c, now], low[c, now], high[c, now] = _close(
                    hour_kwh, hour_n, per_hour, total[other[now]], number[other[now]]
                )
                if k < energy.shape[1]:
                    now = day[k]
            if k < energy.shape[1] and not np.isnan(energy[c, k]):
                hour = slot[k] * HOURS // per_day
                hour_kwh[hour] += energy[c, k]
                hour_n[hour] += 1.0
                top = max(top, energy[c, k] * per_hour)
        for which in range(2):
            for hour in range(HOURS):
                typical[c, which, hour] = total[which, hour] / number[which, hour]
        peak[c] = top if top > -np.inf else np.nan


@compiled
def _close(hour_kwh: Array, hour_n: Array, per_hour: float, total: Array, number: Array) -> tuple[float, float, float]:
    """Return mean, least and highest hour of a day, add its hours to the typical day, and clear them."""
    energy, count, least, most = 0.0, 0.0, np.inf, -np.inf
    for hour in range(len(hour_n)):
        if hour_n[hour] > 0:
            power = hour_kwh[hour] / hour_n[hour] * per_hour
            least, most = min(least, power), max(most, power)
            total[hour] += power
            number[hour] += 1.0
            energy += hour_kwh[hour]
            count += hour_n[hour]
        hour_kwh[hour] = hour_n[hour] = 0.0
    if count == 0.0:
        return np.nan, np.nan, np.nan
    return energy / count * per_hour, least, most
