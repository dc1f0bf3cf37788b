"""Clusters of customers, as many as hold when other customers of the same kind are drawn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
MOST = 8
STABLE_ARI = 0.8
ABOUT_AS_STABLE = 0.02
DRAWS = 10
DRAWN_MOST = 800
FAR_SPREADS = 3.0
"""An outlier is brought in to so many spreads from the median before clustering: one odd customer is no segment."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """What makes features comparable: median and spread (by quartiles) of each."""

    middle: Array
    spread: Array

    def apply(self, values: Array) -> Array:
        """Return features around 0 with spread 1, outliers brought in; what is not known counts as usual."""
        scaled = (values - self.middle) / self.spread
        return np.clip(np.nan_to_num(scaled, nan=0.0), -FAR_SPREADS, FAR_SPREADS)


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Labels of customers, centres in scaled features, and how stable each number of clusters was (adjusted Rand index)."""

    labels: Labels
    centres: Array
    stability: dict[int, float]

    @property
    def count(self) -> int:
        """Number of clusters."""
        return len(self.centres)


def scaling_of(values: Array) -> Scaling:
    """Return the scaling of features; shape of ``values`` (customer, feature)."""
    low, middle, high = np.nanpercentile(np.where(np.isnan(values).all(axis=0), 0.0, values), [25, 50, 75], axis=0)
    spread = (high - low) / 1.349
    return Scaling(middle, np.where(spread > 1e-9, spread, 1.0))


def cluster(values: Array, seed: int = 0, most: int = MOST) -> Clusters:
    """Return clusters of scaled features, in the number that is most stable: an adjusted Rand index over draws of 0.8 at least.

    Each draw takes customers with replacement (all but one of few), clusters them anew and says where everybody would belong. Where no
    number is stable, everybody is in one group; among numbers about as stable, the largest is taken.

    Source: stability of clusters by bootstrap (Hennig 2007); agreement by Hubert & Arabie (1985).
    """
    stability: dict[int, float] = {}
    for k in range(2, min(most, max(len(values) // 3, 1)) + 1):
        stability[k] = _stability(values, k, seed)
    floor = max(STABLE_ARI, max(stability.values(), default=0.0) - ABOUT_AS_STABLE)
    stable = [k for k, ari in stability.items() if ari >= floor]
    if not stable:
        return Clusters(np.zeros(len(values), dtype=np.int64), values.mean(axis=0, keepdims=True), stability)
    model = fit(values, max(stable), seed, starts=4)
    return Clusters(np.asarray(model.labels_, dtype=np.int64), np.asarray(model.cluster_centers_), stability)


def fit(values: Array, k: int, seed: int, starts: int = 2) -> Any:
    """Return a fitted k-means model."""
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=starts, random_state=seed).fit(values)


def _stability(values: Array, k: int, seed: int) -> float:
    """Return the mean agreement of clusterings of drawn customers with that of all."""
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng([seed, k])
    some = values if len(values) <= DRAWN_MOST else values[rng.choice(len(values), DRAWN_MOST, replace=False)]
    whole = fit(some, k, seed).predict(some)
    few = len(some) < 30
    found = []
    for draw in range(min(DRAWS, len(some)) if few else DRAWS):
        rows = np.delete(np.arange(len(some)), draw) if few else rng.integers(0, len(some), len(some))
        found.append(adjusted_rand_score(whole, fit(some[rows], k, seed + draw + 1).predict(some)))
    return float(np.mean(found))
