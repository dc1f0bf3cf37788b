"""How sure a forecast is: conformal intervals from errors that were really made, as wide as each time of day asks for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.forecast.grid import PER_DAY, Array, Numbers

GROUPS = (2, 8, 24, PER_DAY)
"""Leads in quarter-hours up to which an interval is calibrated together: half an hour, two, six, a day and more."""
AROUND = 2
"""Neighbouring quarter-hours of the day whose errors count as this one's."""
LEAST_SHARE = 0.01
STRETCH = (0.3, 3.0)
"""A band is made no narrower and no wider than by these factors because of the last days."""
BAND_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Spread:
    """Calibrated quantiles of errors over their usual size; ``quantile`` has shape (series, lead group, level)."""

    levels: tuple[float, ...]
    quantile: Array

    def at(self, leads: Numbers, levels: tuple[float, ...]) -> Array:
        """Return the quantiles by lead; levels between the calibrated ones lie on a line; shape (series, lead, level)."""
        by_level = np.apply_along_axis(lambda q: np.interp(levels, self.levels, q), 2, self.quantile)
        return np.asarray(by_level[:, group_of(leads)], dtype=float)


def group_of(leads: Numbers) -> Numbers:
    """Return the group that each lead belongs to."""
    return np.minimum(np.searchsorted(GROUPS, leads, side="right"), len(GROUPS) - 1)


def usual_size(errors: Array, slots: Numbers, value: Array) -> Array:
    """Return the usual size of an error by quarter-hour of the day; shape (series, 96).

    ``errors`` has shape (series, quarter), ``slots`` tells each one's place in the day, ``value`` each series' own size.
    """
    sums, number = np.zeros((len(errors), PER_DAY)), np.zeros((len(errors), PER_DAY))
    known = np.isfinite(errors)
    for shift in range(-AROUND, AROUND + 1):
        for table, add in ((sums, np.where(known, np.abs(errors), 0.0)), (number, known.astype(float))):
            np.add.at(table.T, (slots + shift) % PER_DAY, add.T)
    mean = sums / np.maximum(number, 1.0)
    whole = np.maximum(mean.mean(axis=1, keepdims=True), LEAST_SHARE * value[:, None])
    return np.asarray(np.where(number > 0, np.maximum(mean, LEAST_SHARE * whole), whole), dtype=float)


def calibrate(scores: Array, leads: Numbers, levels: tuple[float, ...]) -> Spread:
    """Return the quantiles of scores (error over usual size); shape of ``scores`` (series, pair), of ``leads`` (pair,).

    The outer levels are taken one rank further out, as split conformal prediction does for few scores.
    """
    groups = group_of(leads)
    quantile = np.zeros((len(scores), len(GROUPS), len(levels)))
    for k, own in enumerate(scores):
        for g in range(len(GROUPS)):
            kept = own[(groups == g) & np.isfinite(own)]
            if len(kept) == 0:
                kept = own[np.isfinite(own)]
            quantile[k, g] = conformal(kept, levels) if len(kept) else 0.0
    return Spread(levels, quantile)


def conformal(scores: Array, levels: tuple[float, ...]) -> Array:
    """Return the conformal quantiles of a sample: ranks (n + 1) p, never beyond the sample."""
    ordered, count = np.sort(scores), len(scores)
    ranks = [(count + 1) * p - 1.0 for p in levels]
    return np.interp(ranks, np.arange(count), ordered)


def stretch(errors: Array, low: Array, high: Array, classes: Sequence[str]) -> Array:
    """Return by which factor bands around errors would just have held 80 % of them, one for each class of series; shape (series,).

    All arrays have shape (series, quarter). The season moves errors faster than a year's back-test knows; the last days say so.
    """
    half = np.maximum((high - low) / 2.0, 1e-12)
    score = np.abs(errors - (low + high) / 2.0) / half
    score[~np.isfinite(errors) | (high - low < 1e-9)] = np.nan
    found = np.ones(len(errors))
    for name in set(classes):
        rows = [k for k, c in enumerate(classes) if c == name]
        known = score[rows][np.isfinite(score[rows])]
        if known.size >= PER_DAY:
            found[rows] = np.clip(np.quantile(known, BAND_SHARE), *STRETCH)
    return found
