"""``calibrate``: learn from days of readings what a site's parameters really are, and keep it beside the site file."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

import pandas as pd
from rich.table import Table

from models.errors import SetupError
from models.ports import Reading
from models.site.file import load_site
from scenarios.metered import emulated_days
from service.calibrations import append_revisions, beside
from service.commands.estimate import readings_of, table_of
from service.commands.files import require_writable
from service.commands.screen import console, count, findings_table, progress_console
from twin.calibrate import Calibration, Learned
from twin.learn import Learning, learn, observe

LEARNED_LEAST = 0.1
"""A parameter whose uncertainty shrank by less is not shown."""
History = Iterator[tuple[datetime, Sequence[Reading]]]


def show_calibration(
    site_file: Path, readings: Path | None, day: date, days: int, *, seed: int, out: Path | None, full: bool
) -> int:
    """Calibrate from a table of readings, or from days of an emulated plant; return 1 when no job had its meters."""
    target = out or beside(site_file)
    require_writable(target)
    site = load_site(site_file)
    history = emulated_days(site, day, days, seed) if readings is None else tabled(readings)
    with progress_console.status(f"{site.title}: estimating instant by instant"):
        learning = learn(site, observe(site, history))
    console.print(learned_table(learning.calibrations, full=full))
    if learning.missing:
        console.print(findings_table(learning.missing, "Not learned"))
    if not learning.calibrations:
        return 1
    append_revisions(target, learning.calibrations, max(c.end for c in learning.calibrations))
    console.print(_kept(learning, target))
    return 0


def tabled(path: Path) -> History:
    """Yield readings from a CSV file with the columns time, device, quantity, value and, if it has one, quality.

    Raises
    ------
    SetupError
        If the file cannot be read, or a column, time or quality is not as it should be.
    """
    table = table_of(path, ("time", "device", "quantity", "value"))
    times = pd.to_datetime(table["time"], errors="coerce", utc=True)
    if times.isna().any():
        raise SetupError(f"{path}: {table['time'][times.isna()].iloc[0]} is no time; write 2015-01-14T12:00+08:00")
    for at, rows in table.groupby(times):
        instant = pd.Timestamp(at).to_pydatetime()
        yield instant, readings_of(rows, instant, path)


def learned_table(calibrations: Sequence[Calibration], *, full: bool) -> Table:
    """Return what was learned by job: one row per parameter that the readings say something about (``full``: every one)."""
    table = Table(title="Learned", title_justify="left", header_style="bold")
    for name in ("parameter", "factor", "± (1 sd)", "learned, %", ""):
        table.add_column(name, justify="left" if name in ("parameter", "") else "right", no_wrap=True)
    for found in calibrations:
        shown = [p for p in found.learned if full or p.informed_share >= LEARNED_LEAST or p.suspicious]
        if shown:
            job = found.kind.replace("_", " ")
            table.add_section()
            table.add_row(f"{job}: {found.subject}" if found.subject else job, style="bold")
        for parameter in shown:
            table.add_row(*_cells(parameter))
    return table


def _cells(p: Learned) -> tuple[str, ...]:
    advice = "[yellow]look at it[/]" if p.suspicious else ""
    return p.name, f"{p.factor:.3f}", f"{p.sd:.3f}", f"{100 * p.informed_share:.0f}", advice


def _kept(learning: Learning, target: Path) -> str:
    suspicious = sum(p.suspicious for c in learning.calibrations for p in c.learned)
    advice = f"; {count(suspicious, 'parameter')} further off than accuracy explains" if suspicious else ""
    return f"{count(len(learning.calibrations), 'calibration')} kept in {target}{advice}"
