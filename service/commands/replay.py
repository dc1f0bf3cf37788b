"""``replay``: a past window rebuilt from the log and compared with what was seen then; with a fork, lived once more by somebody else."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from rich.table import Table

from models.errors import SetupError
from models.site import Site
from models.site.file import load_site
from scenarios.fork import Course, dearer, fork
from scenarios.judging import judged
from scenarios.planners import planner_for
from scenarios.recording import billing_of, period_finder
from scenarios.rules import Rule, RulePlanner
from service.commands.files import require_writable
from service.commands.screen import console
from service.console.figures import grouped, local_time
from twin.log import Kind, SqliteLog
from twin.packing import unpack_plan, unpack_receipts
from twin.replay import Moment, replay
from twin.state import trajectory

OPTIMIZER, RULE = "optimizer", "rule"
FORKS = (OPTIMIZER, RULE)
RULE_PEAK_SHARE = 0.7
"""The rule of a fork keeps this share of the connection as its own limit."""


def show_replay(
    log_file: Path,
    site_file: Path,
    start: datetime | None,
    end: datetime | None,
    *,
    operator: str | None,
    price_factor: float,
    out: Path | None,
) -> int:
    """Rebuild a window, say whether it is bit-equal, and live it again if asked; exit code 1 when a turn differs."""
    require_writable(out, (".nc",))
    site, log = load_site(site_file), SqliteLog(log_file, read_only=True)
    known = log.span()
    if known is None:
        raise SetupError(f"{log_file}: the log is empty; nothing has been operated yet")
    start, end = start or known[0], end or known[1] + timedelta(microseconds=1)
    moments = tuple(replay(log, site, start, end, period_finder(site, billing_of(log, start))))
    same = sum(m.same for m in moments)
    console.print(window_words(log, site, start, end, moments, same), highlight=False)
    console.print(forecast_words(log, start, end), highlight=False)
    if out is not None and moments:
        write_out(out, moments)
    if operator is not None:
        console.print(courses_table(site, run_fork(log, site, moments, operator, price_factor)))
    return 0 if moments and same == len(moments) else 1


def window_words(
    log: SqliteLog, site: Site, start: datetime, end: datetime, moments: Sequence[Moment], same: int
) -> str:
    """Return what the window holds, in a few lines."""
    zone = site.location.time_zone
    when = [local_time(t, zone, "%Y-%m-%d %H:%M:%S") for t in (start, end)]
    if not moments:
        return f"{when[0]} to {when[1]}: no turn on record"
    plans = [unpack_plan(r.body).id for r in log.read(start, end, (Kind.PLAN,))]
    receipts = [r for x in log.read(start, end, (Kind.RECEIPTS,)) for r in unpack_receipts(x.body)]
    alarms = sum(1 for _ in log.read(start, end, (Kind.ALARM,)))
    verdict = "bit-equal" if same == len(moments) else f"[red]{len(moments) - same} differ[/] from what was seen then"
    return (
        f"{when[0]} to {when[1]}: {len(moments)} turns rebuilt from {sum(len(m.readings) for m in moments):,} readings, {verdict}\n"
        f"{len(plans)} plans, {len(receipts)} commands, {alarms} steps of alarms on record"
    )


def forecast_words(log: SqliteLog, start: datetime, end: datetime) -> str:
    """Return what the window's forecasts were worth by what was measured afterwards, in a line."""
    count, found = judged(log, start, end)
    known = [j for j in found if np.isfinite(j.near + j.far) and j.size > 0]
    if not known:
        return f"{count} forecasts on record; too little was measured afterwards to judge them"
    near, far = (
        100 * float(np.mean(shares)) for shares in zip(*((j.near / j.size, j.far / j.size) for j in known), strict=True)
    )
    return f"{count} forecasts on record: off by {near:.1f} % of what came in their first step, by {far:.1f} % behind it (mean of {len(known)} series)"


def run_fork(
    log: SqliteLog, site: Site, moments: Sequence[Moment], operator: str, price_factor: float
) -> tuple[Course, Course]:
    """Return the window as it was and under another operator, both at the same prices."""
    priced = dearer(site, price_factor)
    if operator == RULE:
        peak_kw = RULE_PEAK_SHARE * sum(a.import_max_kw for a in site.assets if a.kind == "grid_connection")
        return fork(
            log, priced, moments, RulePlanner(priced, Rule("price", own_peak_kw=peak_kw)), RULE, looks_ahead=False
        )
    planner = planner_for(priced)
    try:
        return fork(log, priced, moments, planner, operator)
    finally:
        planner.close()


def courses_table(site: Site, courses: Sequence[Course]) -> Table:
    """Return two ways to live a window side by side."""
    table = Table(title=f"The same window, {site.currency}; the fork runs on the twin", title_justify="left")
    table.add_column("")
    for course in courses:
        table.add_column(course.name, justify="right")
    parts = [p for p in dict.fromkeys(p for c in courses for p in c.cost) if any(c.cost.get(p) for c in courses)]
    for part in parts:
        table.add_row(part, *(grouped(c.cost.get(part, 0.0), 1) for c in courses))
    table.add_row("[bold]total[/]", *(f"[bold]{grouped(c.total_cost, 1)}[/]" for c in courses))
    table.add_row("import, kWh", *(grouped(c.import_kwh) for c in courses))
    table.add_row("highest import, kW", *(grouped(c.peak_kw) for c in courses))
    return table


def write_out(out: Path, moments: Sequence[Moment]) -> None:
    """Write the rebuilt trajectory as NetCDF."""
    found = trajectory([m.snapshot for m in moments])
    found.to_netcdf(
        out,
        encoding={"time": {"units": "seconds since 1970-01-01", "dtype": "float64"}, "doubtful": {"dtype": "int32"}},
    )
    console.print(f"{out}: power_kw and stored_kwh of {len(moments)} turns", highlight=False)
