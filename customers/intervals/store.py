"""The base data of customers: what was delivered, what was found in it, and every change since, each version readable at any time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from customers.intervals.rules import Fault, Flags
from customers.intervals.series import MeterTable, Version
from market.meters import Quality
from models.errors import DataError
from models.findings import Finding, error

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Figures that replace others; four arrays of one length: customer's row, interval, kWh, ``market.meters.Quality``."""

    row: Places
    place: Places
    energy_kwh: Floats
    quality: npt.NDArray[np.int8]

    def over(self, table: MeterTable, version: Version) -> MeterTable:
        """Return a table with these figures in place."""
        energy, quality = table.energy_kwh.copy(), table.quality.copy()
        energy[self.row, self.place], quality[self.row, self.place] = self.energy_kwh, self.quality
        return replace(table, energy_kwh=energy, quality=quality, version=version)


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """Figures that a person has set on consecutive intervals, and why."""

    customer: str
    start: datetime
    energy_kwh: tuple[float, ...]
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class IntervalStore:
    """All versions of one table. Changes are kept beside the raw figures, not instead of them, so nothing is ever lost.

    ``flags`` holds a ``Fault`` per interval, ``late_half_hours`` (customer, day) by how much a clock seems to be late.
    """

    raw: MeterTable
    flags: Flags | None = None
    late_half_hours: npt.NDArray[np.int8] | None = None
    estimates: Changes | None = None
    edits: tuple[Edit, ...] = ()

    def version(self, version: Version) -> MeterTable:
        """Return the table as it stands in a version; a version that nobody has made yet is as the one before.

        Validated figures are the raw ones, those that are wrong without any doubt (a stuck meter, a moved point, a turned sign) left out.
        """
        if version is Version.RAW:
            return self.raw
        if version is Version.VALIDATED:
            return self._validated()
        table = self._validated()
        if self.estimates is not None:
            table = self.estimates.over(table, Version.ESTIMATED)
        if version is Version.EDITED:
            for edit in self.edits:
                table = _changes(self.raw, edit).over(table, Version.EDITED)
        return replace(table, version=version)

    @property
    def best(self) -> MeterTable:
        """The newest version."""
        return self.version(Version.EDITED if self.edits else Version.ESTIMATED)

    def _validated(self) -> MeterTable:
        if self.flags is None:
            return replace(self.raw, version=Version.VALIDATED)
        wrong = (self.flags & ~np.uint8(Fault.SHIFT)) != 0
        energy, quality = self.raw.energy_kwh.copy(), self.raw.quality.copy()
        energy[wrong], quality[wrong] = np.nan, Quality.MISSING
        return replace(self.raw, energy_kwh=energy, quality=quality, version=Version.VALIDATED)

    def edited(self, edit: Edit) -> "IntervalStore":
        """Return the store with an edit added.

        Raises
        ------
        DataError
            If the customer is unknown, the intervals are not the table's, a figure is not finite, or nobody or no reason is named.
        """
        if found := list(_wrong(self.raw, edit)):
            raise DataError(found)
        return replace(self, edits=(*self.edits, edit))

    def history(self, customer: str, at: datetime) -> list[tuple[Version, float, str]]:
        """Return what one interval was in every version, with who or what made it so."""
        row, k = self.raw.row(customer), _place(self.raw, at)
        found = [(Version.RAW, float(self.raw.energy_kwh[row, k]), "meter")]
        if self.flags is not None:
            names = ", ".join(f.name.lower() for f in Fault if f.name and int(self.flags[row, k]) & f) or "sound"
            found.append((Version.VALIDATED, found[0][1], names))
        if self.estimates is not None:
            here = (self.estimates.row == row) & (self.estimates.place == k)
            found += [(Version.ESTIMATED, float(v), "own days") for v in self.estimates.energy_kwh[here]]
        for edit in self.edits:
            first = _place(self.raw, edit.start)
            if edit.customer == customer and first <= k < first + len(edit.energy_kwh):
                found.append((Version.EDITED, edit.energy_kwh[k - first], f"{edit.by}: {edit.reason}"))
        return found


def _place(table: MeterTable, at: datetime) -> int:
    return int((at - table.intervals.start).total_seconds() // (table.intervals.minutes * 60))


def _changes(table: MeterTable, edit: Edit) -> Changes:
    count, first = len(edit.energy_kwh), _place(table, edit.start)
    row = np.full(count, table.row(edit.customer), dtype=np.int32)
    place = np.arange(first, first + count, dtype=np.int32)
    quality = np.full(count, Quality.CORRECTED, dtype=np.int8)
    return Changes(row, place, np.asarray(edit.energy_kwh, dtype=np.float32), quality)


def _wrong(table: MeterTable, edit: Edit) -> Iterator[Finding]:
    who = edit.customer
    if who not in table.customers:
        yield error(who, f"is no customer of these data; there are {len(table.customers)} others", who)
    if not edit.by.strip() or not edit.reason.strip():
        yield error(who, "an edit names who makes it and why; both stay with the figures")
    if not edit.energy_kwh or not np.isfinite(edit.energy_kwh).all():
        yield error(who, "an edit sets one or more finite figures in kWh; leave out what is not known")
    if edit.start.tzinfo is None or edit.at.tzinfo is None:
        yield error(who, "an edit needs instants with a zone")
        return
    first = (edit.start - table.intervals.start).total_seconds() / (table.intervals.minutes * 60)
    if first != int(first) or first < 0 or first + len(edit.energy_kwh) > table.intervals.count:
        grid = f"{table.intervals.minutes} min from {table.intervals.start.isoformat()} to {table.intervals.end.isoformat()}"
        yield error(who, f"sets intervals from {edit.start.isoformat()} on that are not those of the data ({grid})")


def fault_counts(flags: Flags) -> dict[Fault, Sequence[int]]:
    """Return how many intervals of every customer have each fault."""
    return {fault: [int(n) for n in ((flags & np.uint8(fault)) != 0).sum(axis=1)] for fault in Fault}
