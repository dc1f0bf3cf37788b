"""A day's auction as numbers: one merged supply curve per period, and blocks with profiles, families and groups.

Every simple order of a period, sale or purchase, is a piece of one curve: starting from all purchases and no sale, the net sale rises
by each order's lots at its price. So thousands of orders become a few hundred columns.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of an auction; ``lots`` has shape (block, period), sales > 0, all other arrays (block,).

    ``cost`` is what the whole block asks for (a purchase: minus what it pays), in lot-ticks. ``least`` is the smallest ratio above 0,
    ``parent`` the place of the block it needs, ``group`` the number of its exclusive group; -1 where there is none.
    """

    lots: Ints
    cost: Ints
    least: Floats
    parent: Ints
    group: Ints

    def __len__(self) -> int:
        return len(self.cost)

    @property
    def decided(self) -> npt.NDArray[np.bool_]:
        """Whether a block is taken or left by a decision, because it has a least ratio."""
        return self.least > 0


def no_blocks(periods: int) -> Blocks:
    """Return the blocks of an auction without any."""
    none = np.zeros(0, dtype=np.int64)
    return Blocks(np.zeros((0, periods), dtype=np.int64), none, np.zeros(0), none, none)


@dataclass(frozen=True)
class Curve:
    """The merged curve of one period: at ``ticks`` (rising) the net sale grows by ``lots``, beginning at ``start`` (<= 0)."""

    ticks: Ints
    lots: Ints
    start: int
    span: tuple[int, int]
    """The lowest and the highest price that the market allows."""

    @cached_property
    def edges(self) -> Ints:
        """Net sale before every piece, and behind the last one; shape (piece + 1,)."""
        return np.concatenate([[self.start], self.start + np.cumsum(self.lots)]).astype(np.int64)

    @cached_property
    def costs(self) -> Ints:
        """What the net sale costs at every edge, counted from ``start``, in lot-ticks."""
        return np.concatenate([[0], np.cumsum(self.ticks * self.lots)]).astype(np.int64)

    def cost_at(self, net: float) -> float:
        """Return what a net sale costs, inf where the curve does not reach."""
        if not self.edges[0] - NEAR <= net <= self.edges[-1] + NEAR:
            return float("inf")
        return float(np.interp(net, self.edges, self.costs))

    def prices_at(self, net: float) -> tuple[int, int]:
        """Return the lowest and highest price at which a net sale is what simple orders want."""
        padded = np.concatenate([[self.span[0]], self.ticks, [self.span[1]]])
        # padded[k] holds below edge k, padded[k + 1] above it
        k = int(np.searchsorted(self.edges, net - NEAR))
        if k < len(self.edges) and abs(self.edges[k] - net) <= NEAR:
            return int(padded[k]), int(padded[k + 1])
        k = min(max(k, 1), len(self.edges) - 1)
        return int(padded[k]), int(padded[k])


NEAR = 1e-5
"""Lots within which a net sale lies on an edge of the curve."""


@dataclass(frozen=True, slots=True)
class Book:
    """An auction of several periods; ``worth`` is what all simple purchases together would pay at their own prices, in lot-ticks."""

    curves: tuple[Curve, ...]
    blocks: Blocks
    worth: int

    def welfare(self, ratio: Floats) -> float:
        """Return what buyers would pay less what sellers ask for, in lot-ticks; -inf where a period cannot be balanced."""
        net = -(ratio @ self.blocks.lots)
        simple = sum(c.cost_at(n) for c, n in zip(self.curves, net, strict=True))
        return self.worth - simple - float(ratio @ self.blocks.cost)


def book_of(periods: int, simple: tuple[Ints, Ints, Ints], blocks: Blocks, span: tuple[int, int]) -> Book:
    """Return the auction of simple orders (period, lots with sales > 0, ticks), each of shape (order,), and blocks."""
    period, lots, ticks = simple
    curves = tuple(_merged(lots[period == t], ticks[period == t], span) for t in range(periods))
    return Book(curves, blocks, int(-(lots * ticks)[lots < 0].sum()))


def _merged(lots: Ints, ticks: Ints, span: tuple[int, int]) -> Curve:
    levels, place = np.unique(ticks, return_inverse=True)
    widths = np.zeros(len(levels), dtype=np.int64)
    np.add.at(widths, place, np.abs(lots))
    return Curve(levels.astype(np.int64), widths, int(np.minimum(lots, 0).sum()), span)
