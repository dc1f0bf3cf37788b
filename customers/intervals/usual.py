"""What is usual: the median and the spread of every time of day, by month and by working day or weekend, for every customer."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.intervals.clock import LocalClock, clock_of
from customers.intervals.series import MeterTable
from models.networks.jit import compiled, in_pieces

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
FEWEST_DAYS = 10
"""A month cut to fewer days at either end of the data is taken together with its neighbour."""
FEWEST_VALUES = 3
NORMAL_IQR = 1.349
"""The interquartile range of a normal distribution in standard deviations."""
AROUND = 5
"""A spread is taken over so many neighbouring times of day: the quartiles of one alone are guesswork."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Which intervals are alike: those of one time of day within a cell, and a cell is the working days or the others of a month.

    ``place`` (day, slot) is the interval, -1 where there is none (a day cut, an hour left out); ``cell`` (day) the day's cell;
    ``days`` the days by cell, those of cell ``c`` from ``first[c]`` up to ``first[c + 1]``; ``weekend`` (cell) its kind.
    """

    clock: LocalClock
    place: Ints
    cell: Ints
    days: Ints
    first: Ints
    weekend: npt.NDArray[np.int8]

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.weekend)


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """Median and spread (a standard deviation, by quartiles) in kWh per interval, float32, shape (customer, cell, slot)."""

    layout: Layout
    median: Floats
    spread: Floats


def layout_of(table: MeterTable) -> Layout:
    """Return which intervals of a table are alike."""
    clock = clock_of(table)
    place = np.full((clock.days, clock.per_day), -1, dtype=np.int32)
    place[clock.day, clock.slot] = np.arange(table.intervals.count, dtype=np.int32)
    month = _months(clock)
    both = month * 2 + (clock.kind > 0)
    kept, cell = np.unique(both, return_inverse=True)
    order = np.argsort(cell, kind="stable").astype(np.int32)
    first = np.searchsorted(cell[order], np.arange(len(kept) + 1)).astype(np.int32)
    return Layout(clock, place, cell.astype(np.int32), order, first, (kept % 2).astype(np.int8))


def _months(clock: LocalClock) -> npt.NDArray[np.int64]:
    """Return the calendar month of every day, counted from the first; short ends go with their neighbours."""
    month: npt.NDArray[np.int64] = clock.date.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    month -= month[0]
    days = np.bincount(month)
    if len(days) > 1 and days[0] < FEWEST_DAYS:
        month[month == 0] = 1
    if len(days) > 2 and days[-1] < FEWEST_DAYS:
        month[month == len(days) - 1] = len(days) - 2
    return month


def usual(table: MeterTable) -> Usual:
    """Return what is usual for every customer.

    A cell without enough figures takes those of the nearest month of its kind, then those of the other kind; NaN where there are none.
    """
    layout = layout_of(table)
    shape = (len(table.customers), layout.cells, table.per_day)
    median, spread = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        _measure(table.energy_kwh[part], layout.place, layout.days, layout.first, median[part], spread[part])
        _fill(median[part], spread[part], layout.weekend)

    in_pieces(shape[0], work)
    return Usual(layout, median, spread)


@compiled
def _measure(energy: Floats, place: Ints, days: Ints, first: Ints, median: Floats, spread: Floats) -> None:
    """Write median and spread of every cell and time of day; NaN where there are too few figures."""
    values = np.empty(len(days) + 1, dtype=np.float32)
    for c in range(energy.shape[0]):
        for cell in range(median.shape[1]):
            for slot in range(median.shape[2]):
                count = 0
                for d in range(first[cell], first[cell + 1]):
                    k = place[days[d], slot]
                    if k >= 0 and not np.isnan(energy[c, k]):
                        count = _insert(values, count, energy[c, k])
                median[c, cell, slot], spread[c, cell, slot] = _middle(values, count)
            _smooth(spread[c, cell])


@compiled
def _insert(values: Floats, count: int, value: float) -> int:
    """Put a value in its place in a sorted list and return the list's new length."""
    at = count
    while at > 0 and values[at - 1] > value:
        values[at] = values[at - 1]
        at -= 1
    values[at] = value
    return count + 1


@compiled
def _middle(values: Floats, count: int) -> tuple[float, float]:
    """Return median and spread of a sorted list."""
    if count < FEWEST_VALUES:
        return np.nan, np.nan
    half = count // 2
    middle = values[half] if count % 2 else 0.5 * (values[half - 1] + values[half])
    low, high = values[count // 4], values[count - 1 - count // 4]
    return middle, (high - low) / NORMAL_IQR


@compiled
def _smooth(spread: Floats) -> None:
    """Replace every spread by the mean of those around it, over midnight too."""
    count = len(spread)
    before = spread.copy()
    for slot in range(count):
        total = 0.0
        for near in range(-(AROUND // 2), AROUND // 2 + 1):
            total += before[(slot + near) % count]
        spread[slot] = total / AROUND


@compiled
def _fill(median: Floats, spread: Floats, weekend: npt.NDArray[np.int8]) -> None:
    """Fill cells that hold nothing, from the nearest of the same kind or else of the other."""
    for c in range(median.shape[0]):
        bare = np.isnan(median[c, :, 0])
        for cell in range(len(weekend)):
            for slot in range(median.shape[2]):
                if not np.isnan(median[c, cell, slot]) and not np.isnan(spread[c, cell, slot]):
                    continue
                best, least = -1, 10_000
                for other in range(len(weekend)):
                    away = abs(other - cell) + (1_000 if weekend[other] != weekend[cell] else 0)
                    if (
                        away < least
                        and not bare[other]
                        and not np.isnan(spread[c, other, slot] + median[c, other, slot])
                    ):
                        best, least = other, away
                if best >= 0:
                    median[c, cell, slot], spread[c, cell, slot] = median[c, best, slot], spread[c, best, slot]
