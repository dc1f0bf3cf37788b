"""Batches of points as files: CSV and Parquet, read whole, everything wrong with them found at once by row and column."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from math import isfinite
from re import fullmatch
from typing import TYPE_CHECKING

from models.errors import DataError
from models.findings import Finding, error
from models.ports import Quality
from service.telemetry.points import GOOD, QUALITIES, Points, at_us

if TYPE_CHECKING:
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

TAG = r"[A-Za-z0-9_.:-]{1,120}"
COLUMNS = ("tag", "at", "value")
ROWS_MOST = 100_000
UNPACKED_MOST = 64 * 2**20
"""A Parquet file that would take more memory than this is not opened."""
TEXT_MOST = 200
"""No text in a file is longer, in bytes."""
TOLD_MOST = 200
"""So many findings are told; the last one counts the rest."""

Row = tuple[object, object, object, object]
"""Tag, instant, value, quality as they stand in a file."""


def from_csv(content: bytes) -> Mapping[str, Points]:
    """Return the series of a table with the columns tag, at, value and, if there is one, quality.

    Raises
    ------
    DataError
        With every finding, by row (the heading is row 1) and column.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise DataError([error("file", f"is not UTF-8 text: byte {fault.start} cannot be read")]) from None
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as fault:
        raise DataError([error("file", f"is not CSV: {fault}")]) from None
    heading = rows[0] if rows else []
    if findings := _columns(heading, len(rows) - 1):
        raise DataError(findings)
    place = [heading.index(c) if c in heading else None for c in (*COLUMNS, "quality")]
    return _series((_picked(row, place) for row in rows[1:]), first=2)


def _picked(row: list[str], place: list[int | None]) -> Row:
    tag, at, value, quality = (row[k] if k is not None and k < len(row) else "" for k in place)
    return tag, at, value, quality


def _columns(heading: Iterable[str], count: int) -> list[Finding]:
    names = list(heading)
    known = (*COLUMNS, "quality")
    found = [
        error(f"column {c}", "is missing; the columns are tag, at, value and quality")
        for c in COLUMNS
        if c not in names
    ]
    found += [
        error(f"column {n[:40]}", "is not known; the columns are tag, at, value and quality")
        for n in names
        if n not in known
    ]
    found += [error(f"column {n}", "stands twice") for n in known if names.count(n) > 1]
    if count > ROWS_MOST:
        found.append(error("file", f"has {count} rows; {ROWS_MOST} are possible at once, so send it in parts"))
    return found


def from_parquet(content: bytes) -> Mapping[str, Points]:
    """Return the series of a Parquet file with the same columns; instants carry a zone.

    Texts are unpacked once each, however many rows have them: a small file can repeat a long one without end.

    Raises
    ------
    DataError
        With every finding, by row (the first is row 1) and column.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        once = [f.name for f in parquet.read_schema(io.BytesIO(content)) if not f.type.num_fields]
        file = parquet.ParquetFile(io.BytesIO(content), read_dictionary=once)
        if findings := [*_columns(file.schema_arrow.names, file.metadata.num_rows), *_sizes(file)]:
            raise DataError(findings)
        table = file.read()
        if findings := list(_texts(table)):
            raise DataError(findings)
        columns = table.to_pydict()
    except (pa.ArrowException, OSError, ValueError) as fault:
        raise DataError([error("file", f"is not Parquet that can be read: {str(fault)[:200]}")]) from None
    nothing: list[object] = [""] * file.metadata.num_rows
    return _series(zip(*(columns.get(c, nothing) for c in (*COLUMNS, "quality")), strict=True), first=1)


def _sizes(file: "ParquetFile") -> Iterator[Finding]:
    """Yield what keeps a file from being unpacked: how large it would be, and columns that are no plain values."""
    about = file.metadata
    groups = [about.row_group(k) for k in range(about.num_row_groups)]
    size = sum(g.total_byte_size for g in groups)
    if size > UNPACKED_MOST:
        yield error("file", f"would unpack to {size / 2**20:.0f} MiB; {UNPACKED_MOST // 2**20} are possible")
    for field in file.schema_arrow:
        if field.type.num_fields:
            yield error(f"column {field.name[:40]}", f"holds {str(field.type)[:40]}; plain values are taken")
    if any(g.column(c).num_values != g.num_rows for g in groups for c in range(g.num_columns)):
        yield error("file", "says another number of rows than its columns have")


def _texts(table: "Table") -> Iterator[Finding]:
    """Yield the columns with texts that are longer than anything that is taken."""
    from pyarrow import compute, types

    for name, column in zip(table.column_names, table.columns, strict=True):
        if types.is_dictionary(column.type):
            lengths = [compute.max(compute.binary_length(c.dictionary)).as_py() or 0 for c in column.chunks]
            if max(lengths, default=0) > TEXT_MOST:
                yield error(f"column {name}", f"has a text of {max(lengths)} bytes; {TEXT_MOST} are possible")


def _series(rows: Iterable[Row], first: int) -> Mapping[str, Points]:
    findings: list[Finding] = []
    kept: dict[str, tuple[list[int], list[float | None], list[int]]] = {}
    wrong = 0
    for number, row in enumerate(rows, first):
        told = list(_wrong(number, row))
        wrong += len(told)
        findings += told[: TOLD_MOST - len(findings)]
        if not wrong:
            at, value, quality = kept.setdefault(str(row[0]), ([], [], []))
            instant, number_ = _instant(row[1]), _number(row[2])
            assert instant is not None  # noqa: S101 # nothing is wrong with the row
            at.append(at_us(instant))
            value.append(number_)
            quality.append(QUALITIES.index(Quality(str(row[3]))) if row[3] else GOOD)
    if wrong > len(findings):
        findings.append(error("file", f"has {wrong - len(findings)} more findings of this kind"))
    if wrong:
        raise DataError(findings)
    return {tag: Points.of(*columns) for tag, columns in kept.items()}


def _wrong(number: int, row: Row) -> Iterator[Finding]:
    """Yield what is wrong with a row."""
    tag, at, value, quality = row
    if not isinstance(tag, str) or not fullmatch(TAG, tag):
        yield error(f"row {number}, column tag", f"{str(tag)[:40]!r} is no name; use letters, digits and _ . : -")
    if _instant(at) is None:
        yield error(
            f"row {number}, column at", f"{str(at)[:40]!r} is no instant with a zone, like 2026-01-01T00:00:00Z"
        )
    if value not in ("", None) and not _is_number(value):
        yield error(
            f"row {number}, column value",
            f"{str(value)[:40]!r} is no finite number; leave it empty where there is none",
        )
    if quality and quality not in set(Quality):
        yield error(f"row {number}, column quality", f"{str(quality)[:40]!r} is none of {', '.join(Quality)}")


def _instant(value: object) -> datetime | None:
    """Return an instant with a zone, None for anything else."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        at_us(found)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None and 1970 <= found.year < 2200 else None


def _is_number(value: object) -> bool:
    try:
        return isfinite(float(str(value)))
    except ValueError:
        return False


def _number(value: object) -> float | None:
    return None if value in ("", None) else float(str(value))
