"""Converters between carriers: what they take for what they give.

Every equation maps the output of the control carrier (kW, never negative) to the power at each port.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components.base import Asset
from models.units import Cop, Degc, Efficiency, Id, PositiveKw, Share

Array = npt.NDArray[np.float64]
KELVIN = 273.15


@dataclass(frozen=True, slots=True, kw_only=True)
class GasBoiler(Asset):
    """A gas boiler with constant efficiency by lower heating value."""

    kind: Literal["gas_boiler"] = "gas_boiler"
    heat_node: Id
    gas_node: Id
    heat_max_kw: PositiveKw
    efficiency: Efficiency
    min_load_share: Share = 0.0

    control: ClassVar[Carrier] = Carrier.HEAT

    def gas_kw(self, heat_kw: Array) -> Array:
        """Return the gas burnt for ``heat_kw``."""
        return heat_kw / self.efficiency


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatPump(Asset):
    """An air-source heat pump whose COP keeps its share of Carnot as the air temperature moves.

    ``air_profile`` names the outdoor temperature in degC.
    """

    kind: Literal["heat_pump"] = "heat_pump"
    electricity_node: Id
    heat_node: Id
    heat_max_kw: PositiveKw
    cop_rated: Cop
    rated_air_degc: Degc
    supply_degc: Degc
    air_profile: str
    cop_min: Cop = 1.0
    cop_max: Cop = 6.0

    control: ClassVar[Carrier] = Carrier.HEAT

    def series(self) -> tuple[str, ...]:
        """Return the outdoor temperature profile."""
        return (self.air_profile,)

    def cop(self, air_degc: Array, supply_degc: Array | None = None) -> Array:
        """Return the COP at ``air_degc``, supplying ``supply_degc`` instead of the machine's own temperature where that is given.

        Source: constant second-law efficiency, COP = share * T_supply / (T_supply - T_air) in kelvin, fixed by the rated point.
        """
        own = self.supply_degc + KELVIN
        share = self.cop_rated * (own - (self.rated_air_degc + KELVIN)) / own
        hot = own if supply_degc is None else np.asarray(supply_degc, dtype=float) + KELVIN
        lift = np.maximum(hot - (np.asarray(air_degc, dtype=float) + KELVIN), 1.0)
        return np.clip(share * hot / lift, self.cop_min, self.cop_max)

    def supplying(self, supply_degc: float) -> "HeatPump":
        """Return the same machine at another supply temperature: it keeps its share of Carnot."""
        air, before, after = (t + KELVIN for t in (self.rated_air_degc, self.supply_degc, supply_degc))
        cop = self.cop_rated * (before - air) / before * after / (after - air)
        return replace(self, supply_degc=supply_degc, cop_rated=cop)

    def electricity_kw(self, heat_kw: Array, air_degc: Array, supply_degc: Array | None = None) -> Array:
        """Return the electricity drawn for ``heat_kw`` (a positive number); temperatures as for :meth:`cop`."""
        return heat_kw / self.cop(air_degc, supply_degc)


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectricBoiler(Asset):
    """An electrode or resistance boiler."""

    kind: Literal["electric_boiler"] = "electric_boiler"
    electricity_node: Id
    heat_node: Id
    heat_max_kw: PositiveKw
    efficiency: Efficiency

    control: ClassVar[Carrier] = Carrier.HEAT

    def electricity_kw(self, heat_kw: Array) -> Array:
        """Return the electricity drawn for ``heat_kw``."""
        return heat_kw / self.efficiency


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectricChiller(Asset):
    """A compression chiller; its electricity follows ``a + b x + c x**2`` of the rated draw at part load x."""

    kind: Literal["electric_chiller"] = "electric_chiller"
    electricity_node: Id
    cold_node: Id
    cold_max_kw: PositiveKw
    cop_rated: Cop
    part_load: tuple[float, float, float] = (0.0, 1.0, 0.0)
    """(a, b, c), summing to 1; a is the draw at no load and c is not negative."""
    min_load_share: Share = 0.0

    control: ClassVar[Carrier] = Carrier.COLD

    @property
    def rated_electricity_kw(self) -> float:
        """Electricity drawn at full load."""
        return self.cold_max_kw / self.cop_rated

    def electricity_kw(self, cold_kw: Array) -> Array:
        """Return the electricity drawn for ``cold_kw``; 0 when the chiller stands.

        A mean load below the lowest is a chiller that runs at its lowest load for part of the time.
        """
        load = np.asarray(cold_kw, dtype=float) / self.cold_max_kw
        x = np.maximum(load, self.min_load_share)
        a, b, c = self.part_load
        part = np.divide(load, x, out=np.zeros_like(load), where=load > 0)
        return part * self.rated_electricity_kw * (a + b * x + c * x**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsorptionChiller(Asset):
    """A single-effect absorption chiller driven by hot water."""

    kind: Literal["absorption_chiller"] = "absorption_chiller"
    heat_node: Id
    cold_node: Id
    cold_max_kw: PositiveKw
    cop: Cop

    control: ClassVar[Carrier] = Carrier.COLD

    def heat_kw(self, cold_kw: Array) -> Array:
        """Return the heat drawn for ``cold_kw``."""
        return cold_kw / self.cop


@dataclass(frozen=True, slots=True, kw_only=True)
class Electrolyser(Asset):
    """An electrolyser: electricity leads, hydrogen (lower heating value) follows."""

    kind: Literal["electrolyser"] = "electrolyser"
    electricity_node: Id
    hydrogen_node: Id
    power_max_kw: PositiveKw
    efficiency: Efficiency
    """Hydrogen by lower heating value over electricity, auxiliaries included."""
    min_load_share: Share = 0.0

    control: ClassVar[Carrier] = Carrier.ELECTRICITY

    def hydrogen_kw(self, power_kw: Array) -> Array:
        """Return the hydrogen fed for ``power_kw`` drawn (a positive number)."""
        return power_kw * self.efficiency
