"""Taste, from what customers have taken so far: popularity, association rules, likeness of customers, likeness of packages.

``seen`` is (customer, package), True where a customer has taken a package. Every score is (customer, package), larger is better, and says
nothing of money.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
NEIGHBOURS = 60
PRIOR = 5.0
"""How many unseen customers stand behind every mean, so that a package taken once is not everybody's favourite."""
LEAST_SUPPORT, LEAST_CASES, LONGEST = 0.01, 4, 3


def popularity(seen: Flags) -> Floats:
    """Return how often each package was taken, the same for everybody."""
    share = (seen.sum(axis=0) + PRIOR * seen.mean()) / (len(seen) + PRIOR)
    return np.tile(share, (len(seen), 1))


def content(seen: Flags, features: Floats) -> Floats:
    """Return how often the customers with the likest features took each package; a customer is no neighbour of itself.

    ``features`` is (customer, feature); each is scaled to its spread, what is not known counts as usual, and what is known of nobody is
    left out.
    """
    from sklearn.neighbors import NearestNeighbors

    features = features[:, ~np.isnan(features).all(axis=0)]
    usual = np.nanmedian(features, axis=0)
    filled = np.where(np.isnan(features), usual, features)
    spread = filled.std(axis=0)
    scaled = (filled - filled.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    count = min(NEIGHBOURS, len(seen) - 1)
    if count < 1:
        return popularity(seen)
    found = NearestNeighbors(n_neighbors=count + 1).fit(scaled).kneighbors(scaled, return_distance=False)
    near = np.where(found[:, :1] == np.arange(len(seen))[:, np.newaxis], found[:, 1:], found[:, :-1])
    general = popularity(seen)
    return np.asarray((seen[near].sum(axis=1) + PRIOR * general) / (count + PRIOR))


def collaborative(seen: Flags) -> Floats:
    """Return how alike each package is to those a customer has taken: the mean cosine between packages' takers.

    A customer who has taken nothing gets what is popular.
    """
    taken = seen.astype(np.float64)
    length = np.sqrt(taken.sum(axis=0)) + 1e-9
    alike = (taken.T @ taken) / np.outer(length, length)
    np.fill_diagonal(alike, 0.0)
    number = taken.sum(axis=1, keepdims=True)
    own = taken @ alike / np.maximum(number, 1.0)
    general = popularity(seen)
    # few takings say little: they are mixed with what is popular, scaled to the same mean
    general = (
        general
        / max(float(general.mean()), 1e-9)
        * max(float(own[number[:, 0] > 0].mean()) if number.any() else 1.0, 1e-9)
    )
    return np.asarray((number * own + general) / (number + 1.0))


def association(seen: Flags, attributes: Sequence[Sequence[str]]) -> Floats:
    """Return for every package the confidence of the strongest rule whose left side a customer meets.

    ``attributes`` are a customer's classes as words ("kind=office", "size=large"); left sides are attributes and packages taken. Rules are
    mined by Apriori; where none applies, popularity stands.
    """
    from mlxtend.frequent_patterns import apriori, association_rules

    names = sorted({a for row in attributes for a in row})
    classes = np.array([[n in set(row) for n in names] for row in attributes], dtype=bool).reshape(
        len(seen), len(names)
    )
    packages = [f"package:{k}" for k in range(seen.shape[1])]
    baskets = pd.DataFrame(np.hstack([classes, seen]), columns=[*names, *packages])
    score = popularity(seen)
    support = max(LEAST_SUPPORT * float(seen.mean()) * 5, LEAST_CASES / max(len(seen), 1))
    frequent = apriori(baskets, min_support=min(support, 1.0), use_colnames=True, max_len=LONGEST)
    if frequent.empty:
        return score
    rules = association_rules(frequent, metric="lift", min_threshold=1.0, num_itemsets=len(baskets))
    if rules.empty:
        return score
    rules = rules[[len(c) == 1 and next(iter(c)).startswith("package:") for c in rules["consequents"]]]
    have = {n: baskets[n].to_numpy() for n in baskets.columns}
    for left, right, confidence in rules[["antecedents", "consequents", "confidence"]].itertuples(index=False):
        met = np.logical_and.reduce([have[n] for n in left])
        k = int(next(iter(right)).split(":")[1])
        score[met, k] = np.maximum(score[met, k], confidence)
    return score
