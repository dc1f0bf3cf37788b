"""Import of meter data: CSV or Excel, one column per customer or one row per reading, any interval, judged whole before anything is taken."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from customers.intervals.instants import lasting_s, read_instants, step_of
from customers.intervals.laying import Series, lay
from customers.intervals.series import MeterTable
from customers.intervals.units import check_size, check_unit, split_unit, unit_named
from models.carriers import Carrier
from models.errors import DataError
from models.findings import Finding, Severity, error, errors_in, warning
from models.sheets import EXCEL, Rows, workbook_rows

ROWS_MOST, COLUMNS_MOST = 2_000_000, 10_000
SHEET_ROWS_MOST, SHEET_COLUMNS_MOST = 200_000, 500
TOLD_MOST = 100
DELIMITERS = ",;\t|"
CUSTOMER_NAMES = ("customer", "meter", "id", "customer_id", "meter_id")
END_NAMES = ("end", "to", "until", "end_time", "interval_end")
VALUE_NAMES = ("value", "reading", "energy", "power", "consumption")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a file does not say of itself.

    ``unit`` holds for columns whose name carries none; ``zone`` for times without one and is the clock that the customers live by;
    ``stamped_at_end`` where a reading is stamped with the end of its interval; ``feeds_in`` where customers may send energy out.
    """

    unit: str = ""
    zone: str = ""
    carrier: Carrier = Carrier.ELECTRICITY
    kwh_per_m3: float | None = None
    stamped_at_end: bool = False
    feeds_in: bool = False


def read_meters(content: bytes, asked: Asked = Asked()) -> tuple[MeterTable, list[Finding]]:
    """Return meter data from a file's bytes, and the warnings about them.

    Raises
    ------
    DataError
        With every finding when one of them is an error; nothing is taken then. Rows are counted as a spreadsheet counts them, the heading
        is row 1.
    """
    if findings := _stated(asked):
        raise DataError(findings)
    rows = _rows(content)
    series, findings = _long(rows, asked) if _is_long(rows) else _wide(rows, asked)
    _stop(findings)
    table, more = lay(series, asked.zone or "UTC", asked.carrier)
    findings += more
    means = _means_kw(table)
    for customer, mean_kw in zip(table.customers, means, strict=True):
        findings += check_size(customer, mean_kw, asked.carrier)
    findings += _negative(series, asked)
    _stop(findings)
    return table, findings


def _stop(findings: Sequence[Finding]) -> None:
    """Raise when there is an error, with at most so many findings told and the rest counted."""
    if errors_in(findings):
        told = sorted(findings, key=lambda f: f.severity is not Severity.ERROR)
        more = [error("file", f"has {len(told) - TOLD_MOST} more findings")] if len(told) > TOLD_MOST else []
        raise DataError([*told[:TOLD_MOST], *more])


def _stated(asked: Asked) -> list[Finding]:
    try:
        ZoneInfo(asked.zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [error("zone", f"{asked.zone!r} is no time zone; use a name as Asia/Shanghai or Europe/Berlin")]
    return []


def _rows(content: bytes) -> Rows:
    """Return the cells of a file; the delimiter is the one that parts the heading into most columns."""
    if content.startswith(EXCEL):
        return workbook_rows(content, SHEET_ROWS_MOST, SHEET_COLUMNS_MOST)
    try:
        text = content.decode("utf-8-sig")
        heading = text[: text.find("\n")] if "\n" in text else text
        delimiter = max(DELIMITERS, key=heading.count)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error) as fault:
        words = f"is neither a table in UTF-8 nor an Excel workbook: {str(fault)[:120]}"
        raise DataError([error("file", words)]) from None
    if len(rows) < 3 or len(rows) > ROWS_MOST or len(rows[0]) < 2 or len(rows[0]) > COLUMNS_MOST:
        words = f"has {len(rows)} rows and {len(rows[0]) if rows else 0} columns; a heading, two rows and two columns at least"
        raise DataError([error("file", f"{words}, {ROWS_MOST:,} rows and {COLUMNS_MOST:,} columns at most")])
    return rows


def _is_long(rows: Rows) -> bool:
    """Return whether the heading names one column of customers and one of values."""
    names = [split_unit(str(cell))[0].lower() for cell in rows[0]]
    return any(n in CUSTOMER_NAMES for n in names) and any(n in VALUE_NAMES for n in names)


def _wide(rows: Rows, asked: Asked) -> tuple[list[Series], list[Finding]]:
    """Return one series per column behind the first, which holds the times."""
    heading = [split_unit(str(cell)) for cell in rows[0]]
    findings = [error("row 1", "the first column holds the times; the others need names")] if len(heading) < 2 else []
    for name, times in Counter(name for name, _ in heading[1:]).items():
        if times > 1 or not name:
            findings.append(error("row 1", f"column {name!r} stands {times} times; every customer has one column"))
    body = [(n, row) for n, row in enumerate(rows[1:], 2) if any(str(cell).strip() for cell in row if cell is not None)]
    for n, row in body:
        if len(row) > len(heading):
            findings.append(error(f"row {n}", f"has {len(row)} cells; the heading has {len(heading)}"))
    numbers = [n for n, _ in body]
    told = read_instants([row[0] for _, row in body], numbers, asked.zone)
    findings += told.findings
    series = []
    for column, (name, unit) in enumerate(heading[1:], 1):
        findings += check_unit(unit or asked.unit, f"column {name}", asked.carrier, asked.kwh_per_m3)
        cells = [row[column] if column < len(row) else None for _, row in body]
        series.append(_series(name, unit, told.seconds, cells, numbers, asked, findings))
    return series, findings


def _long(rows: Rows, asked: Asked) -> tuple[list[Series], list[Finding]]:
    """Return one series per customer of a table with a column for customer, time and value each."""
    heading = [split_unit(str(cell)) for cell in rows[0]]
    names = [name.lower() for name, _ in heading]
    who = next(k for k, n in enumerate(names) if n in CUSTOMER_NAMES)
    what = next(k for k, n in enumerate(names) if n in VALUE_NAMES)
    until = next((k for k, n in enumerate(names) if n in END_NAMES), None)
    when = next((k for k in range(len(names)) if k not in (who, what, until)), None)
    if when is None:
        return [], [error("row 1", "names customers and values; a column with the times is missing")]
    unit = heading[what][1]
    findings = check_unit(unit or asked.unit, f"column {names[what]}", asked.carrier, asked.kwh_per_m3)
    groups: dict[str, list[int]] = {}
    for n, row in enumerate(rows[1:], 1):
        if len(row) > max(who, what, when):
            groups.setdefault(str(row[who]).strip(), []).append(n)
        elif any(str(cell).strip() for cell in row):
            findings.append(error(f"row {n + 1}", f"has {len(row)} cells; the heading has {len(heading)}"))
    series = []
    for name, places in groups.items():
        numbers = [n + 1 for n in places]
        told = read_instants([rows[n][when] for n in places], numbers, asked.zone)
        findings += told.findings
        one = _series(name, unit, told.seconds, [rows[n][what] for n in places], numbers, asked, findings)
        if until is not None:
            ends = read_instants([rows[n][until] if len(rows[n]) > until else "" for n in places], numbers, asked.zone)
            findings += ends.findings
            lasting, wrong = lasting_s(name, told.seconds, ends.seconds, numbers)
            findings += wrong
            one = replace(one, stamped_at_end=False, table_step_s=lasting, ends_stated=True)
        series.append(one)
    return series, findings


def _series(
    name: str,
    unit_name: str,
    seconds: Sequence[int | None],
    cells: Sequence[object],
    rows: Sequence[int],
    asked: Asked,
    findings: list[Finding],
) -> Series:
    """Return one customer's readings in kWh or kW by instant; cells that are no numbers are findings, empty ones gaps."""
    unit = unit_named(unit_name or asked.unit)
    factor = unit.factor if unit else 1.0
    if unit and unit.volume and asked.carrier is Carrier.GAS:
        factor *= asked.kwh_per_m3 or 1.0
    at, value, row = [], [], []
    for second, cell, number in zip(seconds, cells, rows, strict=True):
        found = _number(cell)
        if found is None:
            findings.append(error(f"row {number}, column {name}", f"{str(cell)[:40]!r} is no number"))
        elif second is not None and not np.isnan(found):
            at.append(second)
            value.append(found * factor)
            row.append(number)
    step_s = step_of(sorted({s for s in seconds if s is not None}))
    return Series(name, bool(unit and unit.power), asked.stamped_at_end, at, value, row, step_s)


def _number(cell: object) -> float | None:
    """Return a cell's number, NaN for an empty one, None for what is no number; a decimal comma is understood."""
    if cell is None or (text := str(cell).strip()) == "" or text.lower() in ("nan", "null", "n/a", "-"):
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            return None
    return value if isfinite(value) else None


def _means_kw(table: MeterTable) -> list[float]:
    there = ~np.isnan(table.energy_kwh)
    total = np.where(there, table.energy_kwh, 0).sum(axis=1, dtype=np.float64)
    return [float(t / n / table.step_h) if n else float("nan") for t, n in zip(total, there.sum(axis=1), strict=True)]


def _negative(series: Sequence[Series], asked: Asked) -> Iterator[Finding]:
    """Yield what is below zero: an error but for electricity, and for electricity a warning unless customers may feed in."""
    for one in series:
        below = [row for row, value in zip(one.rows, one.values, strict=True) if value < 0]
        if not below or (asked.feeds_in and asked.carrier is Carrier.ELECTRICITY):
            continue
        words = f"{len(below)} values are below 0, the first in row {below[0]}"
        if asked.carrier is Carrier.ELECTRICITY:
            yield warning(
                one.customer, f"{words}; say that customers feed in, or let the check find turned signs", one.customer
            )
        else:
            yield error(one.customer, f"{words}; {asked.carrier.value} is only ever drawn", one.customer)
