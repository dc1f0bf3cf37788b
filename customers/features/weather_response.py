"""How customers answer to the weather: change-point lines of daily power over the outdoor temperature, for all customers at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.intervals.clock import LocalClock

Array = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.int8]
HEAT_BALANCES, COOL_BALANCES = (8.0, 11.0, 14.0, 17.0), (16.0, 19.0, 22.0, 25.0)
"""Balance temperatures that are tried; every pair whose heating is below its cooling."""
FEWEST_DAYS = 30
LEAST_T = 2.0
"""A slope that is not so many standard errors above zero counts as none."""
TERMS = 5
COLD, WARM = 3, 4


@dataclass(frozen=True, slots=True, eq=False)
class WeatherResponse:
    """Lines of mean daily power (kW) for every customer: constant, Saturdays, Sundays and holidays, degrees of cold, degrees of warmth.

    ``coefficients`` has shape (customer, 5), ``errors`` too; ``balance_degc`` (customer, 2) holds where cold and warmth begin;
    ``left_kw`` (customer, day) is what the line does not explain, 0 on days without a figure; ``explained_share`` (customer,) the share of
    the days' variance that weather explains beyond the kind of day.
    """

    coefficients: Array
    errors: Array
    balance_degc: Array
    left_kw: Array
    explained_share: Array
    air_degc: Array
    kind: Kinds

    @property
    def heating_kw_per_k(self) -> Array:
        """Power that a kelvin of cold adds; 0 where that is not sure."""
        return self._sure(COLD)

    @property
    def cooling_kw_per_k(self) -> Array:
        """Power that a kelvin of warmth adds; 0 where that is not sure."""
        return self._sure(WARM)

    def _sure(self, term: int) -> Array:
        slope = self.coefficients[:, term]
        return np.asarray(np.where(slope > LEAST_T * self.errors[:, term], slope, 0.0))

    def expected_kw(self, air_degc: Array, kind: Kinds) -> Array:
        """Return what the lines expect on days; shape (customer, day)."""
        found = np.empty((len(self.coefficients), len(air_degc)))
        for pair in np.unique(self.balance_degc, axis=0):
            rows = (self.balance_degc == pair).all(axis=1)
            found[rows] = self.coefficients[rows] @ terms(air_degc, kind, *pair).T
        return found

    def unsure_kwh2(self, air_degc: Array, kind: Kinds, spread_kw: Array) -> Array:
        """Return the variance of the expected energy over all of some days that the coefficients bring, kWh², shape (customer,).

        ``spread_kw`` (customer,) is the standard deviation of a day's unexplained power as it adds up over weeks.
        """
        found = np.empty(len(self.coefficients))
        for pair in np.unique(self.balance_degc, axis=0):
            rows = (self.balance_degc == pair).all(axis=1)
            x, total = terms(self.air_degc, self.kind, *pair), terms(air_degc, kind, *pair).sum(axis=0)
            found[rows] = float(total @ np.linalg.pinv(x.T @ x) @ total) * (24.0 * spread_kw[rows]) ** 2
        return found


def terms(air_degc: Array, kind: Kinds, heat_degc: float, cool_degc: float) -> Array:
    """Return what a line is made of: 1, Saturday, Sunday, degrees below the one balance, degrees above the other; shape (day, 5)."""
    cold, warm = np.maximum(heat_degc - air_degc, 0), np.maximum(air_degc - cool_degc, 0)
    return np.stack([*_kinds(kind), cold, warm], axis=1)


def _kinds(kind: Kinds) -> list[Array]:
    return [np.ones(len(kind)), (kind == 1).astype(np.float64), (kind == 2).astype(np.float64)]


def daily_mean(values: npt.NDArray[np.floating], clock: LocalClock) -> Array:
    """Return the mean of every local day of a series by interval."""
    total = np.bincount(clock.day, weights=np.asarray(values, dtype=np.float64), minlength=clock.days)
    return np.asarray(total / np.bincount(clock.day, minlength=clock.days))


def weather_response(daily_kw: npt.NDArray[np.floating], air_degc: Array, kind: Kinds) -> WeatherResponse:
    """Return every customer's answer to the daily mean temperature; ``daily_kw`` has shape (customer, day), ``kind`` as the clock's.

    Least squares at the pair of balance temperatures that explains most. Days without a figure are filled with the mean of their kind,
    which weakens slopes and makes none.

    Source: change-point models of ASHRAE Guideline 14-2014, annex D, on a grid of change points.
    """
    kw = _filled(daily_kw.astype(np.float64), kind)
    count = len(kw)
    plain = _fitted(kw, np.stack(_kinds(kind), axis=1))[0]
    best = np.full(count, np.inf)
    beta, errors, balance = np.zeros((count, TERMS)), np.zeros((count, TERMS)), np.zeros((count, 2))
    for heat in HEAT_BALANCES:
        for cool in (c for c in COOL_BALANCES if c > heat):
            left, b, e = _fitted(kw, terms(air_degc, kind, heat, cool))
            better = left < best
            best[better], beta[better], errors[better], balance[better] = (
                left[better],
                b[better],
                e[better],
                (heat, cool),
            )
    if kw.shape[1] < FEWEST_DAYS:
        errors[:] = np.inf
    share = np.clip(1.0 - best / np.maximum(plain, 1e-12), 0.0, 1.0)
    made = WeatherResponse(beta, errors, balance, np.zeros((0, 0)), share, air_degc, kind)
    left_kw = np.where(np.isfinite(daily_kw), kw - made.expected_kw(air_degc, kind), 0.0)
    return WeatherResponse(beta, errors, balance, left_kw, share, air_degc, kind)


def _filled(kw: Array, kind: Kinds) -> Array:
    """Return days with the mean of their kind where there is no figure, 0 for a customer without any."""
    found = kw.copy()
    for one in range(3):
        days = kind == one
        there = np.isfinite(kw[:, days])
        mean = np.where(there, kw[:, days], 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        found[:, days] = np.where(there, kw[:, days], mean[:, None])
    return found


def _fitted(y: Array, x: Array) -> tuple[Array, Array, Array]:
    """Return the squares left by least squares, coefficients and their standard errors; ``y`` (customer, day), ``x`` (day, term)."""
    inverse = np.linalg.pinv(x)
    beta = y @ inverse.T
    left = np.maximum((y**2).sum(axis=1) - ((y @ x) * beta).sum(axis=1), 0.0)
    spread = (inverse**2).sum(axis=1)
    errors = np.sqrt(left[:, None] / max(len(x) - x.shape[1], 1) * spread[None, :])
    return left, beta, errors
