"""A small site with round numbers: one of everything, so that a balance can be done by hand."""

from pathlib import Path

import pytest

from models.carriers import Carrier
from models.components import (
    AbsorptionChiller,
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
    PartLoadMap,
    Pv,
    Wind,
)
from models.networks.data import Bus, ElectricNetwork, Line, Transformer
from models.site import (
    Device,
    ElectricityContract,
    GasContract,
    Location,
    Networks,
    Node,
    Site,
)
from models.tariffs.time_of_use import PriceBand, TimeOfUseTariff, Window


def feeder(current_max_ka: float = 0.4) -> ElectricNetwork:
    """Return a 110/20 kV transformer with two 20 kV lines in a row: hv - station - works."""
    cable = {"r_ohm_per_km": 0.2, "x_ohm_per_km": 0.12, "c_nf_per_km": 200.0, "current_max_ka": current_max_ka}
    return ElectricNetwork(
        id="grid_20kv",
        buses=(
            Bus(id="hv", vn_kv=110.0),
            Bus(id="main", vn_kv=20.0),
            Bus(id="station", vn_kv=20.0),
            Bus(id="works", vn_kv=20.0),
        ),
        lines=(
            Line(id="main_station", from_bus="main", to_bus="station", length_km=2.0, **cable),
            Line(id="station_works", from_bus="station", to_bus="works", length_km=3.0, **cable),
        ),
        transformers=(
            Transformer(
                id="t1", hv_bus="hv", lv_bus="main", rated_mva=25.0, vn_hv_kv=110.0, vn_lv_kv=20.0,
                vk_percent=12.0, vkr_percent=0.16, iron_loss_kw=20.0, no_load_current_percent=0.1, shift_deg=150.0,
            ),
        ),
        slack_bus="hv",
    )  # fmt: skip


def equipment() -> tuple[object, ...]:
    """Return one asset of every kind, in round numbers."""
    store = {"charge_efficiency": 0.95, "discharge_efficiency": 0.95, "stored_min_share": 0.1}
    return (
        GridConnection(id="pcc", electricity_node="hv", import_max_kw=8000.0, export_max_kw=4000.0, contract="power"),
        GasSupply(id="gate", gas_node="gas", import_max_kw=10000.0, contract="gas"),
        Pv(id="pv", electricity_node="works", peak_kw=2000.0, profile="pv_pu"),
        Wind(id="wind", electricity_node="station", rated_kw=1000.0, profile="wind_pu"),
        Chp(
            id="chp", electricity_node="station", heat_node="heat", gas_node="gas",
            part_load=PartLoadMap(power_kw=(200.0, 800.0), fuel_kw=(600.0, 2000.0), heat_kw=(300.0, 900.0)),
            min_up_h=2.0, min_down_h=1.0, ramp_kw_per_min=100.0,
        ),
        GasBoiler(id="boiler", heat_node="heat", gas_node="gas", heat_max_kw=3000.0, efficiency=0.9),
        HeatPump(
            id="pump", electricity_node="station", heat_node="heat", heat_max_kw=900.0, cop_rated=3.0,
            rated_air_degc=7.0, supply_degc=70.0, air_profile="air_degc",
        ),
        ElectricBoiler(id="heater", electricity_node="station", heat_node="heat", heat_max_kw=500.0, efficiency=0.99),
        ElectricChiller(
            id="chiller", electricity_node="station", cold_node="cold", cold_max_kw=1500.0, cop_rated=5.0,
            part_load=(0.1, 0.6, 0.3),
        ),
        AbsorptionChiller(id="absorber", heat_node="heat", cold_node="cold", cold_max_kw=500.0, cop=0.7),
        Electrolyser(
            id="electrolyser", electricity_node="station", hydrogen_node="h2", power_max_kw=400.0, efficiency=0.6
        ),
        Battery(
            id="battery", electricity_node="station", charge_max_kw=1000.0, discharge_max_kw=1000.0,
            energy_kwh=2000.0, **store,
        ),
        HotTank(
            id="tank", heat_node="heat", charge_max_kw=2000.0, discharge_max_kw=2000.0, energy_kwh=6000.0,
            loss_share_per_h=0.003, charge_efficiency=1.0, discharge_efficiency=1.0,
        ),
        ColdStore(
            id="ice", cold_node="cold", charge_max_kw=800.0, discharge_max_kw=800.0, energy_kwh=3000.0,
            loss_share_per_h=0.002, charge_efficiency=1.0, discharge_efficiency=1.0,
        ),
        EvFleet(
            id="cars", electricity_node="works", charger_kw=10.0, efficiency=0.9, workdays_only=False,
            groups=(EvGroup(vehicles=20, arrive_h=8.0, depart_h=17.0, energy_kwh=20.0),),
        ),
        FlexibleLoad(
            id="washer", electricity_node="works", profile="washer_kw", shift_up_kw=50.0, shift_down_kw=50.0,
            shiftable_kwh=100.0,
        ),
        Consumer(
            id="works",
            demands=(
                Demand(carrier=Carrier.ELECTRICITY, node="works", profile="works_el_kw", power_factor=0.95),
                Demand(carrier=Carrier.HEAT, node="heat", profile="works_heat_kw"),
                Demand(carrier=Carrier.COLD, node="cold", profile="works_cold_kw"),
                Demand(carrier=Carrier.GAS, node="gas", profile="works_gas_kw"),
                Demand(carrier=Carrier.WATER, node="water", profile="works_water_m3_per_h"),
            ),
        ),
    )  # fmt: skip


def make_site(assets: tuple[object, ...] | None = None, *, networks: Networks | None = None) -> Site:
    """Return the site of :func:`equipment` on the grid of :func:`feeder`."""
    assets = equipment() if assets is None else assets
    buses = ("hv", "station", "works")
    single = {
        "heat": Carrier.HEAT,
        "cold": Carrier.COLD,
        "gas": Carrier.GAS,
        "h2": Carrier.HYDROGEN,
        "water": Carrier.WATER,
    }
    tariff = TimeOfUseTariff(
        bands=(PriceBand(name="flat", price_per_kwh=0.6, windows=(Window(start_h=0.0, end_h=24.0),)),)
    )
    return Site(
        name="round",
        title="Round numbers",
        notice="derived, no real site",
        currency="CNY",
        location=Location(latitude_deg=36.0, longitude_deg=117.0, time_zone="UTC"),
        nodes=(
            *(Node(id=b, carrier=Carrier.ELECTRICITY, network="grid_20kv") for b in buses),
            *(Node(id=n, carrier=c) for n, c in single.items()),
        ),
        assets=assets,  # type: ignore[arg-type]
        networks=Networks(electricity=(feeder(),)) if networks is None else networks,
        contracts=(
            ElectricityContract(id="power", party="grid company", tariff=tariff),
            GasContract(id="gas", party="gas company", price_per_kwh=0.3),
        ),
        customers=(),
        devices=tuple(Device(id=f"{a.id}_device", asset=a.id, map="generic") for a in assets),  # type: ignore[attr-defined]
        profiles=None,
        folder=Path(),
    )


@pytest.fixture(scope="session")
def site() -> Site:
    return make_site()
