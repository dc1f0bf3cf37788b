"""What imports emit: a price on every kilogram, and a budget that may be overdrawn at a price."""

from dataclasses import dataclass

import numpy as np

from models.components import GasSupply, GridConnection
from optimizers.blocks.book import Book, Facts, Values
from optimizers.compile.rules import ONCE, At, Step


def declare_co2(book: Book, name: str, kg_per_kwh: float) -> None:
    """Price the emissions of what ``name`` imports."""
    if kg_per_kwh:
        bought, price = book.f.columns[f"{name}.import_kw"], book.f.series(f"{name}.co2_per_kw")
        book.f.cost("co2", name, lambda t: price[t] * bought[t])


def co2_values(facts: Facts, name: str, kg_per_kwh: float) -> Values:
    """Return the numbers of :func:`declare_co2`."""
    if not kg_per_kwh:
        return {}
    return {f"{name}.co2_per_kw": facts.problem.co2_price_per_kg * kg_per_kwh * np.asarray(facts.step_h)}


@dataclass(frozen=True, slots=True)
class EmissionCap:
    """The emission of everything imported over the horizon, held to what is left of a budget; what goes beyond is priced and reported."""

    units: tuple[GridConnection | GasSupply, ...]
    name: str = "co2"

    def declare(self, book: Book) -> None:
        """Write one row over the whole horizon, and the excess."""
        f, step_h = book.f, book.step_h
        over, left, price = (
            f.column(self.name, "over_kg", extent=ONCE),
            f.scalar("co2.left_kg"),
            f.scalar("co2.over_per_kg"),
        )
        emitting = [(u.co2_kg_per_kwh, f.columns[f"{u.id}.import_kw"]) for u in self.units if u.co2_kg_per_kwh]

        def emitted(t: Step) -> object:
            return sum(kg * step_h[t] * column[t] for kg, column in emitting)

        if emitting:
            f.total(self.name, "budget", emitted, upper=left, plus=lambda t: -1.0 * over[t])
        f.cost("co2", self.name, lambda t: price[t] * over[t], at=At.FIRST)

    def values(self, facts: Facts) -> Values:
        """Return what is left of the budget and the price of going beyond it."""
        cap = facts.problem.co2_cap
        assert cap is not None  # noqa: S101 - the block exists only with a cap
        return {"co2.left_kg": cap.left_kg, "co2.over_per_kg": cap.over_price_per_kg}
