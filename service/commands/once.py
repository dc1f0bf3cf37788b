"""``demo --once``: one whole day without a page, and what each way to operate it would have cost."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from scenarios.report import COMMON, FORESIGHT, ORDER, DayReport, Row, day_report
from service.commands.files import require_writable
from service.commands.screen import console, progress_console
from service.console.figures import grouped, percent

FAULTS_SHOWN = 5


def run_once(site_file: Path, day: date, *, seed: int, out: Path | None) -> int:
    """Run a day under every operator, print the tables and return the exit code: 0 only if the books close and no write is open."""
    require_writable(out, option="--json")
    with progress_shown(day) as ended:
        report = day_report(site_file, day, seed=seed, progress=ended)
    if out is not None:
        out.write_text(json.dumps(report.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(cost_table(report))
    console.print(balance_table(report))
    console.print(wire_table(report))
    tell_findings(report)
    console.print(verdict(report))
    return 0 if report.ok else 1


@contextmanager
def progress_shown(day: date) -> Iterator[Callable[[str], None]]:
    """Show which operators' days have ended and how long it has taken."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=progress_console, transient=True) as progress:
        task = progress.add_task(f"{day}: {len(ORDER)} operators")
        done: list[str] = []

        def ended(operator: str) -> None:
            done.append(operator)
            progress.update(task, description=f"{day}: {len(done)} of {len(ORDER)} operators, last: {operator}")

        yield ended


def cost_table(report: DayReport) -> Table:
    """Return what the day cost under each operator, cheapest bound first."""
    title = f"{report.title}, {report.day}: cost of the day, {report.currency} ({report.notice})"
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("operator", no_wrap=True)
    for name in (
        "total",
        "against the rule",
        "energy",
        "gas",
        "demand",
        "stores",
        "other",
        "peak kW",
        "CO₂ t",
        "own use",
        "unserved kWh",
    ):
        table.add_column(name, justify="right")
    for row in report.rows:
        table.add_row(*cost_cells(report, row))
    return table


def cost_cells(report: DayReport, row: Row) -> list[str]:
    """Return one operator's line of the cost table."""
    known = {r.operator for r in report.rows}
    saved = report.saved_share(row.operator, COMMON) if COMMON in known and row.operator != COMMON else None
    energy = row.cost.get("energy", 0.0) + row.cost.get("export", 0.0)
    shown = energy + sum(row.cost.get(part, 0.0) for part in ("gas", "demand", "stored"))
    return [
        row.operator,
        f"[bold]{grouped(row.total_cost)}[/]",
        "" if saved is None else f"{grouped(-100 * saved, 2)} %",
        grouped(energy),
        grouped(row.cost.get("gas")),
        grouped(row.cost.get("demand")),
        grouped(row.cost.get("stored")),
        grouped(row.total_cost - shown),
        grouped(row.peak_kw),
        grouped(row.co2_kg / 1000, 2),
        percent(row.self_use_share),
        grouped(row.unserved_kwh, 1),
    ]


def balance_table(report: DayReport) -> Table:
    """Return, for every run, what was fed into each carrier and what of it the books cannot account for."""
    runs = [r for r in report.rows if r.energy_kwh is not None]
    carriers = [c for c, fed_kwh in (runs[0].energy_kwh or {}).items() if fed_kwh > 0] if runs else []
    table = Table(
        title="Energy fed, MWh, and what the books cannot account for", title_justify="left", header_style="bold"
    )
    table.add_column("operator", no_wrap=True)
    for carrier in carriers:
        table.add_column(carrier, justify="right")
    for row in runs:
        fed, open_share = row.energy_kwh or {}, row.imbalance_share or {}
        cells = [f"{grouped(fed[c] / 1000, 2)} ({100 * open_share.get(c, 0.0):.4f} %)" for c in carriers]
        table.add_row(row.operator, *cells)
    return table


def wire_table(report: DayReport) -> Table:
    """Return what each run read and wrote, and how that ended."""
    table = Table(title="Over the wire", title_justify="left", header_style="bold")
    table.add_column("operator", no_wrap=True)
    names = (
        "reads",
        "values",
        "writes",
        "commands",
        "refused",
        "read back differently",
        "unaccounted",
        "plans",
        "guard",
        "faults",
    )
    for name in names:
        table.add_column(name, justify="right")
    for row in (r for r in report.rows if r.commands is not None):
        counts = (row.reads, row.values_read, row.writes, row.commands, row.refused, row.differences)
        more = (row.unaccounted, row.plans, row.guard_turns, len(row.faults))
        place = " over Modbus" if row.over_modbus else " in process"
        table.add_row(row.operator + place, *(grouped(None if n is None else float(n)) for n in (*counts, *more)))
    return table


def tell_findings(report: DayReport) -> None:
    """Print what the twin found in the plans and what the loop survived, each once."""
    for row in report.rows:
        for words in row.findings[:FAULTS_SHOWN]:
            console.print(f"{row.operator}: the twin says {words}", markup=False)
        for words in row.faults[:FAULTS_SHOWN]:
            console.print(f"{row.operator}: survived at {words}", markup=False)
        more = max(len(row.findings) - FAULTS_SHOWN, 0) + max(len(row.faults) - FAULTS_SHOWN, 0)
        if more:
            console.print(f"{row.operator}: and {more} more; --json OUT writes all")


def verdict(report: DayReport) -> str:
    """Return in words whether the day counts."""
    books = "every carrier's books close" if report.balances_close else "[bold red]a carrier's books do not close[/]"
    writes = "every write is accounted for" if report.writes_accounted else "[bold red]a write is unaccounted for[/]"
    return f"{books}, {writes}. {FORESIGHT.capitalize()} is the bound for whoever leaves the stores as they were."
