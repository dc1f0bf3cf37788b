"""Who takes part in a site's balances, what the world outside asks of them, and what comes out when the balances are closed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import (
    AbsorptionChiller,
    Battery,
    Chp,
    ColdStore,
    Consumer,
    ElectricBoiler,
    ElectricChiller,
    Electrolyser,
    EvFleet,
    ExtractionChp,
    FlexibleLoad,
    GasBoiler,
    GasSupply,
    GridConnection,
    HeatPump,
    HotTank,
    Pv,
    Store,
    Wind,
)
from models.site import Site

Array = npt.NDArray[np.float64]
Port = tuple[str, Carrier]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the world outside asks and offers at one instant; everything in kW is positive.

    ``demand_kw`` is what consumers would draw by (asset, carrier), water in m3/h; ``available_kw`` what photovoltaics and wind could feed;
    ``baseline_kw`` what flexible loads would draw by themselves; ``air_degc`` the air at each heat pump; ``plugged`` how many vehicles
    of each fleet are connected; ``supply_degc`` the water that heat pumps send out where it is not at their own temperature.
    """

    demand_kw: Mapping[Port, float] = field(default_factory=dict)
    available_kw: Mapping[str, float] = field(default_factory=dict)
    baseline_kw: Mapping[str, float] = field(default_factory=dict)
    air_degc: Mapping[str, float] = field(default_factory=dict)
    plugged: Mapping[str, float] = field(default_factory=dict)
    supply_degc: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Balance:
    """One instant with every carrier closed.

    ``power_kw`` is what meters would show: positive feeds the network, consumers without what they are short of, engines without what
    their radiators blow off (water in m3/h, negative). So on each carrier the powers sum to ``losses_kw``, to 1e-9 kW.
    ``unserved_kw`` and ``dumped_kw`` are never negative. ``stored_kwh`` is what stores hold after the step (flexible loads: energy drawn
    ahead; fleets: energy still needed). ``losses_kw`` differs from what was asked only where a dead network has nothing to lose.
    """

    power_kw: Mapping[Port, float]
    stored_kwh: Mapping[str, float]
    unserved_kw: Mapping[Port, float]
    dumped_kw: Mapping[Port, float]
    losses_kw: Mapping[Carrier, float]

    def total_kw(self, carrier: Carrier, assets: Iterable[str]) -> float:
        """Return the sum of the powers of some assets on one carrier; an asset without that port counts 0."""
        return sum(self.power_kw.get((a, carrier), 0.0) for a in assets)


@dataclass(frozen=True, slots=True)
class Station:
    """A site sorted by who does what in its balances; made once, used at every instant."""

    site: Site
    grids: tuple[GridConnection, ...]
    gates: tuple[GasSupply, ...]
    pvs: tuple[Pv, ...]
    winds: tuple[Wind, ...]
    chps: tuple[Chp, ...]
    turbines: tuple[ExtractionChp, ...]
    gas_boilers: tuple[GasBoiler, ...]
    heat_pumps: tuple[HeatPump, ...]
    electric_boilers: tuple[ElectricBoiler, ...]
    electric_chillers: tuple[ElectricChiller, ...]
    absorption_chillers: tuple[AbsorptionChiller, ...]
    electrolysers: tuple[Electrolyser, ...]
    batteries: tuple[Battery, ...]
    hot_tanks: tuple[HotTank, ...]
    cold_stores: tuple[ColdStore, ...]
    fleets: tuple[EvFleet, ...]
    flexible: tuple[FlexibleLoad, ...]
    consumers: tuple[Consumer, ...]

    @classmethod
    def of(cls, site: Site) -> "Station":
        """Return the station of a site."""
        kinds = (GridConnection, GasSupply, Pv, Wind, Chp, ExtractionChp, GasBoiler, HeatPump, ElectricBoiler)
        more = (
            ElectricChiller,
            AbsorptionChiller,
            Electrolyser,
            Battery,
            HotTank,
            ColdStore,
            EvFleet,
            FlexibleLoad,
            Consumer,
        )
        return cls(site, *(site.of_kind(k) for k in (*kinds, *more)))  # type: ignore[arg-type] # one tuple per kind, in field order

    def conditions(
        self, series: Mapping[str, float], plugged: Mapping[str, float] = MappingProxyType({})
    ) -> Conditions:
        """Return the conditions that profile values (by series name, in the unit of the name) stand for."""
        return Conditions(
            {(c.id, d.carrier): d.scale * series[d.profile] for c in self.consumers for d in c.demands},
            {
                **{p.id: float(p.available_kw(scalar(series[p.profile]))) for p in self.pvs},
                **{w.id: float(w.available_kw(scalar(series[w.profile]))) for w in self.winds},
            },
            {f.id: f.scale * series[f.profile] for f in self.flexible},
            {p.id: series[p.air_profile] for p in self.heat_pumps},
            plugged,
        )

    @property
    def stores(self) -> tuple[Store, ...]:
        """Batteries, hot tanks and cold stores, in that order."""
        return (*self.batteries, *self.hot_tanks, *self.cold_stores)


def scalar(value: float) -> Array:
    """Return a float in the array type that the component equations are written for."""
    return np.float64(value)  # type: ignore[return-value] # numpy scalars behave as 0-d arrays in every equation
