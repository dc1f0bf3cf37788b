"""``estimate``: one consistent state of all carriers out of a site's readings, with a verdict on every sensor."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path

import pandas as pd
from rich.table import Table

from models.errors import SetupError
from models.findings import errors_in
from models.ports import Quality, Reading
from models.site import Site
from models.site.file import load_site
from service.calibrations import load_revised
from service.commands.files import require_writable, write_as
from service.commands.screen import console, count, findings_table
from service.console.figures import grouped
from twin.estimate.blindspots import blind_spots
from twin.estimate.live import LiveEstimator
from twin.estimate.problem import Origin, SensorReport, SensorStatus
from twin.estimate.site import SiteEstimate

POLL = timedelta(minutes=5)
POLLS = 6
COLUMNS = ("device", "quantity", "value")
Sensors = tuple[pd.DataFrame, SiteEstimate]
STYLE = {SensorStatus.FLAGGED: "yellow", SensorStatus.REMOVED: "bold red", SensorStatus.UNTESTABLE: "dim"}


def show_estimate(
    site_file: Path, readings: Path | None, at: datetime, *, seed: int, out: Path | None, full: bool
) -> int:
    """Estimate a site from a table of readings, or from an emulated plant that ran for half an hour before an instant.

    Prints the sensors that do not fit (``full``: all) and returns the exit code: 1 when the readings cannot be explained.
    """
    require_writable(out, WRITERS)
    revised = load_revised(site_file)
    estimator = LiveEstimator(revised.site, revised.gains, revised.friction_known, revised.volume_known)
    site = load_site(site_file)  # an emulated plant deviates from what the file states, not from what was learned
    found = emulated(site, estimator, at, seed) if readings is None else estimator.update(read_table(readings, at), at)
    table = sensors_table(found)
    if out is not None:
        write_as(WRITERS, (table, found), out)
    wanted = table if full else table[~table["status"].isin(["ok", "untestable"])]
    if len(wanted):
        console.print(screen_table(wanted))
    findings = blind_spots(found.estimate)
    if findings:
        console.print(findings_table(findings))
    console.print(verdict(found))
    if revised.revision:
        console.print(f"calibration {revised.revision} in force")
    return 0 if found.estimate.plausible and not errors_in(findings) else 1


def emulated(site: Site, estimator: LiveEstimator, until: datetime, seed: int) -> SiteEstimate:
    """Return the last estimate beside an emulated plant whose meters were read every five minutes for half an hour."""
    from hil.emulators.inprocess import InProcessPlant
    from hil.emulators.plant import EmulatedPlant
    from scenarios.day import JumpingClock
    from scenarios.metered import shown_now

    start = until - POLLS * POLL
    plant, clock = EmulatedPlant(site, seed, start), JumpingClock(start)
    door = InProcessPlant(site, plant, clock)

    for poll in range(1, POLLS + 1):
        at = start + poll * POLL
        found = estimator.update(shown_now(door, plant, clock, at), at)
    return found


def read_table(path: Path, at: datetime) -> Sequence[Reading]:
    """Return readings from a CSV file with the columns device, quantity, value and, if it has one, quality.

    Raises
    ------
    SetupError
        If the file cannot be read, or a column or quality is not as it should be.
    """
    return readings_of(table_of(path, COLUMNS), at, path)


def table_of(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return a CSV file as a table that has certain columns; see :func:`read_table`."""
    try:
        table = pd.read_csv(path)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as fault:
        raise SetupError(f"{path} is no readable table: {fault}") from None
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise SetupError(f"{path} lacks the column {missing[0]}; it needs {', '.join(columns)}")
    return table


def readings_of(table: pd.DataFrame, at: datetime, path: Path) -> Sequence[Reading]:
    """Return a table's rows as readings of one instant; see :func:`read_table`."""
    values = pd.to_numeric(table["value"], errors="coerce").tolist()
    quality = table["quality"].astype(str).tolist() if "quality" in table.columns else ["good"] * len(table)
    unknown = set(quality) - {q.value for q in Quality}
    if unknown:
        raise SetupError(f"{path}: quality {sorted(unknown)[0]!r}; use one of {', '.join(q.value for q in Quality)}")
    rows = zip(table["device"].astype(str), table["quantity"].astype(str), values, quality, strict=True)
    return [Reading(d, q, v, at, at, Quality(s) if isfinite(v) else Quality.BAD) for d, q, v, s in rows]


def sensors_table(found: SiteEstimate) -> pd.DataFrame:
    """Return one row per sensor, those that do not fit first; units end the quantities' names."""
    order = [SensorStatus.REMOVED, SensorStatus.FLAGGED, SensorStatus.OK, SensorStatus.UNTESTABLE]
    sensors = sorted(found.estimate.sensors, key=lambda s: (order.index(s.status), -s.normalised_residual))
    return pd.DataFrame([_row(s) for s in sensors])


def _row(s: SensorReport) -> dict[str, object]:
    return {
        "sensor": s.sensor.name,
        "origin": s.sensor.origin.value,
        "status": s.status.value,
        "measured": s.measured,
        "estimated": s.modelled,
        "sigma": s.sensor.sigma,
        "normalised_residual": s.normalised_residual,
        "redundancy": s.redundancy,
        "detectable_error": s.detectable,
        "tie_group": " ".join(s.tie_group),
    }


def screen_table(table: pd.DataFrame) -> Table:
    """Return sensors as the terminal shows them."""
    shown = Table(title="Sensors", title_justify="left", header_style="bold")
    for name in ("sensor", "verdict", "measured", "estimated", "residual, sigma", "redundancy", "finds errors from"):
        shown.add_column(name, justify="left" if name in ("sensor", "verdict") else "right", no_wrap=True)
    shown.add_column("cannot be told apart from")
    for row in table.to_dict("records"):
        ties = str(row["tie_group"]).split()
        detectable = float(row["detectable_error"])
        shown.add_row(
            str(row["sensor"]),
            str(row["status"]) + ("" if row["origin"] == Origin.METER.value else f" ({row['origin']})"),
            grouped(float(row["measured"]), 2),
            grouped(float(row["estimated"]), 2),
            grouped(float(row["normalised_residual"]), 1),
            grouped(float(row["redundancy"]), 2),
            grouped(detectable, 2) if isfinite(detectable) else "never",
            ", ".join(ties[:3]) + (f" and {len(ties) - 3} more" if len(ties) > 3 else ""),
            style=STYLE.get(SensorStatus(str(row["status"])), ""),
        )
    return shown


def verdict(found: SiteEstimate) -> str:
    """Return the estimate as a whole in words."""
    e = found.estimate
    tally = {s: sum(r.status is s for r in e.sensors) for s in SensorStatus}
    lines = [f"{count(len(e.sensors), 'sensor')}: " + ", ".join(f"{n} {s.value}" for s, n in tally.items() if n)]
    lines.append(
        f"chi-square {e.chi2:.1f}, limit {e.chi2_limit:.1f} at {e.degrees_of_freedom} degrees of freedom: "
        + ("the meters' accuracy explains what is left" if e.plausible else "[bold red]more than accuracy explains[/]")
    )
    if not e.fit.converged:
        lines.append("[bold red]the estimate did not converge[/]; the values are those of its last iteration")
    return "\n".join(lines)


def as_json(table: pd.DataFrame, found: SiteEstimate) -> str:
    """Return an estimate as a JSON text; numbers that are not finite become null."""
    e = found.estimate
    body = {
        "converged": e.fit.converged,
        "plausible": e.plausible,
        "chi2": e.chi2,
        "chi2_limit": e.chi2_limit if isfinite(e.chi2_limit) else None,
        "degrees_of_freedom": e.degrees_of_freedom,
        "unobservable": list(e.unobservable),
        "states": dict(found.values),
        "sensors": json.loads(table.to_json(orient="records")),
    }
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def _csv(content: Sensors, path: Path) -> None:
    content[0].to_csv(path, index=False, float_format="%.6g")


def _json(content: Sensors, path: Path) -> None:
    path.write_text(as_json(*content), encoding="utf-8")


WRITERS: Mapping[str, Callable[[Sensors, Path], None]] = {".csv": _csv, ".json": _json}
"""Sensors as a table; sensors, states and the chi-square test for programs."""
