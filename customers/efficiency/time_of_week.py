"""A baseline by hours: a mean for every hour of the week, and the temperature in pieces, for times in use and out of use."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.intervals.clock import clock_of
from customers.intervals.series import MeterTable

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
HOURS_OF_WEEK = 168
PIECES = 6
IN_USE_SHARE = 0.35
"""An hour of the week is in use where at least this share of its readings lies above what temperature alone expects."""


@dataclass(frozen=True, slots=True, eq=False)
class Hourly:
    """One customer's hours: mean power (NaN where nothing is known), outdoor air, hour of the week, local day; shape (hour,)."""

    power_kw: Array
    air_degc: Array
    hour_of_week: Ints
    day: Ints


@dataclass(frozen=True, slots=True, eq=False)
class TimeOfWeek:
    """A fitted baseline; ``left_kw`` (hour,) is what it leaves unexplained on its own hours."""

    corners_degc: Array
    in_use: npt.NDArray[np.bool_]
    coefficients: Array
    inverse: Array
    left_kw: Array
    day: Ints

    def expected_kw(self, hours: Hourly) -> Array:
        """Return what the baseline expects; shape (hour,)."""
        return np.asarray(_terms(hours, self.corners_degc, self.in_use) @ self.coefficients)

    def unsure_kwh(self, hours: Hourly, spread_kw: float) -> float:
        """Return the standard deviation of the expected energy that the coefficients bring; ``spread_kw`` as a day adds up over weeks."""
        there = np.isfinite(hours.power_kw)
        total = _terms(hours, self.corners_degc, self.in_use)[there].sum(axis=0)
        per_hour = spread_kw * np.sqrt(24.0)  # hours of a day err together
        return float(np.sqrt(max(total @ self.inverse @ total, 0.0)) * per_hour)


def hourly(table: MeterTable, air_degc: npt.NDArray[np.floating]) -> Hourly:
    """Return the hours of the first customer of a table; holidays count as Sundays."""
    per_hour = max(60 // table.intervals.minutes, 1)
    count = table.intervals.count // per_hour
    clock = clock_of(table)
    energy = table.energy_kwh[0, : count * per_hour].astype(np.float64).reshape(count, per_hour)
    air = np.asarray(air_degc[: count * per_hour], dtype=np.float64).reshape(count, per_hour).mean(axis=1)
    first = np.arange(count) * per_hour
    day = clock.day[first].astype(np.int64)
    weekday = np.where(clock.kind == 2, 6, np.where(clock.kind == 0, np.minimum(clock.weekday, 4), clock.weekday))
    hour = clock.slot[first].astype(np.int64) * 24 // clock.per_day
    return Hourly(energy.sum(axis=1) / (per_hour * table.step_h), air, weekday.astype(np.int64)[day] * 24 + hour, day)


def fit_time_of_week(hours: Hourly) -> TimeOfWeek:
    """Return the baseline of some hours.

    Source: Mathieu, Price, Kiliccote & Piette (2011), time of week and temperature; corners at sextiles of the temperature.
    """
    good = np.isfinite(hours.power_kw)
    corners = np.quantile(hours.air_degc[good], np.linspace(0, 1, PIECES + 1))
    in_use = _in_use(hours, good)
    x, y = _terms(hours, corners, in_use)[good], hours.power_kw[good]
    inverse: Array = np.asarray(np.linalg.pinv(x.T @ x, rcond=1e-10, hermitian=True), dtype=np.float64)
    beta = inverse @ (x.T @ y)
    left = np.full(len(hours.power_kw), np.nan)
    left[good] = y - x @ beta
    return TimeOfWeek(corners, in_use, beta, inverse, left, hours.day)


def _in_use(hours: Hourly, good: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which hours of the week a building is in use, by the signs of what a line of heating and cooling leaves."""
    cold, warm = np.maximum(10.0 - hours.air_degc, 0), np.maximum(hours.air_degc - 18.0, 0)
    x = np.stack([np.ones(len(cold)), cold, warm], axis=1)[good]
    left = hours.power_kw[good] - x @ np.linalg.lstsq(x, hours.power_kw[good], rcond=None)[0]
    above = np.bincount(hours.hour_of_week[good], weights=left > 0, minlength=HOURS_OF_WEEK)
    return np.asarray(
        above / np.maximum(np.bincount(hours.hour_of_week[good], minlength=HOURS_OF_WEEK), 1) > IN_USE_SHARE
    )


def _terms(hours: Hourly, corners: Array, in_use: npt.NDArray[np.bool_]) -> Array:
    """Return hours of the week and, for each of in use and out of use, the temperature in pieces that add up to it."""
    found = np.zeros((len(hours.air_degc), HOURS_OF_WEEK + 2 * PIECES))
    found[np.arange(len(found)), hours.hour_of_week] = 1.0
    used = in_use[hours.hour_of_week]
    low = np.concatenate([[-np.inf], corners[1:-1]])
    high = np.concatenate([corners[1:-1], [np.inf]])
    for k in range(PIECES):
        start = corners[1] if k == 0 else low[k]
        piece = np.clip(hours.air_degc, low[k], high[k]) - start
        found[:, HOURS_OF_WEEK + k] = piece * used
        found[:, HOURS_OF_WEEK + PIECES + k] = piece * ~used
    return found
