"""How a check speaks: instants, spans of steps, and the worst one of a row."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from models.findings import Finding, Severity
from models.horizon import Horizon
from models.told import Told, told

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Worst:
    """The step in which a figure lies furthest beyond its limit, and how many steps lie beyond it."""

    step: int
    value: float
    limit: float
    steps: int


def worst_above(values: FloatArray, limit: float | FloatArray, tolerance: float = 0.0) -> Worst | None:
    """Return where ``values`` exceed ``limit`` by more than ``tolerance``, None where they never do; NaN never exceeds."""
    beyond = values - limit
    over = beyond > tolerance
    if not over.any():
        return None
    k = int(np.nanargmax(beyond))
    return Worst(k, float(values[k]), float(np.broadcast_to(limit, values.shape)[k]), int(over.sum()))


def worst_below(values: FloatArray, limit: float | FloatArray, tolerance: float = 0.0) -> Worst | None:
    """Return where ``values`` fall below ``limit`` by more than ``tolerance``, None where they never do."""
    mirrored = worst_above(-values, -np.asarray(limit, dtype=float), tolerance)
    return mirrored and Worst(mirrored.step, -mirrored.value, -mirrored.limit, mirrored.steps)


def clock(at: datetime) -> str:
    """Return an instant as people write it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Words a horizon's findings: every sentence says where, when, how often, and what to do."""

    horizon: Horizon

    def at(self, step: int) -> str:
        """Return the start of a step in words."""
        return clock(self.horizon.edges[step])

    def often(self, steps: int) -> Told:
        """Return how many of the horizon's steps are meant."""
        if steps == 1:
            return told("once", "once")
        return told("often", "in {steps} of {all} steps", steps=steps, all=len(self.horizon))

    def finding(
        self,
        severity: Severity,
        place: str,
        worst: Worst | None,
        fact: Callable[[Worst], Told],
        way_on: Told,
        *ids: str,
    ) -> list[Finding]:
        """Return one finding on the worst step, none without one; ``fact`` words the figures."""
        if worst is None:
            return []
        facts = {"fact": fact(worst), "at": self.at(worst.step), "often": self.often(worst.steps), "way_on": way_on}
        words = told("worst", "{fact} at {at} ({often}). {way_on}", **facts)
        return [Finding(severity, place, words, ids or (place,), worst.value, worst.limit)]
