"""One small customer under a simple tariff, for tests of packages."""

from datetime import UTC, date, datetime

import numpy as np

from customers.costs.library import load_costs
from customers.packages.customer import PackageCustomer, SiteFacts
from customers.packages.priced import PricedYear, priced
from customers.packages.sun import SunArchive
from customers.packages.variants import Bench
from models.tariffs.calendar import Calendar, Intervals, from_windows
from models.tariffs.components import Demand, Energy, Fixed, NetBilling, Tier
from models.tariffs.tariff import Tariff, Version
from models.tariffs.time_of_use import Window

ZONE = "Asia/Shanghai"
START = datetime(2022, 12, 31, 16, tzinfo=UTC)
DAYS = 59


def grid(days: int = DAYS, minutes: int = 60) -> Intervals:
    return Intervals(START, days * 24 * 60 // minutes, minutes)


def tariff(*, valley=300_000, flat=600_000, peak=1_000_000, demand=36_000_000, sold=300_000) -> Tariff:
    slots = [(0, Window(start_h=0, end_h=24)), (1, Window(start_h=23, end_h=7)), (2, Window(start_h=17, end_h=22))]
    energy = Energy("energy", {0: (Tier(flat),), 1: (Tier(valley),), 2: (Tier(peak),)}, from_windows(slots))
    parts = (
        energy,
        Demand("demand", {0: (Tier(demand),)}),
        NetBilling("export", {0: sold}),
        Fixed("standing", 50_000_000),
    )
    return Tariff("case", "CNY", Calendar(ZONE), (Version("1", date(2020, 1, 1), parts),))


def load_wh(days: int = DAYS, minutes: int = 60, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hour = (np.arange(days * 24 * 60 // minutes) * minutes / 60) % 24
    kw = 80 + 60 * ((hour >= 8) & (hour < 21)) + 15 * rng.standard_normal(len(hour))
    return np.rint(np.maximum(kw, 5) * 1e3 * minutes / 60).astype(np.int64)


def sun(intervals: Intervals, years: int = 4) -> SunArchive:
    hour = (np.arange(intervals.count) * intervals.minutes / 60) % 24
    shape = np.maximum(np.sin((hour - 6) / 12 * np.pi), 0).astype(np.float32)
    factors = np.linspace(0.9, 1.1, years, dtype=np.float32)
    return SunArchive(intervals, shape, shape * factors[:, np.newaxis], "a sine")


def bench(minutes: int = 60, facts: SiteFacts | None = None, library=None, **prices: int) -> Bench:
    intervals = grid(minutes=minutes)
    person = PackageCustomer(
        "c1", "Case One", "office", intervals, load_wh(minutes=minutes), facts or SiteFacts(roof_m2=1200)
    )
    year: PricedYear = priced(tariff(**prices), intervals)
    return Bench(person, year, sun(intervals), library or load_costs())
