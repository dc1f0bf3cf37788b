"""Demand: consumers, flexible loads, vehicle fleets and the meters that count them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Le, MinLen

from models.carriers import Carrier
from models.components.base import Asset
from models.units import Efficiency, Id, Kw, LocalHour, NonNegative, PositiveKw, PositiveKwh, Share

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a consumer draws of one carrier: ``scale`` times the profile, in kW (m3/h for water)."""

    carrier: Carrier
    node: Id
    profile: str
    scale: NonNegative = 1.0
    power_factor: Annotated[float, Gt(0), Le(1)] = 1.0
    """Electricity only; lagging."""
    shed_price_per_kwh: NonNegative | None = None
    """What the consumer is paid for a kWh that it goes without on call; none where that was not agreed."""
    shed_max_share: Share = 1.0
    """Share of its present demand that it goes without at most."""

    def least_kw(self, asked_kw: Array | float) -> Array | float:
        """Return the least that it draws when all that was agreed is shed, from what it would draw."""
        return asked_kw if self.shed_price_per_kwh is None else asked_kw * (1.0 - self.shed_max_share)

    @property
    def tan_phi(self) -> float:
        """Reactive power that goes with each kilowatt, kvar; same sign as the real power."""
        return float(np.tan(np.arccos(self.power_factor)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer(Asset):
    """A customer's demand on every carrier it takes; drawn power is negative."""

    kind: Literal["consumer"] = "consumer"
    demands: Annotated[tuple[Demand, ...], MinLen(1)]

    control: ClassVar[Carrier] = Carrier.ELECTRICITY

    def ports(self) -> dict[Carrier, str]:
        """Return the node of each demand."""
        return {d.carrier: d.node for d in self.demands}

    def series(self) -> tuple[str, ...]:
        """Return the demand profiles."""
        return tuple(d.profile for d in self.demands)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexibleLoad(Asset):
    """A load whose timing can move: the baseline profile plus a shift that is paid back.

    The shift behaves like a lossless store: drawing ahead fills it, drawing later empties it, and it never holds more than
    ``shiftable_kwh`` either way.
    """

    kind: Literal["flexible_load"] = "flexible_load"
    electricity_node: Id
    profile: str
    scale: NonNegative = 1.0
    shift_up_kw: Kw
    shift_down_kw: Kw
    shiftable_kwh: PositiveKwh

    control: ClassVar[Carrier] = Carrier.ELECTRICITY

    def series(self) -> tuple[str, ...]:
        """Return the baseline profile."""
        return (self.profile,)

    def ahead_after(self, ahead_kwh: float, power_kw: float, baseline_kw: float, step_h: float) -> float:
        """Return how much energy has been drawn ahead of the baseline after one step; ``power_kw`` is negative when drawing."""
        return ahead_kwh + (-power_kw - baseline_kw) * step_h


@dataclass(frozen=True, slots=True, kw_only=True)
class EvGroup:
    """Vehicles that come and go together on working days, each needing ``energy_kwh`` by departure."""

    vehicles: Annotated[int, Ge(1)]
    arrive_h: LocalHour
    depart_h: LocalHour
    energy_kwh: PositiveKwh


@dataclass(frozen=True, slots=True, kw_only=True)
class EvFleet(Asset):
    """A fleet of electric vehicles behind one charging station; charging is negative power.

    A group whose ``depart_h`` is not after its ``arrive_h`` stays overnight.
    """

    kind: Literal["ev_fleet"] = "ev_fleet"
    electricity_node: Id
    charger_kw: PositiveKw
    """Power of one vehicle's charging point."""
    efficiency: Efficiency = 0.92
    groups: Annotated[tuple[EvGroup, ...], MinLen(1)]
    workdays_only: bool = True
    v2g_kwh: NonNegative = 0.0
    """Energy that each vehicle may give back below what it came with, to be charged again before it leaves; 0 where it only charges."""

    control: ClassVar[Carrier] = Carrier.ELECTRICITY

    def owed_kwh(self, group: EvGroup) -> float:
        """Return the most that a present group can still need together."""
        return group.vehicles * (group.energy_kwh + self.v2g_kwh)

    def needed_after(self, needed_kwh: float, power_kw: float, step_h: float) -> float:
        """Return the energy still needed after one step at constant power; charging is negative."""
        if power_kw > 0:
            return needed_kwh + power_kw * step_h / self.efficiency
        return max(needed_kwh + power_kw * step_h * self.efficiency, 0.0)

    def plugged(self, local_hour: Array, workday: npt.NDArray[np.bool_]) -> Array:
        """Return how many vehicles are plugged in at each local hour; shape (time,)."""
        count = np.zeros_like(np.asarray(local_hour, dtype=float))
        for group in self.groups:
            count += group.vehicles * present(group, np.asarray(local_hour, dtype=float))
        return count * workday if self.workdays_only else count


def present(group: EvGroup, local_hour: Array) -> npt.NDArray[np.bool_]:
    """Return whether the group is plugged in at each local hour."""
    if group.arrive_h < group.depart_h:
        return (local_hour >= group.arrive_h) & (local_hour < group.depart_h)
    return (local_hour >= group.arrive_h) | (local_hour < group.depart_h)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter(Asset):
    """A billing or check meter on one asset's port: electricity, heat, gas, cold or water."""

    kind: Literal["meter"] = "meter"
    asset: Id
    carrier: Carrier
    error_share: Share = 0.005
    """One standard deviation of the gain error."""

    control: ClassVar[Carrier] = Carrier.ELECTRICITY


def counter_kwh(start_kwh: float, power_kw: Sequence[float] | Array, step_h: float) -> Array:
    """Return a meter's cumulative register after each step; counts drawn energy only, so it never falls.

    ``power_kw`` is positive when it feeds the network, as everywhere.
    """
    drawn = np.clip(-np.asarray(power_kw, dtype=float), 0.0, None)
    return start_kwh + np.cumsum(drawn) * step_h


__all__ = [
    "Consumer",
    "Demand",
    "EvFleet",
    "EvGroup",
    "FlexibleLoad",
    "Meter",
    "counter_kwh",
    "present",
]
