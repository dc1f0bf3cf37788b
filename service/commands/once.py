"""``demo --once``: one whole day without a page, and what each way to operate it would have cost."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich import box
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from scenarios.report import COMMON, FORESIGHT, NAIVE, ORDER, PERFECT, TUNED, DayReport, Row, day_report
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


SHORT = {
    FORESIGHT: "perfect foresight",
    PERFECT: "loop, perfect forecast",
    NAIVE: "loop, naive forecast",
    TUNED: "tuned rule",
    COMMON: "common rule",
}
"""Names that fit above a column of figures when they break at spaces."""


def by_operator(title: str, rows: Sequence[Row], lines: Mapping[str, Callable[[Row], str]]) -> Table:
    """Return a table with a column per operator and a line per figure: it stays readable on eighty columns."""
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", no_wrap=True)
    for row in rows:
        table.add_column(SHORT.get(row.operator, row.operator), justify="right", max_width=11)
    for name, cell in lines.items():
        table.add_row(name, *(cell(row) for row in rows))
    return table


def cost_table(report: DayReport) -> Table:
    """Return what the day cost under each operator, cheapest bound first."""

    def part(name: str) -> Callable[[Row], str]:
        return lambda row: grouped(row.cost.get(name))

    lines: dict[str, Callable[[Row], str]] = {
        "total": lambda row: f"[bold]{grouped(row.total_cost)}[/]",
        "against the rule": lambda row: against_the_rule(report, row),
        "energy": lambda row: grouped(energy_cost(row)),
        "gas": part("gas"),
        "demand": part("demand"),
        "stores": part("stored"),
        "other": lambda row: grouped(row.total_cost - shown_cost(row)),
        "peak, kW": lambda row: grouped(row.peak_kw),
        "CO₂, t": lambda row: grouped(row.co2_kg / 1000, 2),
        "own use": lambda row: percent(row.self_use_share),
        "unserved, kWh": lambda row: grouped(row.unserved_kwh, 1),
    }
    title = f"{report.title}, {report.day}: cost of the day, {report.currency} ({report.notice})"
    return by_operator(title, report.rows, lines)


def against_the_rule(report: DayReport, row: Row) -> str:
    """Return by how much an operator's day is dearer (+) or cheaper (-) than the common rule's."""
    if row.operator == COMMON or COMMON not in {r.operator for r in report.rows}:
        return ""
    return f"{grouped(-100 * report.saved_share(row.operator, COMMON), 2)} %"


def energy_cost(row: Row) -> float:
    """Return what electricity bought less what was sold cost."""
    return row.cost.get("energy", 0.0) + row.cost.get("export", 0.0)


def shown_cost(row: Row) -> float:
    """Return the cost that has a line of its own."""
    return energy_cost(row) + sum(row.cost.get(part, 0.0) for part in ("gas", "demand", "stored"))


def balance_table(report: DayReport) -> Table:
    """Return, for every run, what was fed into each carrier and what of it the books cannot account for."""
    runs = [r for r in report.rows if r.energy_kwh is not None]
    carriers = [c for c, fed_kwh in (runs[0].energy_kwh or {}).items() if fed_kwh > 0] if runs else []

    def fed(carrier: str) -> Callable[[Row], str]:
        return lambda row: grouped((row.energy_kwh or {})[carrier] / 1000, 2)

    def left(carrier: str) -> Callable[[Row], str]:
        return lambda row: f"{100 * (row.imbalance_share or {}).get(carrier, 0.0):.4f} %"

    lines: dict[str, Callable[[Row], str]] = {}
    for carrier in carriers:
        lines[f"{carrier}, MWh"] = fed(carrier)
        lines["  unaccounted for" + " " * len(lines)] = left(carrier)
    return by_operator("Energy fed, and what the books cannot account for", runs, lines)


def wire_table(report: DayReport) -> Table:
    """Return what each run read and wrote, and how that ended."""

    def count(name: str) -> Callable[[Row], str]:
        return lambda row: grouped(None if getattr(row, name) is None else float(getattr(row, name)))

    lines: dict[str, Callable[[Row], str]] = {
        "ran": lambda row: "Modbus" if row.over_modbus else "in process",
        "blocks read": count("reads"),
        "values read": count("values_read"),
        "writes": count("writes"),
        "commands": count("commands"),
        "refused": count("refused"),
        "read back differently": count("differences"),
        "unaccounted for": count("unaccounted"),
        "plans": count("plans"),
        "turns of the guard": count("guard_turns"),
        "faults": lambda row: grouped(float(len(row.faults))),
    }
    return by_operator("Over the wire", [r for r in report.rows if r.commands is not None], lines)


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
