"""Years of sun on a roof: what photovoltaics give per kW in past years, because one year does not show how much years differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from customers.weather import NORTH_CHINA, Climate, weather_year, year_intervals
from models.components.renewables import Pv, pv_per_unit
from models.errors import DataError
from models.findings import error
from models.tariffs.calendar import Intervals

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
NEAR_DAYS = 10
DAYS_NEEDED = 300


@dataclass(frozen=True, slots=True)
class SunArchive:
    """Output per kW of rated power: ``typical`` (interval,) and past years (year, interval); ``origin`` says where they come from."""

    intervals: Intervals
    typical: Singles
    years: Singles
    origin: str

    @property
    def year_sd(self) -> float:
        """Standard deviation of whole years, as a share of their mean."""
        sums = self.years.sum(axis=1, dtype=np.float64)
        return float(sums.std(ddof=1) / sums.mean()) if len(sums) > 1 else 0.0


def generated_archive(
    intervals: Intervals, years: Sequence[int], *, seed: int = 1, climate: Climate = NORTH_CHINA
) -> SunArchive:
    """Return years of sun at a place, made by the climate's generator; the typical year is their mean by interval.

    No measured weather is in it: for an offer, bring an archive of the place.
    """
    rows = np.array([_generated(intervals, y, seed, climate) for y in years], dtype=np.float32)
    return SunArchive(intervals, rows[0], rows, "generated climate, no measured weather")


def _generated(intervals: Intervals, year: int, seed: int, climate: Climate) -> Singles:
    grid = year_intervals(year, intervals.minutes)
    weather = weather_year(grid, seed, climate)
    roof = Pv(id="roof", electricity_node="roof", peak_kw=1.0, profile="sun")
    output = pv_per_unit(
        roof,
        grid.times,
        weather.ghi_w_per_m2.astype(float),
        weather.air_degc.astype(float),
        latitude_deg=climate.latitude_deg,
        longitude_deg=climate.longitude_deg,
    )
    return _aligned(output, grid, intervals)


def _aligned(output: Floats, grid: Intervals, intervals: Intervals) -> Singles:
    """Return a year's output on other intervals, by the time of year."""
    per_day = 24 * 60 // intervals.minutes
    began = intervals.start.timetuple().tm_yday, intervals.start.hour * 60 + intervals.start.minute
    source = grid.start.timetuple().tm_yday, grid.start.hour * 60 + grid.start.minute
    shift = (began[0] - source[0]) * per_day + (began[1] - source[1]) // intervals.minutes
    return output[(np.arange(intervals.count) + shift) % len(output)].astype(np.float32)


def resampled_archive(
    typical: Singles, intervals: Intervals, count: int, year_sd: float, *, seed: int = 1
) -> SunArchive:
    """Return years made of the days of one typical year (each from within ten days) and a factor per year of a stated spread."""
    rng = np.random.default_rng(seed)
    per_day = 24 * 60 // intervals.minutes
    days = intervals.count // per_day
    rows = np.empty((count, intervals.count), dtype=np.float32)
    table = typical[: days * per_day].reshape(days, per_day)
    for k in range(count):
        chosen = (np.arange(days) + rng.integers(-NEAR_DAYS, NEAR_DAYS + 1, days)) % days
        rows[k] = typical
        rows[k, : days * per_day] = table[chosen].ravel()
        rows[k] *= (
            typical.sum(dtype=np.float64) / rows[k].sum(dtype=np.float64) * (1.0 + year_sd * rng.standard_normal())
        )
    return SunArchive(intervals, typical, rows, f"days of one typical year, years {year_sd:.1%} apart")


def read_archive(path: Path, intervals: Intervals) -> SunArchive:
    """Return the archive of a CSV file with the columns ``start_utc`` and ``pv_pu`` over several years.

    Raises
    ------
    DataError
        If a column is missing, a value is no share, or there are fewer than two years.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as fault:
        raise DataError([error(str(path), f"cannot be read as CSV: {fault}")]) from None
    if missing := {"start_utc", "pv_pu"} - set(table.columns):
        raise DataError([error(path.name, f"lacks the columns {', '.join(sorted(missing))}")])
    times = pd.DatetimeIndex(pd.to_datetime(table["start_utc"], utc=True, errors="coerce")).tz_localize(None)
    values = pd.to_numeric(table["pv_pu"], errors="coerce").clip(0.0, 1.2).to_numpy(dtype=np.float64)
    kept = ~(times.isna() | np.isnan(values) | times.duplicated())
    times, values = times[kept], values[kept]
    rows = [_year_of(times, values, y, intervals) for y in np.unique(times.year).tolist()]
    whole = [r for r in rows if r is not None]
    if len(whole) < 2:
        raise DataError(
            [error(path.name, f"holds {len(whole)} whole years of sun; between-year terms need two or more")]
        )
    years = np.array(whole, dtype=np.float32)
    typical = years[np.argsort(years.sum(axis=1))[len(years) // 2]]
    return SunArchive(intervals, typical, years, f"{path.name}, {len(whole)} years")


def _year_of(times: pd.DatetimeIndex, values: Floats, year: int, intervals: Intervals) -> Singles | None:
    """Return a year on the intervals asked for; None where more than two months of it are missing."""
    mine = times.year == year
    if len(np.unique(times[mine].normalize())) < DAYS_NEEDED:
        return None
    first = times[mine][0].to_pydatetime().replace(tzinfo=UTC)
    grid = Intervals(first, 365 * 24 * 60 // intervals.minutes, intervals.minutes)
    at = np.searchsorted(times[mine].to_numpy(), grid.times.to_numpy(), side="right") - 1
    return _aligned(values[mine][np.maximum(at, 0)], grid, intervals)
