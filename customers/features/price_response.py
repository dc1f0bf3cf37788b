"""How a customer answers to prices and to calls: elasticity, and what a demand-response event moved and when it came back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from customers.intervals.clock import clock_of
from customers.intervals.series import MeterTable
from models.errors import DataError
from models.findings import error

Array = npt.NDArray[np.float64]
LEAST_SPREAD = 0.02
"""Prices whose logarithm spreads less than this within one time of day tell nothing about answers to prices."""
BASE_DAYS = 10
RECOVERY_H = 12.0
BACK_SHARE = 0.05
"""A load is back when it is within this share of its baseline."""


@dataclass(frozen=True, slots=True)
class PriceResponse:
    """Change of load in per cent for a per cent of price, with its standard error; ``elasticity`` is None where the data cannot tell."""

    elasticity: float | None
    error: float
    words: str


@dataclass(frozen=True, slots=True)
class CallResponse:
    """What calls moved: mean power given up against the baseline, its standard error, the share drawn later, and hours until it was back."""

    flexible_kw: float
    error_kw: float
    rebound_share: float
    recovery_h: float
    calls: int


def price_response(table: MeterTable, customer: str, price_per_kwh: Array) -> PriceResponse:
    """Return the elasticity of a customer's load to a price by interval, held to the same time of day, month and kind of day.

    Standard errors allow for days that are alike within themselves. A tariff whose price is always the same at one time of day cannot tell
    a habit from an answer, and the words say so.

    Source: regression with fixed effects; errors clustered by day (Liang & Zeger 1986).
    """
    clock = clock_of(table)
    energy = table.energy_kwh[table.row(customer)].astype(np.float64)
    month = clock.month.astype(np.int64)[clock.day]
    cell = (month * 2 + (clock.kind > 0)[clock.day]) * clock.per_day + clock.slot
    good = np.isfinite(energy) & (energy > 0) & (price_per_kwh > 0)
    if good.sum() < clock.per_day:
        return PriceResponse(None, float("nan"), "too few intervals with a load and a price above zero")
    load, price = (_within(np.log(v[good]), cell[good]) for v in (energy, price_per_kwh))
    if price.std() < LEAST_SPREAD:
        return PriceResponse(
            None, float("nan"), "prices hardly differ at one time of day, so habit and answer cannot be told apart"
        )
    slope = float(price @ load / (price @ price))
    by_day = np.bincount(clock.day[good], weights=price * (load - slope * price))
    spread = float(np.sqrt((by_day**2).sum()) / (price @ price))
    sure = abs(slope) > 2 * spread
    words = f"{slope:+.2f} % of load per 1 % of price (± {2 * spread:.2f})" + ("" if sure else ": not told from zero")
    return PriceResponse(slope, spread, words)


def _within(values: Array, cell: npt.NDArray[np.int64]) -> Array:
    """Return values less the mean of their cell."""
    total = np.bincount(cell, weights=values)
    return np.asarray(values - (total / np.maximum(np.bincount(cell), 1))[cell])


def call_response(table: MeterTable, customer: str, calls: Sequence[tuple[datetime, datetime]]) -> CallResponse:
    """Return what a customer gave up during calls and drew again afterwards.

    The baseline is the mean of the ten last like days without a call, moved to the level of the two hours before the call.

    Raises
    ------
    DataError
        If no call lies within the data with days before it.

    Source: the ten-of-ten baseline with a same-day adjustment, as system operators settle demand response.
    """
    clock, row = clock_of(table), table.energy_kwh[table.row(customer)].astype(np.float64)
    called = {
        int(clock.day[table.intervals.index(start)]) for start, _ in calls if table.intervals.index(start) < len(row)
    }
    found = [_one_call(table, row, span, called) for span in calls]
    known = np.array([f for f in found if f is not None])
    if not len(known):
        text = "no call has ten like days before it in the data; bring data from before the first call"
        raise DataError([error(customer, text, customer)])
    spread = float(known[:, 0].std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else float("nan")
    means = known.mean(axis=0)
    return CallResponse(float(means[0]), spread, float(means[1]), float(means[2]), len(known))


def _one_call(
    table: MeterTable, row: Array, span: tuple[datetime, datetime], called: set[int]
) -> tuple[float, float, float] | None:
    """Return power given up, share drawn afterwards and hours until back for one call; None without days to compare."""
    clock, step_h = clock_of(table), table.step_h
    first, last = (table.intervals.index(t) for t in span)
    per_day, after = clock.per_day, round(RECOVERY_H / step_h)
    day = int(clock.day[first]) if first < len(row) else -1
    like = [d for d in range(day - 1, -1, -1) if (clock.kind[d] > 0) == (clock.kind[day] > 0) and d not in called]
    back = [(day - d) * per_day for d in like[:BASE_DAYS]]
    if len(back) < BASE_DAYS or first >= last or first - max(back) < 8:
        return None
    end = min(last + after, len(row))
    lead = round(2 / step_h)
    base = np.mean([row[first - b - lead : end - b] for b in back], axis=0)
    base = base * row[first - lead : first].sum() / max(base[:lead].sum(), 1e-9)
    less = (base - row[first - lead : end])[lead:]
    during, later = less[: last - first], less[last - first :]
    given = float(during.mean() / step_h)
    off = np.flatnonzero(np.abs(later) > BACK_SHARE * base[lead + last - first :])
    back_h = float((_first_quiet(off, len(later))) * step_h)
    return given, float(-later.sum() / max(during.sum(), 1e-9)), back_h


def _first_quiet(off: npt.NDArray[np.int64], count: int) -> int:
    """Return the first of four intervals in a row that are not off; ``count`` where there are none."""
    wrong = np.zeros(count + 4, dtype=bool)
    wrong[off] = True
    return next((k for k in range(count) if not wrong[k : k + 4].any()), count)
