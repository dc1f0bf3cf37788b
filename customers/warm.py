"""Compile every loop of customers once, by one small run of everything that they are in, so that nobody waits for the compiler later."""

from datetime import date

import numpy as np
from scipy import sparse

from customers.costs.library import load_costs
from customers.features.table import features_of
from customers.intervals.series import MeterTable
from customers.intervals.vee import validate
from customers.packages.bands import battery_mode
from customers.packages.between import ASSUMED
from customers.packages.customer import PackageCustomer
from customers.packages.priced import PricedYear, priced
from customers.packages.proof import Draws, prove
from customers.packages.sketch import CellPrices, Cells, Population, SizedVariant, costs
from customers.packages.sun import resampled_archive
from customers.packages.variants import Bench, Variant
from customers.population import FIRST_YEAR, population
from models.tariffs.calendar import Calendar, Intervals, from_windows
from models.tariffs.components import Demand, Energy, NetBilling, Tier
from models.tariffs.tariff import Tariff, Version
from models.tariffs.time_of_use import Window
from optimizers.packages import Columns, choose

ZONE = "Asia/Shanghai"
DAYS = 28


def warm_customers() -> None:
    """Compile the loops of meter data, features, packages and choices; takes some fifteen seconds of one core."""
    people = population(2, 1)
    table = people.meters(FIRST_YEAR, 60)
    store = validate(table)
    features_of(store.best, people.weather(FIRST_YEAR, 60).air_degc)
    short = store.best.between(table.intervals.start, table.intervals.instant(DAYS * 24))
    year = priced(_tariff(), short.intervals)
    _package(short, year)
    _sketches(short, year)
    choose(Columns(np.zeros(1, dtype=np.int64), np.ones(1), sparse.csr_array(np.ones((1, 1))), np.ones(1)))


def _package(table: MeterTable, year: PricedYear) -> None:
    """Simulate and prove one design."""
    customer = PackageCustomer("c", "c", "", table.intervals, table.whole_wh()[0].astype(np.int64))
    sun = resampled_archive(np.ones(table.intervals.count, dtype=np.float32), table.intervals, 2, 0.0)
    bench = Bench(customer, year, sun, load_costs())
    prove(bench, bench.simulate(Variant(pv_kw=1.0, battery_kwh=1.0)), ASSUMED, Draws.of(2))


def _sketches(table: MeterTable, year: PricedYear) -> None:
    """Price one design of two customers."""
    grid: Intervals = table.intervals
    cells, library = Cells.over(year.tariff.calendar, grid), load_costs()
    people = Population((table.energy_kwh / table.step_h).astype(np.float32), np.ones(2))
    mode, sun = battery_mode(year, library["battery_round_trip"], 0.0), np.ones(grid.count, dtype=np.float32)
    costs(people, [SizedVariant(1.0, 0.1)], [CellPrices.of(year, cells)], cells, sun, mode, 0.9)


def _tariff() -> Tariff:
    bands = [(0, Window(start_h=0, end_h=24)), (1, Window(start_h=8, end_h=20))]
    energy = Energy("energy", {0: (Tier(300_000),), 1: (Tier(900_000),)}, from_windows(bands))
    parts = (energy, Demand("demand", {0: (Tier(10_000_000),)}), NetBilling("export", {0: 100_000}))
    return Tariff("warm", "CNY", Calendar(ZONE), (Version("1", date(2000, 1, 1), parts),))
