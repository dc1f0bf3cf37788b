"""The grid connection: energy bought and sent out under its tariff, with blocks, netting and what peaks cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.carriers import Carrier
from models.components import GridConnection
from models.dispatch import DemandTerms, DispatchProblem
from models.site import ElectricityContract
from models.tariffs.terms import Terms, optimizer_terms
from optimizers.blocks.book import Book, Facts, Values
from optimizers.blocks.emissions import co2_values, declare_co2
from optimizers.compile.rules import ONCE, At, Column, Series


@dataclass(frozen=True, slots=True)
class GridShape:
    """What a tariff and a problem make of one connection: which rows there are, whatever the numbers.

    ``rising`` says that no block of energy is cheaper than the one before, so that they fill in their order by themselves.
    """

    one_way: bool
    peak: bool
    windows: tuple[str, ...]
    blocks: int
    rising: bool
    netted: tuple[str, ...]

    @classmethod
    def of(cls, problem: DispatchProblem, unit: GridConnection, *, first: bool) -> "GridShape":
        """Return the shape of a connection; the peak of the month counts at the first one."""
        contract = problem.site.contract(unit.contract)
        if not isinstance(contract, ElectricityContract):
            raise TypeError(f"{unit.id}: contract {unit.contract} is not an electricity contract")
        tariff = contract.tariff
        if problem.market is not None:
            return cls(problem.market.fee_per_kwh < 0, first and problem.demand is not None, (), 0, True, ())
        adders = [b.adder_per_kwh for b in tariff.blocks]
        return cls(
            one_way=_sells_dearer(problem, unit, contract),
            peak=first and problem.demand is not None,
            windows=tuple(w.name for w in tariff.peak_windows if w.name in problem.demand_windows),
            blocks=len(adders) if len(adders) > 1 else 0,
            rising=adders == sorted(adders),
            netted=tuple(f"energy_{k}" for k in range(len(tariff.bands))) if tariff.net_metering else (),
        )


def _sells_dearer(problem: DispatchProblem, unit: GridConnection, contract: ElectricityContract) -> bool:
    """Return whether some kWh sells for more than it costs, so that buying and selling at once would earn."""
    tariff = contract.tariff
    least = min((b.adder_per_kwh for b in tariff.blocks), default=0.0)
    cheapest = min(b.price_per_kwh for b in tariff.bands) + least
    if tariff.net_metering or (cheapest >= tariff.export_price_per_kwh and problem.co2_price_per_kg >= 0):
        return False
    terms = optimizer_terms(problem.site.tariff(contract.id), problem.horizon)
    dearer = min(least - (tariff.blocks[0].adder_per_kwh if tariff.blocks else 0.0), 0.0)
    price = terms.import_per_kwh + dearer + problem.co2_price_per_kg * unit.co2_kg_per_kwh
    return bool((price < terms.export_per_kwh).any())


@dataclass(frozen=True, slots=True)
class GridBlock:
    """Import and export at the tariff, and the peak import of the billing period.

    Where export pays more than import costs, buying and selling at once would earn money; there a yes or no forbids it.
    """

    unit: GridConnection
    shape: GridShape

    def declare(self, book: Book) -> None:
        """Write import, export, their cost, blocks and netting of energy, and the peaks above what is free."""
        f, name = book.f, self.unit.id
        most_in, most_out = f.series(f"{name}.import_max_kw"), f.series(f"{name}.export_max_kw")
        bought, sold = f.column(name, "import_kw", upper=most_in), f.column(name, "export_kw", upper=most_out)
        price, earned = f.series(f"{name}.import_per_kw"), f.series(f"{name}.export_per_kw")
        f.cost("energy", name, lambda t: price[t] * bought[t])
        f.cost("export", name, lambda t: -1.0 * earned[t] * sold[t])
        book.feed(name, Carrier.ELECTRICITY, bought, 1.0)
        book.feed(name, Carrier.ELECTRICITY, sold, -1.0)
        declare_co2(book, name, self.unit.co2_kg_per_kwh)
        if self.shape.one_way:
            buying = f.column(name, "buying", upper=1.0, integer=True)
            f.row(name, "buy", lambda t: bought[t] <= most_in[t] * buying[t])
            f.row(name, "sell", lambda t: sold[t] <= most_out[t] - most_out[t] * buying[t])
        self._declare_peaks(book, bought)
        self._declare_blocks(book, bought)
        for term in self.shape.netted:
            self._declare_netting(book, term, bought, sold)

    def _declare_peaks(self, book: Book, bought: Column) -> None:
        """Write the month's peak, and one peak per window in which a step counts or does not."""
        f, name = book.f, self.unit.id
        if self.shape.peak:
            over = f.column(name, "peak_over_kw", extent=ONCE)
            free, rate = f.scalar(f"{name}.peak_free_kw"), f.scalar(f"{name}.peak_per_kw")
            f.row(name, "peak", lambda t: bought[t] - over[t] <= free[t])
            f.cost("demand", name, lambda t: rate[t] * over[t], at=At.FIRST)
        for window in self.shape.windows:
            high = f.column(name, f"peak_{window}_over_kw", extent=ONCE)
            limit, fee = f.scalar(f"{name}.peak_{window}_free_kw"), f.scalar(f"{name}.peak_{window}_per_kw")
            counts = f.series(f"{name}.peak_{window}_counts")
            f.row(name, f"peak_{window}", lambda t, n=counts, h=high, m=limit: n[t] * bought[t] - h[t] <= m[t])  # type: ignore[misc]
            f.cost("demand", name, lambda t, h=high, r=fee: r[t] * h[t], at=At.FIRST)  # type: ignore[misc]

    def _declare_blocks(self, book: Book, bought: Column) -> None:
        """Share the energy bought among blocks; where a later one is cheaper, it opens only when the one before is full."""
        f, name, count = book.f, self.unit.id, self.shape.blocks
        if not count:
            return
        room = [f.scalar(f"{name}.block_{k}_kwh") for k in range(count)]
        filled = [f.column(name, f"block_{k}_kwh", upper=room[k], extent=ONCE) for k in range(count)]
        step_h = book.step_h
        f.total(
            name, "blocks", lambda t: step_h[t] * bought[t], lower=0.0, upper=0.0,
            plus=lambda t: -1.0 * sum(b[t] for b in filled),
        )  # fmt: skip
        for k, block in enumerate(filled):
            adder = f.scalar(f"{name}.block_{k}_per_kwh")
            f.cost("energy", name, lambda t, b=block, a=adder: a[t] * b[t], at=At.FIRST)  # type: ignore[misc]
        if not self.shape.rising:
            for k in range(1, count):
                _declare_order(book, name, k, filled, room)

    def _declare_netting(self, book: Book, term: str, bought: Column, sold: Column) -> None:
        """Set what is sent out in a period against what is bought in it; the rest is paid, or left over."""
        f, name = book.f, self.unit.id
        due, left = (f.column(name, f"{term}_{what}_kwh", extent=ONCE) for what in ("due", "left"))
        counted = f.series(f"{name}.{term}_h")
        before = f.scalar(f"{name}.{term}_before_kwh")
        f.total(
            name, term, lambda t: counted[t] * bought[t] - counted[t] * sold[t],
            lower=lambda t: -1.0 * before[t], upper=lambda t: -1.0 * before[t], plus=lambda t: left[t] - due[t],
        )  # fmt: skip
        price, worth = f.scalar(f"{name}.{term}_per_kwh"), f.scalar(f"{name}.{term}_left_per_kwh")
        owed = f.scalar(f"{name}.{term}_owed")  # what the month owed, or had left, before the plan is none of its cost
        f.cost("energy", name, lambda t: price[t] * due[t] - worth[t] * left[t] - owed[t], at=At.FIRST)

    def values(self, facts: Facts) -> Values:
        """Return limits by availability, prices per kW and step, and what the tariff counts over the month."""
        name, share = self.unit.id, facts.share(self.unit.id)
        terms = optimizer_terms(facts.problem.site.tariff(self.unit.contract), facts.problem.horizon)
        bought, sold = terms.import_per_kwh, terms.export_per_kwh
        if (market := facts.problem.market) is not None:
            bought, sold = market.price_per_kwh + market.fee_per_kwh, market.price_per_kwh
        found: Values = {
            f"{name}.import_max_kw": self.unit.import_max_kw * share,
            f"{name}.export_max_kw": self.unit.export_max_kw * share,
            f"{name}.import_per_kw": bought * facts.step_h,
            f"{name}.export_per_kw": sold * facts.step_h,
            **co2_values(facts, name, self.unit.co2_kg_per_kwh),
        }
        return (
            found | self._peak_values(facts, terms) | self._block_values(facts, terms) | self._net_values(facts, terms)
        )

    def _peak_values(self, facts: Facts, terms: Terms) -> Values:
        name, problem = self.unit.id, facts.problem
        found: Values = {}
        if self.shape.peak and problem.demand:
            found |= _peak(f"{name}.peak", problem.demand)
        for window in self.shape.windows:
            counts = next(d.counts for d in terms.demand if d.name == window)
            found |= _peak(f"{name}.peak_{window}", problem.demand_windows[window])
            found[f"{name}.peak_{window}_counts"] = counts.astype(float)
        return found

    def _block_values(self, facts: Facts, terms: Terms) -> Values:
        """Return how much still fits into each block behind what the month has bought and expects."""
        if not self.shape.blocks:
            return {}
        name, billed = self.unit.id, facts.problem.billed
        most_kwh = self.unit.import_max_kw * float(facts.step_h.sum())
        ends = np.array([b.up_to_kwh for b in terms.blocks]) - billed.bought_kwh - billed.rest_kwh
        room = np.diff(np.clip(ends, 0.0, most_kwh), prepend=0.0)
        found: Values = {f"{name}.block_{k}_kwh": float(kwh) for k, kwh in enumerate(room)}
        return found | {f"{name}.block_{k}_per_kwh": b.adder_per_kwh for k, b in enumerate(terms.blocks)}

    def _net_values(self, facts: Facts, terms: Terms) -> Values:
        name, known = self.unit.id, {n.name: n for n in terms.netted}
        found: Values = {}
        for term in self.shape.netted:
            here, before = known.get(term), facts.problem.billed.net_kwh.get(term, 0.0)
            found |= {
                f"{name}.{term}_h": here.counts * facts.step_h if here else np.zeros(len(facts.step_h)),
                f"{name}.{term}_before_kwh": before,
                f"{name}.{term}_owed": here.cost(before) - here.left_per_kwh * max(-before, 0.0) if here else 0.0,
                f"{name}.{term}_per_kwh": here.price_per_kwh if here else 0.0,
                f"{name}.{term}_left_per_kwh": here.left_per_kwh if here else 0.0,
            }
        return found


def _declare_order(book: Book, name: str, k: int, filled: Sequence[Column], room: Sequence[Series]) -> None:
    """Open a block only when the one before it is full."""
    opened = book.f.column(name, f"block_{k}_open", upper=1.0, integer=True, extent=ONCE)
    before, after, full, most = filled[k - 1], filled[k], room[k - 1], room[k]
    book.f.row(name, f"block_{k}_after", lambda t: after[t] <= most[t] * opened[t], at=At.FIRST)
    book.f.row(name, f"block_{k}_first", lambda t: before[t] >= full[t] * opened[t], at=At.FIRST)


def _peak(name: str, terms: DemandTerms) -> Values:
    return {f"{name}_free_kw": terms.free_kw, f"{name}_per_kw": terms.price_per_kw}
