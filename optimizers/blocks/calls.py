"""Calls from outside on the site's connection: obliged reductions against a baseline, and their price."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.components import GridConnection
from models.dispatch import ReductionEvent
from models.horizon import HOUR, Horizon
from optimizers.blocks.book import Book, Facts, Values
from optimizers.compile.rules import Step

Floats = npt.NDArray[np.float64]
NAME = "demand_response"


@dataclass(frozen=True, slots=True)
class CallBlock:
    """Demand response: while an event lasts, the import of all connections stays below its baseline by what was agreed."""

    grids: tuple[GridConnection, ...]

    def declare(self, book: Book) -> None:
        """Write what is delivered, what is missing, and what both cost."""
        f = book.f
        asked, room = f.series(f"{NAME}.asked_kw"), f.series(f"{NAME}.baseline_kw")
        delivered, missing = f.column(NAME, "delivered_kw", upper=asked), f.column(NAME, "missing_kw")
        ports = [(f.columns[f"{g.id}.import_kw"], f.columns[f"{g.id}.export_kw"]) for g in self.grids]

        def imported(t: Step) -> object:
            return sum(bought[t] - sold[t] for bought, sold in ports)

        f.row(NAME, "reduction", lambda t: delivered[t] + imported(t) <= room[t])
        f.row(NAME, "agreed", lambda t: delivered[t] + missing[t] == asked[t])
        paid, fined = f.series(f"{NAME}.price_per_kwh"), f.series(f"{NAME}.penalty_per_kwh")
        f.cost(NAME, NAME, lambda t: fined[t] * missing[t] - paid[t] * delivered[t])

    def values(self, facts: Facts) -> Values:
        """Return what is asked and agreed at each step; outside events nothing is asked and nothing limits."""
        problem = facts.problem
        inside = [inside_share(e, problem.horizon) for e in problem.events]
        most = sum(g.import_max_kw for g in self.grids)

        def mixed(figures: list[float], outside: float = 0.0) -> Floats:
            total = np.full(len(facts.step_h), outside)
            for share, figure in zip(inside, figures, strict=True):
                total += share * (figure - outside)
            return total

        events = problem.events
        return {
            f"{NAME}.asked_kw": mixed([e.reduction_kw for e in events]),
            f"{NAME}.baseline_kw": mixed([e.baseline_kw for e in events], outside=most),
            f"{NAME}.price_per_kwh": mixed([e.price_per_kwh for e in events]) * facts.step_h,
            f"{NAME}.penalty_per_kwh": mixed([e.penalty_per_kwh for e in events]) * facts.step_h,
        }


def inside_share(event: ReductionEvent, horizon: Horizon) -> Floats:
    """Return the share of every step that lies inside an event; shape (step,)."""
    return np.array(
        [
            max((min(event.end, b) - max(event.start, a)) / HOUR, 0.0) / ((b - a) / HOUR)
            for a, b in zip(horizon.edges, horizon.edges[1:], strict=False)
        ]
    )
