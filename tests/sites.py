"""Small sites for tests: a document that is right, to be changed in one place."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HOURS = 48

TINY: dict[str, Any] = {
    "format": "jouletwin-site/1",
    "name": "tiny",
    "title": "Tiny test site",
    "notice": "made up for tests",
    "currency": "CNY",
    "location": {"latitude_deg": 36.1, "longitude_deg": 115.05, "time_zone": "Asia/Shanghai"},
    "nodes": [
        {"id": "bus", "carrier": "electricity"},
        {"id": "warm", "carrier": "heat"},
        {"id": "gate", "carrier": "gas"},
        {"id": "chill", "carrier": "cold"},
    ],
    "assets": [
        {
            "id": "grid",
            "kind": "grid_connection",
            "electricity_node": "bus",
            "import_max_kw": 1000,
            "export_max_kw": 500,
            "contract": "power",
        },
        {"id": "gas", "kind": "gas_supply", "gas_node": "gate", "import_max_kw": 5000, "contract": "fuel"},
        {"id": "pv", "kind": "pv", "electricity_node": "bus", "peak_kw": 200, "profile": "sun_pu"},
        {
            "id": "chp",
            "kind": "chp",
            "electricity_node": "bus",
            "heat_node": "warm",
            "gas_node": "gate",
            "part_load": {"power_kw": [50, 100], "fuel_kw": [150, 260], "heat_kw": [60, 110]},
            "min_up_h": 2,
            "min_down_h": 1,
            "start_cost": 10,
        },
        {
            "id": "boiler",
            "kind": "gas_boiler",
            "heat_node": "warm",
            "gas_node": "gate",
            "heat_max_kw": 400,
            "efficiency": 0.9,
        },
        {
            "id": "chiller",
            "kind": "electric_chiller",
            "electricity_node": "bus",
            "cold_node": "chill",
            "cold_max_kw": 200,
            "cop_rated": 4.0,
        },
        {
            "id": "battery",
            "kind": "battery",
            "electricity_node": "bus",
            "charge_max_kw": 100,
            "discharge_max_kw": 100,
            "energy_kwh": 200,
            "charge_efficiency": 0.95,
            "discharge_efficiency": 0.95,
        },
        {
            "id": "tank",
            "kind": "hot_tank",
            "heat_node": "warm",
            "charge_max_kw": 150,
            "discharge_max_kw": 150,
            "energy_kwh": 600,
            "charge_efficiency": 1.0,
            "discharge_efficiency": 1.0,
            "loss_share_per_h": 0.003,
        },
        {
            "id": "mill",
            "kind": "consumer",
            "demands": [
                {"carrier": "electricity", "node": "bus", "profile": "el_mill_kw", "power_factor": 0.97},
                {"carrier": "heat", "node": "warm", "profile": "heat_mill_kw"},
                {"carrier": "cold", "node": "chill", "profile": "cold_mill_kw"},
            ],
        },
    ],
    "contracts": [
        {
            "id": "power",
            "kind": "electricity",
            "party": "grid company",
            "tariff": {
                "bands": [
                    {"name": "flat", "price_per_kwh": 0.6, "windows": [{"start_h": 0, "end_h": 24}]},
                    {"name": "peak", "price_per_kwh": 1.0, "windows": [{"start_h": 17, "end_h": 22}]},
                    {"name": "valley", "price_per_kwh": 0.3, "windows": [{"start_h": 23, "end_h": 7}]},
                ],
                "export_price_per_kwh": 0.2,
                "demand_price_per_kw_month": 36.0,
            },
        },
        {"id": "fuel", "kind": "gas", "party": "gas company", "price_per_kwh": 0.35},
    ],
    "customers": [{"id": "mill", "name": "The mill", "sector": "food", "consumer": "mill"}],
    "devices": [],
    "profiles": {"file": "profiles.csv", "step_s": 3600},
}


def document() -> dict[str, Any]:
    """Return a fresh copy of the tiny site's document."""
    return deepcopy(TINY)


def profiles() -> pd.DataFrame:
    """Return two days of the tiny site's profiles."""
    hour = np.arange(HOURS) % 24
    start = pd.date_range("2015-01-01", periods=HOURS, freq="1h")
    return pd.DataFrame(
        {
            "start_utc": [f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in start],
            "sun_pu": np.clip(np.sin((hour + 8 - 6) % 24 / 12 * np.pi), 0, None) * 0.8,
            "el_mill_kw": 200 + 100 * (hour < 10),
            "heat_mill_kw": 150.0 + 5 * hour,
            "cold_mill_kw": np.full(HOURS, 50.0),
        }
    )


def write_tiny(folder: Path, doc: dict[str, Any] | None = None, table: pd.DataFrame | None = None) -> Path:
    """Write the site and its profiles into ``folder`` and return the path of the site file."""
    import yaml

    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(doc or document(), sort_keys=False))
    (table if table is not None else profiles()).to_csv(folder / "profiles.csv", index=False)
    return path
