"""Where all carriers of a site agree: machines turn one into another, networks lose some on the way, and each depends on the other.

Every network is solved by its own kernel, every machine by its own equations. All that travels between them is what the networks lose, a
few numbers per step, so the iteration works on those alone, with Anderson's acceleration, for all steps side by side.

Source: Anderson, J. ACM 12(4), 1965; the decomposed scheme of Liu et al., Applied Energy 162 (2016).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
S = TypeVar("S")

ROUNDS_MAX = 20
MEMORY = 3
TOLERANCE_KW = 1e-6


@dataclass(frozen=True, slots=True)
class Settled(Generic[S]):
    """The last round of an iteration."""

    solved: S
    rounds: int
    residual: FloatArray
    """By how much the networks answered otherwise than they were asked, shape (step,); within the tolerance where all agree."""


def settle(
    answer: Callable[[FloatArray], tuple[FloatArray, S]], guess: FloatArray, tolerance: float = TOLERANCE_KW
) -> Settled[S]:
    """Return the solution at which what goes in comes out again.

    Parameters
    ----------
    answer
        Takes what passes between machines and networks, in kW for losses, shape (step, number), and returns what follows from it in the
        same shape, with the solution behind it.
    guess
        Where to start, shape (step, number).
    tolerance
        How far question and answer may be apart, in their unit.

    Stops after 20 rounds with whatever is left in ``residual``: a machine that trips at one guess and runs at the next never settles.
    """
    points: list[FloatArray] = []
    gaps: list[FloatArray] = []
    point = guess
    for rounds in range(1, ROUNDS_MAX + 1):
        found, solved = answer(point)
        gap = found - point
        residual = np.abs(gap).max(axis=1, initial=0.0)
        if residual.max(initial=0.0) <= tolerance or rounds == ROUNDS_MAX:
            break
        points, gaps = [*points[-MEMORY:], point], [*gaps[-MEMORY:], gap]
        point = accelerated(points, gaps)
    return Settled(solved, rounds, residual)


def accelerated(points: Sequence[FloatArray], gaps: Sequence[FloatArray]) -> FloatArray:
    """Return Anderson's next point from the last ones, each step (row) by itself; arrays are (step, number)."""
    point, gap = points[-1], gaps[-1]
    if len(points) < 2:
        return point + gap
    moved = np.stack([point - p for p in points[:-1]], axis=2)
    changed = np.stack([gap - g for g in gaps[:-1]], axis=2)
    weights = np.linalg.pinv(changed, rcond=1e-10) @ gap[:, :, None]
    return np.asarray(point + gap - ((moved + changed) @ weights)[:, :, 0])
