"""A site with one device of every shipped map, for the tests of emulators."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from hil.maps import load_map, shipped_maps
from models.carriers import Carrier
from models.components import (
    AbsorptionChiller,
    AnyAsset,
    Battery,
    Chp,
    ColdStore,
    Consumer,
    Demand,
    ElectricBoiler,
    ElectricChiller,
    Electrolyser,
    EvFleet,
    EvGroup,
    FlexibleLoad,
    GasBoiler,
    GasSupply,
    GridConnection,
    HeatPump,
    HotTank,
    Meter,
    PartLoadMap,
    Pv,
    Wind,
)
from models.networks.data import Bus, ElectricNetwork, Junction, Line, Pipe, PipeNetwork
from models.site import Device, Location, Networks, Node, ProfileFile, Site

MAPS: Mapping[str, str] = {
    "pcc": "janitza_umg604",
    "gate": "gas_flow_corrector",
    "pv": "sunspec_pv_inverter",
    "wind": "wind_turbine",
    "chp": "gas_engine_chp",
    "boiler": "gas_boiler_controller",
    "pump": "air_source_heat_pump",
    "heater": "electric_boiler_controller",
    "chiller": "compression_chiller",
    "absorber": "absorption_chiller",
    "electrolyser": "electrolyser_stack",
    "battery": "sunspec_battery",
    "tank": "hot_tank_transmitter",
    "ice": "cold_store_transmitter",
    "cars": "ev_charging_station",
    "washer": "flexible_load_controller",
    "works": "multi_energy_meter",
    "works_heat": "kamstrup_multical",
    "works_cold": "kamstrup_multical_cold",
    "works_power": "eastron_sdm630",
}


def equipment() -> tuple[AnyAsset, ...]:
    """Return one asset of every kind, in round numbers."""
    return (
        GridConnection(id="pcc", electricity_node="main", import_max_kw=8000.0, export_max_kw=4000.0, contract="power"),
        GasSupply(id="gate", gas_node="gas", import_max_kw=10000.0, contract="fuel"),
        Pv(id="pv", electricity_node="south", peak_kw=1000.0, profile="sun_pu"),
        Wind(id="wind", electricity_node="south", rated_kw=500.0, profile="gust_pu"),
        Chp(
            id="chp", electricity_node="south", heat_node="heat", gas_node="gas",
            part_load=PartLoadMap(power_kw=(200.0, 800.0), fuel_kw=(600.0, 2000.0), heat_kw=(250.0, 800.0)),
            min_up_h=1.0, min_down_h=0.5, ramp_kw_per_min=60.0,
        ),
        GasBoiler(id="boiler", heat_node="heat", gas_node="gas", heat_max_kw=2000.0, efficiency=0.92, min_load_share=0.2),
        HeatPump(
            id="pump", electricity_node="south", heat_node="heat", heat_max_kw=800.0, cop_rated=3.0,
            rated_air_degc=7.0, supply_degc=70.0, air_profile="air_degc",
        ),
        ElectricBoiler(id="heater", electricity_node="south", heat_node="heat", heat_max_kw=500.0, efficiency=0.99),
        ElectricChiller(
            id="chiller", electricity_node="south", cold_node="cold", cold_max_kw=1500.0, cop_rated=4.5,
            part_load=(0.1, 0.6, 0.3),
        ),
        AbsorptionChiller(id="absorber", heat_node="heat", cold_node="cold", cold_max_kw=400.0, cop=0.7),
        Electrolyser(
            id="electrolyser", electricity_node="south", hydrogen_node="hydrogen", power_max_kw=300.0, efficiency=0.6
        ),
        Battery(
            id="battery", electricity_node="south", charge_max_kw=500.0, discharge_max_kw=600.0, energy_kwh=1000.0,
            charge_efficiency=0.95, discharge_efficiency=0.95, stored_min_share=0.1,
        ),
        HotTank(
            id="tank", heat_node="heat", charge_max_kw=1000.0, discharge_max_kw=1000.0, energy_kwh=4000.0,
            loss_share_per_h=0.003, charge_efficiency=1.0, discharge_efficiency=1.0,
        ),
        ColdStore(
            id="ice", cold_node="cold", charge_max_kw=800.0, discharge_max_kw=800.0, energy_kwh=3000.0,
            loss_share_per_h=0.002, charge_efficiency=1.0, discharge_efficiency=1.0,
        ),
        EvFleet(
            id="cars", electricity_node="south", charger_kw=10.0, efficiency=0.9, workdays_only=False,
            groups=(EvGroup(vehicles=20, arrive_h=8.0, depart_h=17.0, energy_kwh=20.0),),
        ),
        FlexibleLoad(
            id="washer", electricity_node="south", profile="washer_kw", shift_up_kw=50.0, shift_down_kw=50.0,
            shiftable_kwh=100.0,
        ),
        Consumer(
            id="works",
            demands=(
                Demand(carrier=Carrier.ELECTRICITY, node="south", profile="works_kw", power_factor=0.95),
                Demand(carrier=Carrier.HEAT, node="heat_works", profile="works_heat_kw"),
                Demand(carrier=Carrier.COLD, node="cold_works", profile="works_cold_kw"),
                Demand(carrier=Carrier.GAS, node="gas", profile="works_gas_kw"),
                Demand(carrier=Carrier.WATER, node="water", profile="works_m3_per_h"),
            ),
        ),
        Meter(id="works_heat", asset="works", carrier=Carrier.HEAT),
        Meter(id="works_cold", asset="works", carrier=Carrier.COLD),
        Meter(id="works_power", asset="works", carrier=Carrier.ELECTRICITY),
    )  # fmt: skip


def profiles() -> pd.DataFrame:
    """Return three days of profiles in UTC."""
    hour = np.arange(72)
    day = hour % 24
    return pd.DataFrame(
        {
            "start_utc": pd.date_range("2015-01-05", periods=72, freq="1h").strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sun_pu": np.clip(np.sin((day - 6) / 12 * np.pi), 0, None) * 0.7,
            "gust_pu": 0.4 + 0.3 * np.sin(hour / 5),
            "air_degc": 3.0 + 5 * np.sin(hour / 8),
            "washer_kw": 60.0 + 20 * (day > 8),
            "works_kw": 900.0 + 500 * ((day > 7) & (day < 18)),
            "works_heat_kw": 700.0 + 300 * (day < 10),
            "works_cold_kw": 300.0 + 400 * (day > 10),
            "works_gas_kw": 150.0 + 50 * (day > 8),
            "works_m3_per_h": 2.0 + 1.0 * (day > 8),
        }
    )


def trunk(carrier: str, **temperatures: float) -> PipeNetwork:
    """Return half a kilometre of pipe from the plant (a junction called like the carrier) to the works."""
    works = f"{carrier}_works"
    pipe = Pipe(
        id="trunk", from_junction=carrier, to_junction=works, length_m=500.0, inner_diameter_mm=200.0,
        heat_loss_w_per_m_k=0.3,
    )  # fmt: skip
    return PipeNetwork(
        id=f"{carrier}_pipes", carrier=carrier, junctions=(Junction(id=carrier), Junction(id=works)), pipes=(pipe,),  # type: ignore[arg-type]
        plant_junction=carrier, consumers=(works,), **temperatures,
    )  # fmt: skip


def networks() -> Networks:
    """Return a short 20 kV cable and one pipe each for heat and cold."""
    return Networks(
        electricity=(
            ElectricNetwork(
                id="grid",
                buses=(Bus(id="main", vn_kv=20.0), Bus(id="south", vn_kv=20.0)),
                lines=(
                    Line(
                        id="cable", from_bus="main", to_bus="south", length_km=4.0, r_ohm_per_km=0.2, x_ohm_per_km=0.12,
                        c_nf_per_km=200.0, current_max_ka=0.4,
                    ),
                ),
                slack_bus="main",
                slack_vm_pu=1.02,
            ),
        ),
        heat=(trunk("heat"),),
        cold=(trunk("cold", supply_degc=6.0, return_degc=13.0),),
    )  # fmt: skip


def devices() -> tuple[Device, ...]:
    """Return one device per asset with its map, and one for every other shipped map on the first asset of its kinds."""
    fixed = tuple(Device(id=a, asset=a, map=m, port=0) for a, m in MAPS.items())
    rest = []
    for name in set(shipped_maps()) - set(MAPS.values()):
        asset = next(a.id for a in equipment() if a.kind in load_map(name).kinds)
        rest.append(Device(id=name, asset=asset, map=name, port=0))
    return (*fixed, *sorted(rest, key=lambda d: d.id))


def emulated_site(folder: Path) -> Site:
    """Write the profiles into ``folder`` and return the site; every device has port 0."""
    profiles().to_csv(folder / "profiles.csv", index=False)
    single = ("gas", "hydrogen", "water")
    piped = [(c, j) for c in ("heat", "cold") for j in (c, f"{c}_works")]
    return Site(
        name="emulated",
        title="One of everything",
        notice="made up for tests",
        currency="CNY",
        location=Location(latitude_deg=36.0, longitude_deg=0.0, time_zone="UTC"),
        nodes=(
            *(Node(id=b, carrier=Carrier.ELECTRICITY, network="grid") for b in ("main", "south")),
            *(Node(id=c, carrier=Carrier(c)) for c in single),
            *(Node(id=j, carrier=Carrier(c), network=f"{c}_pipes") for c, j in piped),
        ),
        assets=equipment(),
        networks=networks(),
        contracts=(),
        customers=(),
        devices=devices(),
        profiles=ProfileFile(file="profiles.csv"),
        folder=folder,
    )
