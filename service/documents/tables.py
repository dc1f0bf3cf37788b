"""Tables of profiles, CSV or Excel, judged cell by cell: everything wrong with them at once, by row and column."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite, nan

from models.errors import DataError
from models.findings import Finding, error
from models.sheets import EXCEL, Rows, workbook_rows
from models.site.profiles import TIME_COLUMN, UNITS

ROWS_MOST, COLUMNS_MOST = 40_000, 200
TOLD_MOST = 200
DIGITS_MOST = 60
"""A number is no longer; reading a text of megabytes as one, in every cell of a column, would take hours."""
MAY_BE_NEGATIVE = ("_degc", "_per_kwh")


def profile_csv(content: bytes) -> bytes:
    """Return a table of profiles as CSV.

    Raises
    ------
    DataError
        With every finding; rows are counted as a spreadsheet counts them, the heading is row 1.
    """
    rows = workbook_rows(content, ROWS_MOST, COLUMNS_MOST) if content.startswith(EXCEL) else _text(content)
    findings: list[Finding] = []
    more = 0
    for finding in _wrong(rows):
        if len(findings) < TOLD_MOST:
            findings.append(finding)
        else:
            more += 1
    if more:
        findings.append(error("file", f"has {more} more findings of these kinds"))
    if findings:
        raise DataError(findings)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _text(content: bytes) -> Rows:
    try:
        text = content.decode("utf-8-sig")
        return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except (UnicodeDecodeError, csv.Error) as fault:
        raise DataError([error("file", f"is neither CSV in UTF-8 nor an Excel workbook: {str(fault)[:120]}")]) from None


def _wrong(rows: Rows) -> Iterator[Finding]:
    """Yield everything that is wrong with a table."""
    heading = [str(cell).strip() for cell in rows[0]] if rows else []
    yield from _heading(heading)
    if not 2 <= len(rows) - 1 <= ROWS_MOST:
        yield error("file", f"has {len(rows) - 1} rows below its heading; 2 to {ROWS_MOST} are possible")
        return
    step: timedelta | None = None
    before: datetime | None = None
    for number, row in enumerate(rows[1:], 2):
        at = _instant(row[0]) if row else None
        if at is None:
            shown = str(row[0])[:40] if row else ""
            yield error(f"row {number}, column {TIME_COLUMN}", f"{shown!r} is no instant; write 2015-01-01T00:00:00Z")
        elif before is not None:
            step = step or at - before
            if at - before != step or step <= timedelta(0):
                words = f"is {at - before} behind the row before; the table's step is {step}"
                yield error(f"row {number}, column {TIME_COLUMN}", words)
        before = at
        yield from _cells(number, heading, row)


def _heading(heading: Sequence[str]) -> Iterator[Finding]:
    if not heading or heading[0] != TIME_COLUMN:
        yield error("row 1", f"the first column is {TIME_COLUMN}, found {heading[0] if heading else 'nothing'!r}")
    if len(heading) < 2:
        yield error("row 1", "names no series")
    if len(heading) > COLUMNS_MOST:
        yield error("row 1", f"names more than {COLUMNS_MOST} columns")
    for name in heading[1:]:
        if not name.endswith(UNITS):
            yield error(f"row 1, column {name[:60]}", f"the name does not end in a unit; use one of {', '.join(UNITS)}")
    for name in sorted({n for n in heading if heading.count(n) > 1}):
        yield error(f"row 1, column {name[:60]}", "stands twice")


def _cells(number: int, heading: Sequence[str], row: Sequence[object]) -> Iterator[Finding]:
    if len(row) != len(heading):
        yield error(f"row {number}", f"has {len(row)} cells; the heading has {len(heading)}")
    for name, cell in zip(heading[1:], row[1:], strict=False):
        value = _number(cell)
        if value is None:
            yield error(f"row {number}, column {name[:60]}", f"{str(cell)[:40]!r} is no number")
        elif value < 0 and not name.endswith(MAY_BE_NEGATIVE):
            yield error(f"row {number}, column {name[:60]}", f"{value:g} is below 0; a demand or yield never is")


def _instant(cell: object) -> datetime | None:
    try:
        found = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _number(cell: object) -> float | None:
    text = str(cell)
    try:
        value = float(text) if len(text) <= DIGITS_MOST else nan
    except ValueError:
        return None
    return value if isfinite(value) else None


def _cell(cell: object) -> object:
    return cell.isoformat() if isinstance(cell, datetime) else cell
