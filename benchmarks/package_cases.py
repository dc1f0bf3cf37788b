"""What the measures of packages are taken on: the demo park, made-up customers, years of sun, and many tariffs of the same bands."""

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from customers.catalogue.modules import Catalogue, load_catalogue
from customers.costs.library import load_costs
from customers.packages.customer import PackageCustomer, SiteFacts
from customers.packages.park import park_customers, park_sun
from customers.packages.priced import priced
from customers.packages.sketch import SizedVariant
from customers.packages.sun import SunArchive, generated_archive
from customers.packages.variants import Bench
from customers.population import FIRST_YEAR, population
from customers.weather import year_intervals
from models.site import Site
from models.site.file import load_site
from models.tariffs.calendar import Calendar, Intervals, from_windows
from models.tariffs.components import Component, Demand, Energy, NetBilling, Tier
from models.tariffs.tariff import Tariff, Version
from models.tariffs.time_of_use import Window
from service.places import PARK

PV_SHARE, BATTERY_SHARE, SAVED_SHARE = 0.35, 0.2, 0.06
"""Photovoltaics and battery of a usual package as shares of the peak, and what an efficiency programme saves of the load."""
SIZED: Sequence[SizedVariant] = (
    *(SizedVariant(p, b) for p in (0.0, 0.5, 1.0) for b in (0.0, 0.1, 0.2)),
    SizedVariant(1.0, 0.1, 2.0, SAVED_SHARE),
)
"""Ten designs that every customer is tried with."""


def park() -> tuple[Site, Catalogue, list[Bench]]:
    """Return the demo park, the catalogue, and a bench for each of its customers."""
    site, library = load_site(PARK), load_costs()
    people = park_customers(site, 15)
    sun = park_sun(site, people[0].intervals, library["weather_year_sd"])
    year = priced(site.tariff("power"), people[0].intervals)
    return site, load_catalogue(known_costs=library.items), [Bench(p, year, sun, library) for p in people]


def made_up(count: int, intervals: Intervals, seed: int) -> list[PackageCustomer]:
    """Return so many customers with a year of hours, half of them with vehicles, roofs of any size."""
    made, rng = population(count, seed=seed), np.random.default_rng(seed)
    wh = made.meters(FIRST_YEAR, 60).whole_wh().astype(np.int64)
    facts = [
        SiteFacts(roof_m2=float(rng.uniform(0, 12) * m), vehicles=int(rng.integers(0, 2) * 10))
        for m in made.mean_kw.tolist()
    ]
    return [PackageCustomer(f"c{k}", f"c{k}", "", intervals, wh[k], facts[k]) for k in range(count)]


def loads_kw(count: int) -> npt.NDArray[np.float32]:
    """Return so many years of quarter-hours in kW: made-up customers, each of its own size and shifted in time."""
    load: npt.NDArray[np.float32] = population(count, seed=2).meters(FIRST_YEAR, 15).energy_kwh
    load *= 4.0
    return load


def one_year(minutes: int) -> Intervals:
    """Return the first year of made-up customers."""
    return year_intervals(FIRST_YEAR, minutes)


def sun_of(intervals: Intervals, years: Iterable[int], place: int = 31) -> SunArchive:
    """Return years of sun at one of many made-up places."""
    return generated_archive(intervals, list(years), seed=place)


def tariff(number: int) -> Tariff:
    """Return one of many tariffs of the same bands: spread and demand charge differ."""
    bands = [
        (0, Window(start_h=0, end_h=24)),
        (1, Window(start_h=23, end_h=7)),
        (2, Window(start_h=10, end_h=13)),
        (2, Window(start_h=17, end_h=22)),
    ]
    spread = 150_000 + 40_000 * (number % 8)
    prices = {0: 650_000, 1: 650_000 - spread, 2: 650_000 + spread}
    parts: tuple[Component, ...] = (
        Energy("energy", {p: (Tier(m),) for p, m in prices.items()}, from_windows(bands)),
        Demand("demand", {0: (Tier(12_000_000 * (number // 8 + 1)),)}),
        NetBilling("export", {0: 300_000}),
    )
    return Tariff(f"t{number}", "CNY", Calendar("Asia/Shanghai"), (Version("1", date(2020, 1, 1), parts),))
