"""An energy hub that every tool can say: tariff with demand charge, sun, engine, boiler, heat pump, chiller, three stores; a day in quarters."""

import functools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from models.dispatch import DispatchProblem
    from models.site import Site

Floats = npt.NDArray[np.float64]
FIRST = datetime(2015, 1, 5, 16, tzinfo=UTC)
STEP_H, IMPORT_KW, GAS_KW, EXPORT_PRICE, GAS_PRICE, DEMAND_PRICE = 0.25, 8000.0, 20000.0, 0.2, 0.365, 1.2
CHP = {"power_kw": 1400.0, "fuel_kw": 3500.0, "heat_kw": 1223.0, "om": 0.133}
STORES = {
    "battery": {"power_kw": 1000.0, "energy_kwh": 2000.0, "start_kwh": 1000.0, "efficiency": 0.95},
    "tank": {"power_kw": 3000.0, "energy_kwh": 10000.0, "start_kwh": 4000.0, "efficiency": 0.99},
    "ice": {"power_kw": 1500.0, "energy_kwh": 4000.0, "start_kwh": 1000.0, "efficiency": 0.98},
}
BOILER_KW, PUMP_KW, CHILLER_KW = 6000.0, 1000.0, 4000.0


@functools.cache
def hub_site() -> "Site":
    """Return the hub as a site."""
    from models.site import parse_site

    nodes = [{"id": f"n_{c}", "carrier": c} for c in ("electricity", "heat", "cold", "gas")]
    store = {k: {"charge_max_kw": v["power_kw"], "discharge_max_kw": v["power_kw"], "energy_kwh": v["energy_kwh"],
                 "charge_efficiency": v["efficiency"], "discharge_efficiency": v["efficiency"]} for k, v in STORES.items()}  # fmt: skip
    el, heat, cold, gas = ({f"{c}_node": f"n_{c}"} for c in ("electricity", "heat", "cold", "gas"))
    points = {"power_kw": [0.5 * CHP["power_kw"], CHP["power_kw"]], "fuel_kw": [0.5 * CHP["fuel_kw"], CHP["fuel_kw"]],
              "heat_kw": [0.5 * CHP["heat_kw"], CHP["heat_kw"]]}  # fmt: skip
    assets: list[dict[str, Any]] = [
        {"id": "grid", "kind": "grid_connection", **el, "import_max_kw": IMPORT_KW, "export_max_kw": IMPORT_KW, "contract": "power"},
        {"id": "gate", "kind": "gas_supply", **gas, "import_max_kw": GAS_KW, "contract": "fuel"},
        {"id": "sun", "kind": "pv", **el, "peak_kw": 4000.0, "profile": "sun_pu"},
        {"id": "chp", "kind": "chp", **el, **heat, **gas, "part_load": points, "om_cost_per_kwh": CHP["om"]},
        {"id": "boiler", "kind": "gas_boiler", **heat, **gas, "heat_max_kw": BOILER_KW, "efficiency": 0.925},
        {"id": "pump", "kind": "heat_pump", **el, **heat, "heat_max_kw": PUMP_KW, "cop_rated": 3.1, "rated_air_degc": 7.0,
         "supply_degc": 60.0, "air_profile": "air_degc"},
        {"id": "chiller", "kind": "electric_chiller", **el, **cold, "cold_max_kw": CHILLER_KW, "cop_rated": 4.55},
        {"id": "battery", "kind": "battery", **el, **store["battery"]},
        {"id": "tank", "kind": "hot_tank", **heat, **store["tank"]},
        {"id": "ice", "kind": "cold_store", **cold, "medium": "ice", **store["ice"]},
        {"id": "works", "kind": "consumer", "demands": [
            {"carrier": c, "node": f"n_{c}", "profile": f"{c}_kw"} for c in ("electricity", "heat", "cold")]},
    ]  # fmt: skip
    bands = [("flat", 0.65, [(0, 24)]), ("valley", 0.42, [(23, 7)]), ("peak", 0.89, [(10, 13), (17, 22)])]
    tariff = {
        "bands": [{"name": n, "price_per_kwh": p, "windows": [{"start_h": a, "end_h": b} for a, b in w]} for n, p, w in bands],
        "export_price_per_kwh": EXPORT_PRICE, "demand_price_per_kw_month": 36.0,
    }  # fmt: skip
    place = {"latitude_deg": 36.0, "longitude_deg": 115.0, "elevation_m": 50.0, "time_zone": "Asia/Shanghai"}
    site, findings = parse_site(
        {"format": "jouletwin-site/1", "name": "hub", "title": "Hub", "currency": "CNY", "location": place, "nodes": nodes,
         "assets": assets, "contracts": [
             {"id": "power", "kind": "electricity", "party": "grid", "tariff": tariff},
             {"id": "fuel", "kind": "gas", "party": "gas", "price_per_kwh": GAS_PRICE}]},
        Path(),
    )  # fmt: skip
    if site is None:
        raise ValueError("; ".join(map(str, findings)))
    return site


def series(start: datetime, steps: int) -> dict[str, Floats]:
    """Return loads, sun and air temperature from ``start``: smooth days with seeded noise that is the same for every window."""
    first = int((start - FIRST) / timedelta(hours=STEP_H))
    hour = (first + np.arange(steps)) * STEP_H
    noise = np.random.default_rng(4).normal(0.0, 0.05, (4, 40_000))[:, first % 35_040 : first % 35_040 + steps]
    day = np.sin((hour - 9) / 24 * 2 * np.pi)
    year = np.cos((hour / 24 - 15) / 365 * 2 * np.pi)
    return {
        "electricity_kw": (2600 + 1100 * day) * (1 + noise[0]),
        "heat_kw": np.maximum(2500 + 1800 * year - 400 * day, 200) * (1 + noise[1]),
        "cold_kw": np.maximum(1200 - 900 * year + 500 * day, 100) * (1 + noise[2]),
        "sun_pu": np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) ** 1.3
        * (0.65 + 2 * np.abs(noise[3])).clip(0, 1)
        * 0.9,
        "air_degc": 12 - 10 * year + 4 * day,
    }


def hub_problem(start: datetime, steps: int = 96) -> "DispatchProblem":
    """Return the hub over ``steps`` quarter-hours from ``start``; stores end with no less than they began."""
    import xarray as xr

    from models.dispatch import DemandTerms, DispatchProblem, EndTerm
    from models.forecast import Forecast
    from models.horizon import Horizon
    from models.state import Snapshot

    horizon = Horizon.uniform(start, start + steps * timedelta(minutes=15))
    found = series(start, steps)
    values = xr.DataArray(
        np.array(list(found.values())), {"series": list(found), "time": horizon.times}, ("series", "time")
    )
    nothing = xr.DataArray(np.zeros((0, 1)), {"asset": [], "carrier": ["electricity"]}, ("asset", "carrier"))
    held = {k: v["start_kwh"] for k, v in STORES.items()}
    stored = xr.DataArray(list(held.values()), {"asset": list(held)}, ("asset",))
    return DispatchProblem(
        hub_site(), horizon, Forecast(start, horizon, values, "hub"), Snapshot(start, nothing, stored),
        demand=DemandTerms(DEMAND_PRICE), ends={k: EndTerm(v, 0.0, 1e3) for k, v in held.items()}, integer_h=0.0,
    )  # fmt: skip


def hub_numbers(problem: "DispatchProblem") -> dict[str, Any]:
    """Return the same problem as plain numbers for tools of other people."""
    from models.components import HeatPump
    from models.tariffs.terms import optimizer_terms

    known = {str(n): problem.forecast.values.sel(series=n).to_numpy() for n in problem.forecast.values["series"].values}
    price = optimizer_terms(problem.site.tariff("power"), problem.horizon).import_per_kwh
    (pump,) = problem.site.of_kind(HeatPump)
    return {
        "steps": len(problem.horizon), "step_h": STEP_H, "import_kw": IMPORT_KW, "gas_kw": GAS_KW,
        "export_price": EXPORT_PRICE, "gas_price": GAS_PRICE, "demand_price": DEMAND_PRICE,
        "boiler_kw": BOILER_KW, "pump_kw": PUMP_KW, "chiller_kw": CHILLER_KW,
        "chp": {"fuel_kw": CHP["fuel_kw"], "electric": CHP["power_kw"] / CHP["fuel_kw"],
                "thermal": CHP["heat_kw"] / CHP["fuel_kw"], "om": CHP["om"]},
        **STORES,
        "series": {"el": known["electricity_kw"].tolist(), "heat": known["heat_kw"].tolist(), "cold": known["cold_kw"].tolist(),
                   "sun": (4000.0 * known["sun_pu"]).tolist(), "price": price.tolist(),
                   "cop": pump.cop(known["air_degc"]).tolist()},
    }  # fmt: skip
