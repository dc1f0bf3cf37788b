"""Energy performance indicators of a customer against its own baseline (ISO 50001), and days that stand out."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from customers.efficiency.savings import long_run_spread
from customers.features.table import FeatureTable
from customers.features.weather_response import COLD, terms
from models.errors import DataError
from models.findings import error

Array = npt.NDArray[np.float64]
ODD_SPREADS = 3.5
DRIFT_DAYS = 28
DRIFT_SPREADS = 3.0


@dataclass(frozen=True, slots=True)
class Indicator:
    """A performance indicator: its figure, unit, and what it is measured against."""

    name: str
    value: float
    unit: str
    words: str

    @property
    def figure(self) -> str:
        """The figure as it is read."""
        return f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.3f}"


@dataclass(frozen=True, slots=True)
class OddDay:
    """A day that drew far more or less than its weather and its kind explain."""

    day: date
    actual_kwh: float
    expected_kwh: float
    spreads: float

    @property
    def words(self) -> str:
        """The day in a sentence."""
        more = self.actual_kwh - self.expected_kwh
        return f"{self.day}: {abs(more):,.0f} kWh {'more' if more > 0 else 'less'} than expected ({more / self.expected_kwh:+.0%})"


def indicators(features: FeatureTable, customer: str, floor_m2: float | None = None) -> list[Indicator]:
    """Return a customer's indicators: energy of a year, the share that weather drives, base load, and each month over its baseline.

    Source: ISO 50001:2018 and ISO 50006, indicators normalised by what matters to them (weather, kind of day).

    Raises
    ------
    DataError
        If the features were made without the weather, which the baseline needs.
    """
    row, weather = _row(features, customer), features.weather
    if weather is None:
        raise DataError([error(customer, "a baseline needs the outdoor temperature; bring it with the meter data")])
    annual = float(features.column("annual_kwh")[row])
    expected = weather.expected_kw(weather.air_degc, weather.kind)[row] * 24.0
    slopes = np.clip(weather.coefficients[row, COLD:], 0.0, None)
    degrees = terms(weather.air_degc, weather.kind, *weather.balance_degc[row].tolist())[:, COLD:]
    driven = float((degrees @ slopes).sum() * 24.0 / expected.sum())
    found = [
        Indicator("energy of a year", annual, "kWh", "at the mean power of the data"),
        Indicator("driven by weather", driven, "share", "of what the baseline expects"),
        Indicator(
            "base load", float(features.column("base_share")[row]), "share", "least hours of the days over the mean"
        ),
    ]
    if floor_m2:
        found.append(Indicator("energy per area", annual / floor_m2, "kWh/m2", "and year"))
    actual = features.days.daily_kw[row].astype(np.float64) * 24.0
    month = features.days.clock.date.astype("datetime64[D]").astype("datetime64[M]")
    for one in np.unique(month):
        days = (month == one) & np.isfinite(actual)
        if days.sum() >= 7:
            ratio = float(actual[days].sum() / expected[days].sum())
            found.append(Indicator(f"{one} over its baseline", ratio, "ratio", f"{int(days.sum())} days"))
    return found


def odd_days(features: FeatureTable, customer: str, most: int = 12) -> list[OddDay]:
    """Return the days that stand out most, by the spread of the customer's own days."""
    row, weather = _row(features, customer), features.weather
    if weather is None:
        return []
    left = weather.left_kw[row]
    spread = float(np.median(np.abs(left[left != 0]))) * 1.4826 if (left != 0).any() else 0.0
    if spread <= 0:
        return []
    far = np.flatnonzero(np.abs(left) > ODD_SPREADS * spread).tolist()
    actual = features.days.daily_kw[row].astype(np.float64)
    found = [
        OddDay(_date(features, k), actual[k] * 24.0, (actual[k] - left[k]) * 24.0, float(left[k] / spread)) for k in far
    ]
    return sorted(found, key=lambda d: -abs(d.spreads))[:most]


def drift_words(features: FeatureTable, customer: str) -> str:
    """Return whether the last four weeks draw more or less than the baseline, "" where they do not."""
    row, weather = _row(features, customer), features.weather
    if weather is None or weather.left_kw.shape[1] < 4 * DRIFT_DAYS:
        return ""
    left = weather.left_kw[row]
    spread = float(long_run_spread(left[None])[0]) * np.sqrt(DRIFT_DAYS)
    last = float(left[-DRIFT_DAYS:].sum())
    if spread <= 0 or abs(last) < DRIFT_SPREADS * spread:
        return ""
    return f"the last {DRIFT_DAYS} days drew {abs(last) * 24:,.0f} kWh {'more' if last > 0 else 'less'} than the baseline expects"


def _row(features: FeatureTable, customer: str) -> int:
    if customer not in features.customers:
        raise DataError([error(customer, "is no customer of these data", customer)])
    return features.customers.index(customer)


def _date(features: FeatureTable, k: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(features.days.clock.date[k]))
