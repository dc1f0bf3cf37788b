"""What ``customers`` reads beside meter data: weather, prices and calls."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from customers.features.price_response import call_response, price_response
from customers.intervals.instants import read_instants
from customers.intervals.series import MeterTable
from customers.portraits.customer import Business
from models.errors import DataError
from models.findings import error, errors_in
from service.commands.screen import count

Array = npt.NDArray[np.float64]
TOLD_MOST = 40


def bytes_of(path: Path) -> bytes:
    """Return a file's content.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as fault:
        raise DataError([error(str(path), f"cannot be read ({fault.strerror})")]) from None


def read_air(path: Path, table: MeterTable) -> Array:
    """Return the outdoor temperature on a table's intervals, from a CSV with a time column and ``air_degc`` (or one other in degC).

    Raises
    ------
    DataError
        If columns are missing, or the file leaves more than six hours of the data without a temperature.
    """
    at, values, wanted = _series(path, table, "air_degc")
    return np.asarray(np.interp(wanted, at, values), dtype=np.float64)


def read_prices(path: Path, table: MeterTable) -> Array:
    """Return the price on a table's intervals, from a CSV with a time column and ``price_per_kwh``; a price holds until the next one.

    Raises
    ------
    DataError
        As for temperatures.
    """
    at, values, wanted = _series(path, table, "price_per_kwh")
    return np.asarray(values[np.maximum(np.searchsorted(at, wanted, side="right") - 1, 0)], dtype=np.float64)


def _series(path: Path, table: MeterTable, name: str) -> tuple[Array, Array, Array]:
    """Return the instants and values of a column, and the instants of a table's intervals; all in seconds."""
    rows = list(csv.reader(bytes_of(path).decode("utf-8-sig").splitlines()))
    heading = [c.strip() for c in rows[0]] if rows else []
    alike = [h for h in heading if h.endswith(name[name.rindex("_") :])]
    if name not in heading and len(alike) == 1:
        name = alike[0]
    if name not in heading or len(heading) < 2:
        raise DataError([error(path.name, f"has columns {', '.join(heading)}; a time and {name} are needed")])
    column = heading.index(name)
    body = [(n, row) for n, row in enumerate(rows[1:], 2) if len(row) > column]
    told = read_instants([row[0] for _, row in body], [n for n, _ in body], table.zone)
    values = pd.to_numeric(pd.Series([row[column] for _, row in body]), errors="coerce").to_numpy(dtype=float)
    bad = [error(f"row {body[k][0]}", f"{name} is no number") for k in np.flatnonzero(~np.isfinite(values))]
    if errors_in(found := [*told.findings, *bad]):
        raise DataError(found[:TOLD_MOST])
    at = np.array([s for s in told.seconds if s is not None], dtype=float)
    wanted = table.intervals.times.to_numpy().astype("datetime64[s]").astype(float)
    outside = int(((wanted < at.min() - 6 * 3600) | (wanted > at.max() + 6 * 3600)).sum()) if len(at) else len(wanted)
    gap = float(np.diff(at).max()) / 3600 if len(at) > 1 else 0.0
    if outside or gap > 6 or (np.diff(at) <= 0).any():
        text = f"{outside} intervals lie outside it, its longest gap is {gap:.0f} h; values in their order without gaps are needed"
        raise DataError([error(path.name, text)])
    return at, values, wanted


def answers_of(
    table: MeterTable, known: Mapping[str, Business], prices: Path | None, calls: Path | None
) -> dict[str, Business]:
    """Return what is known of customers, with how they answer to prices and what calls have moved."""
    found = {name: known.get(name, Business()) for name in table.customers}
    if prices is not None:
        price = read_prices(prices, table)
        found = {n: replace(b, answers=price_response(table, n, price).words) for n, b in found.items()}
    for name, spans in ({} if calls is None else _calls(calls, table)).items():
        moved = call_response(table, name, spans)
        source = f"{count(moved.calls, 'call')} measured, {moved.rebound_share:.0%} drawn again afterwards"
        measured = {"flexible_kw": moved.flexible_kw, "recovery_h": moved.recovery_h, "flexible_from": source}
        found[name] = replace(found[name], **measured)  # type: ignore[arg-type] # a mapping of its own fields
    return found


def _calls(path: Path, table: MeterTable) -> dict[str, list[tuple[datetime, datetime]]]:
    """Return every customer's calls from a CSV with the columns customer, start and end."""
    rows = list(csv.DictReader(bytes_of(path).decode("utf-8-sig").splitlines()))
    numbers = list(range(2, len(rows) + 2))
    told = [read_instants([r.get(n) or "" for r in rows], numbers, table.zone) for n in ("start", "end")]
    strange = {r.get("customer") or "" for r in rows} - set(table.customers)
    wrong = [
        error(f"row {n}", f"{r.get('customer')!r} has no meter data")
        for n, r in zip(numbers, rows, strict=True)
        if (r.get("customer") or "") in strange
    ]
    if found := [*errors_in([f for t in told for f in t.findings]), *wrong]:
        raise DataError(found[:TOLD_MOST])
    calls: dict[str, list[tuple[datetime, datetime]]] = {}
    for row, *span in zip(rows, *(t.seconds for t in told), strict=True):
        start, end = (datetime.fromtimestamp(s or 0, UTC) for s in span)
        calls.setdefault(row["customer"], []).append((start, end))
    return calls
