"""The runners of the race: baselines that need no training, and two learned models; all answer for many series at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.forecast.features import Features
from models.forecast.grid import Array

LAST, DAY, WEEK, USUAL, WEATHER, RIDGE, BOOSTED, BLEND = (
    "last value",
    "yesterday",
    "last week",
    "usual day",
    "weather",
    "ridge",
    "boosted",
    "blend",
)
BASELINES = (LAST, DAY, WEEK)
"""What every learned model has to beat: persistence, and the same time one day or one week before."""
RACE = (*BASELINES, USUAL, WEATHER, RIDGE, BOOSTED, BLEND)
PENALTY = 2.0
BINS = 8
"""Parts of the day in which a series may follow the temperature differently."""
ROWS_MAX = 60_000
TREES, LEAVES, RATE = 80, 24, 0.1


@dataclass(frozen=True)
class Learned:
    """Trained models: ridge weights by series, one boosted model per class of series, which learns from all its series together.

    ``scale`` has shape (series,); ``weights`` (series, column); ``classes`` tells each series' class.
    """

    scale: Array
    weights: Array
    classes: Sequence[str]
    boosted: Mapping[str, Any] = field(default_factory=dict)


def answers(found: Features, names: Sequence[str], learned: Learned | None) -> dict[str, Array]:
    """Return every runner's forecast; NaN where a runner has nothing to say; shape (series, pair) each."""
    usual = filled(found)
    race = {LAST: found.last, DAY: found.day, WEEK: found.week, USUAL: usual, WEATHER: by_weather(found, names)}
    if learned is None:
        return race
    race[RIDGE] = usual + learned.scale[:, None] * np.einsum("sc,scp->sp", learned.weights, columns(found, learned))
    race[BOOSTED] = usual + learned.scale[:, None] * boosted(found, learned)
    race[BLEND] = (race[RIDGE] + race[BOOSTED] + usual) / 3.0
    return race


def filled(found: Features) -> Array:
    """Return the usual day, the day or week before where there is none, the last value where there is nothing else."""
    value = found.usual
    for other in (found.day, found.week, found.last):
        value = np.where(np.isfinite(value), value, other)
    return value


def by_weather(found: Features, names: Sequence[str]) -> Array:
    """Return what the weather service expects of a series itself; NaN for series it knows nothing of."""
    nothing = np.full(len(found.hour), np.nan)
    return np.array([found.weather.get(n, nothing) for n in names])


def columns(found: Features, learned: Learned) -> Array:
    """Return what ridge regression sees, relative to the usual day; shape (series, column, pair)."""
    usual, scale = filled(found), learned.scale[:, None]
    day, week = (np.nan_to_num((v - usual) / scale) for v in (found.day, found.week))
    warmer = np.nan_to_num(found.air - found.air_usual) / 10.0
    than_before = np.nan_to_num(found.air - found.air_day) / 10.0
    part = np.floor(found.hour * BINS / 24.0)
    of_air = [np.where(part == b, warmer, 0.0) for b in range(BINS)]
    cold, hot = np.clip(15.0 - found.air, 0.0, None) / 10.0, np.clip(found.air - 18.0, 0.0, None) / 10.0
    thresholds = [np.nan_to_num(cold - np.clip(15.0 - found.air_usual, 0.0, None) / 10.0)]
    thresholds += [np.nan_to_num(hot - np.clip(found.air_usual - 18.0, 0.0, None) / 10.0)]
    common = [*of_air, *thresholds, than_before, np.ones_like(warmer)]
    own = [day, week, *(day * v for v in (warmer,)), usual / scale * warmer]
    same = np.broadcast_to(np.array(common), (len(usual), len(common), usual.shape[1]))
    return np.concatenate([np.stack(own, axis=1), same], axis=1)


def matrix(found: Features, learned: Learned, rows: Sequence[int]) -> Array:
    """Return what the boosted model sees of some series; shape (series x pair, column)."""
    scale = learned.scale[rows, None]
    usual = filled(found)[rows] / scale
    own = [np.where(np.isfinite(v[rows]), v[rows] / scale, usual) for v in (found.day, found.week, found.last)]
    own.append(usual)
    shared = [found.hour, found.weekday, found.kind, found.air, found.air - found.air_usual, found.air - found.air_day]
    spread = [np.broadcast_to(v if np.isfinite(v).any() else np.zeros_like(v), usual.shape) for v in shared]
    weather = [np.broadcast_to(v, usual.shape) for n, v in sorted(found.weather.items())]
    return np.stack([*own, *spread, *weather], axis=-1).reshape(usual.size, -1)


def boosted(found: Features, learned: Learned) -> Array:
    """Return what the boosted models add to the usual day, relative to each series' size; shape (series, pair)."""
    added = np.zeros_like(found.day)
    for name, model in learned.boosted.items():
        rows = [k for k, c in enumerate(learned.classes) if c == name]
        if rows:
            added[rows] = model.predict(matrix(found, learned, rows)).reshape(len(rows), -1)
    return added


def learn(found: Features, truth: Array, scale: Array, classes: Sequence[str], seed: int = 0) -> Learned:
    """Return models trained on pairs with known ``truth`` (series, pair); pairs without truth are left out."""
    bare = Learned(scale, np.zeros((len(scale), 1)), classes)
    wanted = (truth - filled(found)) / scale[:, None]
    weights = _ridge(columns(found, bare), wanted)
    rng = np.random.default_rng(seed)
    models = {name: _boost(found, bare, wanted, name, rng) for name in sorted(set(classes))}
    return Learned(scale, weights, classes, {n: m for n, m in models.items() if m is not None})


def _ridge(seen: Array, wanted: Array) -> Array:
    """Return ridge weights by series; rows without truth weigh nothing."""
    good = np.isfinite(wanted)
    x = np.where(good[:, None], seen, 0.0)
    gram = np.einsum("scp,sdp->scd", x, x, optimize=True) + PENALTY * np.eye(seen.shape[1])
    right = np.einsum("scp,sp->sc", x, np.where(good, wanted, 0.0), optimize=True)
    return np.asarray(np.linalg.solve(gram, right[..., None])[..., 0])


def _boost(found: Features, bare: Learned, wanted: Array, name: str, rng: np.random.Generator) -> Any:
    """Return the boosted model of one class of series, None where there is hardly anything to learn from."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = [k for k, c in enumerate(bare.classes) if c == name]
    table, truth = matrix(found, bare, rows), wanted[rows].ravel()
    good = np.flatnonzero(np.isfinite(truth))
    if len(good) < 20 * LEAVES:
        return None
    taken = rng.choice(good, min(len(good), ROWS_MAX), replace=False)
    model = HistGradientBoostingRegressor(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=RATE, l2_regularization=1.0, random_state=0
    )
    return model.fit(table[taken], truth[taken])
