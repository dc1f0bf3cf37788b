"""Electricity tariffs as a site file writes them: prices by local hour and month, blocks of energy, charges on peaks, and how export is settled.

What they bill, and what a planner counts, is worked out from one :class:`models.tariffs.tariff.Tariff`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from annotated_types import Ge, Le, MinLen

from models.units import LocalHour, NonNegative, PositiveKwh, Price

Array = npt.NDArray[np.float64]
Month = Annotated[int, Ge(1), Le(12)]
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
class EnergyBlock:
    """What a kWh costs on top of its band's price while the month's energy is below ``up_to_kwh``; the last block is open."""

    adder_per_kwh: Price
    up_to_kwh: PositiveKwh | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakWindow:
    """A charge per kW of the month's highest 15-min mean import within some windows, beside the one on the whole month."""

    name: str
    price_per_kw_month: NonNegative
    windows: Annotated[tuple[Window, ...], MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOfUseTariff:
    """An energy price per band, a price for export, and a demand charge per kW of the month's highest 15-min mean import.

    With ``net_metering`` what is sent out is set against what is bought in the same band and month, and ``export_price_per_kwh`` is paid
    for what is left at the end of the year.
    """

    bands: Annotated[tuple[PriceBand, ...], MinLen(1)]
    blocks: tuple[EnergyBlock, ...] = ()
    export_price_per_kwh: Price = 0.0
    net_metering: bool = False
    demand_price_per_kw_month: NonNegative = 0.0
    peak_windows: tuple[PeakWindow, ...] = ()
    fixed_per_month: NonNegative = 0.0
    sources: Mapping[str, str] | None = field(default=None, hash=False)

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
        bare = times[np.array(self.band_names(times)) == ""]
        return sorted({f"month {t.month} {t.hour:02d}:{t.minute:02d}" for t in bare})


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """A run of time whose highest import is charged; a shorter run than a month pays its share of the monthly price."""

    start: datetime
    end: datetime

    @property
    def month_share(self) -> float:
        """The share of a monthly price that this period pays: all of it, pro rata by days for less than a month."""
        days = (self.end - self.start) / timedelta(days=1)
        return 1.0 if days >= SHORTEST_MONTH_DAYS else days / MEAN_MONTH_DAYS


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
