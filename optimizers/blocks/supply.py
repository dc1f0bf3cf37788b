"""Grid, gas, sun and wind: what comes from outside, what it costs, and what a peak costs."""

from dataclasses import dataclass

import numpy as np

from models.carriers import Carrier
from models.components import GasSupply, GridConnection, Pv, Wind
from models.site import ElectricityContract, GasContract
from models.tariffs.time_of_use import energy_price_per_kwh
from optimizers.blocks.book import Book, Facts, Values
from optimizers.compile.rules import ONCE, At


@dataclass(frozen=True, slots=True)
class GridBlock:
    """The grid connection: import and export at the tariff, and the peak import of the billing period.

    Where export pays more than import costs, buying and selling at once would earn money; there a yes or no forbids it.
    """

    unit: GridConnection
    contract: ElectricityContract
    peak: bool
    one_way: bool

    def declare(self, book: Book) -> None:
        """Write import, export, their cost, and the peak above what is free."""
        f, name = book.f, self.unit.id
        most_in, most_out = f.series(f"{name}.import_max_kw"), f.series(f"{name}.export_max_kw")
        bought, sold = f.column(name, "import_kw", upper=most_in), f.column(name, "export_kw", upper=most_out)
        price, earned = f.series(f"{name}.import_per_kw"), f.series(f"{name}.export_per_kw")
        f.cost("energy", name, lambda t: price[t] * bought[t])
        f.cost("export", name, lambda t: -1.0 * earned[t] * sold[t])
        book.feed(name, Carrier.ELECTRICITY, bought, 1.0)
        book.feed(name, Carrier.ELECTRICITY, sold, -1.0)
        declare_co2(book, name, self.unit.co2_kg_per_kwh)
        if self.one_way:
            buying = f.column(name, "buying", upper=1.0, integer=True)
            f.row(name, "buy", lambda t: bought[t] <= most_in[t] * buying[t])
            f.row(name, "sell", lambda t: sold[t] <= most_out[t] - most_out[t] * buying[t])
        if self.peak:
            over = f.column(name, "peak_over_kw", extent=ONCE)
            free, rate = f.scalar(f"{name}.peak_free_kw"), f.scalar(f"{name}.peak_per_kw")
            f.row(name, "peak", lambda t: bought[t] - over[t] <= free[t])
            f.cost("demand", name, lambda t: rate[t] * over[t], at=At.FIRST)

    def values(self, facts: Facts) -> Values:
        """Return limits by availability, prices per kW and step, and the peak that is free."""
        name, site, share = self.unit.id, facts.problem.site, facts.share(self.unit.id)
        tariff = self.contract.tariff
        price = energy_price_per_kwh(tariff, facts.problem.horizon, site.location.time_zone)
        found: Values = {
            f"{name}.import_max_kw": self.unit.import_max_kw * share,
            f"{name}.export_max_kw": self.unit.export_max_kw * share,
            f"{name}.import_per_kw": price * facts.step_h,
            f"{name}.export_per_kw": tariff.export_price_per_kwh * facts.step_h,
            **co2_values(facts, name, self.unit.co2_kg_per_kwh),
        }
        terms = facts.problem.demand
        if self.peak and terms:
            found |= {f"{name}.peak_free_kw": terms.free_kw, f"{name}.peak_per_kw": terms.price_per_kw}
        return found


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
