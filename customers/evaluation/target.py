"""The index of target customers: by simulated margin where there is one, and by many criteria as an explained second view."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.evaluation.ranking import spotis, topsis, vikor, weighted_sum
from customers.evaluation.system import EvaluationSystem, systems, weights_on
from customers.features.table import FeatureTable
from models.errors import DataError
from models.findings import error
from models.told import Told, told

Array = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int64]
DRAWS = 200
JUDGEMENT_NOISE = 0.2
"""Standard deviation of a weight, as share of it, when the rank is asked how sure it is."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetIndex:
    """Customers in the order in which to call them.

    ``rank`` counts from 1. ``score`` is 0..1; ``rank_low`` and ``rank_high`` enclose 90 % of the ranks that other weights would give;
    ``contribution`` (customer, indicator) says how much each indicator adds to or takes from a mean customer's weighted sum. All have the
    order of ``customers``, which is that of the features.
    """

    system: EvaluationSystem
    customers: tuple[str, ...]
    rank: Ranks
    score: Array
    score_rank: Ranks
    rank_low: Ranks
    rank_high: Ranks
    contribution: Array
    weights: Array
    by_margin: bool

    def order(self) -> npt.NDArray[np.int64]:
        """Return the rows in the order of the rank."""
        return np.argsort(self.rank, kind="stable")

    def why(self, row: int, most: int = 2) -> Told:
        """Return what lifts and what lowers a customer most, in words."""
        order = np.argsort(-self.contribution[row])
        up = tuple(self._said(k, lifts=True) for k in order[:most] if self.contribution[row, k] > 0)
        down = tuple(self._said(k, lifts=False) for k in order[::-1][:1] if self.contribution[row, k] < -0.02)
        if up and down:
            return told("for_and_against", "for it: {up}; against it: {down}", up=up, down=down)
        if up:
            return told("for_it", "for it: {up}", up=up)
        if down:
            return told("against_it", "against it: {down}", down=down)
        return told("mean_customer", "a mean customer in everything")

    def _said(self, indicator: int, *, lifts: bool) -> Told:
        """Return an indicator's name; with how much there is of it where less is better."""
        known = self.system.indicators[indicator]
        what = told(f"indicator_{known.id}", known.title.lower())
        if self.system.benefit[indicator]:
            return what
        return told("little", "little {what}", what=what) if lifts else told("much", "much {what}", what=what)


def indicators_of(features: FeatureTable, estimated_share: Array) -> Array:
    """Return the indicators of the system ``target_customer``; shape (customer, indicator), unknown ones as the median's."""
    annual, peak = features.column("annual_kwh"), features.column("peak_kw")
    weather = features.columns(("heating_share", "cooling_share"))
    driven = annual * np.nan_to_num(weather).sum(axis=1) / 2.0
    daylight = annual * features.column("midday_share") / 4.0
    columns = [annual, peak * (1 - features.column("load_factor")), driven, daylight, features.column("day_variation")]
    values = np.stack([*columns, estimated_share], axis=1)
    usual = np.nanmedian(np.where(np.isnan(values).all(axis=0), 0.0, values), axis=0)
    return np.asarray(np.where(np.isnan(values), usual, values))


def target_index(
    customers: Sequence[str],
    indicators: Array,
    margin: Array | None = None,
    system: EvaluationSystem | None = None,
    seed: int = 0,
) -> TargetIndex:
    """Return the index of target customers.

    Where a ``margin`` (customer,) was simulated it ranks, since it needs no weights; the score by many criteria stands beside it with the
    ranks that weights drawn around the judged ones would give.

    Raises
    ------
    DataError
        If the indicators are not those of the system, or a margin is not finite.
    """
    system = system or systems()["target_customer"]
    if indicators.shape != (len(customers), len(system.indicators)):
        text = f"have shape {indicators.shape}; {len(customers)} customers x {len(system.indicators)} indicators of {system.id}"
        raise DataError([error("indicators", text)])
    if margin is not None and not np.isfinite(margin).all():
        raise DataError(
            [error("margin", f"{(~np.isfinite(margin)).sum()} customers have none; simulate them or leave margins out")]
        )
    weights = weights_on(system, indicators)
    score = score_by(system, indicators, weights)
    drawn = _drawn_ranks(system, indicators, weights, seed)
    low, high = np.percentile(drawn, [5, 95], axis=0).round().astype(np.int64)
    rank = _ranks(score if margin is None else margin)
    contribution = _contribution(system, indicators, weights)
    return TargetIndex(
        system, tuple(customers), rank, score, _ranks(score), low, high, contribution, weights, margin is not None
    )


def score_by(system: EvaluationSystem, indicators: Array, weights: Array) -> Array:
    """Return every alternative's score by a system's method, more is better."""
    if system.method == "vikor":
        return np.asarray(1.0 - vikor(indicators, weights, system.benefit).q)
    if system.method == "weighted_sum":
        return weighted_sum(indicators, weights, system.benefit)
    if system.method == "spotis":
        bounds = np.array([i.bounds for i in system.indicators], dtype=float)
        return 1.0 - spotis(indicators, weights, system.benefit, bounds)
    return topsis(indicators, weights, system.benefit)


def _ranks(score: Array) -> Ranks:
    """Return ranks from 1 for the highest score."""
    ranks = np.empty(len(score), dtype=np.int64)
    ranks[np.argsort(-score, kind="stable")] = np.arange(1, len(score) + 1)
    return ranks


def _drawn_ranks(system: EvaluationSystem, indicators: Array, weights: Array, seed: int) -> Ranks:
    rng = np.random.default_rng(seed)
    draws = DRAWS if len(indicators) <= 2_000 else DRAWS // 5
    drawn = np.maximum(weights * (1.0 + rng.normal(0, JUDGEMENT_NOISE, (draws, len(weights)))), 0.0)
    return np.stack([_ranks(score_by(system, indicators, w / w.sum())) for w in drawn])


def _contribution(system: EvaluationSystem, indicators: Array, weights: Array) -> Array:
    """Return what each indicator adds against a mean customer: its distance from the mean in parts of its span, weighed."""
    span = np.ptp(indicators, axis=0)
    away = (indicators - indicators.mean(axis=0)) / np.where(span > 0, span, 1.0)
    return np.asarray(away * np.where(system.benefit, 1.0, -1.0) * weights)
