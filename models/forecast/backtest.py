"""The back-test: what every runner would have been off by from rolling origins, each with its latest errors taken in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.forecast.candidates import USUAL
from models.forecast.grid import PER_DAY, Array, Numbers
from models.forecast.recent import Memory, signs

ISSUES_PER_DAY = 4


@dataclass(frozen=True)
class BackTest:
    """What each runner would have been off by.

    ``error`` holds mean absolute errors by runner (series,), ``chosen_error`` those of the choice with its latest errors taken in;
    ``by_lead`` has shape (series, 96), ``by_hour`` (series, 24); all in each series' own unit.
    """

    error: dict[str, Array]
    chosen_error: Array
    by_lead: Array
    by_hour: Array
    days: int


@dataclass(frozen=True)
class Fold:
    """One back-test: errors of every runner by pair, and of consecutive quarter-hours for what lasts."""

    issued: Numbers
    target: Numbers
    truth: Array
    race: dict[str, Array]


def best_of(error: Mapping[str, Array], row: int) -> str:
    """Return the runner with the least error in a row; one that said nothing comes last."""
    off = {runner: float(np.nan_to_num(e[row], nan=np.inf)) for runner, e in error.items()}
    return min(off, key=lambda runner: off[runner])


def pairs(issues: Numbers, step: int) -> tuple[Numbers, Numbers]:
    """Return (issued, target) of a day ahead of every issue, one target every ``step`` quarter-hours."""
    ahead = np.arange(0, PER_DAY, step)
    target = (issues[:, None] + ahead).ravel()
    return np.repeat(issues, len(ahead)), target


def pick(race: dict[str, Array], chosen: Sequence[str]) -> Array:
    """Return each series as its chosen runner has it; the usual day where that one has nothing to say."""
    found = np.array([race[r][k] for k, r in enumerate(chosen)])
    return np.where(np.isfinite(found), found, race[USUAL])


def consecutive(fold: Fold, error: Array) -> Array:
    """Return the errors of one quarter-hour after the other, each from the last issue before it; shape (series, quarter)."""
    near = fold.target - fold.issued < PER_DAY // ISSUES_PER_DAY
    order = np.argsort(fold.target[near], kind="stable")
    return error[:, near][:, order]


def corrected(fold: Fold, base: Array, memory: Memory) -> Array:
    """Return the errors that are left when each issue takes in the errors made until then."""
    run = consecutive(fold, fold.truth - base)
    first = int(fold.target.min())
    seen = np.pad(signs(run), ((0, 0), (1, 0), (0, 0)))
    left = fold.truth - base
    for issue in np.unique(fold.issued):
        here = fold.issued == issue
        leads = fold.target[here] - issue
        left[:, here] -= memory.correction(seen[:, issue - first], leads)
    return left


def error_by_lead(folds: Sequence[Fold], chosen: Sequence[str], memory: Memory) -> Array:
    """Return the mean absolute error of a choice with its latest errors taken in, by lead; shape (series, 96)."""
    every = np.concatenate([np.abs(corrected(f, pick(f.race, chosen), memory)) for f in folds], axis=1)
    leads = np.concatenate([f.target - f.issued for f in folds])
    return np.array([nan_mean(every, leads == k) for k in range(PER_DAY)]).T


def mean_error(folds: Sequence[Fold], runner: str) -> Array:
    """Return the mean absolute error of a runner by series, the usual day standing in where it has a gap; NaN where it said nothing at all."""
    nothing = np.full(len(folds[0].truth), np.nan)
    if not all(runner in f.race for f in folds):
        return nothing
    names = (runner,) * len(nothing)
    table = np.concatenate([np.abs(pick(f.race, names) - f.truth) for f in folds], axis=1)
    silent = ~np.any([np.isfinite(f.race[runner]).any(axis=1) for f in folds], axis=0)
    return np.where(silent, np.nan, nan_mean(table))


def nan_mean(values: Array, where: npt.NDArray[np.bool_] | None = None) -> Array:
    """Return the mean of the known values by row, NaN for rows without any."""
    kept = values if where is None else values[:, where]
    known = np.isfinite(kept)
    sums, number = np.where(known, kept, 0.0).sum(axis=1), known.sum(axis=1)
    return np.where(number > 0, sums / np.maximum(number, 1), np.nan)
