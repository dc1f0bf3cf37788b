"""The master program of a block auction: which blocks are taken, at what ratio, at the largest welfare.

Columns: pieces of the periods' curves that blocks can reach, one ratio per block, one decision per block whose least ratio lies between
0 and 1 (a block that is taken whole decides by its ratio). Rows: balance of every period, least ratios, families, groups, cuts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from optimizers.clearing_book import NOBODY, Book, Floats, Ints
from optimizers.session import Program, Solution

INFINITE = float("inf")
ROUNDING = 1e-6
LARGEST = 1_000.0
"""Quantities and prices are scaled to this, so that the solver's tolerances are a fraction of a lot."""


@dataclass(frozen=True)
class Master:
    """The program and where things are in it: ``ratio`` and ``decision`` are columns per block, ``fixed_cost`` is in lot-ticks."""

    program: Program
    ratio: Ints
    decision: Ints
    """-1 for a block that is not decided."""
    welfare_at_zero: float
    money: float
    """Lot-ticks per unit of the program's objective."""

    def welfare(self, objective: float) -> float:
        """Return the welfare that an objective (or a bound of it) stands for, in lot-ticks."""
        return self.welfare_at_zero - objective * self.money

    def with_cut(self, taken: Sequence[int]) -> "Master":
        """Return the program with one more row: of these decided blocks, at least one is left."""
        p, columns = self.program, np.sort(self.decision[list(taken)])
        grown = replace(
            p,
            row_ptr=np.append(p.row_ptr, p.row_ptr[-1] + len(columns)).astype(np.int32),
            column_index=np.concatenate([p.column_index, columns]).astype(np.int32),
            coefficients=np.concatenate([p.coefficients, np.ones(len(columns))]),
            row_lower=np.append(p.row_lower, -INFINITE),
            row_upper=np.append(p.row_upper, len(columns) - 1.0),
        )
        return replace(self, program=grown)

    def narrowed(self, worth: "Worth", better_than: float) -> "Master":
        """Return the program with every decision fixed that a clearing of larger welfare than ``better_than`` cannot take otherwise."""
        room = (worth.welfare - better_than) / self.money + ROUNDING
        there = self.decision != NOBODY
        never, always = (self.decision[there & (lost > room)] for lost in (worth.taken, worth.left))
        lower, upper = self.program.column_lower.copy(), self.program.column_upper.copy()
        upper[never] = 0.0
        lower[always] = 1.0
        return replace(self, program=replace(self.program, column_lower=lower, column_upper=upper))


@dataclass(frozen=True, slots=True)
class Worth:
    """What decisions are worth beside the optimum without whole decisions, which has ``welfare``.

    ``taken`` and ``left``, shape (block,), are what taking and leaving a block costs of it at least, in the program's money.

    Source: reduced costs; Nemhauser and Wolsey, Integer and Combinatorial Optimization (1988), II.5.
    """

    welfare: float
    taken: Floats
    left: Floats


def worth_of(master: Master, book: Book, relaxed: Solution) -> Worth:
    """Return what the optimum of the relaxed program says of every decision; nothing where the solver gave no duals."""
    if relaxed.row_dual is None:
        nothing = np.zeros(len(master.ratio))
        return Worth(master.welfare(relaxed.objective), nothing, nothing)
    reduced = master.program.cost - master.program.matrix.T @ relaxed.row_dual
    apart = (master.decision != NOBODY) & (master.decision != master.ratio)
    own, beside = reduced[master.ratio], np.where(apart, reduced[master.decision], 0.0)
    taken = np.maximum(beside, 0.0) + book.blocks.least * np.maximum(own, 0.0)
    left = np.maximum(-beside, 0.0) + np.maximum(-own, 0.0)
    return Worth(master.welfare(relaxed.objective), taken, left)


@dataclass(slots=True)
class _Rows:
    """Rows as they are written, one after the other."""

    columns: list[Ints]
    coefficients: list[Floats]
    lower: list[float]
    upper: list[float]

    def add(self, columns: Ints, coefficients: Floats, lower: float, upper: float) -> None:
        """Add a row."""
        self.columns.append(columns)
        self.coefficients.append(coefficients)
        self.lower.append(lower)
        self.upper.append(upper)


def master_of(book: Book) -> Master:
    """Return the master program without cuts."""
    blocks, count = book.blocks, len(book.blocks)
    lot, tick = _scales(book)
    pieces = _reachable(book)
    first = np.cumsum([0] + [len(ticks) for ticks, *_ in pieces])
    ratio = first[-1] + np.arange(count)
    partly = blocks.decided & (blocks.least < 1)
    decision = np.where(blocks.decided, ratio, NOBODY)
    decision[partly] = first[-1] + count + np.arange(int(partly.sum()))
    rows = _Rows([], [], [], [])
    for t, (_, lots, start, _) in enumerate(pieces):
        own = np.flatnonzero(blocks.lots[:, t])
        columns = np.concatenate([np.arange(first[t], first[t + 1]), ratio[own]])
        filled = np.concatenate([np.ones(len(lots)), blocks.lots[own, t] / lot])
        rows.add(columns, filled, -start / lot, -start / lot)
    _add_families(rows, book, ratio, decision)
    total = first[-1] + count + int(partly.sum())
    upper = np.ones(total)
    upper[: first[-1]] = np.concatenate([p[1] for p in pieces]) / lot
    cost = np.zeros(total)
    cost[: first[-1]] = np.concatenate([p[0] for p in pieces]) / tick
    cost[ratio] = blocks.cost / (lot * tick)
    whole = np.zeros(total, dtype=np.uint8)
    whole[decision[blocks.decided]] = 1
    program = _program(rows, upper, cost, whole)
    return Master(program, ratio, decision, book.worth - sum(p[3] for p in pieces), lot * tick)


def _scales(book: Book) -> tuple[float, float]:
    """Return lots and ticks per unit of the program."""
    lots = int(np.abs(book.blocks.lots).max(initial=1))
    ticks = max((int(np.abs(c.ticks).max(initial=1)) for c in book.curves), default=1)
    return max(lots / LARGEST, 1e-6), max(ticks / LARGEST, 1e-6)


def _reachable(book: Book) -> list[tuple[Ints, Ints, int, int]]:
    """Return per period the ticks and lots of the pieces that blocks can move, the net sale where they begin, and its cost."""
    lowest, highest = -np.maximum(book.blocks.lots, 0).sum(axis=0), -np.minimum(book.blocks.lots, 0).sum(axis=0)
    found = []
    for c, low, high in zip(book.curves, lowest, highest, strict=True):
        first = max(int(np.searchsorted(c.edges, low, side="right")) - 1, 0)
        last = max(min(int(np.searchsorted(c.edges, high)), len(c.ticks)), first)
        found.append((c.ticks[first:last], c.lots[first:last], int(c.edges[first]), int(c.costs[first])))
    return found


def _add_families(rows: _Rows, book: Book, ratio: Ints, decision: Ints) -> None:
    b = book.blocks
    for k in np.flatnonzero(decision != ratio).tolist():
        if decision[k] == NOBODY:
            continue
        pair = np.array([ratio[k], decision[k]])
        rows.add(pair, np.array([1.0, -1.0]), -INFINITE, 0.0)
        rows.add(pair, np.array([1.0, -b.least[k]]), 0.0, INFINITE)
    for k in np.flatnonzero(b.parent != NOBODY).tolist():
        rows.add(np.array([ratio[k], ratio[b.parent[k]]]), np.array([1.0, -1.0]), -INFINITE, 0.0)
    for g in range(int(b.group.max(initial=NOBODY)) + 1):
        members = np.flatnonzero(b.group == g)
        rows.add(ratio[members], np.ones(len(members)), -INFINITE, 1.0)


def _program(rows: _Rows, upper: Floats, cost: Floats, whole: npt.NDArray[np.uint8]) -> Program:
    lengths = [len(c) for c in rows.columns]
    return Program(
        row_ptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        column_index=np.concatenate(rows.columns).astype(np.int32),
        coefficients=np.concatenate(rows.coefficients).astype(np.float64),
        column_lower=np.zeros(len(upper)),
        column_upper=upper,
        row_lower=np.array(rows.lower),
        row_upper=np.array(rows.upper),
        cost=cost,
        offset=0.0,
        integrality=whole,
    )
