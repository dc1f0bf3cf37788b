"""Running a case: what its changes make of the site is lived through, judged by the networks, and put into figures."""

import hashlib
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import xarray as xr

from models.carriers import Carrier
from models.findings import Finding, Severity
from models.horizon import HOUR, Horizon
from models.site import Site
from scenarios.cases.case import Case, setting_of
from scenarios.cases.course import CaseCourse, Lived, Progress
from scenarios.cases.figures import available_kwh, figures
from scenarios.cases.halves import can_be_halved, lived_in_halves
from scenarios.cases.results import Result
from scenarios.cases.sizing import run_sizing
from scenarios.kpis import horizon_of
from twin.judge_networks import judge_network
from twin.networks import SiteNetworks
from twin.words import Speaker

PACKAGES = ("jouletwin", "numpy", "pyomo", "highspy", "pandapower", "simpy", "xarray")
AT_A_TIME = 1000
"""So many steps of the world outside are looked at together: a year of minutes would not fit."""


def silent(share: float, words: str) -> None:
    """Tell nobody."""


def run_case(case: Case, *, progress: Progress = silent, workers: int = 1) -> Result:
    """Return what comes of a case; with two ``workers`` the halves of a long run are lived side by side, with the same result.

    Raises
    ------
    SiteError
        With every finding when a change cannot be made to the site.
    """
    setting = setting_of(case)
    if case.sizing is not None:
        return run_sizing(case.sizing, setting.site, lambda **made: _result(case, setting.site, **made), progress)
    began = time.perf_counter()
    course = CaseCourse(case, setting, progress)
    if workers > 1 and can_be_halved(course):
        lived = lived_in_halves(course)
    else:
        course.operate()
        lived = course.lived()
    networks, broken = network_check(setting.site, lived.arrays)
    findings = tuple(broken)
    kpis = _figures(course, lived, networks) | {
        "violations": float(sum(f.severity is Severity.ERROR for f in findings)),
        "outage_h": sum(((o.end - o.start) / HOUR for o in lived.outages), 0.0),
        "plans_failed": float(len(lived.faults)),
    }
    made = _result(case, setting.site, kpis, findings, lived.arrays, time.perf_counter() - began)
    return replace(made, networks=networks, events=lived.events())


def _figures(course: CaseCourse, lived: Lived, networks: Mapping[str, xr.Dataset]) -> dict[str, float]:
    """Return the run's figures."""
    site, horizon = course.setting.site, horizon_of(lived.arrays)
    could = sum(available_kwh(site, course.world.means(part), part) for part in _parts(horizon))
    return figures(
        course.setting, lived.arrays, networks, could, course.period, course.billing, course.stored_before_kwh
    )


def _parts(horizon: Horizon) -> Iterator[Horizon]:
    for first in range(0, len(horizon), AT_A_TIME):
        yield Horizon(horizon.edges[first : first + AT_A_TIME + 1])


def _result(
    case: Case, site: Site, kpis: Mapping[str, float], findings: tuple[Finding, ...], arrays: xr.Dataset, seconds: float
) -> Result:
    """Return the record of a run on a changed site."""
    return Result(
        case=case.name,
        title=case.title,
        currency=site.currency,
        kpis=kpis,
        findings=findings,
        arrays=arrays,
        networks={},
        provenance=provenance_of(case, site) | {"seconds": round(seconds, 3)},
        kinds={a.id: a.kind for a in site.assets},
        time_zone=site.location.time_zone,
        notice=site.notice,
        values=case.values,
        story=case.story,
        changes=tuple(change.told() for change in case.changes),
    )


def network_check(site: Site, arrays: xr.Dataset) -> tuple[dict[str, xr.Dataset], Iterator[Finding]]:
    """Return every network's state at every step of a run, and what the states break."""
    times = arrays["time"].to_numpy()
    power = arrays["power_kw"].transpose("asset", "carrier", "time").to_numpy()
    row = {str(a): i for i, a in enumerate(arrays["asset"].to_numpy())}
    column = {Carrier(str(c)): i for i, c in enumerate(arrays["carrier"].to_numpy())}
    flows = {(a.id, c): np.ascontiguousarray(power[row[a.id], column[c]]) for a in site.assets for c in a.ports()}
    networks = SiteNetworks.of(site)
    states = {**networks.pipes(flows, times).states, **networks.grids(flows, times).states}
    speaker = Speaker(horizon_of(arrays))
    return states, (f for _, n in site.networks for f in judge_network(n, states[n.id], speaker) if n.id in states)


def provenance_of(case: Case, site: Site) -> dict[str, object]:
    """Return what a run was made from: hashes of its inputs, the versions of what computed it, its seed."""
    files = [case.site_file]
    if site.profiles is not None:
        files.append(site.folder / site.profiles.file)
    return {
        "site": site.name,
        "site_sha256": [hashlib.sha256(f.read_bytes()).hexdigest() for f in files],
        "case_sha256": hashlib.sha256(
            repr((case.changes, case.run, case.start, case.days, case.sizing)).encode()
        ).hexdigest(),
        "seed": case.run.seed,
        "start": case.beginning.at.isoformat() if case.beginning else case.start.isoformat(),
        "days": case.days,
        "run": {"mode": case.run.mode, "step": case.run.step, "forecast": case.run.forecast},
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
    }
