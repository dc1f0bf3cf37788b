"""Meter data of many customers on one grid of intervals: what was drawn, how good each figure is, and which version it is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from market.meters import Quality
from models.carriers import Carrier
from models.errors import DataError
from models.findings import Finding, error
from models.tariffs.calendar import Intervals

Energies = npt.NDArray[np.float32]
Grades = npt.NDArray[np.int8]
FINEST_KWH = 8_388.0
"""Up to here a float32 of kWh keeps every whole Wh."""


class Version(StrEnum):
    """How far meter data have come; each version is made from the one before and none is overwritten."""

    RAW = "raw"
    VALIDATED = "validated"
    """What is surely wrong taken out, and every doubtful figure marked."""
    ESTIMATED = "estimated"
    """What is missing or wrong replaced by an estimate."""
    EDITED = "edited"
    """With figures that a person has set, with name and reason."""


@dataclass(frozen=True, slots=True, eq=False)
class MeterTable:
    """Energy drawn by customers, shape (customer, interval), float32 kWh.

    Positive is drawn by the customer and negative sent out, as meters count and bills read; NaN where nothing is known (its quality is
    MISSING). Whole Wh survive up to 8,388 kWh per interval. Water is in m3. ``quality`` has the same shape and holds
    ``market.meters.Quality``. Times are UTC; ``zone`` is the zone whose clock the customers live by.
    """

    customers: tuple[str, ...]
    intervals: Intervals
    energy_kwh: Energies
    quality: Grades
    zone: str
    carrier: Carrier = Carrier.ELECTRICITY
    version: Version = Version.RAW
    country: str | None = None
    """Whose public holidays the customers keep, a two-letter code; "" none, None those of the zone."""

    def __post_init__(self) -> None:
        if found := list(_wrong(self)):
            raise DataError(found)

    @classmethod
    def of(
        cls,
        customers: Sequence[str],
        start: datetime,
        minutes: int,
        energy_kwh: npt.NDArray[np.floating] | npt.NDArray[np.integer],
        zone: str,
        carrier: Carrier = Carrier.ELECTRICITY,
    ) -> "MeterTable":
        """Return measured data from an array (customer, interval) in kWh; what is NaN is missing.

        Raises
        ------
        DataError
            If names repeat, or shapes and names do not fit.
        """
        energy = np.ascontiguousarray(energy_kwh, dtype=np.float32)
        count = energy.shape[-1] if energy.ndim == 2 else 0
        quality = np.full(energy.shape, Quality.MEASURED, dtype=np.int8)
        quality[np.isnan(energy)] = Quality.MISSING
        intervals = Intervals(start, max(count, 1), minutes)
        return cls(tuple(customers), intervals, energy, quality, zone, carrier)

    @property
    def step_h(self) -> float:
        """Length of an interval in hours."""
        return self.intervals.minutes / 60.0

    @property
    def per_day(self) -> int:
        """Intervals in a day of 24 hours."""
        return 24 * 60 // self.intervals.minutes

    def row(self, customer: str) -> int:
        """Return a customer's row.

        Raises
        ------
        DataError
            If nobody of that name is in the table.
        """
        if customer not in self.customers:
            near = ", ".join(self.customers[:5])
            raise DataError([error(customer, f"is no customer of these data; there are {near} ..", customer)])
        return self.customers.index(customer)

    def select(self, customers: Sequence[str]) -> "MeterTable":
        """Return some customers' rows, in the order asked for."""
        rows = [self.row(c) for c in customers]
        return replace(self, customers=tuple(customers), energy_kwh=self.energy_kwh[rows], quality=self.quality[rows])

    def between(self, start: datetime, end: datetime) -> "MeterTable":
        """Return the intervals that begin in ``start <= t < end``, as views of these arrays."""
        first, last = self.intervals.index(start), self.intervals.index(end)
        if first >= last:
            raise DataError([error("intervals", f"none begins between {start.isoformat()} and {end.isoformat()}")])
        part = slice(first, last)
        grid = Intervals(self.intervals.instant(first), last - first, self.intervals.minutes)
        return replace(self, intervals=grid, energy_kwh=self.energy_kwh[:, part], quality=self.quality[:, part])

    def coverage_share(self) -> npt.NDArray[np.float64]:
        """Return the share of intervals with any figure, per customer."""
        return _shares(self.quality, Quality.SUBSTITUTED, Quality.CORRECTED)

    def estimated_share(self) -> npt.NDArray[np.float64]:
        """Return the share of intervals whose figure was made and not measured, per customer."""
        return _shares(self.quality, Quality.SUBSTITUTED, Quality.ESTIMATED)

    def whole_wh(self, customer: str | None = None) -> npt.NDArray[np.int32]:
        """Return energies in whole Wh as the bill engine reads them; shape (customer, interval), or one customer's row as (1, interval).

        Raises
        ------
        DataError
            If a figure is missing; estimate it first.
        """
        rows = slice(None) if customer is None else slice(self.row(customer), self.row(customer) + 1)
        bare = np.isnan(self.energy_kwh[rows]).sum(axis=1)
        names = self.customers[rows]
        if bare.any():
            gaps = [
                error(names[k], f"{bare[k]} intervals have no figure; estimate them first") for k in bare.nonzero()[0]
            ]
            raise DataError(gaps)
        found = np.empty(self.energy_kwh[rows].shape, dtype=np.int32)
        for k, energies in enumerate(self.energy_kwh[rows]):  # row by row, so that no float64 copy of everything arises
            found[k] = np.rint(energies.astype(np.float64) * 1e3)
        return found


def _shares(quality: Grades, least: int, most: int) -> npt.NDArray[np.float64]:
    """Return the share of every row's qualities from one to another."""
    span = np.uint8(most - least)
    rows = (np.count_nonzero((row.view(np.uint8) - np.uint8(least)) <= span) for row in quality)
    return np.asarray(
        np.fromiter(rows, dtype=np.float64, count=len(quality)) / max(quality.shape[1], 1), dtype=np.float64
    )


def _wrong(t: MeterTable) -> list[Finding]:
    """Return everything about a table that does not fit together."""
    found = []
    shape = (len(t.customers), t.intervals.count)
    for name, array in (("energy_kwh", t.energy_kwh), ("quality", t.quality)):
        if array.shape != shape:
            found.append(error(name, f"has shape {array.shape}; {shape[0]} customers x {shape[1]} intervals are named"))
    twice = [name for name, times in Counter(t.customers).items() if times > 1]
    return found + [error(name, "stands twice among the customers; each has one row", name) for name in twice]
