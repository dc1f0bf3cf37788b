"""Plans, forecasts and starts for the small site of round numbers."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import xarray as xr

from models.dispatch import Plan, SolverReport
from models.findings import Finding, Severity
from models.forecast import Forecast
from models.horizon import Horizon
from models.site import Networks, Site
from models.state import Snapshot, UnitState
from twin.networks import over_time
from twin.state import start_snapshot, stored_of
from twin.step import Twin, moves_at

START = datetime(2015, 7, 15, 0, tzinfo=UTC)
HORIZON = Horizon.quarters_then_hours(START)
STEPS = len(HORIZON)
LEVELS = {
    "works_el_kw": 1000.0, "works_heat_kw": 800.0, "works_cold_kw": 300.0, "works_gas_kw": 100.0, "pv_pu": 0.2,
    "wind_pu": 0.1, "air_degc": 7.0, "washer_kw": 60.0, "works_water_m3_per_h": 2.0,
}  # fmt: skip
Controls = Mapping[str, float | np.ndarray]
STEADY: Controls = {"chp": 500.0, "boiler": 200.0, "chiller": 300.0}


def forecast_of(levels: Mapping[str, float]) -> Forecast:
    values = np.array([np.full(STEPS, v) for v in levels.values()])
    coords = {"series": list(levels), "time": HORIZON.times}
    return Forecast(START, HORIZON, xr.DataArray(values, coords, ("series", "time")), "test")


def plan_of(site: Site, initial: Snapshot, controls: Controls, levels: Mapping[str, float] = LEVELS) -> Plan:
    """Return the plan that the twin itself follows, lossless, from control powers."""
    twin = Twin(dataclasses.replace(site, networks=Networks()))
    full = {a: np.broadcast_to(np.asarray(v, dtype=float), STEPS) for a, v in controls.items()}
    moves = moves_at({s: np.full(STEPS, v) for s, v in levels.items()}, full, STEPS)
    replay = twin.replay(stored_of(initial), HORIZON, moves)
    times = HORIZON.times.to_numpy()
    power = twin.layout.power_over_time(over_time(b.power_kw for b in replay.balances), times)
    for asset, values in full.items():
        power.loc[{"asset": asset, "carrier": site.asset(asset).control.value}] = values
    keepers = list(twin.layout.keepers)
    stored = xr.DataArray(
        np.array([[s[k] for s in replay.stored_kwh] for k in keepers]),
        {"asset": keepers, "time": times},
        ("asset", "time"),
    )
    nothing = xr.zeros_like(power)
    report = SolverReport("rule", 0.0, 0.0, 0.0, 0.0, 0.0)
    prices = xr.DataArray(np.zeros((5, STEPS)), {"carrier": power["carrier"], "time": times}, ("carrier", "time"))
    return Plan("p1", START, HORIZON, power, stored, nothing.isel(carrier=0), nothing, {}, prices, report)


def ready(site: Site) -> Snapshot:
    """Return a start in which the engine has run for three hours at 500 kW."""
    begin = start_snapshot(site, START)
    power = begin.power_kw.copy()
    power.loc[{"asset": "chp", "carrier": "electricity"}] = 500.0
    return dataclasses.replace(begin, power_kw=power, units={**begin.units, "chp": UnitState(True, 3.0)})


def errors(findings: tuple[Finding, ...], place: str) -> list[str]:
    return [f.message for f in findings if f.place == place and f.severity is Severity.ERROR]
