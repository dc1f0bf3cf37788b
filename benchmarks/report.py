"""The closing table and the JSON file of a run."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.rows import Row, missed

VERDICT = {True: "met", False: "MISSED", None: ""}


def number(value: float | None) -> str:
    """Return a figure with three significant digits, "" for none."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table_of(rows: Iterable[Row]) -> Table:
    """Return the rows as a table for the terminal."""
    table = Table(title="benchmarks")
    table.add_column("case", no_wrap=True)
    table.add_column("phase", overflow="fold", min_width=24)
    for heading in ("value", "unit", "reference", "ratio", "target", ""):
        words = heading in ("unit", "target")
        table.add_column(heading, justify="right", no_wrap=not words, overflow="fold" if words else "ellipsis")
    for r in rows:
        figures = (number(r.value), r.unit, number(r.reference), number(r.ratio), r.target, VERDICT[r.met])
        table.add_row(r.case, r.phase, *figures)
    return table


def save_json(rows: Sequence[Row], path: Path) -> None:
    """Write all rows as one JSON list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([r.as_json() for r in rows], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def print_rows(rows: Sequence[Row], failures: Sequence[str] = ()) -> None:
    """Print the table and, behind it, whether the targets are kept and which phases broke."""
    console = Console(width=None if Console().is_terminal else 140)
    console.print(table_of(rows))
    held, bad = [r for r in rows if r.met is not None], missed(rows)
    counts = f"figures: {len(rows)}, with a target: {len(held)}, missed: {len(bad)}, phases broken: {len(failures)}"
    console.print(counts)
    for r in bad:
        console.print(f"missed: {r.case}, {r.phase}: {number(r.value)} {r.unit}, target {r.target}", style="red")
    for failure in failures:
        console.print(f"broken: {failure}", style="red", markup=False)
