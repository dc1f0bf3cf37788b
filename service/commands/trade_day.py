"""``trade-day``: one day at a market, link by link, with where it earned and where it lost."""

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from market.journal_export import journal_csv
from models.site import Site
from models.site.file import load_site
from scenarios.planners import planner_for
from scenarios.trading.day import trade_day
from scenarios.trading.result import Hour
from scenarios.trading.traded import TradedDay, TradeSettings
from service.commands.files import require_writable
from service.commands.offers import prices_for
from service.commands.screen import console, progress_console
from service.console.figures import grouped, local_time
from service.pictures.sheet import DPI, ENDINGS
from service.pictures.trading import day_chart


def show_trade_day(
    site_file: Path,
    day: date,
    prices: Path | None,
    settings: TradeSettings,
    *,
    out: Path | None,
    ledger: Path | None,
    plot: Path | None,
) -> int:
    """Trade a day, print its trace and account; return 0 only if everything closes."""
    require_writable(out, (".json",))
    require_writable(ledger, (".csv",), option="--ledger")
    require_writable(plot, ENDINGS, option="--plot")
    site = load_site(site_file)
    with progress_console.status(f"{day}: from the forecast to the ledger"):
        traded = traded_at(site, day, prices, settings)
    if out is not None:
        write_trace(traded, out)
    if ledger is not None:
        write_journal(traded, ledger)
    if plot is not None:
        title = f"{traded.trace.id}: {grouped(traded.account.result)} {site.currency}"
        day_chart(traded.account, title, site.currency).savefig(plot, dpi=DPI)
    console.print(trace_table(traded))
    console.print(parts_table(traded))
    console.print(equipment_table(traded))
    console.print(hours_table(traded))
    for line in verdict(traded):
        console.print(line)
    return 0 if traded.ok else 1


def traded_at(site: Site, day: date, prices: Path | None, settings: TradeSettings) -> TradedDay:
    """Trade a day at the prices of a file, or at made-up ones."""
    planner = planner_for(site)
    try:
        known = prices_for(site, day, prices, settings.seed)
        return trade_day(site, day, known, planner, planner.dispatcher, settings)
    finally:
        planner.close()


def write_trace(traded: TradedDay, path: Path) -> None:
    """Write trace and account as JSON."""
    path.write_text(json.dumps(as_json(traded), indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def write_journal(traded: TradedDay, path: Path) -> None:
    """Write the ledger's journal as CSV."""
    path.write_text(journal_csv(traded.ledger.transactions, traded.ledger.currency), encoding="utf-8")


WRITERS = {".json": write_trace, ".csv": write_journal}


def trace_table(traded: TradedDay) -> Table:
    """Return one line per stage of the trace."""
    title = f"Trace {traded.trace.id}"
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1))
    for head in ("stage", "digest", "what was made"):
        table.add_column(head, no_wrap=head != "what was made", overflow="fold")
    for link in traded.trace.links:
        table.add_row(link.stage, link.digest[:10], link.words)
    return table


def parts_table(traded: TradedDay) -> Table:
    """Return what the day earned (positive) and spent."""
    title = f"The day in {traded.site.currency}, + earned, − spent"
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("for")
    table.add_column("amount", justify="right")
    for name, value in traded.account.parts.items():
        table.add_row(name, grouped(value, 2))
    table.add_row("[bold]result[/]", f"[bold]{grouped(traded.account.result, 2)}[/]")
    return table


def equipment_table(traded: TradedDay) -> Table:
    """Return what each asset's electricity was worth at the prices of its hours, largest first."""
    title = f"Electricity at the prices of its hours, {traded.site.currency}"
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("asset")
    table.add_column("worth", justify="right")
    for name, value in sorted(traded.account.equipment.items(), key=lambda kv: -kv[1]):
        table.add_row(name, grouped(value))
    return table


def hours_table(traded: TradedDay) -> Table:
    """Return every hour: its price, position and meter, what trading it then instead of evenly brought, and what deviations did."""
    table = Table(title="Hours", title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1))
    for head in ("from", "per MWh", "position kWh", "metered kWh", "by its hour", "by deviation"):
        table.add_column(head, justify="left" if head == "from" else "right")
    for h in traded.account.hours:
        at = local_time(traded.offers.curves[h.period].start, traded.site.location.time_zone, "%H:%M")
        cells = (1e3 * h.price_per_kwh, h.position_kwh, h.metered_kwh, h.timing, h.beside)
        table.add_row(at, *(grouped(c) for c in cells))
    return table


def verdict(traded: TradedDay) -> list[str]:
    """Return where the day earned and lost, what not knowing cost, and whether the books close."""
    told, currency = traded.account, traded.site.currency
    known = told.alternatives["prices and loads known"]
    lines = [
        "earned most: " + ", ".join(_hour_words(traded, h) for h in told.best()),
        "lost most: " + ", ".join(_hour_words(traded, h) for h in told.worst()),
        "had prices and loads been known: "
        + grouped(known)
        + f" {currency} in the model; the offer's position gives up "
        f"{grouped(known - told.alternatives['this offer, then known'])}, a self-schedule "
        f"{grouped(known - told.alternatives['self-schedule, then known'])}",
    ]
    zero = sum(traded.ledger.balances.values())
    green = ", ".join(f"{h.device} {h.count}" for h in traded.certificates) or "none, no plant filled a MWh"
    return [
        *lines,
        f"green certificates of 1 MWh: {green}",
        f"ledger: {len(traded.ledger.transactions)} transactions, balances sum to {zero}; trace {'whole' if traded.trace.whole else 'broken'}",
    ]


def _hour_words(traded: TradedDay, hour: Hour) -> str:
    at = local_time(traded.offers.curves[hour.period].start, traded.site.location.time_zone, "%H:%M")
    what = "bought" if hour.position_kwh < 0 else "sold"
    amount = grouped(hour.timing + hour.beside)
    return f"{at} {amount} ({what} {grouped(abs(hour.position_kwh))} kWh at {grouped(1e3 * hour.price_per_kwh)}/MWh, deviation {grouped(hour.beside)})"


def as_json(traded: TradedDay) -> dict[str, Any]:
    """Return trace, account and proof as plain data."""
    told, curves = traded.account, traded.offers.curves
    return {
        "trace": traded.trace.id,
        "day": traded.day.isoformat(),
        "time_zone": traded.site.location.time_zone,
        "currency": traded.site.currency,
        "ok": traded.ok,
        "whole": traded.trace.whole,
        "links": [asdict(link) for link in traded.trace.links],
        "proof": asdict(traded.offers.proof),
        "parts": dict(told.parts),
        "result": told.result,
        "equipment": dict(told.equipment),
        "hours": [{"start": curves[h.period].start.isoformat(), **asdict(h)} for h in told.hours],
        "alternatives": dict(told.alternatives),
        "settlement": traded.run.id,
        "invoice": None if traded.invoice is None else asdict(traded.invoice),
        "certificates": [asdict(h) for h in traded.certificates],
        "balances_micro": dict(traded.ledger.balances),
    }
