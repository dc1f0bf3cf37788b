"""The customers of a site file as package design sees them: their load from its profiles, their site from its assets."""

import math
from collections.abc import Mapping
from datetime import UTC

import numpy as np
import numpy.typing as npt
import pandas as pd

from customers.packages.customer import PackageCustomer, SiteFacts, facts_of
from customers.packages.sun import SunArchive, resampled_archive
from models.carriers import Carrier
from models.components import Consumer, Demand, EvFleet, FlexibleLoad, GasBoiler, GasSupply, Pv
from models.errors import DataError
from models.findings import error
from models.site import Site
from models.site.profiles import load_profiles
from models.site.site import GasContract
from models.tariffs.calendar import Intervals

Singles = npt.NDArray[np.float32]
ARCHIVE_YEARS = 24
HOUR = 60
BOILER_EFFICIENCY = 0.9
HEAT_NETWORK_LOSS = 0.1
ROOF_M2_PER_YEARLY_KWH = 0.004
"""Where no roof is in the file: the roof of a hall that uses 250 kWh per m2 and year."""
FREE_ROOF = 0.5
"""Share of such a roof that is free; and of the area of a roof field that stands already, what could still be added."""


def park_customers(site: Site, minutes: int | None = None) -> list[PackageCustomer]:
    """Return the customers of a site that take electricity, with what its file says of them.

    Intervals are of ``minutes``; where left out those of the site's profiles, an hour at most: finer ones would only repeat them.

    Raises
    ------
    DataError
        If the site has no profiles or no customer with electricity.
    """
    table = load_profiles(site)
    consumers = {a.id: a for a in site.of_kind(Consumer)}
    there = [c for c in site.customers if _demand(consumers[c.consumer], Carrier.ELECTRICITY) is not None]
    if table.empty or not there:
        raise DataError(
            [error("customers", "nobody can be designed for: profiles and customers with electricity are needed")]
        )
    assert site.profiles is not None  # noqa: S101 - its table is not empty
    minutes = minutes or min(site.profiles.step_s // 60, HOUR)
    repeat = site.profiles.step_s // 60 // minutes
    start = table.index[0].to_pydatetime().replace(tzinfo=UTC)
    intervals = Intervals(start, len(table) * repeat, minutes)
    found = []
    for c in there:
        asset = consumers[c.consumer]
        bus, load_kw = _electric(site, asset, table)
        heat = _profile(asset, Carrier.HEAT, table)
        wh = np.rint(np.repeat(load_kw, repeat) * minutes / 60 * 1e3).astype(np.int64)
        heat_kw = None if heat is None else np.repeat(heat, repeat).astype(np.float32)
        facts = _facts(site, asset, bus, load_kw, table)
        found.append(PackageCustomer(c.id, c.name, c.sector, intervals, wh, facts, heat_kw, bus))
    return found


def _demand(consumer: Consumer, carrier: Carrier) -> Demand | None:
    return next((d for d in consumer.demands if d.carrier is carrier), None)


def _profile(consumer: Consumer, carrier: Carrier, table: pd.DataFrame) -> "npt.NDArray[np.float64] | None":
    demand = _demand(consumer, carrier)
    return None if demand is None else demand.scale * table[demand.profile].to_numpy(dtype=np.float64)


def _electric(site: Site, consumer: Consumer, table: pd.DataFrame) -> tuple[str, "npt.NDArray[np.float64]"]:
    """Return a customer's bus and its load with the flexible loads on that bus, which are its own."""
    demand = _demand(consumer, Carrier.ELECTRICITY)
    assert demand is not None  # noqa: S101 - only such customers are asked for
    load = demand.scale * table[demand.profile].to_numpy(dtype=np.float64)
    for flexible in site.of_kind(FlexibleLoad):
        if flexible.electricity_node == demand.node:
            load = load + flexible.scale * table[flexible.profile].to_numpy(dtype=np.float64)
    return demand.node, load


def _facts(
    site: Site, consumer: Consumer, bus: str, load_kw: "npt.NDArray[np.float64]", table: pd.DataFrame
) -> SiteFacts:
    known: dict[str, float] = {"roof_m2": _roof_m2(site, bus, float(load_kw.sum()))}
    gas = next((c for c in site.contracts if isinstance(c, GasContract)), None)
    price = gas.price_per_kwh if gas is not None and site.of_kind(GasSupply) else 0.0
    heat, cold = (_profile(consumer, c, table) for c in (Carrier.HEAT, Carrier.COLD))
    if heat is not None:
        boiler = next((b.efficiency for b in site.of_kind(GasBoiler)), BOILER_EFFICIENCY)
        known |= {"heat_kwh": heat.sum(), "heat_kw": heat.max(), "heat_price": price / boiler / (1 - HEAT_NETWORK_LOSS)}
        known |= {"gas_price": price if _demand(consumer, Carrier.GAS) is not None else 0.0}
    if cold is not None:
        known |= {"cold_kwh": cold.sum(), "cold_kw": cold.max()}
    known |= _vehicles(site, bus)
    flexible = [f for f in site.of_kind(FlexibleLoad) if f.electricity_node == bus]
    known |= {"flexible_kw": sum(f.shift_down_kw for f in flexible)}
    return facts_of(known)


def _vehicles(site: Site, bus: str) -> Mapping[str, float]:
    """Return what the file says of vehicles that charge at a bus."""
    fleets = [f for f in site.of_kind(EvFleet) if f.electricity_node == bus]
    groups = [g for f in fleets for g in f.groups]
    if not groups:
        return {}
    count = sum(g.vehicles for g in groups)
    energy = sum(g.vehicles * g.energy_kwh for g in groups) / count
    first = groups[0]
    stay = {"arrive_h": first.arrive_h, "depart_h": first.depart_h, "every_day": not fleets[0].workdays_only}
    return {"vehicles": count, "vehicle_kwh_per_day": energy, **stay}


def _roof_m2(site: Site, bus: str, yearly_kwh: float) -> float:
    """Return the roof that is free: half as much again beside a field that stands, half of a hall's roof where the file names none."""
    fields = [p for p in site.of_kind(Pv) if p.electricity_node == bus]
    if fields:
        return math.floor(FREE_ROOF * sum(p.peak_kw for p in fields) * 8.0)
    return math.floor(FREE_ROOF * ROOF_M2_PER_YEARLY_KWH * yearly_kwh)


def park_sun(site: Site, intervals: Intervals, year_sd: float, seed: int = 1) -> SunArchive:
    """Return the sun archive of a site: its typical year of photovoltaics, and years made of its days.

    Raises
    ------
    DataError
        If no photovoltaic profile is in the file.
    """
    field = next(iter(site.of_kind(Pv)), None)
    if field is None or site.profiles is None:
        raise DataError([error("assets", "no photovoltaics, so no profile of sun is in the file; bring an archive")])
    hourly = load_profiles(site)[field.profile].to_numpy(dtype=np.float32)
    repeat = site.profiles.step_s // 60 // intervals.minutes
    return resampled_archive(np.repeat(hourly, repeat), intervals, ARCHIVE_YEARS, year_sd, seed=seed)
