"""The journal of an order book as a file: batches of events, each line with the digest of the one before; the same file, the same trades."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from market import book_kernel as kernel
from market.book import Act, Life, OrderBook, Side
from market.book_kernel import Ints
from market.products import MarketError
from models.chain import FIRST, canonical, chained
from models.findings import error

FORMAT = "jouletwin-book/1"
COLUMNS = ("act", "order", "owner", "side", "tick", "lots", "shown", "life", "until", "now")
WORDS = {"act": Act, "side": Side, "life": Life}
"""Columns that a file of events may say in words."""


def write_journal(book: OrderBook, path: Path, *, batch: int = 1_000) -> str:
    """Write everything that a book has seen; return the digest of the last line, to be noted elsewhere."""
    head = chained([FORMAT, book.lowest, book.highest], FIRST)
    lines: list[Any] = [{"format": FORMAT, "lowest": book.lowest, "highest": book.highest, "digest": head}]
    events = book.events()
    for k in range(0, len(events), batch):
        rows = events[k : k + batch].tolist()
        head = chained([rows], head)
        lines.append({"events": rows, "digest": head})
    path.write_text("\n".join(canonical(line) for line in lines) + "\n", encoding="utf-8")
    return head


def replay_journal(path: Path) -> OrderBook:
    """Return the book that a journal describes.

    Raises
    ------
    MarketError
        If the file is no journal, or a line was changed or taken away; nothing is replayed then.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or (first := _line(path, 1, lines[0])).get("format") != FORMAT:
        raise MarketError([error(str(path), f"is no journal of a book ({FORMAT})")])
    head = chained([FORMAT, first["lowest"], first["highest"]], FIRST)
    batches, wrong = [], [] if first["digest"] == head else [1]
    for number, text in enumerate(lines[1:], start=2):
        line = _line(path, number, text)
        head = chained([line["events"]], head)
        if line["digest"] != head:
            wrong.append(number)
            head = line["digest"]
        batches.append(np.array(line["events"], dtype=np.int64).reshape(-1, kernel.EVENT_COLUMNS))
    if wrong:
        raise MarketError(
            error(f"{path}:{n}", "was changed, or does not follow the line before; nothing was replayed") for n in wrong
        )
    book = OrderBook(first["lowest"], first["highest"])
    for events in batches:
        book.apply(events)
    return book


def _line(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        raise MarketError(
            [error(f"{path}:{number}", "is no line of a journal; the file was cut or is another one")]
        ) from None
    if not isinstance(found, dict) or "digest" not in found or not ({"events", "format"} & set(found)):
        raise MarketError([error(f"{path}:{number}", "is no line of a journal")])
    return found


def events_of(path: Path) -> Ints:
    """Return the events of a CSV file with a header of ``COLUMNS``; act, side and life may be words (new, buy, ioc). Empty cells are 0.

    Raises
    ------
    MarketError
        With every cell that is no whole number or known word, and every column that is not known.
    """
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        unknown = [c for c in table.fieldnames or () if c not in COLUMNS]
        findings = [error(f"{path}", f"has a column {c}; known are {', '.join(COLUMNS)}") for c in unknown]
        rows: list[list[int]] = []
        for number, row in enumerate(table, start=2):
            rows.append([])
            for column in COLUMNS:
                cell = (row.get(column) or "").strip()
                value = _number(column, cell)
                if value is None:
                    findings.append(error(f"{path}:{number}.{column}", f"{cell!r} is no whole number{_known(column)}"))
                rows[-1].append(value or 0)
    if findings:
        raise MarketError(findings)
    return np.array(rows, dtype=np.int64).reshape(-1, len(COLUMNS))


def _number(column: str, cell: str) -> int | None:
    words = WORDS.get(column)
    if words is not None and cell.upper() in words.__members__:
        return int(words[cell.upper()])
    try:
        return int(cell or 0)
    except ValueError:
        return None


def _known(column: str) -> str:
    words = WORDS.get(column)
    return f" and none of {', '.join(w.name.lower() for w in words)}" if words else ""
