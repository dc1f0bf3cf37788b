"""``customers efficiency``: peers, indicators, odd days, hints, and savings with an interval."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from rich.markup import escape
from rich.table import Table

from customers.efficiency.benchmark import hints
from customers.efficiency.indicators import drift_words, indicators, odd_days
from customers.efficiency.savings import Savings, YearEffect, between_years, hourly_savings, savings
from customers.intervals.series import MeterTable
from customers.portraits.customer import Drawn
from customers.portraits.gather import drawn_from
from models.errors import DataError
from models.findings import error
from service.commands.customers import Data, Stated, gather, save
from service.commands.screen import console, progress_console

SHOWN = 12


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
    made = _saved(data, table, [table.customers[k] for k in rows], since, others)
    _print_savings(made)
    if plots is not None:
        from service.pictures.customers import savings_chart

        save(savings_chart(made, ["since", str(since)]), plots, "savings.png")
    return 0


def _print_one(drawn: Drawn, row: int, floor_m2: float | None) -> None:
    name = drawn.features.customers[row]
    console.print(f"[bold]{escape(name)}[/] · {escape(drawn.benchmark.words(row))}", highlight=False)
    table = Table(header_style="bold", show_edge=False)
    for column in ("indicator", "figure", "unit", "of"):
        table.add_column(column, justify="right" if column == "figure" else "left")
    for one in indicators(drawn.features, name, floor_m2):
        figure = f"{one.value:,.0f}" if abs(one.value) >= 100 else f"{one.value:.3f}"
        table.add_row(one.name, figure, one.unit, one.words)
    console.print(table)
    for hint in hints(drawn.features, drawn.segments.label, row):
        console.print(f"  hint: {hint.measure}: {hint.seen}; up to {hint.saves_kwh:,.0f} kWh a year", highlight=False)
    for day in odd_days(drawn.features, name, 5):
        console.print(f"  odd day {day.words}", highlight=False)
    if words := drift_words(drawn.features, name):
        console.print(f"  {words}", highlight=False)
    console.print()


def _saved(data: Data, table: MeterTable, names: Sequence[str], since: date, others: Sequence[str]) -> Savings:
    """Return what customers saved since a local day, with years learned from the others where there are enough."""
    assert data.air_degc is not None  # noqa: S101 - asked before
    at = datetime(since.year, since.month, since.day, tzinfo=ZoneInfo(table.zone))
    cut = table.intervals.index(at)
    if not 0 < cut < table.intervals.count:
        text = f"{since} is not inside the data ({table.intervals.start.date()} to {table.intervals.end.date()})"
        raise DataError([error("since", text)])
    moment = table.intervals.instant(cut)
    halves = [(table.intervals.start, moment), (moment, table.intervals.end)]
    air = (data.air_degc[:cut], data.air_degc[cut:])
    before, after = (table.select(names).between(*half) for half in halves)
    years = YearEffect()
    if others:
        control = table.select(others)
        years = between_years(control.between(*halves[0]), control.between(*halves[1]), *air)
    told = (
        f"from {years.customers} customers without a measure"
        if years.customers
        else "a judgement; name --other customers to learn it"
    )
    spread = (
        f"years differ by {years.spread_share:.1%} (one standard deviation), on average {years.mean_share:+.1%}: {told}"
    )
    console.print(spread, highlight=False)
    if len(names) == 1:
        hours = hourly_savings(before, after, names[0], *air, years)
        console.print(f"by the time of the week and temperature: {hours.words(0)}", highlight=False)
    return savings(before, after, *air, years)


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
