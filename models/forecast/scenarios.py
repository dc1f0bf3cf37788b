"""A few joint futures: errors as they ran together before, fitted to the forecast's own quantiles and reduced by likeness."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from models.forecast.grid import Array, covered
from models.forecast.own import Bands, OwnForecaster, step_means
from models.forecast.training import LEVELS
from models.horizon import Horizon

KEPT_SHARE = 0.9
"""Part of the paths' spread that the leading patterns must carry before they are compared."""


@dataclass(frozen=True, slots=True)
class ScenarioSet:
    """Futures with their probabilities, which sum to 1; ``values`` has dims (scenario, series, time), in each series' unit."""

    values: xr.DataArray
    probability: Array


def scenarios(forecaster: OwnForecaster, horizon: Horizon, count: int, *, seed: int = 0) -> ScenarioSet:
    """Return ``count`` futures of all series together, fewer where the past has fewer.

    Every future follows the ranks of an error path that really happened, so it goes up where other series went up with it and as long as
    it did then; its values come from the forecast's quantiles (Schaake shuffle). Futures that are alike are then put together.

    Source: Clark et al., The Schaake shuffle, Journal of Hydrometeorology 5 (2004).
    """
    bands = forecaster.bands(horizon, levels=LEVELS)
    paths = forecaster.past_paths(horizon)
    point = bands.forecast.values
    if not len(paths):
        only = point.expand_dims(scenario=[0])
        return ScenarioSet(only, np.ones(1))
    numbers = covered(horizon)
    errors = np.array([step_means(horizon, numbers, p) for p in paths])
    values = shuffled(bands, errors)
    members, probability = reduced(values, count, seed)
    coords = {"scenario": np.arange(len(members)), "series": point["series"].to_numpy(), "time": point["time"]}
    return ScenarioSet(xr.DataArray(values[members], coords, ("scenario", "series", "time"), "forecast"), probability)


def shuffled(bands: Bands, errors: Array) -> Array:
    """Return a value for every path, series and step: the quantile that the path's error has among all paths; shape as ``errors``."""
    count = len(errors)
    ranks = errors.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    levels = np.asarray(bands.values["quantile"], dtype=float)
    quantiles = bands.values.transpose("series", "time", "quantile").to_numpy()
    found = np.empty_like(errors)
    for rank in range(count):
        level = np.clip((rank + 0.5) / count, levels[0], levels[-1])
        upper = min(max(int(np.searchsorted(levels, level)), 1), len(levels) - 1)
        share = (level - levels[upper - 1]) / (levels[upper] - levels[upper - 1])
        value = quantiles[:, :, upper - 1] * (1.0 - share) + quantiles[:, :, upper] * share
        np.copyto(found, value, where=ranks == rank)
    return found


def reduced(values: Array, count: int, seed: int) -> tuple[list[int], Array]:
    """Return the paths that stand for the others, and the share that each stands for.

    Paths are compared by their leading patterns over all series, each series counted in its own spread.
    """
    from sklearn.cluster import KMeans

    count = min(count, len(values))
    spread = values.std(axis=(0, 2), keepdims=True)
    flat = ((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).reshape(len(values), -1)
    left, weight, _ = np.linalg.svd(flat, full_matrices=False)
    carried = np.cumsum(weight**2) / max(float(np.sum(weight**2)), 1e-12)
    patterns = (left * weight)[:, : int(np.searchsorted(carried, KEPT_SHARE)) + 1]
    found = KMeans(count, n_init=4, random_state=seed).fit(patterns)
    members, shares = [], []
    for k in range(count):
        own = np.flatnonzero(found.labels_ == k)
        if len(own):
            near = np.linalg.norm(patterns[own] - found.cluster_centers_[k], axis=1)
            members.append(int(own[near.argmin()]))
            shares.append(len(own) / len(values))
    return members, np.array(shares)
