"""What ``package`` reads: one customer's meter data, facts, tariff, and how much the years of others differ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from customers.intervals.reading import Asked as Read
from customers.intervals.reading import read_meters
from customers.intervals.series import MeterTable
from customers.intervals.vee import findings_of, validate
from customers.packages.between import ASSUMED, BetweenYears, learnt
from customers.packages.customer import SiteFacts, facts_of
from models.errors import DataError
from models.findings import Finding, Severity, error
from models.tariffs.file import read_tariff
from models.tariffs.tariff import Tariff

YEAR = timedelta(days=365)
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


def read_customer(asked: Asked) -> tuple[MeterTable, list[Finding]]:
    """Return one customer's estimated data, at most its last year, and what should be known of them.

    Raises
    ------
    DataError
        If the file cannot be read, holds several customers and none is named, less than four weeks, or gaps that nothing fills.
    """
    try:
        content = asked.meters.read_bytes()
    except OSError as fault:
        raise DataError([error(str(asked.meters), f"cannot be read ({fault.strerror})")]) from None
    raw, told = read_meters(content, Read(unit=asked.unit, zone=asked.zone, feeds_in=True))
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
    store = validate(one)
    told += findings_of(store)
    if bad := [f for f in told if f.severity is Severity.ERROR]:
        raise DataError(bad)
    return store.best, told


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


def read_others(path: Path | None) -> BetweenYears:
    """Return the between-year terms of the customers in a file; stated assumptions without one."""
    if path is None:
        return ASSUMED
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as fault:
        raise DataError([error(str(path), f"cannot be read as CSV: {fault}")]) from None
    return learnt(table.select_dtypes("number").to_numpy(dtype=np.float64))
