"""``customers efficiency``: peers, indicators, odd days, hints, and savings with an interval."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table

from customers.efficiency.assessment import assessed
from customers.efficiency.savings import Savings
from customers.efficiency.verification import verified
from customers.portraits.customer import Drawn
from customers.portraits.gather import drawn_from
from models.errors import DataError
from models.findings import error
from service.commands.customers import Stated, gather, save
from service.commands.screen import console, progress_console

SHOWN, SHOWN_DAYS = 12, 5


def show_efficiency(
    source: Path,
    stated: Stated,
    names: Sequence[str],
    weather: Path | None,
    since: date | None,
    others: Sequence[str],
    floor_m2: float | None,
    plots: Path | None,
) -> int:
    """Print how efficient customers are; with ``since`` what a measure saved."""
    with progress_console.status("comparing"):
        data = gather(source, stated, weather)
        if data.air_degc is None:
            raise DataError([error("weather", "efficiency is judged at the same weather; bring it with --weather")])
        drawn = drawn_from(data.store, data.air_degc)
    table = data.store.best
    rows = [table.row(n) for n in names] or [k for k in range(len(table.customers)) if table.customers[k] not in others]
    if since is None:
        for row in rows[:SHOWN]:
            _print_one(drawn, row, floor_m2)
        return 0
    made = verified(table, data.air_degc, [table.customers[k] for k in rows], since, others)
    console.print(made.years_words, highlight=False)
    if made.hours is not None:
        console.print(f"by the time of the week and temperature: {made.hours.words(0)}", highlight=False)
    _print_savings(made.days)
    if plots is not None:
        from service.pictures.customers import savings_chart

        save(savings_chart(made.days, ["since", str(since)]), plots, "savings.png")
    return 0


def _print_one(drawn: Drawn, row: int, floor_m2: float | None) -> None:
    one = assessed(drawn, row, floor_m2)
    console.print(f"[bold]{escape(one.customer)}[/] · {escape(one.words)}", highlight=False)
    table = Table(header_style="bold", show_edge=False)
    for column in ("indicator", "figure", "unit", "of"):
        table.add_column(column, justify="right" if column == "figure" else "left")
    for each in one.indicators:
        table.add_row(each.name, each.figure, each.unit, each.words)
    console.print(table)
    for hint in one.hints:
        console.print(f"  hint: {hint.measure}: {hint.seen}; up to {hint.saves_kwh:,.0f} kWh a year", highlight=False)
    for day in one.odd_days[:SHOWN_DAYS]:
        console.print(f"  odd day {day.words}", highlight=False)
    if one.drift:
        console.print(f"  {one.drift}", highlight=False)
    console.print()


def _print_savings(made: Savings) -> None:
    table = Table(title="saved, by change-point lines of days", title_justify="left", header_style="bold")
    for column in ("customer", "expected, kWh", "drawn, kWh", "saved, kWh", "share", "90 % interval, kWh"):
        table.add_column(column, justify="left" if column == "customer" else "right")
    for k, name in enumerate(made.customers):
        saved, span = made.saved_kwh[k], f"{made.low_kwh[k]:,.0f} to {made.high_kwh[k]:,.0f}"
        share = saved / max(float(made.expected_kwh[k]), 1e-9)
        figures = (f"{made.expected_kwh[k]:,.0f}", f"{made.actual_kwh[k]:,.0f}", f"{saved:,.0f}", f"{share:.1%}")
        table.add_row(escape(name), *figures, span)
    console.print(table)
    proven = int(np.sum(made.low_kwh > 0))
    console.print(f"{proven} of {len(made.customers)} savings are told from zero with 90 %", highlight=False)
