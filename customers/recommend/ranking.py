"""The recommendation: criteria put together by a multi-criteria method, weights learnt from what was taken, every share told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.recommend.taste import association, collaborative, content, popularity

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
CRITERIA = ("money", "popularity", "association", "content", "collaborative")
USUAL_WEIGHTS: Mapping[str, float] = {
    "money": 0.3,
    "popularity": 0.4,
    "association": 0.1,
    "content": 0.1,
    "collaborative": 0.1,
}
"""Until enough has been taken to learn from. Where nothing was taken all packages are equally popular, and money alone decides."""
ENOUGH = 60
"""Takings from which weights are learnt."""
TRUST = 3.0
"""Takings per customer at which what was learnt counts as much as the usual weights."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What recommendations are made from.

    ``money`` (customer, package) is each package's worth in a year, exact by simulation; ``seen`` what was taken; ``features``
    (customer, feature) and ``attributes`` (words per customer) say how customers are alike. ``closed`` (customer, package) is what
    cannot be had, as photovoltaics without a roof, and is never recommended.
    """

    money: Floats
    seen: Flags
    features: Floats
    attributes: Sequence[Sequence[str]]
    closed: Flags | None = None


@dataclass(frozen=True, slots=True)
class Recommended:
    """One package for one customer: its score 0..1 and which share of it every criterion gives; the shares sum to 1."""

    package: int
    score: float
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Scores (customer, package), the weights that made them, and whether these were learnt; ``criteria`` (criterion, customer, package) 0..1.

    ``left`` (customer, package) is what is not recommended: taken already, or not to be had.
    """

    scores: Floats
    weights: Mapping[str, float]
    learnt: bool
    criteria: Floats
    left: Flags

    def best(self, customer: int, count: int = 5) -> list[Recommended]:
        """Return a customer's best packages that it has not taken and can have, best first, each explained."""
        order = np.argsort(-np.where(self.left[customer], -np.inf, self.scores[customer]), kind="stable")
        weights = np.array([self.weights[c] for c in CRITERIA])
        found = []
        for k in order[: min(count, int((~self.left[customer]).sum()))].tolist():
            parts = weights * self.criteria[:, customer, k]
            shares = parts / max(float(parts.sum()), 1e-12)
            found.append(
                Recommended(k, float(self.scores[customer, k]), dict(zip(CRITERIA, shares.tolist(), strict=True)))
            )
        return found


def recommend(evidence: Evidence, weights: Mapping[str, float] | None = None) -> Recommendations:
    """Return scores of every package for every customer: the weighted sum of criteria scaled from the customer's worst to its best package.

    Given weights are used as they are. Without, they are learnt where enough has been taken: part of the takings is hidden, the criteria are
    computed from the rest, and the weights are those that tell the hidden ones best; no weight falls below 0.
    """
    learnt = weights is None and int(evidence.seen.sum()) >= ENOUGH
    used = weights or (
        _mixed(learn_weights(evidence), float(evidence.seen.sum(axis=1).mean())) if learnt else USUAL_WEIGHTS
    )
    criteria = criteria_of(evidence)
    vector = np.array([used[c] for c in CRITERIA])
    scores = np.tensordot(vector, criteria, axes=1)
    left = evidence.seen if evidence.closed is None else evidence.seen | evidence.closed
    return Recommendations(scores, used, learnt, criteria, left)


def _mixed(learnt: Mapping[str, float], each: float) -> dict[str, float]:
    """Return learnt weights drawn towards the usual ones, the less the more each customer has taken."""
    trust = each / (each + TRUST)
    return {c: trust * learnt[c] + (1.0 - trust) * USUAL_WEIGHTS[c] for c in CRITERIA}


def criteria_of(evidence: Evidence) -> Floats:
    """Return every criterion scaled from a customer's worst package (0) to its best (1); shape (criterion, customer, package)."""
    seen = evidence.seen
    found = (
        evidence.money,
        popularity(seen),
        association(seen, evidence.attributes),
        content(seen, evidence.features),
        collaborative(seen),
    )
    return np.array([_scaled(f) for f in found])


def _scaled(values: Floats) -> Floats:
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    return np.asarray((values - low) / np.where(high > low, high - low, 1.0))


def learn_weights(evidence: Evidence, seed: int = 1) -> dict[str, float]:
    """Return the weights that tell hidden takings from packages not taken, summing to 1.

    Source: logistic regression on the criteria of the visible half; a criterion that misleads is left out and the rest fitted anew.
    """
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    hidden = evidence.seen & (rng.random(evidence.seen.shape) < 0.4)
    visible = evidence.seen & ~hidden
    criteria = criteria_of(Evidence(evidence.money, visible, evidence.features, evidence.attributes))
    open_ = ~visible
    table, taken = np.array([c[open_] for c in criteria]).T, hidden[open_]
    if taken.sum() < ENOUGH // 4:
        return dict(USUAL_WEIGHTS)
    kept = list(range(len(CRITERIA)))
    while kept:
        fitted = LogisticRegression(C=1.0, max_iter=300).fit(table[:, kept], taken)
        weights = fitted.coef_[0]
        if weights.min() >= 0:
            return {
                name: float(weights[kept.index(k)] / weights.sum()) if k in kept else 0.0
                for k, name in enumerate(CRITERIA)
            }
        kept.pop(int(np.argmin(weights)))
    return dict(USUAL_WEIGHTS)
