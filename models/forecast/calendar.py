"""Working days: weekends, public holidays, and the weekend days that are worked in exchange."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.forecast.grid import LocalTime, Numbers

WORKING, SATURDAY, SUNDAY = 0, 1, 2
"""Kinds of day; a holiday counts as a Sunday, an exchanged working day as a working day."""


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Says which kind of day each quarter-hour belongs to; ``country`` is a two-letter code, "" for weekends alone."""

    zone: str
    country: str = ""

    def kinds(self, numbers: Numbers) -> Numbers:
        """Return the kind of day of each quarter-hour: 0 working, 1 Saturday, 2 Sunday or holiday."""
        days = LocalTime(self.zone).day(numbers)
        unique, place = np.unique(days, return_inverse=True)
        return np.array([kind_of(int(d), self.country) for d in unique], dtype=np.int64)[place]

    def special(self, numbers: Numbers) -> npt.NDArray[np.bool_]:
        """Return where the country's calendar says something else than the weekday."""
        return np.asarray(self.kinds(numbers) != WorkCalendar(self.zone).kinds(numbers))


@lru_cache(maxsize=8192)
def kind_of(day: int, country: str) -> int:
    """Return the kind of a day, counted since 1970."""
    date = pd.Timestamp(day, unit="D")
    by_week = max(date.weekday() - 4, WORKING)
    if not country:
        return by_week
    book = _holidays(country, date.year)
    if by_week and book.is_working_day(date.date()):
        return WORKING
    return SUNDAY if date.date() in book else by_week


@lru_cache(maxsize=64)
def _holidays(country: str, year: int) -> Any:
    """Return one year of a country's calendar; opened here because importing it takes a while."""
    import holidays

    return holidays.country_holidays(country, years=year)


@lru_cache(maxsize=64)
def country_of(zone: str) -> str:
    """Return the country whose capital keeps a time zone, "" where the zone belongs to none (UTC)."""
    from importlib.resources import files

    for line in files("tzdata.zoneinfo").joinpath("zone1970.tab").read_text().splitlines():
        fields = line.split("\t")
        if not line.startswith("#") and len(fields) >= 3 and fields[2] == zone:
            return fields[0].split(",")[0]
    return ""
