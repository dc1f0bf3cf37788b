"""Profiles: the time series of a typical year that a site's assets read."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from models.errors import SiteError
from models.findings import Finding, error, errors_in
from models.site.site import ProfileFile, Site

TIME_COLUMN = "start_utc"
UNITS = ("_kw", "_pu", "_degc", "_w_per_m2", "_m3_per_h", "_m_per_s", "_per_kwh")
"""The units that a series' name may end in."""
PLACES_SHOWN = 3


def load_profiles(site: Site) -> pd.DataFrame:
    """Return the site's profiles: one column per series, indexed by step start (naive UTC), in the unit each name ends with.

    Raises
    ------
    SiteError
        With every problem of the file: missing file or column, a gap, a wrong step, a value that is no number.
    """
    if site.profiles is None:
        return pd.DataFrame()
    table, findings = read_profiles(site.folder, site.profiles, site.series())
    if errors_in(findings):
        raise SiteError(findings)
    return table


def read_profiles(folder: Path, spec: ProfileFile, wanted: tuple[str, ...]) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the profile table and everything that is wrong with it; the table is empty when the file cannot be read."""
    path = folder / spec.file
    place = f"profiles.{spec.file}"
    try:
        table = _read_csv(path, path.stat().st_mtime_ns)
    except OSError as fault:
        return pd.DataFrame(), [error(place, f"the file cannot be read ({fault.strerror}); put it at {path}")]
    except (ValueError, pd.errors.ParserError) as fault:
        return pd.DataFrame(), [error(place, f"the file is not a table of numbers: {fault}")]
    findings = _check_time(place, table, spec.step_s)
    for name in wanted:
        findings += _check_series(place, table, name)
    return table, findings


@lru_cache(maxsize=4)
def _read_csv(path: Path, _modified_ns: int) -> pd.DataFrame:
    table = pd.read_csv(path)
    if TIME_COLUMN not in table.columns:
        raise ValueError(f"the first column must be {TIME_COLUMN}, found {list(table.columns)[:3]}")
    start = pd.to_datetime(table.pop(TIME_COLUMN), utc=True, errors="coerce")
    table.index = pd.DatetimeIndex(start.dt.tz_localize(None), name="time").as_unit("ns")
    return table


def _check_time(place: str, table: pd.DataFrame, step_s: int) -> list[Finding]:
    """Return one finding for unreadable times and one for steps that are not the declared one."""
    if bad := np.flatnonzero(table.index.isna()).tolist():
        return [
            error(
                place,
                f"{len(bad)} rows have no readable {TIME_COLUMN}, first in row {bad[0] + 2}; write 2015-01-01T00:00:00Z",
            )
        ]
    steps = np.diff(table.index.to_numpy()).astype("timedelta64[s]").astype(np.int64)
    odd = np.flatnonzero(steps != step_s)
    if not len(odd):
        return []
    where = ", ".join(f"{table.index[i]} to {table.index[i + 1]}" for i in odd[:PLACES_SHOWN])
    return [
        error(
            place,
            f"{len(odd)} steps are not {step_s} s (a gap, a repeat or a wrong step): {where}; fill or resample them",
        )
    ]


def _check_series(place: str, table: pd.DataFrame, name: str) -> list[Finding]:
    """Return what is wrong with one series: missing, unnamed unit, or values that are no numbers."""
    here = f"{place}.{name}"
    findings = []
    if not name.endswith(UNITS):
        findings.append(error(here, f"the name does not end in a unit; use one of {', '.join(UNITS)}"))
    if name not in table.columns:
        return [*findings, error(here, "an asset reads this series and the file has no such column")]
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float)
    if bad := np.flatnonzero(~np.isfinite(values)).tolist():
        when = ", ".join(str(table.index[i]) for i in bad[:PLACES_SHOWN])
        findings.append(error(here, f"{len(bad)} steps have no number, first at {when}; fill the gap"))
    if not name.endswith(("_degc", "_per_kwh")) and (low := int((values < 0).sum())):
        findings.append(
            error(here, f"{low} steps are negative, down to {np.nanmin(values):g}; a demand or yield is never below 0")
        )
    return findings
