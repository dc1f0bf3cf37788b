"""Gas, sun and wind: what comes from outside, and what it costs."""

from dataclasses import dataclass

from models.carriers import Carrier
from models.components import GasSupply, Pv, Wind
from models.site import GasContract
from optimizers.blocks.book import Book, Facts, Values
from optimizers.blocks.emissions import co2_values, declare_co2


@dataclass(frozen=True, slots=True)
class GasBlock:
    """The gas supply at a flat price."""

    unit: GasSupply
    contract: GasContract

    def declare(self, book: Book) -> None:
        """Write the gas bought and its cost."""
        f, name = book.f, self.unit.id
        bought, price = f.column(name, "import_kw", upper=f.series(f"{name}.import_max_kw")), f.series(f"{name}.per_kw")
        f.cost("gas", name, lambda t: price[t] * bought[t])
        book.feed(name, Carrier.GAS, bought, 1.0)
        declare_co2(book, name, self.unit.co2_kg_per_kwh)

    def values(self, facts: Facts) -> Values:
        """Return the limit by availability and the price per kW and step."""
        name = self.unit.id
        return {
            f"{name}.import_max_kw": self.unit.import_max_kw * facts.share(name),
            f"{name}.per_kw": self.contract.price_per_kwh * facts.step_h,
            **co2_values(facts, name, self.unit.co2_kg_per_kwh),
        }


@dataclass(frozen=True, slots=True)
class RenewableBlock:
    """Sun or wind: up to what is available, the rest is curtailed."""

    unit: Pv | Wind

    def declare(self, book: Book) -> None:
        """Write the power fed."""
        name = self.unit.id
        fed = book.f.column(name, "power_kw", upper=book.f.series(f"{name}.available_kw"))
        book.feed(name, Carrier.ELECTRICITY, fed, 1.0)

    def values(self, facts: Facts) -> Values:
        """Return what the weather and availability allow."""
        available_kw = self.unit.available_kw(facts.series[self.unit.profile])
        return {f"{self.unit.id}.available_kw": available_kw * facts.share(self.unit.id)}
