"""What meters delivered, when, and how good it is: nothing is overwritten, and any past view can be had again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import Finding, error
from models.tariffs.calendar import Intervals

Ints = npt.NDArray[np.int64]
WEEK = timedelta(days=7)


class Quality(IntEnum):
    """How a reading came about; a larger one replaces a smaller one, among equals the later delivery holds."""

    MISSING = 0
    SUBSTITUTED = 1
    """Made here, from the same time of other weeks."""
    ESTIMATED = 2
    """Estimated by who reads the meter."""
    MEASURED = 3
    CORRECTED = 4
    """Measured, and replaced after a check of the meter."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Readings of one meter on consecutive intervals from ``start``, in whole Wh, as they arrived at ``received_at``."""

    meter: str
    start: datetime
    wh: tuple[int, ...]
    received_at: datetime
    quality: Quality = Quality.MEASURED


@dataclass(frozen=True, slots=True)
class MeterView:
    """One meter on the intervals of a bill; ``quality`` has the shape of ``wh``, (interval,)."""

    meter: str
    intervals: Intervals
    wh: Ints
    quality: npt.NDArray[np.int8]

    def substituted(self, last: int) -> int:
        """Return how many of the last so many intervals were not measured."""
        return int((self.quality[-last:] < Quality.MEASURED).sum())


class MeterBook:
    """Deliveries in the order of their arrival; they are only ever added."""

    def __init__(self, minutes: int = 15) -> None:
        self.minutes = minutes
        self._deliveries: dict[str, list[Delivery]] = {}

    def add(self, delivery: Delivery) -> None:
        """Take a delivery in.

        Raises
        ------
        DataError
            If its start is off the grid of intervals, it is empty, or it holds anything but integers.
        """
        if found := list(self._wrong(delivery)):
            raise DataError(found)
        self._deliveries.setdefault(delivery.meter, []).append(delivery)

    def _wrong(self, d: Delivery) -> Iterable[Finding]:
        if d.start.tzinfo is None or d.received_at.tzinfo is None:
            yield error(d.meter, "a delivery needs times with a zone")
        elif d.start.timestamp() % (self.minutes * 60):
            yield error(d.meter, f"begins at {d.start.isoformat()}, between two intervals of {self.minutes} min")
        if not d.wh:
            yield error(d.meter, "holds no readings")
        if any(not isinstance(v, int) for v in d.wh):
            yield error(d.meter, "readings are whole Wh as integers; a missing one is left out, not NaN")

    def start(self, meter: str) -> datetime | None:
        """Return the first instant that any delivery of a meter covers, None for a meter without deliveries."""
        return min((d.start for d in self._deliveries.get(meter, ())), default=None)

    def view(self, meter: str, intervals: Intervals, as_of: datetime) -> MeterView:
        """Return the best readings that had arrived by ``as_of``, gaps substituted.

        A gap takes the mean of the same interval one week before and one week after, or the one of both that is there.

        Raises
        ------
        DataError
            If a gap has neither; the first such instant is named.
        """
        reach = WEEK // timedelta(minutes=self.minutes)
        wide = Intervals(intervals.start - WEEK, intervals.count + 2 * reach, intervals.minutes)
        if intervals.minutes != self.minutes:
            raise DataError(
                [
                    error(
                        meter, f"is metered every {self.minutes} min and cannot be billed every {intervals.minutes} min"
                    )
                ]
            )
        wh, quality = self._assembled(meter, wide, as_of)
        middle = slice(reach, reach + intervals.count)
        found, grade = wh[middle].copy(), quality[middle].copy()
        gaps = np.flatnonzero(grade == Quality.MISSING)
        near = np.stack([gaps, gaps + 2 * reach])
        there = (quality[near] != Quality.MISSING).astype(np.int64)
        if bare := gaps[there.sum(axis=0) == 0].tolist():
            when = intervals.instant(bare[0]).isoformat()
            raise DataError(
                [
                    error(
                        meter,
                        f"{len(bare)} intervals from {when} on have no reading a week before or after; read or estimate them",
                    )
                ]
            )
        found[gaps] = (wh[near] * there).sum(axis=0) // there.sum(axis=0)
        grade[gaps] = Quality.SUBSTITUTED
        return MeterView(meter, intervals, found, grade)

    def _assembled(self, meter: str, grid: Intervals, as_of: datetime) -> tuple[Ints, npt.NDArray[np.int8]]:
        wh, quality = np.zeros(grid.count, dtype=np.int64), np.zeros(grid.count, dtype=np.int8)
        for d in sorted(self._deliveries.get(meter, ()), key=lambda d: d.received_at):
            offset = (d.start - grid.start) // timedelta(minutes=self.minutes)
            first, last = max(offset, 0), min(offset + len(d.wh), grid.count)
            if d.received_at > as_of or first >= last:
                continue
            better = quality[first:last] <= d.quality
            wh[first:last][better] = np.asarray(d.wh[first - offset : last - offset])[better]
            quality[first:last][better] = d.quality
        return wh, quality
