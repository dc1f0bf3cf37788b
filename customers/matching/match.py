"""Needs matched with providers' offers: linear program, rounding, repair; never worse than first come at the best price; shares evened out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
from scipy import sparse

from customers.catalogue.offers import ProviderOffer, valid
from optimizers.packages import Choice, Columns, choose
from optimizers.packing import NOBODY

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
UNSURE_SHARE = 0.1
"""Part of a promised effect that is lost with a provider who neither stands for it nor has kept it so far."""
SEARCH_S = 10.0
"""How long a better matching is searched for behind the rounded one."""
EVENED_SHARE = 0.01
"""How much of the gain may be given up so that providers of like terms get like shares."""


@dataclass(frozen=True, slots=True)
class Need:
    """One module that a customer's package asks for: its size in the module's unit, its worth before a provider's price, and its bus.

    ``yearly_cost`` is what the library counts for it, which a provider's price factor multiplies; ``promised`` the yearly effect that a
    provider may stand for.
    """

    customer: str
    module: str
    size: float
    worth: float
    yearly_cost: float
    promised: float = 0.0
    bus: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """A need with its provider; ``gain`` a year by this provider's terms, ``sentence`` why it was this one."""

    need: Need
    offer: ProviderOffer
    gain: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Matching:
    """The matches, the needs left with their reasons, the gain beside that of first come and of any matching at most."""

    matches: tuple[Match, ...]
    left: Mapping[str, str]
    gain: float
    greedy_gain: float
    bound: float
    shares: Mapping[str, float]
    """Each provider's share of the gain."""


@dataclass(frozen=True)
class _Arcs:
    """Every pair of a need and an offer that fits; arrays by arc in the order of needs, ``need`` and ``offer`` count from 0."""

    needs: Sequence[Need]
    offers: Sequence[ProviderOffer]
    need: Ints
    offer: Ints
    gain: Floats
    columns: Columns

    def of(self, need: int) -> range:
        """Return the places of a need's arcs."""
        return range(*np.searchsorted(self.need, (need, need + 1)).tolist())


def match(
    needs: Sequence[Need], offers: Sequence[ProviderOffer], on: date, feeder_kw: Mapping[str, float] | None = None
) -> Matching:
    """Match every need with at most one provider within capacities and, for what feeds in, the room of its feeder.

    The result is the better one of the program and of first come (largest gain first, best terms that are left); then providers whose
    terms are nearly as good are given work that others have in plenty, at the cost of 1 % of the gain and never below first come.
    """
    held = list(valid(offers, on))
    arcs = _arcs(needs, held, feeder_kw or {})
    greedy = _greedy(arcs)
    if not len(arcs.need):
        return _result(arcs, greedy, greedy, 0.0, None)
    choice = choose(arcs.columns, deadline_s=SEARCH_S)
    best = greedy.copy()
    if choice.value >= _gain(arcs, greedy):
        best[:] = NOBODY
        best[: len(choice.column)] = choice.column
    return _result(arcs, _evened(arcs, best, _gain(arcs, greedy)), greedy, choice.bound, choice)


def gain_of(need: Need, offer: ProviderOffer) -> float:
    """Return what a need brings a year by a provider's terms: its worth less the dearer price, and less a tenth of an unsure promise.

    A promise is sure as far as the provider stands for it, or has kept its promises so far.
    """
    dearer = (offer.price_factor - 1.0) * need.yearly_cost
    sure = offer.guarantee_share + (1.0 - offer.guarantee_share) * offer.rating
    return need.worth - dearer - (1.0 - sure) * UNSURE_SHARE * need.promised


def _arcs(needs: Sequence[Need], offers: Sequence[ProviderOffer], feeder_kw: Mapping[str, float]) -> _Arcs:
    selling = {m: [k for k, o in enumerate(offers) if o.module == m] for m in {n.module for n in needs}}
    pairs = [
        (n, o, worth)
        for n, need in enumerate(needs)
        for o in selling[need.module]
        if need.size <= offers[o].capacity and (worth := gain_of(need, offers[o])) > 0
    ]
    need, offer = (np.array([p[k] for p in pairs], dtype=np.int64) for k in (0, 1))
    gain = np.array([p[2] for p in pairs], dtype=np.float64)
    feeders = {bus: k for k, bus in enumerate(feeder_kw)}
    size = np.array([needs[n].size for n in need.tolist()])
    arc = np.arange(len(pairs))
    fed = [
        (feeders[needs[n].bus], k)
        for k, n in enumerate(need.tolist())
        if needs[n].bus in feeders and needs[n].module == "pv"
    ]
    rows = np.concatenate([offer, np.array([len(offers) + f for f, _ in fed], dtype=np.int64)])
    columns = np.concatenate([arc, np.array([k for _, k in fed], dtype=np.int64)])
    data = np.concatenate([size, size[[k for _, k in fed]]])
    uses = sparse.csr_array((data, (rows, columns)), shape=(len(offers) + len(feeders), len(pairs)))
    room = np.array([*(o.capacity for o in offers), *feeder_kw.values()], dtype=np.float64)
    return _Arcs(needs, offers, need, offer, gain, Columns(need, gain, uses, room))


def _greedy(a: _Arcs) -> Ints:
    """Return first come: the largest gain first, each with the best terms that still have room."""
    chosen = np.full(len(a.needs), NOBODY)
    taken, uses = np.zeros(len(a.columns.room)), sparse.csc_array(a.columns.uses)
    for k in np.argsort(-a.gain, kind="stable").tolist():
        used = slice(uses.indptr[k], uses.indptr[k + 1])
        rows, sizes = uses.indices[used], uses.data[used]
        if chosen[a.need[k]] == NOBODY and (taken[rows] + sizes <= a.columns.room[rows] + 1e-9).all():
            chosen[a.need[k]] = k
            taken[rows] += sizes
    return chosen


def _gain(a: _Arcs, chosen: Ints) -> float:
    return float(a.gain[chosen[chosen != NOBODY]].sum())


def _evened(a: _Arcs, chosen: Ints, least: float) -> Ints:
    """Move work from providers with much of their capacity taken to those with little, cheapest moves first, within what may be given up."""
    chosen = chosen.copy()
    spare = max(min(EVENED_SHARE * _gain(a, chosen), _gain(a, chosen) - least), 0.0)
    taken = a.columns.taken(chosen[chosen != NOBODY])
    count, size = len(a.offers), np.array([n.size for n in a.needs])
    now = np.full(len(a.needs), np.nan)
    there = chosen != NOBODY
    now[there] = a.gain[chosen[there]]
    loss = now[a.need] - a.gain
    for k in np.argsort(loss, kind="stable").tolist():
        n, old = int(a.need[k]), int(chosen[a.need[k]])
        if old in (NOBODY, k) or not 0 <= loss[k] <= spare:
            continue
        to, out = int(a.offer[k]), int(a.offer[old])
        room = a.columns.room[:count]
        if (taken[to] + size[n]) / room[to] < (taken[out] - size[n]) / room[out] and a.gain[chosen[n]] - a.gain[
            k
        ] <= spare:
            spare -= max(a.gain[chosen[n]] - a.gain[k], 0.0)
            taken[to], taken[out], chosen[n] = taken[to] + size[n], taken[out] - size[n], k
    return chosen


def _result(a: _Arcs, chosen: Ints, greedy: Ints, bound: float, choice: Choice | None) -> Matching:
    prices = np.zeros(len(a.columns.room)) if choice is None else choice.price
    matches = tuple(_told(a, int(k), prices) for k in chosen if k != NOBODY)
    left = dict(_left(a, chosen))
    total = sum(m.gain for m in matches)
    providers = sorted({o.provider for o in a.offers})
    shares = dict.fromkeys(providers, 0.0)
    for m in matches:
        shares[m.offer.provider] += m.gain / total
    return Matching(matches, left, total, _gain(a, greedy), max(bound, total), shares)


def _told(a: _Arcs, k: int, prices: Floats) -> Match:
    need, offer = a.needs[a.need[k]], a.offers[a.offer[k]]
    better = [a.offers[a.offer[j]].provider for j in a.of(int(a.need[k])) if a.gain[j] > a.gain[k] + 1e-6]
    words = f"{offer.provider}: {a.gain[k]:,.0f} a year at {offer.price_factor:.2f} of the library's cost"
    if better:
        words += f"; {', '.join(better[:3])} would bring more but builds for others"
    if prices[a.offer[k]] > 0:
        words += "; its capacity is taken up"
    return Match(need, offer, float(a.gain[k]), words)


def _left(a: _Arcs, chosen: Ints) -> Iterator[tuple[str, str]]:
    """Yield every need without a provider and why."""
    for n, need in enumerate(a.needs):
        if n < len(chosen) and chosen[n] != NOBODY:
            continue
        place = f"{need.customer}/{need.module}"
        same = [o for o in a.offers if o.module == need.module]
        if not same:
            yield place, "no provider offers this module"
        elif not any(o.capacity >= need.size for o in same):
            yield place, f"no provider can build {need.size:,.0f} of it"
        elif not a.of(n):
            yield place, "at every provider's price it would lose money"
        else:
            yield place, "capacities or the feeder are taken by needs that bring more"
