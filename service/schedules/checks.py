"""What a schedule may hold, judged whole before anything is kept."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite

from models.dispatch import Plan
from models.findings import Finding, error
from models.limits import setpoint_range_kw
from models.site import Site
from service.schedules.orders import Steps

LONGEST = timedelta(hours=48)
STEPS_MOST = 500
MARGIN_KW = 1e-6


def schedule_findings(site: Site, start: datetime, end: datetime, steps: Steps) -> list[Finding]:
    """Return everything that is wrong with a schedule."""
    found = []
    if not timedelta(0) < end - start <= LONGEST:
        hours = (end - start).total_seconds() / 3600
        found.append(error("end", f"is {hours:g} h behind the start; a schedule lasts more than 0 h and at most 48 h"))
    if not steps:
        found.append(error("setpoints_kw", "names no asset"))
    for asset, rows in steps.items():
        found += _asset_findings(site, asset, rows, start, end)
    return found


def _asset_findings(
    site: Site, asset: str, rows: Sequence[tuple[datetime, float]], start: datetime, end: datetime
) -> Iterator[Finding]:
    place, known = f"setpoints_kw.{asset}", {a.id: a for a in site.assets}
    limits = setpoint_range_kw(known[asset]) if asset in known else None
    if asset not in known:
        yield error(place, "the site has no such asset")
    elif limits is None or asset not in {d.asset for d in site.devices}:
        yield error(place, "takes no set-point: it closes a balance, or no device stands for it")
    if not 0 < len(rows) <= STEPS_MOST:
        yield error(place, f"has {len(rows)} steps; 1 to {STEPS_MOST} are possible")
    for k, (at, kw) in enumerate(rows):
        if not start <= at < end:
            yield error(f"{place}[{k}].at", f"{at.isoformat()} lies outside the schedule")
        if k and at <= rows[k - 1][0]:
            yield error(f"{place}[{k}].at", "is not behind the step before it")
        if not isfinite(kw):
            yield error(f"{place}[{k}].kw", "is no number")
        elif limits is not None and not limits[0] - MARGIN_KW <= kw <= limits[1] + MARGIN_KW:
            yield error(f"{place}[{k}].kw", f"is {kw:g} kW; {asset} takes {limits[0]:g} to {limits[1]:g} kW")


def steps_of_plan(
    site: Site, plan: Plan, assets: Sequence[str], start: datetime, end: datetime
) -> Mapping[str, list[tuple[datetime, float]]]:
    """Return what a plan means some assets to do between two instants; assets that the site does not have get no steps."""
    starts = [max(at, start) for at in plan.horizon.edges[:-1]]
    ends = plan.horizon.edges[1:]
    inside = [k for k, (a, b) in enumerate(zip(starts, ends, strict=True)) if a < min(b, end)]
    controls = {a.id: a.control.value for a in site.assets}
    found: dict[str, list[tuple[datetime, float]]] = {}
    for asset in assets:
        power = None
        if asset in controls:
            power = plan.power_kw.sel(asset=asset, carrier=controls[asset]).to_numpy()
        found[asset] = [] if power is None else [(starts[k], round(float(power[k]), 3)) for k in inside]
    return found
