"""Units that burn gas for electricity and heat: what they share is commitment, what differs is how heat goes with power.

Powers in kW, positive; every equation takes arrays.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Gt, MinLen

from models.carriers import Carrier
from models.components.base import Asset
from models.units import Hours, Id, Kw, Money, NonNegative, Positive, PositiveKw, Price

Array = npt.NDArray[np.float64]
TOUCH_KW = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """What a start costs after standing for less than ``off_below_h`` hours."""

    off_below_h: Annotated[Hours, Gt(0)]
    cost: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLoadMap:
    """Operating points of an engine, from the lowest load to the highest; between two points the engine runs on the straight line."""

    power_kw: Annotated[tuple[PositiveKw, ...], MinLen(2)]
    fuel_kw: Annotated[tuple[PositiveKw, ...], MinLen(2)]
    heat_kw: Annotated[tuple[PositiveKw, ...], MinLen(2)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatRegion:
    """Corners of the convex region of power and heat that a turbine can hold; two corners are a line (back-pressure)."""

    power_kw: Annotated[tuple[PositiveKw, ...], MinLen(2)]
    heat_kw: Annotated[tuple[Kw, ...], MinLen(2)]

    def is_convex(self) -> bool:
        """Return whether the corners go round a convex region, in either sense."""
        corners = np.column_stack([self.power_kw, self.heat_kw])
        along = np.roll(corners, -1, axis=0) - corners
        turn = along[:, 0] * np.roll(along[:, 1], -1) - along[:, 1] * np.roll(along[:, 0], -1)
        once = (
            abs(np.unwrap(np.arctan2(along[:, 1], along[:, 0]))[-1] - np.arctan2(along[0, 1], along[0, 0])) < 2 * np.pi
        )
        return bool(((turn >= -TOUCH_KW).all() or (turn <= TOUCH_KW).all()) and once)

    def heat_range_kw(self, power_kw: float) -> tuple[float, float]:
        """Return the least and most heat at a power; outside the region that of its nearest power."""
        corners = list(zip(self.power_kw, self.heat_kw, strict=True))
        power = min(max(power_kw, min(self.power_kw)), max(self.power_kw))
        found = []
        for k, (p, q) in enumerate(corners):
            p2, q2 = corners[(k + 1) % len(corners)]
            if min(p, p2) - TOUCH_KW <= power <= max(p, p2) + TOUCH_KW:
                level = abs(p2 - p) <= TOUCH_KW
                found += [q, q2] if level else [q + (q2 - q) * (power - p) / (p2 - p)]
        return min(found), max(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine(Asset, ABC):
    """What every unit with commitment has: minimum times, ramp, the cost of a start by how long it stood, upkeep."""

    electricity_node: Id
    heat_node: Id
    gas_node: Id
    min_up_h: Hours = 0.0
    min_down_h: Hours = 0.0
    start_cost: Money = 0.0
    """A start from cold."""
    warm_starts: tuple[WarmStart, ...] = ()
    """Cheaper starts, from the hottest on."""
    om_cost_per_kwh: Price = 0.0
    """Operation and maintenance per kWh of electricity."""
    ramp_kw_per_min: Annotated[float, Gt(0)] = 1e6
    heat_can_be_dumped: bool = True
    """The engine has a radiator, so heat beyond the demand does not stop it."""

    control: ClassVar[Carrier] = Carrier.ELECTRICITY

    @property
    @abstractmethod
    def power_min_kw(self) -> float:
        """Lowest electric power while running."""

    @property
    @abstractmethod
    def power_max_kw(self) -> float:
        """Highest electric power."""

    @abstractmethod
    def operating_points(self) -> PartLoadMap:
        """Return points of power, fuel and heat between which the unit can hold every mixture (an engine: every mixture of neighbours)."""

    def start_cost_after(self, off_h: float) -> float:
        """Return what a start costs after standing for ``off_h`` hours."""
        return next((w.cost for w in self.warm_starts if off_h < w.off_below_h - 1e-9), self.start_cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chp(Engine):
    """A gas engine with heat recovery: electricity leads, fuel and heat follow the part-load map."""

    kind: Literal["chp"] = "chp"
    part_load: PartLoadMap

    @property
    def power_min_kw(self) -> float:
        """Lowest electric power while running."""
        return self.part_load.power_kw[0]

    @property
    def power_max_kw(self) -> float:
        """Highest electric power."""
        return self.part_load.power_kw[-1]

    def operating_points(self) -> PartLoadMap:
        """Return the part-load map."""
        return self.part_load

    def fuel_kw(self, power_kw: Array) -> Array:
        """Return the fuel (lower heating value) burnt at ``power_kw``; 0 when the engine stands.

        A mean power below the lowest load is an engine that runs at its lowest load for part of the time.
        """
        return np.interp(power_kw, (0.0, *self.part_load.power_kw), (0.0, *self.part_load.fuel_kw))

    def heat_kw(self, power_kw: Array) -> Array:
        """Return the heat recovered at ``power_kw``; 0 when the engine stands, below the lowest load in proportion."""
        return np.interp(power_kw, (0.0, *self.part_load.power_kw), (0.0, *self.part_load.heat_kw))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionChp(Engine):
    """A turbine whose heat can be chosen beside its power, within a region; its fuel grows with both.

    The fuel lines of an extraction turbine are straight and parallel: a kW of heat costs as much fuel as the power it displaces.
    A back-pressure turbine is the region of two corners.
    """

    kind: Literal["extraction_chp"] = "extraction_chp"
    region: HeatRegion
    fuel_idle_kw: NonNegative = 0.0
    fuel_per_power: Positive
    """kW of fuel per kW of electricity."""
    fuel_per_heat: NonNegative
    """kW of fuel per kW of heat taken out."""

    @property
    def power_min_kw(self) -> float:
        """Lowest electric power while running."""
        return min(self.region.power_kw)

    @property
    def power_max_kw(self) -> float:
        """Highest electric power."""
        return max(self.region.power_kw)

    def operating_points(self) -> PartLoadMap:
        """Return the corners of the region with their fuel."""
        power, heat = np.array(self.region.power_kw), np.array(self.region.heat_kw)
        fuel = self.fuel_kw(power, heat).tolist()
        return PartLoadMap(power_kw=self.region.power_kw, fuel_kw=tuple(fuel), heat_kw=self.region.heat_kw)

    def fuel_kw(self, power_kw: Array, heat_kw: Array) -> Array:
        """Return the fuel burnt while running at a power and heat; 0 when the turbine stands.

        A mean power below the lowest load is a turbine that runs at its lowest load for part of the time.
        """
        share = np.clip(np.asarray(power_kw, float) / self.power_min_kw, 0.0, 1.0)
        fuel: Array = share * self.fuel_idle_kw + self.fuel_per_power * power_kw + self.fuel_per_heat * heat_kw
        return np.where(np.asarray(power_kw) > 0, fuel, 0.0)

    def heat_range_kw(self, power_kw: float) -> tuple[float, float]:
        """Return the least and most heat at a mean power; below the lowest load in proportion."""
        share = min(max(power_kw / self.power_min_kw, 0.0), 1.0)
        least, most = self.region.heat_range_kw(power_kw)
        return share * least, share * most
