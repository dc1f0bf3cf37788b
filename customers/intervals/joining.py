"""Meter data that came in files of their own, as one table: what segments and recommendations over many customers are made from."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from customers.intervals.series import MeterTable
from market.meters import Quality
from models.errors import DataError
from models.findings import Finding, error, warning
from models.tariffs.calendar import Intervals

YEAR, LEAST = timedelta(days=365), timedelta(days=28)
HOUR = 60


def joined(tables: Mapping[str, MeterTable], span: timedelta = YEAR) -> tuple[MeterTable, list[Finding]]:
    """Return tables of one customer each as one by the hour, over at most the ``span`` before the newest reading, and who was left out.

    What a customer has no readings of stays without a figure. Left out is who lives by another clock or is metered in another carrier than
    most, and who has less than four weeks in that span.

    Raises
    ------
    DataError
        If nobody is left.
    """
    kinds = [(t.zone, t.carrier) for t in tables.values()]
    zone, carrier = max(kinds, key=kinds.count, default=("UTC", None))
    alike = {n: t for n, t in tables.items() if (t.zone, t.carrier) == (zone, carrier)}
    told = [
        warning(n, f"lives by the clock of {t.zone} and is metered in {t.carrier.value}; it is left out here", n)
        for n, t in tables.items()
        if n not in alike
    ]
    end = max((t.intervals.end for t in alike.values()), default=None)
    kept = {} if end is None else {n: t for n, t in alike.items() if _days(t, end, span) >= LEAST}
    told += [
        warning(n, "has less than 28 days in the time compared; it is left out here", n) for n in alike if n not in kept
    ]
    if end is None or not kept:
        raise DataError(
            [*(error(f.place, f.message) for f in told), error("customers", "nobody has data to be compared")]
        )
    return _laid({n: _by_hour(t) for n, t in kept.items()}, span), told


def _by_hour(table: MeterTable) -> MeterTable:
    """Return a table by whole hours; an hour that lacks a reading has none, and takes the quality of its worst one."""
    each = HOUR // table.intervals.minutes
    first = -(table.intervals.start.minute // table.intervals.minutes) % each
    count = (table.intervals.count - first) // each
    part = slice(first, first + count * each)
    shape = (len(table.customers), count, each)
    energy, quality = table.energy_kwh[:, part].reshape(shape), table.quality[:, part].reshape(shape)
    grid = Intervals(table.intervals.instant(first), count, HOUR)
    return replace(table, intervals=grid, energy_kwh=energy.sum(axis=2), quality=quality.min(axis=2))


def _days(table: MeterTable, end: datetime, span: timedelta) -> timedelta:
    return table.intervals.end - max(table.intervals.start, end - span)


def _laid(tables: Mapping[str, MeterTable], span: timedelta) -> MeterTable:
    """Return tables by the hour on one grid: the ``span`` before the newest reading, or what there is of it."""
    end = max(t.intervals.end for t in tables.values())
    start = max(min(t.intervals.start for t in tables.values()), end - span)
    grid = Intervals(start, int((end - start) / timedelta(hours=1)), HOUR)
    energy = np.full((len(tables), grid.count), np.nan, dtype=np.float32)
    quality = np.full(energy.shape, Quality.MISSING, dtype=np.int8)
    for row, table in enumerate(tables.values()):
        part = table.between(max(start, table.intervals.start), table.intervals.end)
        first = int((part.intervals.start - start) / timedelta(hours=1))
        energy[row, first : first + part.intervals.count] = part.energy_kwh[0]
        quality[row, first : first + part.intervals.count] = part.quality[0]
    return replace(
        next(iter(tables.values())), customers=tuple(tables), intervals=grid, energy_kwh=energy, quality=quality
    )
