"""Markets: a million orders at one price, block auctions beside ASSUME and beyond what it solves, the order book in batches and one by one."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import Timed, measure, seconds_of
from benchmarks.peers import Peer
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_least, ratio_at_most, value_at_least, value_at_most

if TYPE_CHECKING:
    from market.book import OrderBook
    from optimizers.clearing_book import Book

Ints = npt.NDArray[np.int64]
SPAN = (-50_000, 400_000)
LOT_PER_MW = 10
NEW, CANCEL = 0, 1


@case("market", "uniform auction with allocation", size=1_000_000, quick_size=20_000, packages=("numba", "numpy"))
def uniform(bench: Bench) -> Iterable[Row]:
    """Time an auction of so many orders, every one told what it gets, beside a plain Python clearing of the same book."""
    from market.auction import clear

    rng = np.random.default_rng(1)
    ticks, lots = (
        rng.integers(1, 20_000, bench.size),
        rng.integers(1, 500, bench.size) * rng.choice([-1, 1], bench.size),
    )
    listed = list(zip(ticks.tolist(), lots.tolist(), strict=True))
    found, plain = clear(ticks, lots), _plain_auction(listed)
    assert (found.price, found.accepted.tolist()) == plain, "the plain auction gives others something else"
    seconds = measure(lambda: clear(ticks, lots), repeats=bench.repeats)
    yield bench.figure(seconds, "s", target=value_at_most(0.05))
    theirs = measure(lambda: _plain_auction(listed), repeats=min(bench.repeats, 3), warm_up=False)
    target = None if bench.quick else ratio_at_most(1 / 20)
    yield bench.figure(seconds, "s", reference=theirs, target=target, phase=f"{bench.phase}, beside plain Python")


def _plain_auction(orders: Sequence[tuple[int, int]]) -> tuple[int, list[int]]:
    """Clear as a program without arrays would: sort, walk up both sides, share what is at the price."""
    bids = sorted(((p, -q) for p, q in orders if q < 0), reverse=True)
    asks = sorted((p, q) for p, q in orders if q > 0)
    b = a = volume = 0
    left_b, left_a = bids[0][1], asks[0][1]
    bid_last = ask_last = 0
    while b < len(bids) and a < len(asks) and bids[b][0] >= asks[a][0]:
        bid_last, ask_last = bids[b][0], asks[a][0]
        lots = min(left_b, left_a)
        volume, left_b, left_a = volume + lots, left_b - lots, left_a - lots
        if not left_b:
            b += 1
            left_b = bids[b][1] if b < len(bids) else 0
        if not left_a:
            a += 1
            left_a = asks[a][1] if a < len(asks) else 0
    # the price lies between the last that traded and the first that did not, on either side
    low = max(ask_last, bids[b][0] if b < len(bids) else ask_last)
    high = min(bid_last, asks[a][0] if a < len(asks) else bid_last)
    price = (low + high) // 2
    left = {-1: volume - sum(q for p, q in bids if p > price), 1: volume - sum(q for p, q in asks if p < price)}
    at = {-1: sum(q for p, q in bids if p == price), 1: sum(q for p, q in asks if p == price)}
    seen, given = {-1: 0, 1: 0}, []
    for p, q in orders:
        side = 1 if q > 0 else -1
        if p == price:
            before, seen[side] = seen[side], seen[side] + abs(q)
            given.append(side * (seen[side] * left[side] // at[side] - before * left[side] // at[side]))
        else:
            given.append(q if (p - price) * side < 0 else 0)
    return price, given


@case("market", "block auction", size=100, quick_size=10, packages=("highspy", "numba"))
def blocks(bench: Bench) -> Iterable[Row]:
    """Time a day of 2,500 orders with so many blocks, beside ASSUME on the same book; the welfare is at least ASSUME's."""
    from optimizers.clearing import clear

    simple, profiles = _easy(bench.size, per_hour=100 if not bench.quick else 10)
    book = _book(simple, profiles)
    found = clear(book)
    assert found.gap_share <= 1e-6, "the optimum was not proven"
    seconds = measure(lambda: clear(_book(simple, profiles)), repeats=bench.repeats)
    yield bench.figure(seconds, "s", target=value_at_most(1.0), phase=f"{bench.phase}, 2,500 orders with 100 blocks")
    with Peer("trading") as peer:
        asked = {"simple": simple.tolist(), "blocks": [[b[0].tolist(), b[1], b[2]] for b in profiles]}
        peer.ask("assume", **asked)
        answers = [peer.ask("assume", **asked) for _ in range(min(bench.repeats, 3))]
    theirs = sorted(a["seconds"] for a in answers)[len(answers) // 2]
    yield bench.figure(
        theirs,
        "s",
        reference=seconds,
        target=None if bench.quick else ratio_at_least(10),
        phase="block auction, ASSUME / ours",
    )
    welfare = _welfare_at(simple, profiles, answers[0]["result"])
    short = (welfare - found.welfare) / abs(found.welfare)
    yield bench.figure(
        short, "", target=value_at_most(1e-6), phase="block auction, ASSUME's welfare beyond ours, share"
    )


def _welfare_at(simple: Ints, profiles: Sequence[Any], accepted: dict[str, list[float]]) -> float:
    """Return the welfare of what somebody else accepted, in our units."""
    cost = sum(x * LOT_PER_MW * p for x, (_, _, p) in zip(accepted["simple"], simple.tolist(), strict=True))
    cost += sum(r * float(q.sum()) * p for r, (q, p, _) in zip(accepted["blocks"], profiles, strict=True))
    return float(-cost)


@case("market", "block-heavy auction", size=100, quick_size=12, packages=("highspy",))
def hard(bench: Bench) -> Iterable[Row]:
    """State the gap that is left after 60 s of books in which blocks matter: 2,400 steps, so many blocks of 20 to 150 MW over 3 to 12 hours."""
    from optimizers.clearing import clear

    gaps, seconds = [], []
    for seed in range(1 if bench.quick else 3):
        simple, profiles = _heavy(bench.size, seed)
        found = clear(_book(simple, profiles), deadline_s=2.0 if bench.quick else 60.0)
        gaps.append(100 * found.gap_share)
        seconds.append(found.seconds)
    target = None if bench.quick else value_at_most(0.1)
    yield bench.figure(max(gaps), "%", target=target, phase="block-heavy auctions, largest gap after 60 s")
    yield bench.figure(float(np.median(seconds)), "s", phase="block-heavy auctions, until optimum or deadline")


def _easy(count: int, per_hour: int) -> tuple[Ints, list[tuple[Ints, int, float]]]:
    """Return simple orders (hour, MW with sales > 0, cents) and blocks (lots per hour, cents, least ratio) of an ordinary day."""
    rng, rows = np.random.default_rng(7), []
    for t in range(24):
        sold = rng.integers(5, 80, per_hour // 2), rng.integers(500, 9_000, per_hour // 2)
        bought = -rng.integers(5, 80, per_hour // 2), rng.integers(1_500, 12_000, per_hour // 2)
        rows += [(t, int(q), int(p)) for mw, cents in (sold, bought) for q, p in zip(mw, cents, strict=True)]
    return np.array(rows), _profiles(rng, count, (10, 60), sides=(1,))


def _heavy(count: int, seed: int) -> tuple[Ints, list[tuple[Ints, int, float]]]:
    rng, rows = np.random.default_rng(100 + seed), []
    for t in range(24):
        mw = rng.integers(5, 60, 100) * np.repeat([1, -1], 50)
        rows += [(t, int(q), int(p)) for q, p in zip(mw, rng.integers(500, 10_000, 100), strict=True)]
    return np.array(rows), _profiles(rng, count, (20, 150), sides=(1, -1))


def _profiles(rng: Any, count: int, mw: tuple[int, int], sides: Sequence[int]) -> list[tuple[Ints, int, float]]:
    found = []
    for _ in range(count):
        start, length = int(rng.integers(0, 13)), int(rng.integers(3, 13))
        lots = np.zeros(24, dtype=np.int64)
        lots[start : start + length] = int(rng.integers(*mw)) * int(rng.choice(sides)) * LOT_PER_MW
        found.append((lots, int(rng.integers(3_500, 6_500)), float(rng.choice([0.5, 1.0]))))
    return found


def _book(simple: Ints, profiles: Sequence[tuple[Ints, int, float]]) -> "Book":
    from optimizers.clearing_book import Blocks, book_of

    lots, cents = np.array([p[0] for p in profiles]), np.array([p[1] for p in profiles])
    nobody = np.full(len(profiles), -1)
    given = Blocks(lots, lots.sum(axis=1) * cents, np.array([p[2] for p in profiles]), nobody, nobody)
    return book_of(24, (simple[:, 0], simple[:, 1] * LOT_PER_MW, simple[:, 2]), given, SPAN)


@case("market", "prices by bus", size=1, quick_size=1, packages=("highspy", "pandapower"))
def nodal(bench: Bench) -> Iterable[Row]:
    """Price every bus of the IEEE 118-bus grid, with made-up costs and limits that bind; prices and cost as PyPSA finds them."""
    from optimizers.nodal import clear_nodal

    curves, worth, links, grid = _grid_case()
    found = clear_nodal(curves, worth, links)
    yield bench.time(lambda: clear_nodal(curves, worth, links), phase="prices by bus, 118 buses")
    with Peer("trading") as peer:
        theirs = peer.ask("pypsa", grid=grid)["result"]
    cost = (worth - found.welfare) / CENTS / MW_LOTS
    yield bench.figure(
        abs(cost / theirs["cost"] - 1), "", target=value_at_most(1e-6), phase="prices by bus, cost beside PyPSA"
    )
    off = float(np.abs(found.ticks / CENTS - np.array(theirs["price"])).max())
    yield bench.figure(off, "CNY/MWh", target=value_at_most(1e-3), phase="prices by bus, largest difference to PyPSA")


CENTS, MW_LOTS = 100.0, 1_000
"""Ticks per unit of currency, lots of a kilowatt-hour per MW."""


def _grid_case() -> tuple[list[Any], int, Any, dict[str, Any]]:
    """Return curves per node, links, and the same grid for PyPSA: loads that must be served, generators at distinct costs."""
    import pandapower.networks

    from models.networks.electricity import dc_grid
    from models.networks.electricity.importers import from_pandapower
    from optimizers.nodal import Links

    net, rng = pandapower.networks.case118(), np.random.default_rng(2)
    network = from_pandapower(net).network
    dc = dc_grid(network)
    node = [int(dc.node[list(dc.buses).index(b.id)]) for b in network.buses]
    sold = [(node[int(r.bus)], float(r.max_p_mw), int(rng.integers(1_000, 9_000))) for r in net.gen.itertuples()]
    bought = [(node[int(r.bus)], float(r.p_mw)) for r in net.load.itertuples()]
    simple: list[list[tuple[int, int]]] = [[] for _ in range(max(node) + 1)]
    for n, mw, cents in sold:
        simple[n].append((round(mw * MW_LOTS), cents))
    for n, mw in bought:
        simple[n].append((-round(mw * MW_LOTS), SPAN[1]))
    books = [_one_period(own) for own in simple]
    limit = np.full(len(dc.branches), 130.0)
    ends = dc.from_node.astype(np.int64), dc.to_node.astype(np.int64)
    links = Links(*ends, limit * MW_LOTS, limit * MW_LOTS, dc.kw_per_rad)
    names = [f"n{k}" for k in range(len(simple))]
    asked = {
        "buses": names, "from": [names[k] for k in ends[0]], "to": [names[k] for k in ends[1]],
        "x": (1e3 / dc.kw_per_rad).tolist(), "limit": limit.tolist(),
        "at": [names[n] for n, *_ in sold] + names, "p_max": [mw for _, mw, _ in sold] + [1e5] * len(names),
        "cost": [c / CENTS for *_, c in sold] + [SPAN[1] / CENTS] * len(names),
        "load_at": [names[n] for n, _ in bought], "load": [mw for _, mw in bought],
    }  # fmt: skip
    return [b.curves[0] for b in books], sum(b.worth for b in books), links, asked


def _one_period(own: Sequence[tuple[int, int]]) -> "Book":
    from optimizers.clearing_book import book_of, no_blocks

    lots, ticks = np.array([q for q, _ in own], dtype=np.int64), np.array([p for _, p in own], dtype=np.int64)
    return book_of(1, (np.zeros(len(own), dtype=np.int64), lots, ticks), no_blocks(1), SPAN)


@case("market", "order book", size=1_000_000, quick_size=20_000, packages=("numba", "numpy"))
def book(bench: Bench) -> Iterable[Row]:
    """Count events a second of all types with 30 % cancels, in a book opened for as many: in batches, one by one, from its journal."""
    from market.book import OrderBook

    events = _events(bench.size)
    for batch in (1_000, 100):
        rate = bench.size / measure(partial(_seconds, _in_batches, events, batch), repeats=bench.repeats) / 1e6
        target = None if bench.quick else value_at_least(5.0)
        yield bench.figure(rate, "M/s", target=target, phase=f"order book, events in batches of {batch}")
    few = events[: bench.size // 5].tolist()
    single = len(few) / measure(partial(_seconds, _one_by_one, few), repeats=bench.repeats) / 1e6
    target = None if bench.quick else value_at_least(1.0)
    yield bench.figure(single, "M/s", target=target, phase="order book, events one by one")
    made, again = _in_batches(events, 1_000)[0], OrderBook(0, 10_000, room=bench.size)
    replayed = seconds_of(lambda: again.apply(made.events()))
    assert np.array_equal(made.trade_table(), again.trade_table()), "the journal gives other trades"
    assert np.array_equal(_one_by_one(few)[0].trade_table(), _in_batches(events[: len(few)], 100)[0].trade_table()), (
        "one by one differs"
    )
    yield bench.figure(bench.size / replayed / 1e6, "M/s", phase="order book, replay of the journal")


def _events(count: int) -> Ints:
    """Return new orders of every life, icebergs among them, 30 % cancels and 10 % changes, by the owners of the orders."""
    rng = np.random.default_rng(1)
    act, owner = rng.choice([0, 1, 2], count, p=[0.6, 0.3, 0.1]), rng.integers(0, 1_000, count)
    number = np.maximum(np.cumsum(act == 0) - rng.integers(1, 20_000, count), 0)
    own = owner[act == 0]
    owner = np.where(act == 0, owner, own[np.minimum(number, len(own) - 1)])
    side, lots = rng.integers(0, 2, count), rng.integers(1, 100, count)
    tick = np.where(side == 0, 5_100 - rng.integers(0, 1_000, count), 4_900 + rng.integers(0, 1_000, count))
    shown = np.where(rng.random(count) < 0.1, lots // 4 + 1, 0)
    life, now = rng.choice([0, 1, 2, 3], count, p=[0.6, 0.2, 0.1, 0.1]), np.arange(count)
    return np.stack([act, number, owner, side, tick, lots, shown, life, now + 5_000, now], axis=1).astype(np.int64)


def _seconds(work: Callable[..., tuple["OrderBook", Timed]], *given: Any) -> Timed:
    return work(*given)[1]


def _in_batches(events: Ints, batch: int) -> tuple["OrderBook", Timed]:
    """Return a book after all events, and the seconds that opening it for so many and all of them took."""
    from market.book import OrderBook

    begun = time.perf_counter()
    book = OrderBook(0, 10_000, room=len(events))
    for k in range(0, len(events), batch):
        book.apply(events[k : k + batch])
    return book, Timed(time.perf_counter() - begun)


def _one_by_one(rows: Sequence[Sequence[int]]) -> tuple["OrderBook", Timed]:
    from market.book import OrderBook

    begun = time.perf_counter()
    book = OrderBook(0, 10_000, room=len(rows))
    enter, cancel, change = book.enter, book.cancel, book.change
    for act, order, owner, side, tick, lots, shown, life, until, now in rows:
        if act == NEW:
            enter(owner, side, tick, lots, shown, life, until, now)
        elif act == CANCEL:
            cancel(order, owner, now)
        else:
            change(order, owner, tick, lots, now)
    return book, Timed(time.perf_counter() - begun)
