"""Problems for tests: the tiny site or a few assets, with forecasts and snapshots written as plain numbers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from models.components import EvFleet, FlexibleLoad, Store
from models.dispatch import DispatchProblem, Plan
from models.forecast import Forecast
from models.horizon import Horizon
from models.site import Site
from models.site.file import parse_site
from models.state import Snapshot, UnitState
from tests.sites import document

START = datetime(2015, 1, 5, 16, tzinfo=UTC)
"""Midnight from Sunday to Monday, 2015-01-06 00:00 in Shanghai is a Tuesday."""
CARRIERS = ("electricity", "heat", "gas", "cold", "hydrogen")
NODES = {"electricity": "bus", "heat": "warm", "gas": "gate", "cold": "chill", "hydrogen": "h2"}


def site_of(
    assets: Sequence[Mapping[str, Any]],
    *,
    prices: Mapping[str, Any] | None = None,
    reserves: Sequence[Mapping[str, Any]] = (),
) -> Site:
    """A site with the given assets; ports are found by the carriers named in ``ports``."""
    doc = document()
    doc["nodes"] = [{"id": node, "carrier": carrier} for carrier, node in NODES.items()]
    doc["assets"] = [_connected(a) for a in assets]
    doc["customers"], doc["profiles"] = [], None
    doc["contracts"][0]["tariff"].update(prices or {})
    doc["contracts"] += [dict(r) for r in reserves]
    site, findings = parse_site(doc, Path())
    assert site is not None, findings
    return site


def _connected(asset: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(asset)
    for carrier in made.pop("ports", ()):
        made[f"{carrier}_node"] = NODES[carrier]
    return made


def grid(**changes: Any) -> dict[str, Any]:
    made = {
        "id": "grid",
        "kind": "grid_connection",
        "ports": ["electricity"],
        "import_max_kw": 1000,
        "export_max_kw": 500,
    }
    return {**made, "contract": "power", **changes}


def gas(**changes: Any) -> dict[str, Any]:
    return {"id": "gas", "kind": "gas_supply", "ports": ["gas"], "import_max_kw": 5000, "contract": "fuel", **changes}


def consumer(*carriers: str, name: str = "mill") -> dict[str, Any]:
    demands = [{"carrier": c, "node": NODES[c], "profile": f"{name}_{c}_kw"} for c in carriers]
    return {"id": name, "kind": "consumer", "demands": demands}


def reserve(name: str, providers: Sequence[str], **changes: Any) -> dict[str, Any]:
    return {"id": name, "kind": "reserve", "party": "operator", "providers": list(providers), **changes}


def engine(name: str = "chp", **changes: Any) -> dict[str, Any]:
    points = {"power_kw": [50, 100], "fuel_kw": [150, 260], "heat_kw": [60, 110]}
    made = {"id": name, "kind": "chp", "ports": ["electricity", "heat", "gas"], "part_load": points, "start_cost": 10}
    return {**made, **changes}


def turbine(name: str = "turbine", **changes: Any) -> dict[str, Any]:
    """A region with five corners; along each fuel line 1 kW of heat displaces 0.2 kW of power."""
    region = {"power_kw": [40, 100, 88, 52, 34], "heat_kw": [0, 0, 60, 60, 30]}
    fuel = {"fuel_idle_kw": 20, "fuel_per_power": 2.4, "fuel_per_heat": 0.48}
    made = {
        "id": name,
        "kind": "extraction_chp",
        "ports": ["electricity", "heat", "gas"],
        "region": region,
        "start_cost": 10,
    }
    return {**made, **fuel, **changes}


def battery(**changes: Any) -> dict[str, Any]:
    made = {"id": "battery", "kind": "battery", "ports": ["electricity"], "charge_max_kw": 50, "discharge_max_kw": 50}
    return {**made, "energy_kwh": 100, "charge_efficiency": 0.9, "discharge_efficiency": 0.9, **changes}


def hours(count: int, start: datetime = START) -> Horizon:
    return Horizon.uniform(start, start + timedelta(hours=count), timedelta(hours=1))


def forecast(horizon: Horizon, series: Mapping[str, Any]) -> Forecast:
    values = np.array([np.broadcast_to(np.asarray(v, float), len(horizon)) for v in series.values()]).reshape(
        -1, len(horizon)
    )
    array = xr.DataArray(values, {"series": list(series), "time": horizon.times}, ("series", "time"))
    return Forecast(horizon.start, horizon, array, "test")


def snapshot(site: Site, at: datetime, stored: Mapping[str, float], units: Mapping[str, UnitState]) -> Snapshot:
    held = {s.id: 0.5 * s.energy_kwh for s in site.of_kind(Store)}
    held |= {u.id: 0.0 for u in (*site.of_kind(FlexibleLoad), *site.of_kind(EvFleet))}
    held |= stored
    power = xr.DataArray(np.zeros((0, 5)), {"asset": [], "carrier": list(CARRIERS)}, ("asset", "carrier"))
    return Snapshot(at, power, xr.DataArray(list(held.values()), {"asset": list(held)}, ("asset",)), dict(units))


def problem_of(
    site: Site,
    horizon: Horizon,
    series: Mapping[str, Any],
    *,
    stored: Mapping[str, float] | None = None,
    units: Mapping[str, UnitState] | None = None,
    **more: Any,
) -> DispatchProblem:
    initial = snapshot(site, horizon.start, stored or {}, units or {})
    return DispatchProblem(site, horizon, forecast(horizon, series), initial, **more)


def assert_balanced(plan: Plan, losses_kw: float = 0.0) -> None:
    """On every carrier the powers sum to the losses."""
    total = plan.power_kw.sum("asset")
    np.testing.assert_allclose(total.values, losses_kw, atol=1e-5)
