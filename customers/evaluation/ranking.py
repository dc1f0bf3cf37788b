"""Ranking by many criteria: TOPSIS, VIKOR, SPOTIS, the weighted sum, and fuzzy comprehensive evaluation."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from customers.evaluation.weights import between_worst_and_best

Array = npt.NDArray[np.float64]
Benefit = npt.NDArray[np.bool_]
VETO_SHARE = 0.5
"""Weight of the majority against the greatest single regret in VIKOR."""


def topsis(matrix: Array, weights: Array, benefit: Benefit) -> Array:
    """Return the closeness of every alternative to the ideal one, 0..1, 1 best; ``matrix`` is (alternative, criterion).

    Source: Hwang & Yoon (1981), vector normalisation, as in Tzeng & Huang (2011).
    """
    length = np.sqrt((matrix**2).sum(axis=0))
    x = matrix / np.where(length > 0, length, 1.0) * weights
    best = np.where(benefit, x.max(axis=0), x.min(axis=0))
    worst = np.where(benefit, x.min(axis=0), x.max(axis=0))
    to_best, to_worst = (np.sqrt(((x - point) ** 2).sum(axis=1)) for point in (best, worst))
    apart = to_best + to_worst
    return np.asarray(np.where(apart > 0, to_worst / np.where(apart > 0, apart, 1.0), 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Vikor:
    """Regret of the majority ``s``, greatest single regret ``r``, their compromise ``q`` (0 best), and who is in the compromise."""

    s: Array
    r: Array
    q: Array
    compromise: tuple[int, ...]


def vikor(matrix: Array, weights: Array, benefit: Benefit, v: float = VETO_SHARE) -> Vikor:
    """Return the compromise ranking of alternatives; ``compromise`` holds the rows that cannot be told apart from the first.

    Source: Opricovic & Tzeng (2004).
    """
    regret = (1.0 - between_worst_and_best(matrix, benefit)) * weights
    s, r = regret.sum(axis=1), regret.max(axis=1)
    q = v * _from_least(s) + (1.0 - v) * _from_least(r)
    order = np.argsort(q, kind="stable")
    needed = 1.0 / max(len(q) - 1, 1)
    first = order[0]
    if len(order) > 1 and q[order[1]] - q[first] >= needed:
        steady = first in (int(np.argmin(s)), int(np.argmin(r)))
        together = [first] if steady else [first, order[1]]
    else:
        together = [k for k in order if q[k] - q[first] < needed]
    return Vikor(s, r, q, tuple(int(k) for k in together))


def _from_least(values: Array) -> Array:
    span = values.max() - values.min()
    return np.asarray((values - values.min()) / span if span > 0 else np.zeros_like(values))


def spotis(matrix: Array, weights: Array, benefit: Benefit, bounds: Array) -> Array:
    """Return the weighted distance of every alternative from the best end of given bounds, 0 best.

    No other alternative is looked at, so adding one never turns a ranking round; ``bounds`` is (criterion, 2).

    Source: Dezert, Tchamova, Han & Tacnet (2020).
    """
    best = np.where(benefit, bounds[:, 1], bounds[:, 0])
    away = np.abs(matrix - best) / np.abs(bounds[:, 1] - bounds[:, 0])
    return np.asarray(away @ weights)


def weighted_sum(matrix: Array, weights: Array, benefit: Benefit) -> Array:
    """Return the weighted mean of criteria scaled from worst (0) to best (1)."""
    return np.asarray(between_worst_and_best(matrix, benefit) @ weights)


Operator = Literal["weighted", "max_min", "max_product", "bounded_sum_min"]


def fuzzy_comprehensive(weights: Array, membership: Array, operator: Operator = "weighted") -> Array:
    """Return how much something belongs to each grade, summing to 1: ``B = W o R``.

    ``membership`` is (.., criterion, grade), each row how much the criterion belongs to each grade. The operators are the four usual ones:
    M(*, +), M(min, max), M(*, max) and M(min, bounded sum); the first keeps every criterion's say.

    Source: Zadeh (1965); the operators of fuzzy comprehensive evaluation as in Wang Peizhuang (1983).
    """
    w = weights[:, None]
    made = {
        "weighted": lambda: (w * membership).sum(axis=-2),
        "max_min": lambda: np.minimum(w, membership).max(axis=-2),
        "max_product": lambda: (w * membership).max(axis=-2),
        "bounded_sum_min": lambda: np.minimum(np.minimum(w, membership).sum(axis=-2), 1.0),
    }
    found = np.asarray(made[operator]())
    total = found.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(total > 0, found / np.where(total > 0, total, 1.0), 1.0 / found.shape[-1]))


def grade_membership(value: Array | float, corners: Array) -> Array:
    """Return how much figures belong to each grade: triangles that meet at the grades' ``corners`` (rising), shoulders at both ends.

    Shape (.., grade) for figures of shape (..).
    """
    place = np.interp(value, corners, np.arange(len(corners)))
    return np.maximum(1.0 - np.abs(np.asarray(place)[..., None] - np.arange(len(corners))), 0.0)
