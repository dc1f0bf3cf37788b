"""Day-ahead prices: what they were, what they will be, and how they may turn out instead.

The forecast is a ridge regression per hour on the prices of one, two and seven days before; its futures are the forecast with whole days
of errors that it made before, so that hours stay together as they do.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import Finding, error
from models.horizon import HOUR, Horizon

Floats = npt.NDArray[np.float64]
DAY_H = 24
LAGS = (1, 2, 7)
FIT_DAYS = 180
ERROR_DAYS = 60
LEAST_DAYS = 30
RIDGE = 1.0
COLUMNS = ("time", "price_per_mwh")
WEEKEND_LESS, PEAKS_DIFFER = 0.1, 0.15
"""Of made-up prices: how much lower a weekend is, per kWh, and how far peaks lie apart from day to day, in the logarithm."""


@dataclass(frozen=True, slots=True)
class PriceDay:
    """A day's prices per kWh by the hour: the forecast, shape (24,), and its futures, shape (path, 24)."""

    expected: Floats
    paths: Floats


@dataclass(frozen=True)
class PriceHistory:
    """Hourly prices per kWh of whole local days, shape (day, 24); ``first`` is the first of them, ``source`` says whose they are.

    A day of a clock change keeps its first 24 hours and repeats its last where it has 23.
    """

    first: date
    by_day: Floats
    source: str

    def place(self, day: date) -> int:
        """Return where a day stands.

        Raises
        ------
        DataError
            If the history does not hold the day.
        """
        place = (day - self.first).days
        if not 0 <= place < len(self.by_day):
            last = self.first + timedelta(days=len(self.by_day) - 1)
            raise DataError(
                [error("prices", f"hold {self.first} to {last}; {day} is outside. Bring prices of that day.")]
            )
        return place

    def of(self, day: date) -> Floats:
        """Return a day's prices, shape (24,)."""
        found: Floats = self.by_day[self.place(day)]
        return found

    def ahead(self, day: date, count: int) -> PriceDay:
        """Return a day's forecast and ``count`` futures, made from the days before it alone; fewer where the past has fewer.

        Raises
        ------
        DataError
            If there are too few days before it to learn from.
        """
        place = (day - self.first).days
        if place < LEAST_DAYS + max(LAGS) or place > len(self.by_day):
            first = self.first + timedelta(days=LEAST_DAYS + max(LAGS))
            words = f"begin on {self.first}: a forecast of {day} needs {LEAST_DAYS + max(LAGS)} days before it; the first is {first}"
            raise DataError([error("prices", words)])
        expected = self._forecast(place)
        begin = max(place - ERROR_DAYS, LEAST_DAYS + max(LAGS))
        errors = np.array([self.by_day[k] - self._known(k) for k in range(begin, place)])
        if len(errors) == 0:
            return PriceDay(expected, expected[None])
        chosen = np.unique(np.linspace(0, len(errors) - 1, min(count, len(errors))).round().astype(int))
        return PriceDay(expected, expected + errors[chosen])

    @cached_property
    def _forecasts(self) -> dict[int, Floats]:
        return {}

    def _known(self, place: int) -> Floats:
        if place not in self._forecasts:
            self._forecasts[place] = self._forecast(place)
        return self._forecasts[place]

    def _forecast(self, place: int) -> Floats:
        """Fit every hour on the days before ``place`` and return the forecast of its prices."""
        days = np.arange(max(max(LAGS), place - FIT_DAYS), place)
        inputs, wanted = self._inputs(days), self.by_day[days]
        stiff = RIDGE * float(wanted.var()) * np.diag([0.0] + [1.0] * len(LAGS))
        normal = np.einsum("dhf,dhg->hfg", inputs, inputs) + stiff
        weights = np.linalg.solve(normal, np.einsum("dhf,dh->hf", inputs, wanted)[..., None])[..., 0]
        found: Floats = np.einsum("hf,hf->h", self._inputs(np.array([place]))[0], weights)
        return found

    def _inputs(self, days: npt.NDArray[np.int64]) -> Floats:
        """Return (day, hour, input): one, and the same hour of the days before."""
        past = [self.by_day[days - lag] for lag in LAGS]
        return np.stack([np.ones((len(days), DAY_H)), *past], axis=2)


def on_horizon(hourly: Floats, horizon: Horizon) -> Floats:
    """Return prices of a day's hours, the last axis, on the steps of a horizon that begins with the day."""
    hour = [int((e - horizon.start) / HOUR) for e in horizon.edges[:-1]]
    found: Floats = hourly[..., np.minimum(hour, DAY_H - 1)]
    return found


def read_prices(path: Path, time_zone: str) -> PriceHistory:
    """Return the prices of a CSV file with the columns ``time`` (an instant with its zone) and ``price_per_mwh``, one row per hour.

    Raises
    ------
    DataError
        With every row that cannot be used and every hour that is missing or told twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as fault:
        raise DataError([error(str(path), f"cannot be read: {fault.strerror or fault}")]) from None
    rows, found = _rows(text)
    if not found and not rows:
        found.append(
            error(str(path), f"holds no prices; it needs the columns {', '.join(COLUMNS)} and one row per hour")
        )
    found += _gaps(rows)
    if found:
        raise DataError(found)
    return _by_day(rows, ZoneInfo(time_zone), path.name)


def _rows(text: str) -> tuple[dict[datetime, float], list[Finding]]:
    rows: dict[datetime, float] = {}
    found: list[Finding] = []
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        try:
            at = datetime.fromisoformat(row["time"]).astimezone(UTC)
            price = float(row["price_per_mwh"])
        except (KeyError, ValueError, TypeError):
            found.append(
                error(
                    f"line {number}", f"needs {COLUMNS[0]} like 2026-07-01T13:00:00+08:00 and {COLUMNS[1]} as a number"
                )
            )
            continue
        if not np.isfinite(price):
            found.append(error(f"line {number}", "the price is not a number; leave no gap in a day"))
        if at in rows:
            found.append(error(f"line {number}", f"{at.isoformat()} was told before; keep one of the two"))
        rows[at] = price
    return rows, found


def _gaps(rows: dict[datetime, float]) -> Iterator[Finding]:
    known = sorted(rows)
    for a, b in pairwise(known):
        if b - a != HOUR:
            yield error(a.isoformat(), f"the next price is of {b.isoformat()}; prices follow one another by the hour")


def _by_day(rows: dict[datetime, float], zone: ZoneInfo, source: str) -> PriceHistory:
    """Return whole local days."""
    first = (min(rows).astimezone(zone) + timedelta(hours=23)).date()
    days: list[list[float]] = []
    while True:
        midnight = datetime.combine(first + timedelta(days=len(days)), time(), zone).astimezone(UTC)
        hours = [rows[midnight + k * HOUR] for k in range(DAY_H) if midnight + k * HOUR in rows]
        if len(hours) < DAY_H:
            break
        days.append(hours)
    return PriceHistory(first, np.array(days).reshape(-1, DAY_H) / 1000.0, source)


def emulated_prices(first: date, days: int, seed: int) -> PriceHistory:
    """Return made-up prices per kWh for an emulated market: peaks that no two days share, sunny valleys, weekends, wind and weather that last.

    They resemble a market with much sun: on bright days the hours around noon fall below 0. How far they spread, how far a day lies from the
    one before, and how far from its forecast, is about what European day-ahead prices of 2023 showed; nothing else is fitted to a market.
    """
    rng, hour = np.random.default_rng([seed, first.toordinal()]), np.arange(DAY_H)
    when = [first + timedelta(days=k) for k in range(days)]
    season = 0.5 - 0.35 * np.cos(2 * np.pi * (np.array([d.timetuple().tm_yday for d in when]) - 10) / 365)
    sun = np.clip(0.5 + _lasting(rng, days, 0.6, 0.2), 0.0, 1.0)
    weekend = np.array([WEEKEND_LESS if d.weekday() >= 5 else 0.0 for d in when])
    morning, evening = np.exp(PEAKS_DIFFER * rng.standard_normal((2, days, 1)))
    peaks = 0.16 * morning * np.exp(-(((hour - 8) / 2.0) ** 2)) + 0.3 * evening * np.exp(-(((hour - 19) / 2.5) ** 2))
    valleys = (season * sun)[:, None] * np.exp(-(((hour - 13) / 2.8) ** 2))
    wind = _lasting(rng, days * DAY_H, 0.97, 0.05).reshape(days, DAY_H)
    level = 0.44 + _lasting(rng, days, 0.5, 0.12) - weekend
    rough = 0.025 * rng.standard_normal((days, DAY_H))
    return PriceHistory(first, level[:, None] + peaks - valleys + wind + rough, f"made-up prices, seed {seed}")


def _lasting(rng: np.random.Generator, count: int, kept: float, spread: float) -> Floats:
    """Return a wandering value: what is ``kept`` of the one before, with a shock that leaves ``spread`` as its standard deviation."""
    shocks = spread * np.sqrt(1.0 - kept**2) * rng.standard_normal(count)
    found, value = np.empty(count), 0.0
    for k, shock in enumerate(shocks.tolist()):
        value = kept * value + shock
        found[k] = value
    return found
