"""How customers answer to the weather: change-point lines of daily power over the outdoor temperature, for all customers at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.intervals.clock import LocalClock

Array = npt.NDArray[np.float64]
HEAT_BALANCES, COOL_BALANCES = (8.0, 11.0, 14.0, 17.0), (16.0, 19.0, 22.0, 25.0)
"""Balance temperatures that are tried; every pair whose heating is below its cooling."""
FEWEST_DAYS = 30
LEAST_T = 2.0
"""A slope that is not so many standard errors above zero counts as none."""


@dataclass(frozen=True, slots=True, eq=False)
class WeatherResponse:
    """Power that a kelvin adds, balance temperatures, and the share of the days' variance that weather explains; shape (customer,).

    Slopes are 0 where weather explains nothing for sure.
    """

    heating_kw_per_k: Array
    cooling_kw_per_k: Array
    heat_balance_degc: Array
    cool_balance_degc: Array
    explained_share: Array


def daily_mean(values: npt.NDArray[np.floating], clock: LocalClock) -> Array:
    """Return the mean of every local day of a series by interval."""
    total = np.bincount(clock.day, weights=np.asarray(values, dtype=np.float64), minlength=clock.days)
    return np.asarray(total / np.bincount(clock.day, minlength=clock.days))


def weather_response(daily_kw: npt.NDArray[np.float32], air_degc: Array, clock: LocalClock) -> WeatherResponse:
    """Return every customer's answer to the daily mean temperature; ``daily_kw`` has shape (customer, day).

    Least squares on working day or not, heating degrees and cooling degrees, at the pair of balance temperatures that explains most;
    a slope below zero counts as none. Days without a figure are filled with the customer's mean, which weakens slopes and makes none.

    Source: change-point models of ASHRAE Guideline 14-2014, annex D, on a grid of change points.
    """
    count = len(daily_kw)
    kw = daily_kw.astype(np.float64)
    mean = np.nanmean(np.where(np.isfinite(kw), kw, np.nan), axis=1, keepdims=True) if kw.size else np.zeros((count, 1))
    around = np.where(np.isfinite(kw), kw - mean, 0.0)
    best = np.full(count, np.inf)
    found = np.zeros((5, count))
    other = (clock.kind > 0).astype(float)
    plain = _left(around, np.stack([np.ones(clock.days), other], axis=1))[0]
    for heat in HEAT_BALANCES:
        for cool in (c for c in COOL_BALANCES if c > heat):
            degrees = [np.maximum(heat - air_degc, 0), np.maximum(air_degc - cool, 0)]
            left, beta, errors = _left(around, np.stack([np.ones(clock.days), other, *degrees], axis=1))
            slopes = np.where(beta[:, 2:] > LEAST_T * errors[:, 2:], beta[:, 2:], 0.0).T
            better = left < best
            best = np.where(better, left, best)
            share = 1.0 - left / np.maximum(plain, 1e-12)
            row = np.stack([slopes[0], slopes[1], np.full(count, heat), np.full(count, cool), np.clip(share, 0, 1)])
            found = np.where(better, row, found)
    if clock.days < FEWEST_DAYS:
        found[[0, 1, 4]] = 0.0
    return WeatherResponse(*found)


def _left(y: Array, x: Array) -> tuple[Array, Array, Array]:
    """Return the squares left by least squares, coefficients and their standard errors; ``y`` (customer, day), ``x`` (day, term)."""
    inverse = np.linalg.pinv(x)
    beta = y @ inverse.T
    left = np.maximum((y**2).sum(axis=1) - ((y @ x) * beta).sum(axis=1), 0.0)
    spread = (inverse**2).sum(axis=1)
    errors = np.sqrt(left[:, None] / max(len(x) - x.shape[1], 1) * spread[None, :])
    return left, beta, errors
