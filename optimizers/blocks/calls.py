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
    """Demand response: while an event lasts, the import of all connections stays below its baseline by what was agreed.

    What is delivered is counted as a mean over the whole step, so a call over part of a step asks for that part.
    """

    grids: tuple[GridConnection, ...]

    def declare(self, book: Book) -> None:
        """Write what is delivered, what is missing, and what both cost."""
        f = book.f
        asked, room = f.series(f"{NAME}.asked_kw"), f.series(f"{NAME}.baseline_kw")
        stretch = f.series(f"{NAME}.stretch")
        delivered, missing = f.column(NAME, "delivered_kw", upper=asked), f.column(NAME, "missing_kw")
        ports = [(f.columns[f"{g.id}.import_kw"], f.columns[f"{g.id}.export_kw"]) for g in self.grids]

        def imported(t: Step) -> object:
            return sum(bought[t] - sold[t] for bought, sold in ports)

        f.row(NAME, "reduction", lambda t: stretch[t] * delivered[t] + imported(t) <= room[t])
        f.row(NAME, "agreed", lambda t: delivered[t] + missing[t] == asked[t])
        paid, fined = f.series(f"{NAME}.price_per_kwh"), f.series(f"{NAME}.penalty_per_kwh")
        f.cost(NAME, NAME, lambda t: fined[t] * missing[t] - paid[t] * delivered[t])

    def values(self, facts: Facts) -> Values:
        """Return what is asked and agreed at each step; outside events nothing is asked and nothing limits."""
        problem = facts.problem
        steps, most = len(facts.step_h), sum(g.import_max_kw for g in self.grids)
        asked, price, penalty, covered = np.zeros(steps), np.zeros(steps), np.zeros(steps), np.zeros(steps)
        baseline = np.full(steps, most)
        for event in problem.events:
            share = inside_share(event, problem.horizon)
            here = share > covered  # of two calls in one step the longer one says the figures
            covered = np.maximum(covered, share)
            asked[here] = (share * event.reduction_kw)[here]
            baseline[here], price[here], penalty[here] = event.baseline_kw, event.price_per_kwh, event.penalty_per_kwh
        return {
            f"{NAME}.asked_kw": asked,
            f"{NAME}.baseline_kw": baseline,
            f"{NAME}.stretch": 1.0 / np.where(covered > 0, covered, 1.0),
            f"{NAME}.price_per_kwh": price * facts.step_h,
            f"{NAME}.penalty_per_kwh": penalty * facts.step_h,
        }


def inside_share(event: ReductionEvent, horizon: Horizon) -> Floats:
    """Return the share of every step that lies inside an event; shape (step,)."""
    return np.array(
        [
            max((min(event.end, b) - max(event.start, a)) / HOUR, 0.0) / ((b - a) / HOUR)
            for a, b in zip(horizon.edges, horizon.edges[1:], strict=False)
        ]
    )
