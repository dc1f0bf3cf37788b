"""One customer's efficiency in one piece: where it stands among its peers, its indicators, what stands out, and measures worth a look."""

from collections.abc import Mapping
from dataclasses import dataclass

from customers.efficiency.benchmark import FEWEST_PEERS, RANKED, Hint, hints
from customers.efficiency.indicators import Indicator, OddDay, drift_words, indicators, odd_days
from customers.portraits.customer import Drawn


@dataclass(frozen=True, slots=True)
class Rank:
    """A feature among peers: its figure, and the share of peers that are better, from 0 best to 1 worst."""

    feature: str
    value: float
    rank: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """How efficient a customer is; ``grades`` are shares that sum to 1, empty where it has too few peers."""

    customer: str
    segment: str
    words: str
    grades: Mapping[str, float]
    peers: int
    ranks: tuple[Rank, ...]
    indicators: tuple[Indicator, ...]
    hints: tuple[Hint, ...]
    odd_days: tuple[OddDay, ...]
    drift: str


def assessed(drawn: Drawn, row: int, floor_m2: float | None = None) -> Assessment:
    """Return how efficient a customer is.

    Raises
    ------
    DataError
        If features were made without the weather.
    """
    features, bench, label = drawn.features, drawn.benchmark, drawn.segments.label
    name = features.customers[row]
    values = features.columns(tuple(RANKED.values()))[row].tolist()
    graded = bench.peers[row] >= FEWEST_PEERS
    ranks = zip(RANKED.values(), values, bench.rank[row].tolist(), strict=True)
    return Assessment(
        name,
        drawn.segments.model.names[label[row]],
        bench.words(row),
        dict(zip(bench.grades, bench.grade[row].tolist(), strict=True)) if graded else {},
        int(bench.peers[row]),
        tuple(Rank(*each) for each in ranks) if graded else (),
        tuple(indicators(features, name, floor_m2)),
        tuple(hints(features, label, row)),
        tuple(odd_days(features, name)),
        drift_words(features, name),
    )
