"""A tariff on a run of meter intervals: billing segments, and cells in which every period of every schedule is constant."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.errors import DataError
from models.findings import error, errors_in
from models.tariffs.calendar import Intervals, Schedule
from models.tariffs.check import check_tariff
from models.tariffs.components import BuyAllSellAll, Component, Demand, Energy, NetBilling, SharedSavings
from models.tariffs.sums import Runs
from models.tariffs.tariff import Tariff, Version

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of local days of one calendar month under one version; interval ``first`` up to ``last`` (not included).

    A month that is cut (by a change of version or by the run's ends) pays ``days / month_days`` of what is priced per month, and its
    tiers are as wide as that share.
    """

    year: int
    month: int
    version: Version
    first: int
    last: int
    days: int
    month_days: int

    @property
    def cycle(self) -> tuple[int, int]:
        """Year and month of the bill that the segment belongs to."""
        return self.year, self.month


@dataclass(frozen=True, slots=True)
class Compiled:
    """A tariff laid over meter intervals; made once, used for any number of customers."""

    tariff: Tariff
    intervals: Intervals
    segments: tuple[Segment, ...]
    runs: Runs
    cell_segment: Ints
    """Segment of every cell; shape (cell,)."""
    cell_periods: tuple[dict[Schedule, int], ...]
    """Period of every schedule in every cell."""

    def cells(self, segment: int, schedule: Schedule | None = None, period: int = 0) -> list[int]:
        """Return the cells of a segment, of one period of a schedule where it is given."""
        mine = np.flatnonzero(self.cell_segment == segment).tolist()
        return [c for c in mine if schedule is None or self.cell_periods[c][schedule] == period]

    def intervals_of(self, segment: int, schedule: Schedule | None = None, period: int = 0) -> Ints:
        """Return the numbers of the meter intervals behind a line: those of its segment and period."""
        wanted = np.zeros(self.runs.cell_count, dtype=bool)
        wanted[self.cells(segment, schedule, period)] = True
        return np.flatnonzero(np.repeat(wanted[self.runs.cells], np.diff(self.runs.starts)))


def schedule_of(component: Component) -> Schedule | None:
    """Return the schedule that a component reads, None where it has none."""
    priced = Energy | Demand | NetBilling | BuyAllSellAll | SharedSavings
    return component.schedule if isinstance(component, priced) else None


def compile_tariff(tariff: Tariff, intervals: Intervals) -> Compiled:
    """Lay a tariff over meter intervals.

    Raises
    ------
    DataError
        If the tariff has errors or no version holds on some day of the run; every finding is carried.
    """
    if found := errors_in(check_tariff(tariff)):
        raise DataError(found)
    local = tariff.calendar.local(intervals.times)
    segments = _segments(tariff, intervals, local)
    kinds = tariff.calendar.kinds(local)
    cell = np.zeros(intervals.count, dtype=np.int64)
    owner: list[int] = []
    periods: list[dict[Schedule, int]] = []
    for k, s in enumerate(segments):
        part = slice(s.first, s.last)
        schedules = list(dict.fromkeys(x for x in map(schedule_of, s.version.components) if x is not None))
        table = np.zeros((s.last - s.first, len(schedules) + 1), dtype=np.int64)
        for j, schedule in enumerate(schedules):
            table[:, j] = schedule.periods(local[part], kinds[part])
        kept, inverse = np.unique(table, axis=0, return_inverse=True)
        cell[part] = inverse.ravel() + len(owner)
        owner += [k] * len(kept)
        periods += [dict(zip(schedules, map(int, row), strict=False)) for row in kept]
    return Compiled(tariff, intervals, segments, _runs(cell, len(owner)), np.array(owner), tuple(periods))


def _runs(cell: Ints, count: int) -> Runs:
    changes = np.flatnonzero(np.diff(cell)) + 1
    starts = np.concatenate([[0], changes, [len(cell)]]).astype(np.int64)
    return Runs(starts, cell[starts[:-1]], count)


def _segments(tariff: Tariff, intervals: Intervals, local: pd.DatetimeIndex) -> tuple[Segment, ...]:
    days = [d.date() for d in local.normalize().unique()]
    if bare := [d for d in days if tariff.on(d) is None]:
        raise DataError([error(tariff.id, f"no version holds on {bare[0]}; add one or bill another run of days")])
    keys = [(d.year, d.month, tariff.on(d)) for d in days]
    cuts = [0, *(k for k in range(1, len(days)) if keys[k] != keys[k - 1]), len(days)]
    return tuple(_segment(tariff, intervals, days[a], days[b - 1]) for a, b in pairwise(cuts))


def _segment(tariff: Tariff, intervals: Intervals, first: date, last: date) -> Segment:
    version = tariff.on(first)
    assert version is not None  # noqa: S101 - every day was looked up before
    start, end = (intervals.index(tariff.calendar.midnight(d)) for d in (first, last + timedelta(days=1)))
    days = (last - first).days + 1
    return Segment(first.year, first.month, version, start, end, days, pd.Timestamp(first).days_in_month)
