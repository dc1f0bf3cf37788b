"""A sample of answers is asked for again from nothing: a kept basis can end at a wrong "optimal" that no check of its own shows."""

from dataclasses import dataclass

from optimizers.session import Status
from optimizers.worker import Answer

EVERY = 25
TOLERANCE = 1e-6
"""Allowed difference of two optima, relative to one plus their size."""


@dataclass
class Audit:
    """Counts answers, says which are repeated, and compares them."""

    every: int = EVERY
    answers: int = 0
    repeated: int = 0
    differing: int = 0

    def due(self) -> bool:
        """Count an answer and return whether it is one of the sample."""
        self.answers += 1
        return self.every > 0 and self.answers % self.every == 0

    def agrees(self, kept: Answer, cold: Answer, gap_share: float) -> bool:
        """Return whether both answers say the same: equal optima without integers, and points within each other's proven bounds."""
        self.repeated += 1
        same = _relaxations_agree(kept, cold) and _points_agree(kept, cold, gap_share)
        self.differing += not same
        return same


def _relaxations_agree(kept: Answer, cold: Answer) -> bool:
    if Status.TIMEOUT in (kept.relaxed.status, cold.relaxed.status):
        return True  # nothing is proven by a solve that was cut short
    if kept.relaxed.status is not cold.relaxed.status:
        return False
    if kept.relaxed.status is not Status.OPTIMAL:
        return True
    return _near(kept.relaxed.objective, cold.relaxed.objective, TOLERANCE)


def _points_agree(kept: Answer, cold: Answer, gap_share: float) -> bool:
    if kept.solution.x is None or cold.solution.x is None:
        return True
    return _near(kept.solution.objective, cold.solution.objective, gap_share + TOLERANCE)


def _near(a: float, b: float, share: float) -> bool:
    return abs(a - b) <= share * (1.0 + max(abs(a), abs(b)))
