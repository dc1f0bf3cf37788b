"""Physical designs of one customer: what may be built, and a metered year with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

from customers.costs.library import CostLibrary
from customers.packages.bands import battery_mode
from customers.packages.customer import PackageCustomer
from customers.packages.kernels import DISCHARGE, hold_caps, run_battery
from customers.packages.priced import PricedYear
from customers.packages.sun import SunArchive
from models.components.demand import EvGroup, present
from models.tariffs.sums import whole_wh

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]
PV_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
BATTERY_SHARES = (0.0, 0.1, 0.2, 0.3)
BATTERY_HOURS = 2.0
HALVINGS = 9
CHP_EFFICIENCY, CHP_HEAT_PER_POWER = 0.3655, 1.15
"""Engines of 0.5 to 1 MW: REopt.jl chp_defaults.json."""
CHARGER_EFFICIENCY, POINTS_PER_VEHICLE = 0.92, 0.5


@dataclass(frozen=True, slots=True)
class Variant:
    """What is built: photovoltaics, a battery, an efficiency programme, a share of an engine, charging points."""

    pv_kw: float = 0.0
    battery_kwh: float = 0.0
    saved_share: float = 0.0
    chp_kw: float = 0.0
    points: int = 0

    @property
    def battery_kw(self) -> float:
        """Power of the battery, which lasts for two hours."""
        return self.battery_kwh / BATTERY_HOURS

    @property
    def modules(self) -> frozenset[str]:
        """The modules of the catalogue that it is made of."""
        named = {"pv": self.pv_kw, "storage": self.battery_kwh, "efficiency": self.saved_share, "chp": self.chp_kw}
        return frozenset(m for m, size in {**named, "charging": self.points}.items() if size)


@dataclass(frozen=True, slots=True)
class Simulated:
    """A metered year with a variant; ``net_kw`` (interval,) is what the meter would see, ``caps_kw`` (month,) what the battery aims at."""

    variant: Variant
    net_kw: Floats
    caps_kw: Floats
    cost: float
    generated_kwh: float
    exported_kwh: float
    discharged_kwh: float
    chp_kwh: float
    charged_kwh: float


@dataclass(frozen=True)
class Bench:
    """One customer, one tariff, one library of costs and one archive of sun: everything that variants are simulated with."""

    customer: PackageCustomer
    year: PricedYear
    sun: SunArchive
    library: CostLibrary

    @cached_property
    def load_kw(self) -> Floats:
        """The metered load."""
        return self.customer.load_kw.astype(np.float64)

    @cached_property
    def mode(self) -> Bytes:
        """What price bands ask of a battery."""
        wear = self.library["battery_capex"] / self.library["battery_cycles"]
        return battery_mode(self.year, self.library["battery_round_trip"], wear)

    @cached_property
    def mean_price(self) -> float:
        """Mean price of a kWh bought, by time."""
        return float(self.year.import_per_kwh.mean())

    @cached_property
    def before(self) -> float:
        """What the metered year costs as it is."""
        return self.year.cost(self.load_kw)

    @property
    def runs_per_year(self) -> float:
        """How many runs as long as the metered one make a year."""
        return 8760.0 / (self.customer.intervals.count * self.year.step_h)

    @property
    def week(self) -> int:
        """Intervals in a week."""
        return 7 * 24 * 60 // self.customer.intervals.minutes

    @property
    def weeks(self) -> int:
        """Whole weeks in the metered run."""
        return self.customer.intervals.count // self.week

    def battery(self, variant: Variant) -> Floats:
        """Return a battery as the kernels read it."""
        one_way = float(np.sqrt(self.library["battery_round_trip"]))
        return np.array([variant.battery_kw, variant.battery_kwh, one_way, one_way, 0.0])

    @cached_property
    def _heat_kw(self) -> Floats:
        """The customer's heat draw; its yearly mean where it is not metered."""
        if self.customer.heat_kw is not None:
            return self.customer.heat_kw.astype(np.float64)
        return np.full(self.customer.intervals.count, self.customer.facts.heat_kwh / 8760.0)

    @cached_property
    def _charging_shape(self) -> Floats:
        """Power per charging point in kW: the energy that its vehicles need, spread over the hours they stay."""
        facts, calendar = self.customer.facts, self.year.tariff.calendar
        stay_h = (facts.depart_h - facts.arrive_h) % 24 or 24.0
        group = EvGroup(vehicles=1, arrive_h=facts.arrive_h, depart_h=facts.depart_h, energy_kwh=1.0)
        local = calendar.local(self.customer.intervals.times)
        here = present(group, local.hour.to_numpy() + local.minute.to_numpy() / 60.0)
        if not facts.every_day:
            here = here & (calendar.kinds(local) == 0)
        return np.asarray(here * (facts.vehicle_kwh_per_day / POINTS_PER_VEHICLE / CHARGER_EFFICIENCY / stay_h))

    def charging_kw(self, variant: Variant) -> Floats:
        """Return what a variant's charging points draw; shape (interval,)."""
        return variant.points * self._charging_shape

    def engine_kw(self, variant: Variant) -> Floats:
        """Return what a variant's engine feeds: in dear hours, as far as its heat is taken; shape (interval,)."""
        return np.asarray(np.minimum(variant.chp_kw * (self.mode == DISCHARGE), self._heat_kw / CHP_HEAT_PER_POWER))

    def simulate(self, variant: Variant) -> Simulated:
        """Run the metered year with a variant."""
        step_h, charging, engine = self.year.step_h, self.charging_kw(variant), self.engine_kw(variant)
        sun = variant.pv_kw * self.sun.typical.astype(np.float64)
        net = self.load_kw * (1.0 - variant.saved_share) + charging - engine - sun
        caps, used = np.zeros(len(self.year.share)), 0.0
        if variant.battery_kwh:
            battery = self.battery(variant)
            caps = hold_caps(net, self.mode, self.year.month, battery, step_h, HALVINGS)
            used = run_battery(net, self.mode, self.year.month, caps, battery, step_h)
        sent, generated, fed, charged = (
            float(a.sum()) * step_h for a in (np.maximum(-net, 0.0), sun, engine, charging)
        )
        return Simulated(variant, net, caps, self.year.cost(net), generated, sent, float(used), fed, charged)

    def year_saved(
        self, simulated: Simulated, load_kw: Floats, sun_pu: Singles | None = None, saved_share: float | None = None
    ) -> float:
        """Return what another year costs less with a simulated design, in currency per year.

        It keeps its caps; ``load_kw`` and ``sun_pu`` (interval,) are that year's, ``saved_share`` what a programme really saves.
        """
        variant, sun = simulated.variant, self.sun.typical if sun_pu is None else sun_pu
        kept = 1.0 - (variant.saved_share if saved_share is None or not variant.saved_share else saved_share)
        net = load_kw * kept + self.charging_kw(variant) - self.engine_kw(variant) - variant.pv_kw * sun
        if variant.battery_kwh:
            run_battery(net, self.mode, self.year.month, simulated.caps_kw, self.battery(variant), self.year.step_h)
        return (self.year.cost(load_kw) - self.year.cost(net)) * self.runs_per_year

    def net_wh(self, simulated: Simulated) -> Ints:
        """Return what the meter would count, in whole Wh as bills read it; shape (1, interval)."""
        if simulated.variant == Variant():
            return self.customer.wh[np.newaxis]
        return whole_wh(simulated.net_kw[np.newaxis], self.year.step_h)


def variants(bench: Bench) -> Iterator[Variant]:
    """Yield every design that the customer's facts allow, the one with nothing first."""
    facts, library, customer = bench.customer.facts, bench.library, bench.customer
    roof_kw = facts.roof_m2 / library["roof_per_kw"]
    pv = sorted({round(roof_kw * s, 1) for s in PV_SHARES})
    battery = sorted({round(customer.peak_kw * s * BATTERY_HOURS, 1) for s in BATTERY_SHARES})
    saved = (0.0, library["efficiency_effect"])
    heat_kw = facts.heat_kwh / 8760.0
    chp = (0.0, round(heat_kw / CHP_HEAT_PER_POWER, 1)) if facts.heat_kwh and facts.gas_price else (0.0,)
    points = (0, max(round(facts.vehicles * POINTS_PER_VEHICLE), 1)) if facts.vehicles else (0,)
    for one in product(pv, battery, saved, chp, points):
        yield Variant(*one)
