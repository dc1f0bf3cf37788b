"""Benchmarking within the segment, and the measures that it hints at: every hint with its evidence and what it could save."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.evaluation.ranking import fuzzy_comprehensive, grade_membership
from customers.evaluation.system import systems, weigh
from customers.features.table import FeatureTable
from models.told import Told, told

Array = npt.NDArray[np.float64]
GOOD_QUARTER = 25.0
FEWEST_PEERS = 8
WORTH_SHARE = 0.01
"""A hint that could save less than this share of the energy is not told."""
RESTS_BELOW, BASE_FROM, TRIMMED = 0.6, 0.25, 0.1
"""A business rests whose free days draw less than this of a working day; of a base above the second, a tenth is taken to be worth finding
(a judgement, as energy audits begin)."""
RANKED = {
    "base_rank": "base_share",
    "weekend_rank": "weekend_ratio",
    "cooling_rank": "cooling_share",
    "heating_rank": "heating_share",
    "peak_rank": "load_factor",
    "variation_rank": "day_variation",
}
"""Indicators of the system ``energy_efficiency`` and the features behind them; a high load factor is good, all others low."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A measure worth a look: what to do, what was seen, and the energy of a year that it may save, in kWh and as share."""

    measure: Told
    seen: Told
    saves_kwh: float
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Benchmark:
    """Where customers stand among their peers: ``rank`` (customer, indicator) from 0 best to 1 worst, ``grade`` (customer, grade) sums to 1."""

    customers: tuple[str, ...]
    rank: Array
    grade: Array
    grades: tuple[str, ...]
    peers: npt.NDArray[np.int64]

    def words(self, row: int) -> Told:
        """Return a customer's grade in a sentence; with few peers it says so."""
        if self.peers[row] < FEWEST_PEERS:
            if self.peers[row] == 0:
                return told("graded_alone", "not graded: nobody else is in the segment")
            if self.peers[row] == 1:
                return told("graded_one", "not graded: only one other is in the segment")
            return told("graded_few", "not graded: only {peers} others are in the segment", peers=int(self.peers[row]))
        best = int(np.argmax(self.grade[row]))
        pattern = "{grade} among {peers} peers (belongs there by {share:.0%})"
        grade = told(f"grade_{self.grades[best].replace(' ', '_')}", self.grades[best])
        return told("graded", pattern, grade=grade, peers=int(self.peers[row]), share=self.grade[row, best])


def benchmark(features: FeatureTable, label: npt.NDArray[np.int64]) -> Benchmark:
    """Return where every customer stands in its segment; ``label`` (customer,) numbers the segments.

    Graded by the fuzzy system ``energy_efficiency`` of the library.
    """
    system = systems()["energy_efficiency"]
    rank = np.zeros((len(label), len(RANKED)))
    peers = np.bincount(label)[label] - 1
    for group in np.unique(label):
        rows = label == group
        for k, feature in enumerate(RANKED.values()):
            values = features.column(feature)[rows]
            rank[rows, k] = _ranked(-values if feature == "load_factor" else values)
    weights = weigh(system).weights
    membership = [grade_membership(rank[:, k], np.asarray(i.corners)) for k, i in enumerate(system.indicators)]
    grade = fuzzy_comprehensive(weights, np.stack(membership, axis=1))
    return Benchmark(features.customers, rank, grade, system.grades, peers.astype(np.int64))


def _ranked(values: Array) -> Array:
    """Return ranks from 0 for the least to 1 for the largest; the middle for what is not known."""
    known = np.isfinite(values)
    found = np.full(len(values), 0.5)
    if known.sum() > 1:
        order = np.argsort(np.argsort(values[known], kind="stable"), kind="stable")
        found[known] = order / (known.sum() - 1)
    return found


def hints(features: FeatureTable, label: npt.NDArray[np.int64], row: int) -> list[Hint]:
    """Return the measures that a customer's own load and its distance from the better quarter of its segment hint at, the largest first.

    Peers speak where there are eight of them at least.
    """
    found = [_at_rest(features, row), *_by_peers(features, label, row)]
    return sorted((h for h in found if h is not None and h.share >= WORTH_SHARE), key=lambda h: -h.saves_kwh)


def _at_rest(features: FeatureTable, row: int) -> Hint | None:
    """Return the hint of a business that rests on free days and still draws much then."""
    f = features.at(row)
    if not f["weekend_ratio"] < RESTS_BELOW or not f["base_share"] > BASE_FROM:
        return None
    drawn = f["base_share"] * f["annual_kwh"]
    pattern = "it rests on free days and its least hours still draw {share:.0%} of the mean, {kwh:,.0f} kWh a year"
    return Hint(
        told("walk_at_rest", "walk through the site at rest: standby, compressed air, ventilation, lighting"),
        told("draws_at_rest", pattern, share=f["base_share"], kwh=drawn),
        drawn * TRIMMED,
        f["base_share"] * TRIMMED,
    )


def _by_peers(features: FeatureTable, label: npt.NDArray[np.int64], row: int) -> list[Hint | None]:
    mine = dict(zip(RANKED.values(), features.columns(tuple(RANKED.values()))[row].tolist(), strict=True))
    peers = features.columns(tuple(RANKED.values()))[label == label[row]]
    if len(peers) <= FEWEST_PEERS:
        return []
    good = dict(zip(RANKED.values(), np.nanpercentile(peers, GOOD_QUARTER, axis=0).tolist(), strict=True))
    annual = float(features.column("annual_kwh")[row])
    return [_base(mine, good, annual), _weekend(mine, good, annual), *_weather(features, mine, good, row)]


def _base(mine: dict[str, float], good: dict[str, float], annual: float) -> Hint | None:
    share = mine["base_share"] - good["base_share"]
    if not share > 0:
        return None
    pattern = "the least hour of a day draws {mine:.0%} of the mean, at the better quarter of peers {good:.0%}"
    return Hint(
        told("find_what_runs", "find what runs when nothing is made: standby, compressed air, ventilation, lighting"),
        told("base_of_peers", pattern, mine=mine["base_share"], good=good["base_share"]),
        share * annual,
        share,
    )


def _weekend(mine: dict[str, float], good: dict[str, float], annual: float) -> Hint | None:
    ratio = mine["weekend_ratio"] - good["weekend_ratio"]
    share = ratio * 0.3 / (0.7 + 0.3 * mine["weekend_ratio"])
    if not ratio > 0:
        return None
    pattern = "free days draw {mine:.0%} of a working day, at the better quarter of peers {good:.0%}"
    seen = told("weekend_of_peers", pattern, mine=mine["weekend_ratio"], good=good["weekend_ratio"])
    return Hint(told("set_back", "set back what need not run on free days"), seen, share * annual, share)


def _weather(features: FeatureTable, mine: dict[str, float], good: dict[str, float], row: int) -> list[Hint | None]:
    """Return hints on cooling and heating: the slope above the better quarter's, over the degrees of the year."""
    if features.weather is None:
        return []
    air, balance = features.weather.air_degc, features.weather.balance_degc[row]
    mean_kw, annual = features.column("annual_kwh")[row] / 8_760.0, float(features.column("annual_kwh")[row])
    degrees = {"cooling_share": np.maximum(air - balance[1], 0), "heating_share": np.maximum(balance[0] - air, 0)}
    found: list[Hint | None] = []
    for name, measure in (
        ("cooling_share", told("check_chillers", "check chillers, set points, shading and free cooling")),
        ("heating_share", told("check_heat", "check heat pumps, set points, air tightness and heat recovery")),
    ):
        more = (mine[name] - good[name]) / 10.0 * mean_kw
        saves = float(more * degrees[name].mean() * 8_760.0)
        word = told("of_warmth", "warmth") if name == "cooling_share" else told("of_cold", "cold")
        pattern = "ten kelvins of {word} add {mine:.0%} of the mean, at the better quarter of peers {good:.0%}"
        seen = told("weather_of_peers", pattern, word=word, mine=mine[name], good=good[name])
        found.append(Hint(measure, seen, saves, saves / annual) if saves > 0 and np.isfinite(saves) else None)
    return found
