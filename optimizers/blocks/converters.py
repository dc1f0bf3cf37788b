"""Converters without memory: boilers, heat pumps, chillers, electrolysers. One column of output, a factor per port."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import AbsorptionChiller, ElectricBoiler, ElectricChiller, Electrolyser, GasBoiler, HeatPump
from optimizers.blocks.book import Book, Facts, Values, group_name
from optimizers.compile.rules import Column

Floats = npt.NDArray[np.float64]
CHORDS = 8
"""How many straight pieces stand for a curved part-load line; the chord lies at most c/8/64 of the rated draw above it."""


@dataclass(frozen=True, slots=True)
class LinearConverter:
    """Output up to a maximum, and a draw that is proportional to it; a minimum load makes running a yes or no."""

    name: str
    output: Carrier
    output_max_kw: float
    ratios: tuple[tuple[Carrier, float], ...]
    """Power at the other ports per kW of output; negative draws."""
    min_load_share: float = 0.0

    def declare(self, book: Book) -> None:
        """Write the output, its limits and what it takes at the other ports."""
        output = declare_output(book, self.name, self.min_load_share * self.output_max_kw)
        book.feed(self.name, self.output, output, 1.0)
        for carrier, ratio in self.ratios:
            book.feed(self.name, carrier, output, ratio)

    def values(self, facts: Facts) -> Values:
        """Return the output that availability allows."""
        return {f"{self.name}.output_max_kw": self.output_max_kw * facts.share(self.name)}


def declare_output(book: Book, name: str, least_kw: float) -> Column:
    """Write an output column up to what availability allows; a lowest load while running makes running a yes or no."""
    f, most = book.f, book.f.series(f"{name}.output_max_kw")
    output = f.column(name, "output_kw", upper=most)
    if least_kw:
        on = f.column(name, "on", upper=1.0, integer=True)
        f.row(name, "maximum", lambda t: output[t] <= most[t] * on[t])
        f.row(name, "minimum", lambda t: output[t] >= least_kw * on[t])
    return output


def gas_boiler(unit: GasBoiler) -> LinearConverter:
    """Return the block of a gas boiler."""
    ratios = ((Carrier.GAS, -1.0 / unit.efficiency),)
    return LinearConverter(unit.id, Carrier.HEAT, unit.heat_max_kw, ratios, unit.min_load_share)


def electric_boiler(unit: ElectricBoiler) -> LinearConverter:
    """Return the block of an electric boiler."""
    return LinearConverter(unit.id, Carrier.HEAT, unit.heat_max_kw, ((Carrier.ELECTRICITY, -1.0 / unit.efficiency),))


def absorption_chiller(unit: AbsorptionChiller) -> LinearConverter:
    """Return the block of an absorption chiller."""
    return LinearConverter(unit.id, Carrier.COLD, unit.cold_max_kw, ((Carrier.HEAT, -1.0 / unit.cop),))


@dataclass(frozen=True, slots=True)
class HeatPumpBlock:
    """A heat pump: the electricity per kW of heat moves with the air temperature."""

    unit: HeatPump

    def declare(self, book: Book) -> None:
        """Write heat and electricity."""
        f, name = book.f, self.unit.id
        heat = f.column(name, "output_kw", upper=f.series(f"{name}.output_max_kw"))
        book.feed(name, Carrier.HEAT, heat, 1.0)
        book.feed(name, Carrier.ELECTRICITY, heat, f.series(f"{name}.electricity_ratio"))

    def values(self, facts: Facts) -> Values:
        """Return the output that availability allows and the draw per kW of heat at the forecast air temperature."""
        name, air_degc = self.unit.id, facts.series[self.unit.air_profile]
        site, sent = facts.problem.site, None
        if facts.problem.supply_degc is not None:
            sent = facts.problem.sent_degc(site.network_of(self.unit.heat_node))
        return {
            f"{name}.output_max_kw": self.unit.heat_max_kw * facts.share(name),
            f"{name}.electricity_ratio": -1.0 / self.unit.cop(air_degc, sent),
        }


@dataclass(frozen=True, slots=True)
class ElectrolyserBlock:
    """An electrolyser; hydrogen that nobody takes is vented."""

    unit: Electrolyser

    def declare(self, book: Book) -> None:
        """Write electricity drawn, hydrogen fed and hydrogen vented."""
        unit, name = self.unit, self.unit.id
        power = declare_output(book, name, unit.min_load_share * unit.power_max_kw)
        book.feed(name, Carrier.ELECTRICITY, power, -1.0)
        book.feed(name, Carrier.HYDROGEN, power, unit.efficiency)
        vent = book.f.column(name, "vented_kw")
        book.f.row(name, "vent", lambda t: vent[t] <= unit.efficiency * power[t])
        book.feed(name, Carrier.HYDROGEN, vent, -1.0)

    def values(self, facts: Facts) -> Values:
        """Return the power that availability allows."""
        return {f"{self.unit.id}.output_max_kw": self.unit.power_max_kw * facts.share(self.unit.id)}


@dataclass(frozen=True, slots=True)
class CurvedChiller:
    """Equal chillers whose draw is curved in their load: chords between operating points, and a count where standing is free.

    The line is convex, so equal chillers share a load best by carrying the same part each, which is what the count assumes.
    """

    units: tuple[ElectricChiller, ...]

    @property
    def name(self) -> str:
        """The name of the group."""
        return group_name(self.unit_ids)

    @property
    def unit_ids(self) -> tuple[str, ...]:
        """The chillers behind the count."""
        return tuple(u.id for u in self.units)

    def declare(self, book: Book) -> None:
        """Write cold and electricity as one weighted mean of operating points."""
        f, name = book.f, self.name
        points = chiller_points(self.units[0])
        weights = [f.column(name, f"weight_{k}") for k in range(len(points))]
        on = f.column(name, "on", upper=f.series(f"{name}.in_service"), integer=stands_for_free(self.units[0]))
        f.row(name, "point", lambda t: sum(w[t] for w in weights) == on[t])
        for weight, (cold_kw, electricity_kw) in zip(weights, points, strict=True):
            if cold_kw:
                book.feed(name, Carrier.COLD, weight, cold_kw)
            if electricity_kw:
                book.feed(name, Carrier.ELECTRICITY, weight, -electricity_kw)

    def values(self, facts: Facts) -> Values:
        """Return how many chillers are in service."""
        return {f"{self.name}.in_service": facts.in_service(self.unit_ids)}


def electric_chillers(chillers: Sequence[ElectricChiller]) -> list[LinearConverter | CurvedChiller]:
    """Return the blocks of electric chillers: one ratio where the line is straight through zero, groups of equals elsewhere."""
    found: list[LinearConverter | CurvedChiller] = []
    groups: dict[object, list[ElectricChiller]] = {}
    for unit in chillers:
        if unit.part_load == (0.0, 1.0, 0.0):
            ratios = ((Carrier.ELECTRICITY, -1.0 / unit.cop_rated),)
            found.append(LinearConverter(unit.id, Carrier.COLD, unit.cold_max_kw, ratios, unit.min_load_share))
        else:
            alike = unit.part_load, unit.cold_max_kw, unit.cop_rated, unit.min_load_share
            groups.setdefault(alike, []).append(unit)
    return found + [CurvedChiller(tuple(g)) for g in groups.values()]


def chiller_points(unit: ElectricChiller) -> list[tuple[float, float]]:
    """Return operating points (cold, electricity) in kW from the lowest load while running to full load."""
    a, b, c = unit.part_load
    loads = np.linspace(unit.min_load_share, 1.0, CHORDS + 1 if c else 2)
    return [(float(x * unit.cold_max_kw), float(unit.rated_electricity_kw * (a + b * x + c * x**2))) for x in loads]


def stands_for_free(unit: ElectricChiller) -> bool:
    """Return whether standing differs from the lowest load, so that running is a yes or no."""
    return unit.min_load_share > 0 or unit.part_load[0] > 0
