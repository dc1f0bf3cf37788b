"""Block auctions: published answers, and every small book equal to trying all decisions with another solver."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

from optimizers.clearing import clear
from optimizers.clearing_book import Blocks, book_of, no_blocks

CASES = Path(os.environ.get("JOULETWIN_CASES", Path(__file__).parents[3] / "shared" / "cases"))
PUBLISHED = CASES / "clearing_published_blocks.json"
SPAN = (-500, 4_000)
KINDS = {"indivisible": (1.0,), "least ratios": (0.0, 0.5, 0.8, 1.0), "families and groups": (0.0, 0.6, 1.0)}


def made(kind, seed, periods=3):
    """Return simple orders (period, lots, ticks) and blocks as plain lists."""
    rng = np.random.default_rng(seed)
    simple = [
        (t, int(rng.integers(1, 12)) * side, int(rng.integers(0, 60)))
        for t in range(periods)
        for side in (1, 1, -1, -1, -1)
    ]
    count = int(rng.integers(3, 7))
    lots = rng.integers(0, 10, (count, periods)) * rng.choice([-1, 1], (count, 1))
    lots[lots.any(axis=1) == 0, 0] = 3
    price = rng.integers(0, 60, count)
    least = rng.choice(KINDS[kind], count)
    parent, group = np.full(count, -1), np.full(count, -1)
    if kind.startswith("families"):
        parent[1] = 0
        if count > 4:
            parent[3] = 1
        group[[0, count - 1]] = 0
    return np.array(simple), Blocks(lots, lots.sum(axis=1) * price, least.astype(float), parent, group)


def ratios_by_brute_force(simple, blocks, decided):
    """Return the welfare and ratios of given decisions: a program with one column per order, nothing merged."""
    period, lots, ticks = simple.T
    n, b = len(lots), len(blocks)
    cost = np.concatenate([lots * ticks, blocks.cost])
    balance = np.zeros((3, n + b))
    balance[period, np.arange(n)] = lots
    balance[:, n:] = blocks.lots.T
    bounds = [(0, 1)] * n
    for k in range(b):
        chosen = decided[k] if blocks.least[k] > 0 else 1
        bounds.append((blocks.least[k] * chosen if blocks.least[k] > 0 else 0, chosen))
    rows, side = [], []
    for k in np.flatnonzero(blocks.parent >= 0):
        row = np.zeros(n + b)
        row[n + k], row[n + blocks.parent[k]] = 1, -1
        rows.append(row)
        side.append(0)
    if (members := np.flatnonzero(blocks.group >= 0)).size:
        row = np.zeros(n + b)
        row[n + members] = 1
        rows.append(row)
        side.append(1)
    some = {"A_ub": np.array(rows), "b_ub": side} if rows else {}
    found = linprog(cost, A_eq=balance, b_eq=np.zeros(3), bounds=bounds, **some)
    return (-found.fun, found.x[:n], found.x[n:]) if found.status == 0 else (-np.inf, None, None)


def priced(simple, blocks, filled, ratio):
    """Return whether prices exist at which every order is content; written per order, feasibility alone."""
    period, lots, ticks = simple.T
    low, high = np.full(3, float(SPAN[0])), np.full(3, float(SPAN[1]))
    for t, q, p, x in zip(period, lots, ticks, filled, strict=True):
        rises = x > 1e-6 if q > 0 else x < 1 - 1e-6
        falls = x < 1 - 1e-6 if q > 0 else x > 1e-6
        low[t] = max(low[t], p) if rises else low[t]
        high[t] = min(high[t], p) if falls else high[t]
    if (low > high + 1e-9).any():
        return False
    n = len(blocks)
    there = [k for k in range(n) if ratio[k] > 1e-6 or blocks.least[k] == 0]
    full_group = ratio[blocks.group >= 0].sum() > 1 - 1e-6
    columns = 3 + 2 * n + 1  # prices, own rent, rent through the parent, rent of the group
    equal, side, below, below_side = [], [], [], []
    bounds = list(zip(low, high, strict=True)) + [(0, 0)] * (2 * n) + [(0, None if full_group else 0)]
    for k in there:
        row = np.zeros(columns)
        row[:3] = blocks.lots[k]
        row[3 + k], row[3 + n + k] = -1, -1
        if ratio[k] > 1 - 1e-6:
            bounds[3 + k] = (0, None)
        if blocks.parent[k] >= 0 and ratio[k] > ratio[blocks.parent[k]] - 1e-6:
            bounds[3 + n + k] = (0, None)
        if blocks.group[k] >= 0:
            row[-1] = -1
        for c in there:
            if blocks.parent[c] == k:
                row[3 + n + c] += 1
        target = (equal, side) if ratio[k] > 1e-6 else (below, below_side)
        target[0].append(row)
        target[1].append(blocks.cost[k])
    some = {"A_eq": np.array(equal), "b_eq": side} if equal else {}
    more = {"A_ub": np.array(below), "b_ub": below_side} if below else {}
    return linprog(np.zeros(columns), bounds=bounds, **some, **more).status == 0


def best_by_brute_force(simple, blocks):
    best = -np.inf
    for choice in itertools.product((0, 1), repeat=len(blocks)):
        if any(c and blocks.least[k] == 0 for k, c in enumerate(choice)):
            continue
        welfare, filled, ratio = ratios_by_brute_force(simple, blocks, choice)
        if welfare > best + 1e-6 and priced(simple, blocks, filled, ratio):
            best = welfare
    return best


@pytest.mark.parametrize("kind", KINDS)
def test_small_books_equal_trying_everything(kind):
    for seed in range(60):
        simple, blocks = made(kind, seed)
        found = clear(book_of(3, tuple(simple.T), blocks, SPAN))
        assert found.welfare == pytest.approx(best_by_brute_force(simple, blocks), abs=1e-3), (kind, seed)
        assert found.gap_share <= 1e-9


def of_case(case, lot=0.001):
    """Return a published case in kWh and cents: simple orders without a least quantity, all others as blocks."""
    simple, blocks = [], []
    for o in case["orders"]:
        quantities = o["q"] if isinstance(o["q"], list) else [o["q"]]
        lots, ticks, least = [round(q / lot) for q in quantities], 100 * o["p"], o.get("mar", 0)
        if o["type"] == "BB":
            blocks.append((o["id"], lots, ticks, least))
        for t, q in enumerate(lots if o["type"] == "SB" else ()):
            alone = [q if s == t else 0 for s in range(case["hours"])]
            (blocks.append((o["id"], alone, ticks, least)) if least else simple.append((o["id"], t, q, ticks)))
    profile = np.array([b[1] for b in blocks]).reshape(-1, case["hours"])
    cost = profile.sum(axis=1) * np.array([b[2] for b in blocks], dtype=np.int64)
    nobody = np.full(len(blocks), -1)
    numbers = np.array([s[1:] for s in simple], dtype=np.int64).reshape(-1, 3)
    given = Blocks(profile, cost, np.array([float(b[3]) for b in blocks]), nobody, nobody)
    return [b[0] for b in blocks], book_of(case["hours"], tuple(numbers.T), given, (-50_000, 400_000))


@pytest.mark.cases
@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published auctions are not here; set JOULETWIN_CASES")
@pytest.mark.parametrize("number", range(5))
def test_published_auctions(number):
    case = json.loads(PUBLISHED.read_text())["cases"][number]
    names, book = of_case(case)
    found, wanted = clear(book), case["expect"]
    assert found.whole
    assert found.gap_share <= 1e-9
    prices = wanted["price"] if isinstance(wanted["price"], list) else [wanted["price"]]
    assert found.ticks.tolist() == [100 * p for p in prices]
    for name in ("S1", "S2"):
        if name in wanted and name in names:
            sold = sum(r * book.blocks.lots[k] for k, r in enumerate(found.ratio) if names[k] == name)
            assert sold == pytest.approx(np.array(wanted[name]) * 1000, abs=1e-3)


def test_the_order_of_entry_changes_no_price_and_no_welfare():
    for seed in range(20):
        simple, blocks = made("least ratios", seed)
        found = clear(book_of(3, tuple(simple.T), blocks, SPAN))
        rng = np.random.default_rng(seed)
        mixed = Blocks(*(getattr(blocks, f)[::-1] for f in Blocks.__slots__))
        again = clear(book_of(3, tuple(rng.permutation(simple).T), mixed, SPAN))
        assert again.welfare == pytest.approx(found.welfare)


def test_time_that_runs_out_leaves_a_clearing_with_its_bound():
    simple, blocks = made("indivisible", 4)
    found = clear(book_of(3, tuple(simple.T), blocks, SPAN), deadline_s=0.0)
    alone = clear(book_of(3, tuple(simple.T), no_blocks(3), SPAN))
    best = clear(book_of(3, tuple(simple.T), blocks, SPAN))
    assert alone.welfare <= found.welfare <= best.welfare <= found.bound < np.inf
