"""Stores: battery, hot tank, cold or ice store. One balance for all of them."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from models.carriers import Carrier
from models.components.base import Asset
from models.units import Efficiency, Id, NonNegative, PositiveKw, PositiveKwh, Price, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Store(Asset):
    """Energy kept for later; charging draws from the network (negative power), discharging feeds it."""

    charge_max_kw: PositiveKw
    discharge_max_kw: PositiveKw
    energy_kwh: PositiveKwh
    charge_efficiency: Efficiency
    discharge_efficiency: Efficiency
    loss_share_per_h: Share = 0.0
    """Share of the stored energy lost per hour."""
    stored_min_share: Share = 0.0
    stored_max_share: Share = 1.0
    wear_cost_per_kwh: Price = 0.0
    """Cost per kWh discharged."""
    end_value_per_kwh: Price = 0.0
    """What a stored kWh is worth at the end of a run, for crediting the rest."""

    @property
    def stored_min_kwh(self) -> float:
        """Least energy that may be left."""
        return self.stored_min_share * self.energy_kwh

    @property
    def stored_max_kwh(self) -> float:
        """Most energy that may be kept."""
        return self.stored_max_share * self.energy_kwh

    def kept_share(self, step_h: float) -> float:
        """Return the share of the stored energy that is left after ``step_h`` hours of standing."""
        return float((1.0 - self.loss_share_per_h) ** step_h)

    def stored_after(self, stored_kwh: float, power_kw: float, step_h: float) -> float:
        """Return the energy left after one step at constant power; not clipped to the store's limits."""
        if power_kw > 0:
            moved = -power_kw * step_h / self.discharge_efficiency
        else:
            moved = -power_kw * step_h * self.charge_efficiency
        return stored_kwh * self.kept_share(step_h) + moved

    def power_range_kw(self, stored_kwh: float, step_h: float) -> tuple[float, float]:
        """Return the lowest (charging) and highest (discharging) power that the store can hold for ``step_h`` hours."""
        standing = stored_kwh * self.kept_share(step_h)
        room = max(self.stored_max_kwh - standing, 0.0)
        left = max(standing - self.stored_min_kwh, 0.0)
        lowest = -min(self.charge_max_kw, room / (step_h * self.charge_efficiency))
        return lowest, min(self.discharge_max_kw, left * self.discharge_efficiency / step_h)


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery(Store):
    """A battery with its converter; efficiencies are one-way, the round trip is their product."""

    kind: Literal["battery"] = "battery"
    electricity_node: Id
    reactive_max_kvar: NonNegative = 0.0
    """Reactive power that its converter can feed or draw at any output."""
    apparent_max_kva: PositiveKw | None = None
    """What its converter carries of real and reactive power together; None where only each by itself is limited."""

    control: ClassVar[Carrier] = Carrier.ELECTRICITY


@dataclass(frozen=True, slots=True, kw_only=True)
class HotTank(Store):
    """A stratified hot-water tank."""

    kind: Literal["hot_tank"] = "hot_tank"
    heat_node: Id
    volume_m3: NonNegative = 0.0

    control: ClassVar[Carrier] = Carrier.HEAT


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStore(Store):
    """A chilled-water tank or an ice store; discharging feeds cold."""

    kind: Literal["cold_store"] = "cold_store"
    cold_node: Id
    medium: Literal["water", "ice"] = "water"
    volume_m3: NonNegative = 0.0

    control: ClassVar[Carrier] = Carrier.COLD
