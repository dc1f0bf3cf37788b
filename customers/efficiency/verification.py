"""A measure verified: what customers saved since a day, by their whole meters before and after it, with what whole years do to others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from customers.efficiency.savings import Savings, YearEffect, between_years, hourly_savings, savings
from customers.intervals.series import MeterTable
from models.errors import DataError
from models.findings import error

Airs = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """Savings since a day by lines of days; by the time of the week too where one customer was asked for; and how years were taken to differ."""

    since: date
    days: Savings
    hours: Savings | None
    years: YearEffect

    @property
    def years_words(self) -> str:
        """How much whole years differ, and where that is from."""
        told = (
            f"from {self.years.customers} customers without a measure"
            if self.years.customers
            else "a judgement; name other customers without a measure to learn it"
        )
        spread, mean = self.years.spread_share, self.years.mean_share
        return f"years differ by {spread:.1%} (one standard deviation), on average {mean:+.1%}: {told}"


def verified(
    table: MeterTable, air_degc: Airs, names: Sequence[str], since: date, others: Sequence[str] = ()
) -> Verified:
    """Return what customers saved since a local day; ``others`` are customers without a measure, ten at least, from whom years are learned.

    ``air_degc`` is the outdoor temperature by interval of the table.

    Raises
    ------
    DataError
        If the day is not inside the data, or there is too little of them before or since.
    """
    grid = table.intervals
    cut = grid.index(datetime(since.year, since.month, since.day, tzinfo=ZoneInfo(table.zone)))
    if not 0 < cut < grid.count:
        text = f"{since} is not inside the data ({grid.start.date()} to {grid.end.date()})"
        raise DataError([error("since", text)])
    moment = grid.instant(cut)
    halves = ((grid.start, moment), (moment, grid.end))
    air = (air_degc[:cut], air_degc[cut:])
    years = YearEffect()
    if others:
        before, after = (table.select(others).between(*half) for half in halves)
        years = between_years(before, after, *air)
    before, after = (table.select(names).between(*half) for half in halves)
    hours = hourly_savings(before, after, names[0], *air, years) if len(names) == 1 else None
    return Verified(since, savings(before, after, *air, years), hours, years)
