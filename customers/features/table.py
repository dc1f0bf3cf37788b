"""The standard data model of a customer's features: named columns in three dimensions, made from days and weather."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from customers.features.days import DayData, days_of
from customers.features.weather_response import WeatherResponse, daily_mean, weather_response
from customers.intervals.series import MeterTable
from models.errors import DataError
from models.findings import error

Array = npt.NDArray[np.float64]
HOURS_OF_YEAR = 8_760.0
NIGHT, MIDDAY, EVENING = range(6), range(10, 16), range(17, 22)
SUMMER, WINTER = (5, 6, 7), (11, 0, 1)


class Dimension(StrEnum):
    """What a feature is about."""

    TIME = "time"
    CLASS = "class"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class Feature:
    """A column: its name, dimension, unit, and what it says."""

    name: str
    dimension: Dimension
    unit: str
    meaning: str


FEATURES = (
    Feature("annual_kwh", Dimension.CLASS, "kWh", "energy of a year of 8,760 h at the mean power"),
    Feature("peak_kw", Dimension.CLASS, "kW", "highest interval"),
    Feature("load_factor", Dimension.TIME, "share", "mean over highest interval"),
    Feature("base_share", Dimension.TIME, "share", "mean of the days' least hours over the mean"),
    Feature("night_share", Dimension.TIME, "share", "mean of 0 to 6 h over the mean of the typical day"),
    Feature("midday_share", Dimension.TIME, "share", "mean of 10 to 16 h over the mean of the typical day"),
    Feature("evening_share", Dimension.TIME, "share", "mean of 17 to 22 h over the mean of the typical day"),
    Feature("weekend_ratio", Dimension.TIME, "share", "mean of weekends and holidays over that of working days"),
    Feature("peak_hour", Dimension.TIME, "h", "hour of the typical working day with the highest mean"),
    Feature("summer_ratio", Dimension.TIME, "share", "mean of June to August over the mean; NaN without these months"),
    Feature(
        "winter_ratio", Dimension.TIME, "share", "mean of December to February over the mean; NaN without these months"
    ),
    Feature(
        "day_variation",
        Dimension.TIME,
        "share",
        "standard deviation of days around their month and kind, over the mean",
    ),
    Feature("heating_share", Dimension.RESPONSE, "share per 10 K", "what ten kelvins of cold add to the mean"),
    Feature("cooling_share", Dimension.RESPONSE, "share per 10 K", "what ten kelvins of warmth add to the mean"),
    Feature("weather_share", Dimension.RESPONSE, "share", "share of the days' variance that weather explains"),
)
NAMES = tuple(f.name for f in FEATURES)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """Features of customers, shape (customer, feature), in the units of ``FEATURES``; NaN where nothing can be said."""

    customers: tuple[str, ...]
    values: Array
    days: DayData
    weather: WeatherResponse | None

    def column(self, name: str) -> Array:
        """Return one feature of every customer; shape (customer,)."""
        return np.asarray(self.values[:, NAMES.index(name)])

    def columns(self, names: Sequence[str]) -> Array:
        """Return some features; shape (customer, name)."""
        return np.asarray(self.values[:, [NAMES.index(n) for n in names]])

    def at(self, row: int) -> dict[str, float]:
        """Return one customer's features by name."""
        return dict(zip(NAMES, self.values[row].tolist(), strict=True))


def features_of(table: MeterTable, air_degc: npt.NDArray[np.floating] | None = None) -> FeatureTable:
    """Return the features of every customer; ``air_degc`` is the outdoor temperature by interval, without it weather is not judged.

    Raises
    ------
    DataError
        If the temperature does not fit the intervals.
    """
    if air_degc is not None and len(air_degc) != table.intervals.count:
        text = f"has {len(air_degc)} values for {table.intervals.count} intervals"
        raise DataError([error("air_degc", text)])
    days = days_of(table)
    weather = None
    if air_degc is not None:
        weather = weather_response(days.daily_kw, daily_mean(air_degc, days.clock), days.clock.kind)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.stack([*_class(days), *_time(days), *_response(days, weather)], axis=1)
    values[~np.isfinite(values)] = np.nan
    return FeatureTable(table.customers, values, days, weather)


def _class(days: DayData) -> list[Array]:
    return [days.mean_kw * HOURS_OF_YEAR, days.peak_kw.astype(np.float64)]


def _time(days: DayData) -> list[Array]:
    mean, typical = days.mean_kw, days.typical_kw.astype(np.float64)
    both = (5 * typical[:, 0] + 2 * np.where(np.isnan(typical[:, 1]), typical[:, 0], typical[:, 1])) / 7
    level = both.mean(axis=1)
    parts = [both[:, list(hours)].mean(axis=1) / level for hours in (NIGHT, MIDDAY, EVENING)]
    weekend = typical[:, 1].mean(axis=1) / typical[:, 0].mean(axis=1)
    hour = np.argmax(np.nan_to_num(typical[:, 0]), axis=1).astype(np.float64)
    seasons = [_mean_in(days, months) / mean for months in (SUMMER, WINTER)]
    base = np.nanmean(np.where(np.isfinite(days.low_kw), days.low_kw, np.nan), axis=1) / mean
    return [mean / days.peak_kw, base, *parts, weekend, hour, *seasons, _variation(days) / mean]


def _mean_in(days: DayData, months: Sequence[int]) -> Array:
    """Return the mean power of some months; NaN without a day in them."""
    inside = np.isin(days.clock.month, months)
    there = np.isfinite(days.daily_kw) & inside
    total = np.where(there, days.daily_kw, 0.0).sum(axis=1, dtype=np.float64)
    return np.asarray(total / np.where(there.any(axis=1), there.sum(axis=1), np.nan))


def _variation(days: DayData) -> Array:
    """Return the standard deviation of days around the mean of their month and kind."""
    cell = days.clock.month.astype(np.int64) * 2 + (days.clock.kind > 0)
    _, cell = np.unique(cell, return_inverse=True)
    member = np.zeros((days.clock.days, int(cell.max()) + 1))
    member[np.arange(days.clock.days), cell] = 1.0
    there = np.isfinite(days.daily_kw)
    kw = np.where(there, days.daily_kw, 0.0).astype(np.float64)
    means = kw @ member / np.maximum(there @ member, 1)
    apart = np.where(there, kw - means[:, cell], 0.0)
    return np.asarray(np.sqrt((apart**2).sum(axis=1) / np.maximum(there.sum(axis=1), 1)))


def _response(days: DayData, weather: WeatherResponse | None) -> list[Array]:
    if weather is None:
        return [np.full(len(days.peak_kw), np.nan)] * 3
    mean = days.mean_kw
    return [10 * weather.heating_kw_per_k / mean, 10 * weather.cooling_kw_per_k / mean, weather.explained_share]
