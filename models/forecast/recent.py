"""The latest errors: how far they reach into the future, learned per series and lead."""

from dataclasses import dataclass

import numpy as np

from models.forecast.grid import PER_DAY, Array, Numbers

LEADS = PER_DAY
LONG = 4
"""The second sign of a lasting error is its mean over so many quarter-hours."""
CALM = 0.02
"""Ridge relative to the variance of the errors: short histories are believed less."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Weights of the last error and of the last hour's mean error in the error to come; shape (series, lead, 2)."""

    weights: Array

    def correction(self, latest: Array, leads: Numbers) -> Array:
        """Return the error to expect; ``latest`` has shape (series, 2), the result (series, len(leads)); nothing beyond a day."""
        near = np.clip(leads, 0, LEADS - 1)
        found = np.einsum("slk,sk->sl", self.weights[:, near], np.nan_to_num(latest))
        return np.asarray(np.where(leads < LEADS, found, 0.0), dtype=float)


def signs(errors: Array) -> Array:
    """Return both signs of every quarter-hour from the errors up to and including it; shape (series, quarter, 2)."""
    known = np.isfinite(errors)
    filled = np.where(known, errors, 0.0)
    sums, number = (np.cumsum(np.pad(v, ((0, 0), (LONG, 0))), axis=1) for v in (filled, known.astype(float)))
    mean = (sums[:, LONG:] - sums[:, :-LONG]) / np.maximum(number[:, LONG:] - number[:, :-LONG], 1.0)
    return np.stack([filled, mean], axis=-1)


def remember(errors: Array) -> Memory:
    """Return how errors last, from runs of consecutive errors; shape (run, series, quarter); runs are longer than the longest lead."""
    runs = [signs(run) for run in errors]
    weights = np.zeros((errors.shape[1], LEADS, 2))
    for lead in range(LEADS):
        gram, right = _moments(errors, runs, lead + 1)
        size = np.trace(gram, axis1=1, axis2=2)[:, None, None]
        gram = gram + (CALM * size + 1e-9) * np.eye(2)
        weights[:, lead] = np.linalg.solve(gram, right[..., None])[..., 0]
    return Memory(weights)


def _moments(errors: Array, runs: list[Array], ahead: int) -> tuple[Array, Array]:
    """Return second moments of the signs, and of signs and the error ``ahead`` quarter-hours later."""
    gram, right = np.zeros((errors.shape[1], 2, 2)), np.zeros((errors.shape[1], 2))
    for run, seen in zip(errors, runs, strict=True):
        x, y = seen[:, :-ahead], run[:, ahead:]
        good = np.isfinite(y)
        x = np.where(good[..., None], x, 0.0)
        gram += np.einsum("sqk,sql->skl", x, x, optimize=True)
        right += np.einsum("sqk,sq->sk", x, np.where(good, y, 0.0), optimize=True)
    return gram, right
