"""Batteries, hot tanks, cold and ice stores: one balance, wear, and a soft end."""

from dataclasses import dataclass

import numpy as np

from models.components import Store
from models.dispatch import EndTerm
from optimizers.blocks.book import Book, Facts, Values
from optimizers.compile.rules import ONCE, At, Before, Column


@dataclass(frozen=True, slots=True)
class StoreBlock:
    """Charging and discharging power, and the energy that is left at the end of each step."""

    store: Store

    def declare(self, book: Book) -> None:
        """Write the store's balance ``after = before * kept + in - out``, its limits, its wear and its end."""
        f, unit, name = book.f, self.store, self.store.id
        charge = f.column(name, "charge_kw", upper=f.series(f"{name}.charge_max_kw"))
        discharge = f.column(name, "discharge_kw", upper=f.series(f"{name}.discharge_max_kw"))
        stored = f.column(name, "stored_kwh", lower=unit.stored_min_kwh, upper=unit.stored_max_kwh, before=Before.GIVEN)
        kept, step_h = f.series(f"{name}.kept_share"), book.step_h
        gain, loss = unit.charge_efficiency, 1.0 / unit.discharge_efficiency
        f.row(
            name,
            "balance",
            lambda t: stored[t] == kept[t] * stored[t - 1] + step_h[t] * (gain * charge[t] - loss * discharge[t]),
        )
        if unit.wear_cost_per_kwh:
            f.cost("wear", name, lambda t: unit.wear_cost_per_kwh * step_h[t] * discharge[t])
        book.feed(name, unit.control, charge, -1.0)
        book.feed(name, unit.control, discharge, 1.0)
        declare_end(book, name, stored)

    def values(self, facts: Facts) -> Values:
        """Return power limits by availability, the standing loss per step, the start and the end."""
        unit, name = self.store, self.store.id
        start_kwh = float(np.clip(facts.stored(name), unit.stored_min_kwh, unit.stored_max_kwh))
        default = EndTerm(target_kwh=start_kwh, value_per_kwh=unit.end_value_per_kwh)
        return {
            f"{name}.charge_max_kw": unit.charge_max_kw * facts.share(name),
            f"{name}.discharge_max_kw": unit.discharge_max_kw * facts.share(name),
            f"{name}.kept_share": np.array([unit.kept_share(h) for h in facts.step_h]),
            f"{name}.stored_kwh.before": start_kwh,
            **end_values(name, facts.end(name, default)),
        }


def declare_end(book: Book, name: str, stored: Column) -> None:
    """Price the energy at the end: what is above the target earns, what is missing costs, so the target bends."""
    f = book.f
    above, short = f.column(name, "end_above_kwh", extent=ONCE), f.column(name, "end_short_kwh", extent=ONCE)
    target = f.scalar(f"{name}.end_target_kwh")
    value, price = f.scalar(f"{name}.end_value_per_kwh"), f.scalar(f"{name}.end_short_price_per_kwh")
    f.row(name, "end", lambda t: stored[t] - above[t] + short[t] == target[t], at=At.LAST)
    f.cost("end", name, lambda t: price[t] * short[t] - value[t] * above[t], at=At.LAST)


def end_values(name: str, end: EndTerm) -> Values:
    """Return the numbers of :func:`declare_end`."""
    return {
        f"{name}.end_target_kwh": end.target_kwh,
        f"{name}.end_value_per_kwh": end.value_per_kwh,
        f"{name}.end_short_price_per_kwh": end.short_price_per_kwh,
    }
