"""Two-part time-of-use tariffs: an energy price by local hour and month, and a charge on the billing period's peak."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from annotated_types import Ge, Le, MinLen

from models.horizon import Horizon
from models.units import LocalHour, NonNegative, Price

Array = npt.NDArray[np.float64]
Month = Annotated[int, Ge(1), Le(12)]
MINUTE = timedelta(minutes=1)
MEAN_MONTH_DAYS = 365.0 / 12.0
SHORTEST_MONTH_DAYS = 27.9
"""A February less the hour of a clock change: what lasts longer is a month and pays the whole monthly price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Local hours of the day in some months; half-open, and past midnight when it ends before it starts."""

    start_h: LocalHour
    end_h: LocalHour
    months: tuple[Month, ...] = tuple(range(1, 13))

    def holds(self, hour: Array, month: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return whether each local hour and month lies in the window."""
        inside = (hour >= self.start_h) & (hour < self.end_h)
        if self.end_h <= self.start_h:
            inside = (hour >= self.start_h) | (hour < self.end_h)
        return inside & np.isin(month, self.months)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBand:
    """One named energy price and when it holds; later bands of a tariff override earlier ones."""

    name: str
    price_per_kwh: Price
    windows: Annotated[tuple[Window, ...], MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOfUseTariff:
    """An energy price per band, a price for export, and a demand charge per kW of the month's highest 15-min mean import."""

    bands: Annotated[tuple[PriceBand, ...], MinLen(1)]
    export_price_per_kwh: Price = 0.0
    demand_price_per_kw_month: NonNegative = 0.0
    sources: Mapping[str, str] | None = None

    def band_names(self, times_local: pd.DatetimeIndex) -> list[str]:
        """Return the name of the band that holds at each local time, "" where none does."""
        hour = np.asarray(times_local.hour + times_local.minute / 60.0, dtype=float)
        month = np.asarray(times_local.month, dtype=np.int64)
        names = np.full(len(times_local), "", dtype=object)
        for band in self.bands:
            for window in band.windows:
                names[window.holds(hour, month)] = band.name
        return [str(n) for n in names]

    def uncovered(self) -> list[str]:
        """Return the month-hours, as text, in which no band holds; empty for a complete tariff."""
        times = pd.date_range("2015-01-01", "2016-01-01", freq="15min", inclusive="left")
        bare = [t for t, name in zip(times, self.band_names(times), strict=True) if name == ""]
        return sorted({f"month {t.month} {t.hour:02d}:{t.minute:02d}" for t in bare})


def minute_index(horizon: Horizon) -> tuple[pd.DatetimeIndex, npt.NDArray[np.int64]]:
    """Return every minute of the horizon (naive UTC) and the step that it belongs to."""
    minutes = pd.date_range(horizon.times[0], periods=round((horizon.end - horizon.start) / MINUTE), freq="1min")
    step = np.repeat(np.arange(len(horizon)), np.round(horizon.step_h * 60).astype(int))
    return minutes, step


def energy_price_per_kwh(tariff: TimeOfUseTariff, horizon: Horizon, time_zone: str) -> Array:
    """Return the mean import price of every step; shape (step,), currency per kWh.

    A step that crosses from one band into another gets the mean by minutes, which is what constant power in that step would pay.
    """
    minutes, step = minute_index(horizon)
    local = minutes.tz_localize("UTC").tz_convert(ZoneInfo(time_zone)).tz_localize(None)
    price = {b.name: b.price_per_kwh for b in tariff.bands}
    by_minute = np.array([price[name] for name in tariff.band_names(local)])
    return np.bincount(step, weights=by_minute) / np.bincount(step)


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """A run of time whose highest import is charged; a shorter run than a month pays its share of the monthly price."""

    start: datetime
    end: datetime

    def demand_price_per_kw(self, tariff: TimeOfUseTariff) -> float:
        """Return the charge per kW of this period's peak: the monthly price, pro rata by days for less than a month."""
        days = (self.end - self.start) / timedelta(days=1)
        share = 1.0 if days >= SHORTEST_MONTH_DAYS else days / MEAN_MONTH_DAYS
        return tariff.demand_price_per_kw_month * share


PeriodFinder = Callable[[datetime], BillingPeriod]
"""Tells which billing period an instant belongs to."""


def calendar_month(instant: datetime, time_zone: str) -> BillingPeriod:
    """Return the local calendar month around ``instant`` as a billing period in UTC."""
    zone = ZoneInfo(time_zone)
    local = instant.astimezone(zone)
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + timedelta(days=32)).replace(day=1)
    utc = ZoneInfo("UTC")
    return BillingPeriod(first.astimezone(utc), after.astimezone(utc))


def monthly(time_zone: str) -> PeriodFinder:
    """Return the billing by local calendar months."""
    return lambda instant: calendar_month(instant, time_zone)
