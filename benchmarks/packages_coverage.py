"""How often the 90 % saving interval of one metered year holds what comes true in years of other weather, at many places."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most

if TYPE_CHECKING:
    from customers.packages.between import BetweenYears
    from customers.packages.variants import Bench as Customer
    from customers.packages.variants import Simulated, Variant
    from customers.population import Population
    from models.tariffs.calendar import Intervals

Flags = npt.NDArray[np.bool_]
Singles = npt.NDArray[np.float32]
PLACES_FROM = 61_000
"""Seed of the first place; nothing was chosen on these places: the method was made on those from 900 on."""
OTHERS, PAIRED = 60_000, range(60_001, 60_009)
"""Seeds of the customers from whom between-year terms are learnt: yearly sums, and at several places a metered year with its next one."""
PAIRED_AT_ONE_PLACE = 10
AT_ONE_PLACE = 5
"""Customers who share their weather; a dark year is dark for all of them, so many places say more than many customers."""
TRUTH_FROM = 2030
"""First year that no archive and no history holds: what comes true."""
ARCHIVE = range(1980, 2004)
DESIGNS = {"P": (1, 0, 0), "B": (0, 1, 0), "PB": (1, 1, 0), "PBE": (1, 1, 1)}
"""Photovoltaics, battery, efficiency programme."""


@case("packages", "coverage", size=400, quick_size=10, packages=("numba", "numpy"))
def coverage(bench: Bench) -> Iterable[Row]:
    """Count how often the interval of year one holds twenty years that come after; between-year terms are learnt from others."""
    years = 4 if bench.quick else 20
    for name, (inside, below) in covered(bench.size, years, PLACES_FROM).items():
        words = f"interval of {name} holds, {bench.size} customers x {years} years"
        for target in (None,) if bench.quick else (value_at_least(85.0), value_at_most(95.0)):
            yield bench.figure(100 * inside, "%", target=target, phase=words)
        yield bench.figure(100 * below, "%", phase=f"saving of {name} below the interval")


def covered(count: int, years: int, places_from: int) -> dict[str, tuple[float, float]]:
    """Return by design the share of true savings inside the interval, and below it."""
    between, places = _learnt(), range(places_from, places_from + max(count // AT_ONE_PLACE, 1))
    found = {name: np.zeros((2, len(places))) for name in DESIGNS}
    for k, seed in enumerate(places):
        here = _Place.of(seed, count // len(places), years)
        for name, inside, below in _judged(here, between):
            found[name][:, k] += inside / here.people.count, below / here.people.count
    return {name: (float(f[0].mean()), float(f[1].mean())) for name, f in found.items()}


@dataclass(frozen=True)
class _Place:
    """Customers under one sky with what comes true: loads (year, customer, interval), sun (year, interval), effects of programmes (year, customer)."""

    people: "Population"
    benches: "list[Customer]"
    loads_kw: Singles
    sun_pu: Singles
    effects: npt.NDArray[np.float64]

    @classmethod
    def of(cls, seed: int, count: int, years: int) -> "_Place":
        """Return a place of so many customers, and so many of its years."""
        from benchmarks.package_cases import one_year, sun_of
        from customers.costs.library import load_costs
        from customers.population import population

        people, intervals, rng = population(count, seed=seed), one_year(60), np.random.default_rng([8, seed])
        own = people.between
        level = np.exp(own.growth + rng.normal(0, own.common, (years, 1)) + rng.normal(0, own.own, (years, count)))
        loads = np.array([_come_true(people, y, intervals) for y in range(years)]) * level[:, :, np.newaxis]
        item = load_costs().items["efficiency_effect"]
        effects = np.clip(rng.normal(item.central, (item.high - item.low) / 3.29, (years, count)), 0, 1)
        sun = sun_of(intervals, range(TRUTH_FROM, TRUTH_FROM + years), seed).years
        return cls(people, _benches(people, ARCHIVE), loads.astype(np.float32), sun, effects)


def _judged(here: _Place, between: "BetweenYears") -> Iterator[tuple[str, float, float]]:
    """Yield every design of every customer with the share of years inside its interval and below it."""
    from customers.packages.proof import Draws, prove

    draws = Draws.of(144, seed=here.people.seed)
    for c, b in enumerate(here.benches):
        for name in DESIGNS:
            simulated = b.simulate(_design(b, name))
            low, high = prove(b, simulated, between, draws).interval
            true = _true_savings(here, b, simulated, c)
            yield name, float(((low <= true) & (true <= high)).mean()), float((true < low).mean())


def _true_savings(here: _Place, b: "Customer", simulated: "Simulated", c: int) -> npt.NDArray[np.float64]:
    """Return what a customer's design saves in every year that comes true."""
    years = zip(here.loads_kw[:, c].astype(np.float64), here.sun_pu, here.effects[:, c].tolist(), strict=True)
    return np.array([b.year_saved(simulated, load, sun, effect) for load, sun, effect in years])


def _benches(people: "Population", archive: Iterable[int]) -> "list[Customer]":
    """Return made-up customers in their first year, with the sun of their place."""
    from benchmarks.package_cases import one_year, sun_of, tariff
    from customers.costs.library import load_costs
    from customers.packages.customer import PackageCustomer
    from customers.packages.priced import priced
    from customers.packages.variants import Bench as Customer
    from customers.population import FIRST_YEAR

    intervals, library = one_year(60), load_costs()
    sun, year = sun_of(intervals, archive, people.seed), priced(tariff(0), intervals)
    wh = people.meters(FIRST_YEAR, 60).whole_wh().astype(np.int64)
    return [Customer(PackageCustomer(f"c{k}", "", "", intervals, w), year, sun, library) for k, w in enumerate(wh)]


def _design(b: "Customer", name: str) -> "Variant":
    """Return what a name like PB stands for, at the size of a customer."""
    from benchmarks.package_cases import BATTERY_SHARE, PV_SHARE, SAVED_SHARE
    from customers.packages.variants import Variant

    p, s, e = DESIGNS[name]
    peak = b.customer.peak_kw
    return Variant(PV_SHARE * peak * p, 2 * BATTERY_SHARE * peak * s, SAVED_SHARE * e)


def _learnt() -> "BetweenYears":
    """Return between-year terms of other customers: six years of sums, and a metered and a next year of some of them."""
    from benchmarks.package_cases import one_year
    from customers.packages.between import learnt
    from customers.packages.swing import learnt_swing
    from customers.population import FIRST_YEAR, population

    others = population(400, seed=OTHERS)
    history = np.array([others.meters(FIRST_YEAR + y, 60).energy_kwh.sum(axis=1, dtype=np.float64) for y in range(6)]).T
    some = [population(PAIRED_AT_ONE_PLACE, seed=s) for s in PAIRED]
    metered = [(b, b.simulate(_design(b, "B"))) for people in some for b in _benches(people, [2000])]
    then = np.concatenate([_come_true(people, 20, one_year(60)) for people in some]).astype(np.float64)
    return replace(learnt(history), swing=learnt_swing(metered, list(then)))


def _come_true(people: "Population", number: int, intervals: "Intervals") -> Singles:
    """Return what customers draw in a year that comes true, at the metered year's level: other weather, other shocks, other noise."""
    from customers.population import FIRST_YEAR
    from customers.weather import weather_year, year_intervals

    weather = weather_year(year_intervals(TRUTH_FROM + number, 60), people.seed)
    # on the metered year's intervals, so that weekdays and bills compare
    drawn = people.meters(FIRST_YEAR + 1 + number, 60, replace(weather, intervals=intervals)).energy_kwh
    return np.asarray(drawn / people.level(FIRST_YEAR + 1 + number)[:, np.newaxis], dtype=np.float32)
