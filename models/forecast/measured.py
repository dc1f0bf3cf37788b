"""What was measured, kept by the minute: the history that a forecast reads where there is no other."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.forecast.naive import History
from models.horizon import Horizon, require_utc

Array = npt.NDArray[np.float64]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEPT = timedelta(days=8)
"""A week, which forecasts look back, and a day to spare."""
ENOUGH_SHARE = 0.5
"""A step of which so many minutes were measured is known; a mean of fewer would be a chance hit."""


class MeasuredHistory:
    """Series as they were measured in the last days, and ``fallback``'s where nobody measured.

    Kept in memory: a new start begins with the fallback alone. Prices and other series that nothing measures are always the fallback's.
    """

    def __init__(self, fallback: History, *, kept: timedelta = KEPT) -> None:
        self.fallback = fallback
        self.since: datetime | None = None
        """When the first of it was measured; None before."""
        self._count = kept // MINUTE
        self._number = np.full(self._count, -1, dtype=np.int64)
        self._sums: dict[str, Array] = {}
        self._times: dict[str, Array] = {}

    def add(self, at: datetime, seen: Mapping[str, float]) -> None:
        """Keep what was measured at an instant, by series; values that are no number are left out."""
        self.since = self.since or at
        number = (require_utc(at) - EPOCH) // MINUTE
        slot = number % self._count
        if self._number[slot] != number:
            self._number[slot] = number
            for kept in (*self._sums.values(), *self._times.values()):
                kept[slot] = 0.0
        for name, value in seen.items():
            if isfinite(value):
                self._of(self._sums, name)[slot] += value
                self._of(self._times, name)[slot] += 1.0

    def means(self, horizon: Horizon) -> xr.DataArray:
        """Return the mean of every series of the fallback over every step; dims (series, time).

        Raises
        ------
        ValueError
            If an edge of the horizon is not on a whole minute.
        """
        found = self.fallback.means(horizon).transpose("series", "time")
        first = np.array([_whole_minute(e) for e in horizon.edges])
        table = found.to_numpy().copy()
        for row, name in enumerate(str(s) for s in found["series"].to_numpy()):
            if name in self._sums:
                means, seen_share = self._measured(name, first)
                table[row] = np.where(seen_share >= ENOUGH_SHARE, means, table[row])
        return found.copy(data=table)

    def _measured(self, name: str, first: npt.NDArray[np.int64]) -> tuple[Array, Array]:
        """Return the mean of the measured minutes of every step, and which part of its minutes was measured."""
        numbers = np.arange(first[0], first[-1])
        slots = numbers % self._count
        times = np.where(self._number[slots] == numbers, self._times[name][slots], 0.0)
        per_minute = np.divide(self._sums[name][slots], times, out=np.zeros_like(times), where=times > 0)
        starts = first[:-1] - first[0]
        minutes = np.add.reduceat((times > 0).astype(float), starts)
        means = np.divide(np.add.reduceat(per_minute, starts), minutes, out=np.zeros_like(minutes), where=minutes > 0)
        return means, minutes / np.diff(first)

    def _of(self, table: dict[str, Array], name: str) -> Array:
        if name not in table:
            table[name] = np.zeros(self._count)
        return table[name]


def _whole_minute(instant: datetime) -> int:
    number, rest = divmod(instant - EPOCH, MINUTE)
    if rest:
        raise ValueError(f"{instant.isoformat()} is not on a whole minute")
    return number
