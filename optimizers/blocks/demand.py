"""Demand: consumers that may be left short at a price, loads that move in time, vehicles that leave at a fixed hour."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import Consumer, Demand, EvFleet, EvGroup, FlexibleLoad
from models.components.demand import present
from models.dispatch import EndTerm
from optimizers.blocks.book import Book, Facts, Minutes, Values
from optimizers.blocks.stores import declare_end, end_values
from optimizers.compile.rules import Before, Step

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
LATE_PRICE_PER_KWH = 5.0
"""What a kWh costs that a vehicle lacks when it leaves, in the site's currency."""


@dataclass(frozen=True, slots=True)
class ConsumerBlock:
    """A consumer's demand on every energy carrier."""

    unit: Consumer

    def declare(self, book: Book) -> None:
        """Write what is drawn."""
        f, name, step_h = book.f, self.unit.id, book.step_h
        for demand in self._demands():
            book.draw(name, demand.carrier)
            if demand.shed_price_per_kwh is not None:
                here, price = demand.carrier.value, demand.shed_price_per_kwh
                shed = f.column(name, f"{here}_shed_kw", upper=f.series(f"{name}.{here}_shed_max_kw"))
                book.feed(name, demand.carrier, shed, 1.0)
                f.cost("shed", name, lambda t, p=price, s=shed: p * step_h[t] * s[t])  # type: ignore[misc]

    def values(self, facts: Facts) -> Values:
        """Return the forecast demand; a consumer out of service draws nothing."""
        share, name = facts.share(self.unit.id), self.unit.id
        found: Values = {}
        for d in self._demands():
            asked_kw = d.scale * facts.series[d.profile] * share
            found[f"{name}.{d.carrier.value}_demand_kw"] = asked_kw
            if d.shed_price_per_kwh is not None:
                found[f"{name}.{d.carrier.value}_shed_max_kw"] = asked_kw - d.least_kw(asked_kw)
        return found

    def _demands(self) -> list[Demand]:
        return [d for d in self.unit.demands if d.carrier is not Carrier.WATER]


@dataclass(frozen=True, slots=True)
class FlexibleLoadBlock:
    """A load around its baseline; what is drawn ahead or put off is paid back, like a lossless store."""

    unit: FlexibleLoad

    def declare(self, book: Book) -> None:
        """Write more, less, and the balance of what has been drawn ahead."""
        f, unit, name, step_h = book.f, self.unit, self.unit.id, book.step_h
        book.draw(name, Carrier.ELECTRICITY)
        more = f.column(name, "more_kw", upper=f.series(f"{name}.more_max_kw"))
        less = f.column(name, "less_kw", upper=f.series(f"{name}.less_max_kw"))
        limit = unit.shiftable_kwh
        ahead = f.column(name, "stored_kwh", lower=-limit, upper=limit, before=Before.GIVEN)
        f.row(name, "balance", lambda t: ahead[t] == ahead[t - 1] + step_h[t] * (more[t] - less[t]))
        book.feed(name, Carrier.ELECTRICITY, more, -1.0)
        book.feed(name, Carrier.ELECTRICITY, less, 1.0)
        declare_end(book, name, ahead)

    def values(self, facts: Facts) -> Values:
        """Return the baseline, the room around it, and what has been drawn ahead so far; by default it ends paid back."""
        unit, name = self.unit, self.unit.id
        share = facts.share(name)
        baseline_kw = unit.scale * facts.series[unit.profile] * share
        return {
            f"{name}.electricity_demand_kw": baseline_kw,
            f"{name}.more_max_kw": unit.shift_up_kw * share,
            f"{name}.less_max_kw": np.minimum(unit.shift_down_kw * share, baseline_kw),
            f"{name}.stored_kwh.before": float(np.clip(facts.stored(name), -unit.shiftable_kwh, unit.shiftable_kwh)),
            **end_values(name, facts.end(name, EndTerm(target_kwh=0.0))),
        }


@dataclass(frozen=True, slots=True)
class FleetBlock:
    """Vehicles that come, need energy and leave: what is still needed rises with arrivals and must be gone by departure."""

    unit: EvFleet

    def declare(self, book: Book) -> None:
        """Write charging, the energy still needed, and what is missing when vehicles leave."""
        f, unit, name, step_h = book.f, self.unit, self.unit.id, book.step_h
        charge = f.column(name, "charge_kw", upper=f.series(f"{name}.charge_max_kw"))
        late = f.column(name, "late_kwh")
        needed = f.column(name, "stored_kwh", before=Before.GIVEN)
        arriving, allowed = f.series(f"{name}.arriving_kwh"), f.series(f"{name}.allowed_kwh")
        gain = unit.efficiency
        back = f.column(name, "discharge_kw", upper=f.series(f"{name}.discharge_max_kw")) if unit.v2g_kwh else None

        def moved(t: Step) -> object:
            return gain * step_h[t] * charge[t] - (step_h[t] * back[t] / gain if back is not None else 0.0)

        f.row(name, "balance", lambda t: needed[t] == needed[t - 1] + arriving[t] - moved(t) - late[t])
        if back is not None:
            book.feed(name, Carrier.ELECTRICITY, back, 1.0)
        f.row(name, "departure", lambda t: needed[t] <= allowed[t])
        f.cost("late", name, lambda t: LATE_PRICE_PER_KWH * late[t])
        book.feed(name, Carrier.ELECTRICITY, charge, -1.0)

    def values(self, facts: Facts) -> Values:
        """Return how much can be charged, what arrives, and what may still be missing at the end of each step."""
        unit, name = self.unit, self.unit.id
        start_kwh = max(facts.stored(name), 0.0)
        visits = fleet_visits(unit, facts.minutes)
        most_kw = visits.plugged * unit.charger_kw * facts.share(name)
        return {
            **({f"{name}.discharge_max_kw": most_kw} if unit.v2g_kwh else {}),
            f"{name}.charge_max_kw": most_kw,
            f"{name}.arriving_kwh": visits.arriving_kwh,
            f"{name}.allowed_kwh": visits.allowed_kwh,
            f"{name}.stored_kwh.before": start_kwh,
        }


@dataclass(frozen=True, slots=True)
class Visits:
    """A fleet over a horizon: mean vehicles plugged in, energy need that arrives, and the need of those still there at each end."""

    plugged: Floats
    arriving_kwh: Floats
    allowed_kwh: Floats


def fleet_visits(fleet: EvFleet, minutes: Minutes) -> Visits:
    """Return when the fleet's vehicles are there; all arrays have shape (step,)."""
    found = [_group_visits(fleet, g, minutes) for g in fleet.groups]
    return Visits(*(np.sum([getattr(v, n) for v in found], axis=0) for n in ("plugged", "arriving_kwh", "allowed_kwh")))


def _group_visits(fleet: EvFleet, group: EvGroup, minutes: Minutes) -> Visits:
    """Follow one group by minutes: presence, the rises in it, and who is there in each step's last minute."""
    here: Bools = present(group, minutes.hour)
    if fleet.workdays_only:
        here = here & minutes.workday
    step = minutes.step
    rises = here & ~np.concatenate([[True], here[:-1]])
    need_kwh = group.vehicles * group.energy_kwh
    last = np.flatnonzero(np.diff(step, append=step[-1] + 1))
    leaves_next = ~np.concatenate([here[1:], here[-1:]])
    return Visits(
        plugged=group.vehicles * np.bincount(step, here) / np.bincount(step),
        arriving_kwh=need_kwh * np.bincount(step, rises).astype(float),
        allowed_kwh=fleet.owed_kwh(group) * (here & ~leaves_next)[last].astype(float),
    )
