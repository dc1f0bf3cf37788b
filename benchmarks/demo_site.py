"""The published demo site as it is, with congestion put into it: five days whose first plan the grid may not carry.

Reads the folder ``demo-site`` beside the reference cases; nothing of it is part of this repository. Equipment is as the files say:
engines, boilers and chillers linear, stores that end the day as they began it, hourly profiles joined by straight lines.
"""

import functools
import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from models.dispatch import DispatchProblem
    from models.networks.data import ElectricNetwork
    from models.site import Site

Floats = npt.NDArray[np.float64]
CASES = Path(os.environ.get("JOULETWIN_CASES", Path(__file__).parents[1] / ".." / "shared" / "cases"))
FOLDER = CASES.parent / "demo-site"
YEAR = datetime(2014, 12, 31, 16, tzinfo=UTC)
"""Midnight in Shanghai when the profiles begin."""
STATION = 8
"""The bus of the energy station: engines, heat pump, boilers, chillers, battery."""
POWER_FACTOR = 0.97
BAND = (0.95, 1.05)
OM_CNY_PER_KWH = 0.133
STORE_LOSS_PER_H = 0.003
PV_KVAR_PER_KW = 0.25
BATTERY_KVAR = 1000.0
"""What inverters can feed or draw is not in the files; with these figures the secured costs of all days come out as published."""
STEPS = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Congestion:
    """A day of the demo site, 0 being the first of January, with what is moved, grown or added; buses by number, powers in MW.

    ``stored_mwh`` is what battery, hot and cold tank hold at both ends of the day: about the levels of the cheapest day.
    """

    day: int
    stored_mwh: tuple[float, float, float]
    moved: Mapping[str, int] = field(default_factory=dict)
    load_factor: float = 1.0
    more_pv: Mapping[int, float] = field(default_factory=dict)
    vehicles_at: int | None = None


DAYS = {
    "winter": Congestion(day=35, stored_mwh=(0.354, 0.0, 0.0)),
    "summer": Congestion(day=197, stored_mwh=(0.5154, 1.851, 0.0)),
    "overload": Congestion(
        day=19,
        stored_mwh=(0.2388, 0.0, 0.0),
        moved={"metal1": 11, "metal_w": 9, "office": 10, "pv_metal1": 11, "pv_office": 10},
        load_factor=1.25,
    ),
    "pv10": Congestion(day=122, stored_mwh=(0.0, 5.5, 1.362), more_pv={11: 4.0, 6: 3.0, 5: 3.0}),
    "ev": Congestion(day=35, stored_mwh=(0.0, 0.0, 0.0), moved={"metal1": 10}, vehicles_at=11),
}


@dataclass(frozen=True)
class DemoSite:
    """The files of the demo site."""

    components: Mapping[str, Any]
    electricity: Mapping[str, Any]
    profiles: Mapping[str, Floats]

    def series(self, name: str, day: int) -> Floats:
        """Return a profile in quarter-hours of one day: straight lines between the hours' values."""
        hours = self.profiles[name]
        return np.interp(day * 24 + np.arange(STEPS) / 4, np.arange(len(hours)), hours)


@functools.cache
def demo_site() -> DemoSite:
    """Return the files; FileNotFoundError where the folder is absent."""
    with gzip.open(FOLDER / "profiles_hourly.csv.gz", "rt", encoding="utf-8") as lines:
        names = next(lines).strip().split(",")[1:]
        table = np.array([[float(v) for v in line.split(",")[1:]] for line in lines]).T
    read = {n: json.loads((FOLDER / f"{n}.json").read_text(encoding="utf-8")) for n in ("components", "electricity")}
    return DemoSite(read["components"], read["electricity"], dict(zip(names, table, strict=True)))


def congested(name: str) -> "tuple[DispatchProblem, ElectricNetwork]":
    """Return a day of :data:`DAYS` as a problem with its grid."""
    day, files = DAYS[name], demo_site()
    site = _site(_document(day, files))
    return _problem(site, day, files), _grid(site)


def _document(day: Congestion, files: DemoSite) -> dict[str, Any]:
    buses = [f"bus_{i}" for i in range(15)]
    nodes = [{"id": b, "carrier": "electricity", "network": "park_20kv"} for b in buses]
    nodes += [{"id": n, "carrier": c} for n, c in (("hot", "heat"), ("chill", "cold"), ("gate", "gas"))]
    assets = [*_supply(files), *_sun_and_wind(day, files), *_station(files), *_customers(day, files)]
    return {
        "format": "jouletwin-site/1",
        "name": "demo_site",
        "title": "Demo site",
        "currency": "CNY",
        "location": {"latitude_deg": 36.1, "longitude_deg": 115.0, "elevation_m": 50.0, "time_zone": "Asia/Shanghai"},
        "nodes": nodes,
        "assets": assets,
        "contracts": _contracts(files),
        "networks": _networks(),
    }


def _supply(files: DemoSite) -> list[dict[str, Any]]:
    most = 1e3 * _source(files, "grid")["p_max_mw"]
    return [
        {"id": "grid", "kind": "grid_connection", "electricity_node": "bus_0", "import_max_kw": most,
         "export_max_kw": most, "contract": "power"},
        {"id": "gas", "kind": "gas_supply", "gas_node": "gate", "import_max_kw": 1e5, "contract": "gas"},
    ]  # fmt: skip


def _sun_and_wind(day: Congestion, files: DemoSite) -> list[dict[str, Any]]:
    placed = {k: (day.moved.get(k, bus), mw) for k, (bus, mw) in files.electricity["generators_bus_mw"].items()}
    roofs = {k: v for k, v in placed.items() if k.startswith("pv_")}
    roofs |= {f"pv_more_{bus}": (bus, mw) for bus, mw in day.more_pv.items()}
    found = [
        {"id": k, "kind": "pv", "electricity_node": f"bus_{bus}", "peak_kw": 1e3 * mw, "profile": "pv_pu",
         "reactive_max_kvar": PV_KVAR_PER_KW * 1e3 * mw}
        for k, (bus, mw) in roofs.items()
    ]  # fmt: skip
    bus, mw = placed["wind"]
    return [
        *found,
        {"id": "wind", "kind": "wind", "electricity_node": f"bus_{bus}", "rated_kw": 1e3 * mw, "profile": "wind_pu"},
    ]


def _station(files: DemoSite) -> list[dict[str, Any]]:
    here, source = f"bus_{STATION}", functools.partial(_source, files)
    engine, stores = source("chp1"), {s["id"]: s for s in files.components["storage"]}
    # half and full load on one line through zero: an engine without a lowest load
    full = {k: engine[k][0] for k in ("p_el_kw", "fuel_kw", "heat_kw")}
    part_load = {
        n: [0.5 * full[k], full[k]]
        for n, k in (("power_kw", "p_el_kw"), ("fuel_kw", "fuel_kw"), ("heat_kw", "heat_kw"))
    }
    cop = source("ashp")["cop"]
    found: list[dict[str, Any]] = [
        {"id": f"chp{k}", "kind": "chp", "electricity_node": here, "heat_node": "hot", "gas_node": "gate",
         "part_load": part_load, "om_cost_per_kwh": OM_CNY_PER_KWH}
        for k in (1, 2)
    ]  # fmt: skip
    boiler, chiller = source("boiler1"), source("chiller1")
    found += [
        {"id": f"boiler{k}", "kind": "gas_boiler", "heat_node": "hot", "gas_node": "gate",
         "heat_max_kw": 1e3 * boiler["q_mw"], "efficiency": boiler["eff_lhv"]}
        for k in (1, 2)
    ]  # fmt: skip
    found += [
        {"id": f"chiller{k}", "kind": "electric_chiller", "electricity_node": here, "cold_node": "chill",
         "cold_max_kw": 1e3 * chiller["q_cold_mw"], "cop_rated": chiller["cop"]}
        for k in (1, 2)
    ]  # fmt: skip
    battery, hot, cold = (stores[k] for k in ("battery", "hot_tank", "cold_tank"))
    return [
        *found,
        {"id": "heat_pump", "kind": "heat_pump", "electricity_node": here, "heat_node": "hot",
         "heat_max_kw": 1e3 * source("ashp")["q_mw"], "cop_rated": cop, "cop_min": cop, "cop_max": cop,
         "rated_air_degc": 7.0, "supply_degc": 60.0, "air_profile": "air_degc"},
        {"id": "electric_boiler", "kind": "electric_boiler", "electricity_node": here, "heat_node": "hot",
         "heat_max_kw": 1e3 * source("eboiler")["q_mw"], "efficiency": source("eboiler")["eff"]},
        {"id": "absorption", "kind": "absorption_chiller", "heat_node": "hot", "cold_node": "chill",
         "cold_max_kw": 1e3 * source("absorption")["q_cold_mw"], "cop": source("absorption")["cop"]},
        {"id": "battery", "kind": "battery", "electricity_node": here, "reactive_max_kvar": BATTERY_KVAR,
         **_store(battery, battery["eff_one_way"], 0.0)},
        {"id": "hot_tank", "kind": "hot_tank", "heat_node": "hot", **_store(hot, 1.0, STORE_LOSS_PER_H)},
        {"id": "cold_tank", "kind": "cold_store", "cold_node": "chill", "medium": "water",
         **_store(cold, 1.0, STORE_LOSS_PER_H)},
    ]  # fmt: skip


def _store(store: Mapping[str, Any], efficiency: float, loss_share_per_h: float) -> dict[str, Any]:
    return {
        "charge_max_kw": 1e3 * store["p_mw"],
        "discharge_max_kw": 1e3 * store["p_mw"],
        "energy_kwh": 1e3 * store["e_mwh"],
        "charge_efficiency": efficiency,
        "discharge_efficiency": efficiency,
        "loss_share_per_h": loss_share_per_h,
    }


def _customers(day: Congestion, files: DemoSite) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, bus in files.electricity["customer_bus"].items():
        place = f"bus_{day.moved.get(name, bus)}"
        demands: list[dict[str, Any]] = [
            {"carrier": "electricity", "node": place, "profile": f"el_{name}_kw", "power_factor": POWER_FACTOR,
             "scale": day.load_factor}
        ]  # fmt: skip
        demands += [
            {"carrier": carrier, "node": node, "profile": f"{carrier}_{name}_kw"}
            for carrier, node in (("heat", "hot"), ("cold", "chill"))
            if f"{carrier}_{name}_kw" in files.profiles
        ]
        found.append({"id": name, "kind": "consumer", "demands": demands})
    if day.vehicles_at is not None:
        # 18 MWh between 17:00 and 07:00 at no more than 4.5 MW, moved freely within these hours
        mean_kw = 18_000.0 / 14.0
        found.append(
            {"id": "vehicles", "kind": "flexible_load", "electricity_node": f"bus_{day.vehicles_at}",
             "profile": "vehicles_kw", "shift_up_kw": 4500.0 - mean_kw, "shift_down_kw": mean_kw, "shiftable_kwh": 18_000.0}
        )  # fmt: skip
    return found


def _contracts(files: DemoSite) -> list[dict[str, Any]]:
    tariff = files.components["tariff"]
    price = tariff["energy_per_kwh"]
    windows = {"flat": [(0, 24)], "valley": [(23, 7)], "peak": [(10, 13), (17, 22)]}
    bands = [
        {"name": n, "price_per_kwh": price[n], "windows": [{"start_h": a, "end_h": b} for a, b in w]}
        for n, w in windows.items()
    ]
    return [
        {"id": "power", "kind": "electricity", "party": "grid company",
         "tariff": {"bands": bands, "export_price_per_kwh": tariff["export_per_kwh"],
                    "demand_price_per_kw_month": tariff["demand_per_kw_month"]}},
        {"id": "gas", "kind": "gas", "party": "gas company", "price_per_kwh": tariff["gas_per_kwh_lhv"]},
    ]  # fmt: skip


def _networks() -> dict[str, Any]:
    """Return the shipped park's grid, the same benchmark feeder that the files name, with a band of five per cent."""
    import yaml

    from scenarios.sites import park_path

    grid = yaml.safe_load(park_path().read_text(encoding="utf-8"))["networks"]["electricity"][0]
    buses = [{**b, "vm_min_pu": BAND[0], "vm_max_pu": BAND[1]} for b in grid["buses"]]
    return {"electricity": [{**grid, "buses": buses}]}


def _source(files: DemoSite, name: str) -> Mapping[str, Any]:
    return next(s for s in files.components["sources"] if s["id"] == name)


def _site(document: dict[str, Any]) -> "Site":
    from models.site import parse_site

    site, findings = parse_site(document, Path())
    if site is None:
        raise ValueError("; ".join(map(str, findings)))
    return site


def _grid(site: "Site") -> "ElectricNetwork":
    return site.networks.electricity[0]


def _problem(site: "Site", day: Congestion, files: DemoSite) -> "DispatchProblem":
    import xarray as xr

    from models.dispatch import DemandTerms, DispatchProblem, EndTerm
    from models.forecast import Forecast
    from models.horizon import Horizon
    from models.state import Snapshot

    start = YEAR + timedelta(days=day.day)
    horizon = Horizon.uniform(start, start + timedelta(days=1))
    values, share = _series(site, day, files), None
    array = xr.DataArray(
        np.array(list(values.values())), {"series": list(values), "time": horizon.times}, ("series", "time")
    )
    held = dict(zip(("battery", "hot_tank", "cold_tank"), (1e3 * v for v in day.stored_mwh), strict=True))
    if day.vehicles_at is not None:
        held["vehicles"] = 0.0
        plugged = (values["vehicles_kw"] > 0).astype(float)
        share = xr.DataArray(plugged[None], {"asset": ["vehicles"], "time": horizon.times}, ("asset", "time"))
    nothing = xr.DataArray(np.zeros((0, 1)), {"asset": [], "carrier": ["electricity"]}, ("asset", "carrier"))
    stored = xr.DataArray(list(held.values()), {"asset": list(held)}, ("asset",))
    return DispatchProblem(
        site, horizon, Forecast(start, horizon, array, "profiles"), Snapshot(start, nothing, stored),
        demand=DemandTerms(files.components["tariff"]["demand_per_kw_month"] / 30.0),
        ends={k: EndTerm(v, 0.0, 1e3) for k, v in held.items()}, available_share=share, gap_share=1e-6,
    )  # fmt: skip


def _series(site: "Site", day: Congestion, files: DemoSite) -> dict[str, Floats]:
    hour = np.arange(STEPS) / 4
    found = {n: files.series(n, day.day) for n in site.series() if n in files.profiles}
    found["air_degc"] = files.series("temp_c", day.day)
    if day.vehicles_at is not None:
        found["vehicles_kw"] = np.where((hour >= 17) | (hour < 7), 18_000.0 / 14.0, 0.0)
    return found


def with_noise(problem: "DispatchProblem", share: float, seed: int) -> "DispatchProblem":
    """Return the problem with every forecast value changed at random by at most ``share``."""
    rng = np.random.default_rng(seed)
    values = problem.forecast.values
    moved = values * (1.0 + rng.uniform(-share, share, values.shape))
    return replace(problem, forecast=replace(problem.forecast, values=moved))
