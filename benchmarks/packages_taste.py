"""Recommendation: regret and recall of the combined method beside its parts, on markets whose utility is known because it was made."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most

if TYPE_CHECKING:
    from customers.population import Population
    from customers.recommend.offline import Market

Floats = npt.NDArray[np.float64]


MARKETS = (71_001, 71_002, 71_003, 71_004)
"""Seeds of markets; nothing was chosen on them: the usual weights were, on 201 to 203. What a common taste falls on is one draw a market."""
TASTES, UPTAKES = (0.2, 0.5, 0.8), (0.05, 0.2, 0.5)
PARTS = ("popularity", "cosine", "association", "content", "money")


@case("packages", "recommendation", size=2_000, quick_size=200, packages=("mlxtend", "scikit-learn"))
def recommendation(bench: Bench) -> Iterable[Row]:
    """Regret and recall in five at 5, 20 and 50 % uptake, for three shares of taste, beside the best of the parts; mean of four markets."""
    tastes, seeds = (TASTES[:1], MARKETS[:1]) if bench.quick else (TASTES, MARKETS)
    markets = [m for seed in seeds for m in _markets(bench.size, tastes, seed)]
    for uptake in UPTAKES:
        found = {(taste, seed): _judged(market, uptake, seed) for taste, seed, market in markets}
        for taste in tastes:
            place = f"taste {taste:.0%}, uptake {uptake:.0%}"
            yield from _rows(bench, place, _mean([f for (t, _), f in found.items() if t == taste]))
        mean = _mean(list(found.values()))
        for other in ("popularity", "cosine"):
            words = f"uptake {uptake:.0%}, regret of hybrid beside {other}"
            aim = None if bench.quick else value_at_most(mean[other][0])
            yield bench.figure(mean["hybrid"][0], "share", reference=mean[other][0], target=aim, phase=words)


def _rows(bench: Bench, place: str, mean: dict[str, Floats]) -> Iterator[Row]:
    """Yield the combined method's regret beside the best part's, and its recall beside the better one of popularity and cosine."""
    best, known = min(mean[p][0] for p in PARTS), max(mean[p][1] for p in PARTS[:2])
    regret_aim, recall_aim = (None, None) if bench.quick else (value_at_most(best + 0.02), value_at_least(known))
    regret, recall = mean["hybrid"]
    yield bench.figure(
        regret, "share", reference=best, target=regret_aim, phase=f"{place}, regret beside the best part"
    )
    words = f"{place}, recall@5 beside popularity and cosine"
    yield bench.figure(recall, "share", reference=known, target=recall_aim, phase=words)


def _mean(found: "Sequence[dict[str, Floats]]") -> dict[str, Floats]:
    """Return regret and recall by method, mean of several markets."""
    return {name: np.mean([f[name] for f in found], axis=0) for name in found[0]}


def _judged(market: "Market", uptake: float, seed: int) -> dict[str, Floats]:
    """Return regret and recall by method, (2,)."""
    from customers.recommend.offline import compare, observed

    return {j.method: np.array([j.regret, j.recall]) for j in compare(market, observed(market, uptake, seed=seed))}


def _markets(count: int, tastes: Sequence[float], seed: int) -> "Iterator[tuple[float, int, Market]]":
    """Yield markets of the same customers with shares of taste."""
    from customers.population import KINDS, population
    from customers.recommend.offline import made_market

    people = population(count, seed=seed)
    features = np.stack([np.log(people.mean_kw), people.cooling, people.heating, people.noise, people.shift_h], axis=1)
    words = [
        (f"kind={KINDS[k].name}", f"size={'large' if m > 120 else 'small'}")
        for k, m in zip(people.kind.tolist(), people.mean_kw.tolist(), strict=True)
    ]
    money = _money(people)
    for taste in tastes:
        yield taste, seed, made_market(money, features, words, taste, seed=seed)


def _money(people: "Population") -> Floats:
    """Return the worth of 40 packages (ten designs, four tariffs) for every customer in a year, less what the designs cost."""
    from benchmarks.package_cases import PV_SHARE, SIZED, one_year, sun_of, tariff
    from customers.costs.library import load_costs
    from customers.packages.bands import battery_mode
    from customers.packages.economics import annuity
    from customers.packages.priced import priced
    from customers.packages.sketch import CellPrices, Cells, costs
    from customers.packages.sketch import Population as Loads
    from customers.population import FIRST_YEAR

    library, intervals = load_costs(), one_year(60)
    load = people.meters(FIRST_YEAR, 60).energy_kwh
    tariffs = [tariff(k) for k in range(4)]
    years = [priced(t, intervals) for t in tariffs]
    cells = Cells.over(tariffs[0].calendar, intervals)
    peak = load.max(axis=1).astype(np.float64)
    sun = sun_of(intervals, [2000]).typical
    found = costs(
        Loads(load, PV_SHARE * peak),
        SIZED,
        [CellPrices.of(y, cells) for y in years],
        cells,
        sun,
        battery_mode(years[0], 0.86, 0.2),
        0.93,
    )
    kw = np.array([d.pv_share * PV_SHARE for d in SIZED])
    kwh = np.array([2 * d.battery_share for d in SIZED])
    per_kw = annuity(library, library["pv_capex"], "pv_life") + library["pv_om"]
    per_kwh = annuity(library, library["battery_capex"], "battery_life") + library["battery_om"]
    yearly = peak[:, np.newaxis] * (kw * per_kw + kwh * per_kwh)
    worth = found[:, :1, :1] - found - yearly[:, :, np.newaxis]
    return np.asarray((worth / found[:, :1, :1]).reshape(len(load), -1))
