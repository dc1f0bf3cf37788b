"""Weather years of a place, made from a seed: a climate, what a year adds to it, and weather that lasts for days.

No measured weather is in it. It gives as many years as a proof over years needs, with the two things that one year of data cannot show:
how much whole years differ in warmth and in sun.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from models.tariffs.calendar import Intervals

Array = npt.NDArray[np.float64]
HOURS_OF_A_DAY = 24.0


@dataclass(frozen=True, slots=True)
class Climate:
    """What is usual at a place, and how much days and years differ; defaults: North China, a continental climate of 36 degrees north."""

    latitude_deg: float = 36.1
    longitude_deg: float = 115.05
    mean_degc: float = 14.0
    season_k: float = 13.5
    """Half of the difference between midsummer and midwinter."""
    day_k: float = 4.5
    """Half of the difference between afternoon and dawn under a clear sky."""
    spell_k: float = 3.2
    """Standard deviation of a day's mean around the season."""
    year_k: float = 0.6
    """Standard deviation of a year's mean."""
    clearness: float = 0.66
    """Mean share of the clear sky's light that arrives."""
    year_sun_share: float = 0.042
    """Standard deviation of a year's sum of sunlight."""
    lasting: float = 0.72
    """Share of a day's anomaly that is left on the next day."""


NORTH_CHINA = Climate()


@dataclass(frozen=True, slots=True, eq=False)
class WeatherYear:
    """Outdoor air and sunlight on a horizontal plane, mean of every interval; shape (interval,)."""

    intervals: Intervals
    air_degc: npt.NDArray[np.float32]
    ghi_w_per_m2: npt.NDArray[np.float32]


def year_intervals(year: int, minutes: int = 15, zone_ahead_h: int = 8) -> Intervals:
    """Return the 365 days from the local new year of a year on (a leap year's last day is left out), so that years compare."""
    start = datetime(year, 1, 1, tzinfo=UTC).timestamp() - zone_ahead_h * 3600
    return Intervals(datetime.fromtimestamp(start, UTC), 365 * 24 * 60 // minutes, minutes)


def weather_year(intervals: Intervals, seed: int, climate: Climate = NORTH_CHINA) -> WeatherYear:
    """Return the weather on some intervals; the same seed and first instant give the same weather.

    Source: seasonal and daily sine waves with first-order spells; sunlight by the clear-sky law of Haurwitz (1945) times a clearness that
    is drawn for each day.
    """
    rng = np.random.default_rng([seed, int(intervals.start.timestamp()) // 86_400])
    middle_h: Array = (np.arange(intervals.count, dtype=np.float64) + 0.5) * (intervals.minutes / 60.0)
    day = (middle_h // HOURS_OF_A_DAY).astype(np.int64)
    days = int(day[-1]) + 1
    since = intervals.start.timetuple()
    solar_h: Array = since.tm_hour + since.tm_min / 60.0 + middle_h + climate.longitude_deg / 15.0
    angle: Array = 2.0 * np.pi * ((since.tm_yday - 1 + middle_h / HOURS_OF_A_DAY) / 365.25)
    spell = _spells(rng, days, climate.lasting)
    sky = np.clip(climate.clearness * (1.0 + rng.normal(0, climate.year_sun_share)) + 0.2 * spell[1], 0.08, 1.0)
    warm = climate.mean_degc + rng.normal(0, climate.year_k) - climate.season_k * np.cos(angle - 0.33)
    swing = climate.day_k * (0.4 + 0.9 * sky[day]) * np.cos(2 * np.pi * (solar_h - 14.5) / HOURS_OF_A_DAY)
    air = warm + swing + climate.spell_k * _between_days(spell[0], middle_h)
    ghi = clear_sky_w_per_m2(solar_h, angle, climate.latitude_deg) * sky[day]
    return WeatherYear(intervals, air.astype(np.float32), ghi.astype(np.float32))


def clear_sky_w_per_m2(solar_h: Array, season_rad: Array, latitude_deg: float) -> Array:
    """Return the global irradiance on a horizontal plane under a clear sky.

    ``solar_h`` is solar time, ``season_rad`` 0 at new year. Source: declination after Cooper (1969), irradiance after Haurwitz (1945).
    """
    declination = np.deg2rad(23.45) * np.sin(season_rad - 2 * np.pi * 81 / 365)
    latitude, hour = np.deg2rad(latitude_deg), 2 * np.pi * (solar_h - 12.0) / HOURS_OF_A_DAY
    high = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    up = np.maximum(high, 1e-3)
    return np.asarray(np.where(high > 0, 1098.0 * up * np.exp(-0.057 / up), 0.0), dtype=np.float64)


def _spells(rng: np.random.Generator, days: int, lasting: float) -> Array:
    """Return two first-order processes of variance one by day: warmth and clearness; shape (2, day)."""
    shocks = rng.standard_normal((2, days + 1)) * np.sqrt(1.0 - lasting**2)
    found: Array = np.empty_like(shocks)
    level = rng.standard_normal(2)
    for k in range(days + 1):
        found[:, k] = level = lasting * level + shocks[:, k]
    return found


def _between_days(daily: Array, middle_h: Array) -> Array:
    """Return a daily value in between: each day's own at its noon, straight lines from noon to noon."""
    noons: Array = (np.arange(len(daily), dtype=np.float64) + 0.5) * HOURS_OF_A_DAY
    return np.asarray(np.interp(middle_h, noons, daily), dtype=np.float64)
