"""What a forecast is made from: the same time before, the usual day of its kind, the clock, and the weather to come.

Everything is asked by pairs (issued, target): when the forecast is made and which quarter-hour it is for. Nothing at or behind
``issued`` is read from the table, so one function serves training, back-test and operation.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.forecast.calendar import WorkCalendar
from models.forecast.grid import PER_DAY, Array, LocalTime, Numbers, Quarters
from models.forecast.weather import Sun, WeatherService

SAME_KIND = 4
"""So many past days of the same kind make the usual one."""
SEARCHED_DAYS = 21
CLOUD_EDGE = 1.15
"""Between clouds it can be brighter than under a clear sky, but not for a quarter-hour and by more than so much."""


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of every pair.

    Arrays by series have shape (series, pair), the others (pair,). ``day``, ``week``, ``usual``, ``last`` are values of the series:
    one day before, one week before, the mean of the last days of the same kind, the last one known. ``air``, ``air_day``,
    ``air_usual`` are outdoor temperatures expected, one day before, and of the usual day. ``weather`` holds direct expectations.
    """

    day: Array
    week: Array
    usual: Array
    last: Array
    hour: Array
    weekday: Array
    kind: Array
    air: Array
    air_day: Array
    air_usual: Array
    weather: Mapping[str, Array]


@dataclass(frozen=True)
class World:
    """Everything outside the series themselves: clock, calendar, weather service, sun; ``air`` names the temperature that loads follow."""

    local: LocalTime
    calendar: WorkCalendar
    service: WeatherService
    sun: Sun
    air: str | None


def features(table: Quarters, world: World, issued: Numbers, target: Numbers) -> Features:
    """Return the features of every pair."""
    local = world.local
    days = days_back(local, issued, target)
    weeks = 7 * -(-days // 7)
    day_at = local.back(target, days)
    usual, air_usual = usual_day(table, world, target, days)
    expected = world.service.expected(issued, target)
    air_day = _air(table, world, day_at)
    told = expected.get(world.air or "", air_day)
    air = np.where(np.isfinite(told), told, air_day)
    return Features(
        day=table.at(day_at),
        week=table.at(local.back(target, weeks)),
        usual=usual,
        last=table.at(issued - 1),
        hour=local.slot(target) / 4.0,
        weekday=((local.day(target) + 3) % 7).astype(float),
        kind=world.calendar.kinds(target).astype(float),
        air=air,
        air_day=air_day,
        air_usual=air_usual,
        weather=direct(world, expected, target, air),
    )


def days_back(local: LocalTime, issued: Numbers, target: Numbers) -> Numbers:
    """Return the least number of whole local days that takes each target before its issue."""
    days = np.maximum(-(-(target - issued + 1) // PER_DAY), 1)
    late: Numbers = (local.back(target, days) >= issued).astype(np.int64)
    return np.asarray(days + late, dtype=np.int64)


def usual_day(table: Quarters, world: World, target: Numbers, days: Numbers) -> tuple[Array, Array]:
    """Return the mean of the last days of the same kind at the same local time, and the mean outdoor temperature then."""
    kinds = world.calendar.kinds(target)
    found = np.zeros(len(target))
    number = np.zeros((len(table.names), len(target)))
    sums, air = np.zeros_like(number), np.zeros(len(target))
    for more in range(SEARCHED_DAYS):
        at = world.local.back(target, days + more)
        same = (world.calendar.kinds(at) == kinds) & (found < SAME_KIND)
        if not same.any():
            continue
        values = table.at(at)
        good = np.isfinite(values) & same
        sums += np.where(good, values, 0.0)
        number += good
        air += np.where(same, np.nan_to_num(_air(table, world, at)), 0.0)
        found += same
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / np.where(number > 0, number, np.nan)), air / np.where(found > 0, found, np.nan)


def direct(world: World, expected: Mapping[str, Array], target: Numbers, air: Array) -> dict[str, Array]:
    """Return the series that the weather service expects itself, and what roofs make of its irradiance."""
    found = dict(expected)
    ghi = next((v for n, v in expected.items() if n.endswith("_w_per_m2")), None)
    if ghi is not None and world.sun.fields:
        ghi = np.minimum(ghi, CLOUD_EDGE * world.sun.clear_w_per_m2(target))
        for name, field in world.sun.fields.items():
            found[name] = world.sun.output_pu(field, target, np.nan_to_num(ghi), np.nan_to_num(air, nan=15.0))
    return found


def _air(table: Quarters, world: World, numbers: Numbers) -> Array:
    """Return the measured outdoor temperature; NaN where nobody measures it."""
    if world.air is None or world.air not in table.names:
        return np.full(len(numbers), np.nan)
    row = table.rows([world.air])[0]
    air: Array = Quarters((world.air,), table.first, table.values[row : row + 1]).at(numbers)[0]
    return air


def scales(table: Quarters) -> Array:
    """Return a size for every series: its mean magnitude, 1 where it is always zero or unknown; shape (series,)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a series without any value has no mean
        size = np.nanmean(np.abs(table.values), axis=1)
    return np.asarray(np.where(np.isfinite(size) & (size > 0), size, 1.0), dtype=float)
