"""Offline evaluation: how much of the best utility a recommendation gives away, and how many of the best five it finds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.recommend.ranking import Evidence, recommend
from customers.recommend.taste import association, collaborative, content, popularity

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
LIKED, TOP = 10, 5


@dataclass(frozen=True, slots=True)
class Judged:
    """One method: ``regret`` 0 is the best package for everybody and 1 the median one; ``recall`` is the share of the best five found in five."""

    method: str
    regret: float
    recall: float


@dataclass(frozen=True, slots=True)
class Market:
    """Customers whose utility is known, (customer, package), because it was made; and what of it money alone says."""

    utility: Floats
    money: Floats
    features: Floats
    attributes: Sequence[Sequence[str]]


def made_market(
    money: Floats, features: Floats, attributes: Sequence[Sequence[str]], taste_share: float, seed: int = 1
) -> Market:
    """Return a market in which taste makes ``taste_share`` of the variance of utility: common to all, by class, by features, and own."""
    rng = np.random.default_rng([seed, 9])
    customers, packages = money.shape
    common = rng.standard_normal(packages)
    names = sorted({a for row in attributes for a in row})
    of_class = {n: rng.standard_normal(packages) for n in names}
    by_class = np.array(
        [np.sum([of_class[a] for a in row], axis=0) if row else np.zeros(packages) for row in attributes]
    )
    usual = np.nan_to_num((features - np.nanmean(features, axis=0)) / np.maximum(np.nanstd(features, axis=0), 1e-9))
    by_features = usual @ rng.standard_normal((features.shape[1], packages))
    own = rng.standard_normal((customers, packages))
    taste = _unit(np.tile(common, (customers, 1))) + _unit(by_class) + 0.7 * _unit(by_features) + 0.7 * own
    utility = np.sqrt(1.0 - taste_share) * _unit(money) + np.sqrt(taste_share) * _unit(taste)
    return Market(utility, money, features, attributes)


def _unit(values: Floats) -> Floats:
    centred = values - values.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9))


def observed(market: Market, uptake: float, seed: int = 1) -> Flags:
    """Return what has been taken so far: each of a customer's ten likeliest packages with the probability ``uptake``."""
    rng = np.random.default_rng([seed, 21])
    rank = np.argsort(np.argsort(-market.utility, axis=1), axis=1)
    return np.asarray((rank < LIKED) & (rng.random(market.utility.shape) < uptake))


def compare(market: Market, seen: Flags) -> list[Judged]:
    """Return how the methods do on packages that customers have not taken yet; the combined one is called ``hybrid``."""
    evidence = Evidence(market.money, seen, market.features, market.attributes)
    scores = {
        "popularity": popularity(seen),
        "cosine": collaborative(seen),
        "association": association(seen, market.attributes),
        "content": content(seen, market.features),
        "money": market.money,
        "hybrid": recommend(evidence).scores,
    }
    return [judge(name, s, market.utility, seen) for name, s in scores.items()]


def judge(method: str, scores: Floats, utility: Floats, seen: Flags) -> Judged:
    """Return regret and recall of scores, over packages not taken."""
    open_utility = np.where(seen, np.nan, utility)
    best, median = np.nanmax(open_utility, axis=1), np.nanmedian(open_utility, axis=1)
    # equal scores are told apart by nothing: each takes its place among its equals by chance, the same in every run
    chance = np.random.default_rng(5).random(scores.shape) * 1e-9
    order = np.argsort(-np.where(seen, -np.inf, scores + chance * np.abs(scores).max()), axis=1)
    got = np.take_along_axis(utility, order[:, :1], axis=1)[:, 0]
    regret = float(((best - got) / np.maximum(best - median, 1e-9)).mean())
    truth = np.argsort(-np.where(seen, -np.inf, utility), axis=1)[:, :TOP]
    hits = np.array([len(set(a) & set(b)) for a, b in zip(order[:, :TOP].tolist(), truth.tolist(), strict=True)])
    return Judged(method, regret, float(hits.mean() / TOP))
