"""Segments with names that last: a new run keeps the names of segments that are still there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from customers.features.table import FeatureTable
from customers.segments.clusters import Clusters, Scaling, cluster, scaling_of
from models.errors import DataError
from models.findings import error
from models.told import Told, told

Array = npt.NDArray[np.float64]
GROUPED_BY = (
    "load_factor",
    "base_share",
    "night_share",
    "midday_share",
    "evening_share",
    "weekend_ratio",
    "heating_share",
    "cooling_share",
    "day_variation",
)
"""What a customer does, and not how large it is."""
FORMAT = "jouletwin-segments/1"
SAME_DISTANCE = 1.5
"""Farthest that a segment's centre may move, in spreads of the features, and keep its name."""
FUZZINESS = 2.0
NAMED_BY = (
    "round the clock", "every day", "working days", "evening", "daytime", "heated and cooled", "cooled", "heated", "weatherproof",
)  # fmt: skip
"""The words of which names of segments are made."""
NUMERALS = "IVX "


@dataclass(frozen=True, slots=True, eq=False)
class SegmentModel:
    """What a segmentation is: names, centres in the features' own units, and the scaling; kept between runs as JSON."""

    names: tuple[str, ...]
    centres: Array
    scaling: Scaling
    stability: dict[int, float]

    def text(self) -> str:
        """Return the model as JSON."""
        arrays = {"centres": self.centres, "middle": self.scaling.middle, "spread": self.scaling.spread}
        plain = {name: np.round(array, 6).tolist() for name, array in arrays.items()}
        head = {"format": FORMAT, "features": list(GROUPED_BY), "names": list(self.names)}
        return json.dumps(
            head | plain | {"stability": {str(k): round(v, 4) for k, v in self.stability.items()}}, indent=1
        )


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """Who belongs where: ``label`` (customer,) is the place in ``model.names``, ``membership`` (customer, segment) sums to 1."""

    model: SegmentModel
    customers: tuple[str, ...]
    label: npt.NDArray[np.int64]
    membership: Array

    def members(self, name: str) -> tuple[str, ...]:
        """Return the customers of a segment."""
        place = self.model.names.index(name)
        return tuple(c for c, label in zip(self.customers, self.label, strict=True) if label == place)


def read_model(text: str) -> SegmentModel:
    """Return a model from its JSON.

    Raises
    ------
    DataError
        If it is not of this format or its features are others.
    """
    try:
        plain = json.loads(text)
        if plain["format"] != FORMAT or tuple(plain["features"]) != GROUPED_BY:
            raise ValueError("made with another format or other features; make segments anew")
        scaling = Scaling(np.array(plain["middle"]), np.array(plain["spread"]))
        stability = {int(k): float(v) for k, v in plain["stability"].items()}
        return SegmentModel(tuple(plain["names"]), np.array(plain["centres"]), scaling, stability)
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise DataError([error("segments", f"no model of segments: {str(fault)[:120]}")]) from None


def segment(features: FeatureTable, previous: SegmentModel | None = None, seed: int = 0) -> Segmentation:
    """Return segments of customers, as many as are stable; names are kept from ``previous`` where a segment is still there.

    Where no number of groups is stable (few customers, or all much alike), those of one description stand together.
    """
    values = features.columns(GROUPED_BY)
    scaling = scaling_of(values)
    clusters = cluster(scaling.apply(values), seed)
    if clusters.count == 1:
        return _described(features, values, scaling, clusters)
    centres = _centres(values, clusters)
    order = np.argsort(-np.bincount(clusters.labels, minlength=clusters.count), kind="stable")
    names = _names(centres[order], previous)
    return assign(features, SegmentModel(names, centres[order], scaling, clusters.stability))


def _described(features: FeatureTable, values: Array, scaling: Scaling, clusters: Clusters) -> Segmentation:
    """Return segments of customers that one description fits, the largest first."""
    words = [describe(dict(zip(GROUPED_BY, row.tolist(), strict=True))) for row in np.nan_to_num(values)]
    names = sorted(set(words), key=lambda name: (-words.count(name), name))
    label = np.array([names.index(w) for w in words], dtype=np.int64)
    own = Clusters(label, np.zeros((len(names), 1)), clusters.stability)
    model = SegmentModel(tuple(names), _centres(values, own), scaling, clusters.stability)
    return replace(assign(features, model), label=label)


def assign(features: FeatureTable, model: SegmentModel) -> Segmentation:
    """Return where customers belong in a segmentation that is there already.

    Membership is fuzzy: by distances to the centres, as of fuzzy c-means (Bezdek 1981) with exponent 2.
    """
    scaled = model.scaling.apply(features.columns(GROUPED_BY))
    away = ((scaled[:, None, :] - model.scaling.apply(model.centres)[None]) ** 2).sum(axis=2) + 1e-9
    close = away ** (-1.0 / (FUZZINESS - 1.0))
    membership = close / close.sum(axis=1, keepdims=True)
    return Segmentation(model, features.customers, np.argmin(away, axis=1).astype(np.int64), membership)


def _centres(values: Array, clusters: Clusters) -> Array:
    """Return the median features of every cluster; 0 where nobody in it has a figure."""
    rows = [values[clusters.labels == k] for k in range(clusters.count)]
    bare = [np.where(np.isnan(r).all(axis=0), 0.0, r) for r in rows]
    return np.stack([np.nanmedian(r, axis=0) for r in bare])


def _names(centres: Array, previous: SegmentModel | None) -> tuple[str, ...]:
    """Return a name for every centre: the old one where it is still there, else one that says what it is like."""
    names: list[str | None] = [None] * len(centres)
    if previous is not None:
        from scipy.optimize import linear_sum_assignment

        new, old = (previous.scaling.apply(c) for c in (centres, previous.centres))
        away = np.sqrt(((new[:, None] - old[None]) ** 2).mean(axis=2))
        for k, there in zip(*linear_sum_assignment(away), strict=True):
            if away[k, there] < SAME_DISTANCE:
                names[k] = previous.names[there]
    taken = {n for n in names if n}
    if previous is not None:
        taken |= set(previous.names)  # a name that is free again does not go to another group
    for k, centre in enumerate(centres):
        if names[k] is None:
            names[k] = _free(describe(dict(zip(GROUPED_BY, centre.tolist(), strict=True))), taken)
            taken.add(names[k] or "")
    return tuple(str(n) for n in names)


def describe(centre: dict[str, float]) -> str:
    """Return what a centre is like, in the words that a segment is named by."""
    if centre["night_share"] > 0.8 and centre["weekend_ratio"] > 0.75:
        when = "round the clock"
    elif centre["weekend_ratio"] > 0.75:
        when = "every day"
    else:
        when = "working days"
    peak = "evening" if centre["evening_share"] > 1.05 * centre["midday_share"] else "daytime"
    warm, cold = centre["cooling_share"] > 0.12, centre["heating_share"] > 0.10
    weather = {(True, True): "heated and cooled", (True, False): "cooled", (False, True): "heated"}
    parts = [when] if when == "round the clock" else [when, peak]
    return ", ".join([*parts, weather.get((warm, cold), "weatherproof")])


def segment_words(name: str) -> Told:
    """Return a segment's name as the words that it was made of, each of which may be said in another language."""
    return told("segment_name", "{parts}", parts=tuple(_named(w) for w in name.split(", ")))


def _named(word: str) -> str:
    plain = word.rstrip(NUMERALS)
    if plain not in NAMED_BY:
        return word
    key = f"segment_{plain.replace(' ', '_')}"
    return told("numbered", "{word}{numeral}", word=told(key, plain), numeral=word.removeprefix(plain))


def _free(name: str, taken: set[str]) -> str:
    """Return a name that is not taken: with a Roman numeral where it is."""
    numerals: Sequence[str] = ("", " II", " III", " IV", " V", " VI", " VII", " VIII", " IX", " X")
    return next(name + n for n in numerals if name + n not in taken)
