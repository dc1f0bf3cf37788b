"""What ``package`` reads: one customer's meter data, facts, tariff, and how much the years of others differ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from customers.costs.library import CostLibrary
from customers.intervals.keeping import ENDING, read_store
from customers.intervals.reading import Asked as Read
from customers.intervals.reading import read_meters
from customers.intervals.series import MeterTable
from customers.intervals.store import IntervalStore
from customers.intervals.vee import findings_of, validate
from customers.packages.between import ASSUMED, BetweenYears, learnt
from customers.packages.customer import PackageCustomer, SiteFacts, facts_of
from customers.packages.priced import priced
from customers.packages.sun import generated_archive
from customers.packages.swing import learnt_swing
from customers.packages.variants import Bench, Variant
from models.errors import DataError
from models.findings import Finding, Severity, error
from models.tariffs.file import read_tariff
from models.tariffs.tariff import Tariff

YEAR, WEEKS = timedelta(days=365), timedelta(weeks=52)
SOME = 40
"""Of so many other customers a metered and a next year are compared."""
USUAL_BATTERY = 0.4
"""kWh per kW of peak, at which they are compared: a battery shows what weeks and peaks do."""
LEAST_DAYS = 28


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for one customer."""

    meters: Path
    tariff: Path
    customer: str
    name: str
    sector: str
    zone: str
    unit: str
    roof_m2: float
    facts: tuple[str, ...]
    others: Path | None
    site: Path | None
    bus: str
    internal: bool = False
    package: str = ""


def read_customer(asked: Asked) -> tuple[MeterTable, list[Finding]]:
    """Return one customer's estimated data, at most its last year, and what should be known of them.

    Raises
    ------
    DataError
        If the file cannot be read, holds several customers and none is named, less than four weeks, or gaps that nothing fills.
    """
    store, told = _base_data(asked)
    raw = store.raw
    if not asked.customer and len(raw.customers) > 1:
        there = ", ".join(raw.customers[:8])
        raise DataError(
            [error(asked.meters.name, f"holds {len(raw.customers)} customers; name one with --customer: {there}")]
        )
    one = raw.select([asked.customer or raw.customers[0]])
    grid = one.intervals
    if grid.end - grid.start > YEAR:
        one = one.between(grid.end - YEAR, grid.end)
    if grid.end - grid.start < timedelta(days=LEAST_DAYS):
        days = (grid.end - grid.start) / timedelta(days=1)
        raise DataError(
            [
                error(
                    asked.meters.name,
                    f"covers {days:.1f} days; a design needs {LEAST_DAYS} at least, a year for its seasons",
                )
            ]
        )
    checked = validate(one)
    told += findings_of(checked)
    if bad := [f for f in told if f.severity is Severity.ERROR]:
        raise DataError(bad)
    if store.edits:
        return store.best.select(one.customers).between(one.intervals.start, one.intervals.end), told
    return checked.best, told


def _base_data(asked: Asked) -> tuple[IntervalStore, list[Finding]]:
    """Return meter data from base data with their edits, or from any other file as it came."""
    if asked.meters.suffix.lower() == ENDING:
        return read_store(asked.meters), []
    try:
        content = asked.meters.read_bytes()
    except OSError as fault:
        raise DataError([error(str(asked.meters), f"cannot be read ({fault.strerror})")]) from None
    raw, told = read_meters(content, Read(unit=asked.unit, zone=asked.zone, feeds_in=True))
    return IntervalStore(raw), told


def read_facts(texts: Sequence[str], roof_m2: float) -> SiteFacts:
    """Return facts written as ``name=value``.

    Raises
    ------
    DataError
        With every fact that is unknown or no number that it can be.
    """
    known: dict[str, float] = {"roof_m2": roof_m2} if roof_m2 else {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            known[name] = float(value)
        except ValueError:
            known[name] = math.nan
    return facts_of(known, "--fact ")


def read_tariff_file(path: Path, zone: str) -> Tariff:
    """Return the tariff of a file.

    Raises
    ------
    DataError
        With every problem of the file.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as fault:
        raise DataError([error(str(path), f"cannot be read: {' '.join(str(fault).split())}")]) from None
    if not isinstance(document, dict):
        raise DataError([error(path.name, "is no tariff; it needs bands, or the versions of a whole tariff")])
    tariff, found = read_tariff(document, path.stem, zone)
    if tariff is None:
        raise DataError(found)
    return tariff


def read_others(path: Path | None, tariff: Tariff, library: CostLibrary) -> BetweenYears:
    """Return the between-year terms of the customers in a file; stated assumptions without one.

    A CSV has their yearly sums, base data (.npz) of two years and more their readings, which also tell how far a metered year misleads.

    Raises
    ------
    DataError
        If the file cannot be read, or holds too few customers or years.
    """
    if path is None:
        return ASSUMED
    if path.suffix.lower() == ENDING:
        return _from_readings(read_store(path).best, path.name, tariff, library)
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as fault:
        raise DataError([error(str(path), f"cannot be read as CSV: {fault}")]) from None
    return learnt(table.select_dtypes("number").to_numpy(dtype=np.float64))


def _from_readings(table: MeterTable, name: str, tariff: Tariff, library: CostLibrary) -> BetweenYears:
    """Return between-year terms of customers whose readings cover two years or more; years of whole weeks, so that weekdays compare."""
    years = (table.intervals.end - table.intervals.start) // WEEKS
    whole = table.select(
        [c for c, row in zip(table.customers, table.energy_kwh, strict=True) if not np.isnan(row).any()]
    )
    if years < 2:
        raise DataError([error(name, "covers less than two years; what differs between years needs two or more")])
    edges = [table.intervals.end - k * WEEKS for k in range(years, -1, -1)]
    parts = [whole.between(a, b) for a, b in pairwise(edges)]
    terms = learnt(np.array([p.energy_kwh.sum(axis=1, dtype=np.float64) for p in parts]).T)
    metered, then = (p.select(p.customers[:SOME]) for p in parts[-2:])
    year, sun = priced(tariff, metered.intervals), generated_archive(metered.intervals, [2000])
    people = [
        Bench(PackageCustomer(c, c, "", metered.intervals, wh.astype(np.int64)), year, sun, library)
        for c, wh in zip(metered.customers, metered.whole_wh(), strict=True)
    ]
    designed = [(b, b.simulate(Variant(battery_kwh=USUAL_BATTERY * b.customer.peak_kw))) for b in people]
    return replace(terms, swing=learnt_swing(designed, list(then.energy_kwh / then.step_h)))
