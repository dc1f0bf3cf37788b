"""Estimation: what stands in for missing and wrong figures, made from the customer's own days."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from customers.intervals.rules import Fault, Flags, lay_over
from customers.intervals.series import MeterTable
from customers.intervals.store import Changes
from customers.intervals.usual import Usual
from market.meters import Quality
from models.networks.jit import compiled, in_pieces

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
WRONG = int(Fault.GAP | Fault.STUCK | Fault.SCALE | Fault.SIGN | Fault.SPIKE)
"""A clock that may be off is left as it is."""
LINE_HOURS = 1.0
"""Up to here a gap is bridged by a straight line."""
NEAR_DAYS, FAR_DAYS = 1, 7
"""A longer gap takes the usual day at the level of so many days around it, the nearer ones where they say enough."""
LEAST_LEVEL, MOST_LEVEL = 0.3, 3.0


def estimate(table: MeterTable, known: Usual, flags: Flags) -> Changes:
    """Return what replaces every figure that is missing or wrong.

    A moved decimal point is moved back and a turned sign turned; up to an hour is bridged by a straight line; what lasts longer takes the
    usual figures of its month, kind of day and time of day, at the level of the days around. Where nothing is usual, a gap stays a gap.
    """
    count = np.zeros(len(table.customers), dtype=np.int64)
    _each(count, lambda c: _count(flags[c], count, c))
    first = np.concatenate([[0], np.cumsum(count)])
    place = np.empty(int(first[-1]), dtype=np.int32)
    value = np.empty(int(first[-1]), dtype=np.float32)
    cell, clock = known.layout.cell[known.layout.clock.day], known.layout.clock
    line = max(int(LINE_HOURS / table.step_h), 1)

    def one(c: int) -> None:
        usual = np.empty(table.intervals.count, dtype=np.float32)
        lay_over(known.median[c], cell, clock.slot, usual)
        part = slice(int(first[c]), int(first[c + 1]))
        _estimate_row(table.energy_kwh[c], flags[c], usual, line, table.per_day, place[part], value[part])

    _each(count, one)
    row = np.repeat(np.arange(len(count), dtype=np.int32), count)
    sure = ~np.isnan(value)
    made = np.full(int(sure.sum()), Quality.SUBSTITUTED, dtype=np.int8)
    return Changes(row[sure], place[sure], value[sure], made)


def _each(rows: Ints, work: Callable[[int], None]) -> None:
    """Do something for every row, on all cores."""

    def piece(first: int, last: int) -> None:
        for c in range(first, last):
            work(c)

    in_pieces(len(rows), piece)


@compiled
def _count(marks: Flags, out: Ints, c: int) -> None:
    for mark in marks:
        out[c] += (mark & WRONG) != 0


@compiled
def _estimate_row(
    row: Floats, marks: Flags, usual: Floats, line: int, per_day: int, place: npt.NDArray[np.int32], value: Floats
) -> None:
    """Write place and figure of everything that is replaced in one customer's row."""
    at, k = 0, 0
    while k < len(row):
        if not marks[k] & WRONG:
            k += 1
            continue
        end = k + 1
        while end < len(row) and marks[end] & WRONG:
            end += 1
        level = _level(row, marks, usual, k, end, NEAR_DAYS * per_day)
        if np.isnan(level):
            level = _level(row, marks, usual, k, end, FAR_DAYS * per_day)
        for i in range(k, end):
            place[at] = i
            if marks[i] & 4 and usual[i] > 0:
                value[at] = row[i] / 10.0 ** max(np.rint(np.log10(row[i] / usual[i])), 1.0)
            elif marks[i] & 8:
                value[at] = -row[i]
            elif end - k <= line and k > 0 and end < len(row):
                value[at] = row[k - 1] + (row[end] - row[k - 1]) * (i - k + 1) / (end - k + 1)
            else:
                value[at] = usual[i] * (1.0 if np.isnan(level) else level)
            at += 1
        k = end


@compiled
def _level(row: Floats, marks: Flags, usual: Floats, begin: int, end: int, reach: int) -> float:
    """Return how much more than usual is drawn around a stretch; NaN where too little is known there."""
    drawn, expected, count = 0.0, 0.0, 0
    for k in range(max(begin - reach, 0), min(end + reach, len(row))):
        if (k < begin or k >= end) and not marks[k] & WRONG and not np.isnan(usual[k]):
            drawn += row[k]
            expected += usual[k]
            count += 1
    if count < reach // 2 or expected <= 0.0:
        return np.nan
    return min(max(drawn / expected, LEAST_LEVEL), MOST_LEVEL)
