"""From optima to curves: quantities that rise with prices, in few steps, each with what stands behind it.

Source of the regression: Ayer, Brunk, Ewing, Reid and Silverman, An empirical distribution function for sampling with incomplete
information, Annals of Mathematical Statistics 26 (1955): pool adjacent violators.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.horizon import Horizon
from models.offers import Kind, OfferCurve, OfferStep
from models.tariffs.money import KILO, MICRO

Floats = npt.NDArray[np.float64]
MOST_STEPS = 20
FLAT_KWH = 1e-3
"""Neighbouring steps whose quantities differ by less than a watt-hour are one step."""


@dataclass(frozen=True, slots=True)
class Points:
    """What a curve is made of: price, quantity and its marginal cost and store value per path; arrays have shape (path,)."""

    price: Floats
    quantity_kwh: Floats
    marginal: Floats
    stored: Floats


@dataclass(slots=True)
class _Block:
    """Paths that share a step, from the lowest to the highest of their prices; sums over them."""

    low: float
    high: float
    quantity: float
    marginal: float
    stored: float
    count: int

    @property
    def mean(self) -> float:
        return self.quantity / self.count

    def join(self, other: "_Block") -> None:
        """Take in a block of higher prices."""
        self.high = other.high
        self.quantity += other.quantity
        self.marginal += other.marginal
        self.stored += other.stored
        self.count += other.count


def rising(points: Points) -> list[_Block]:
    """Return the least-squares fit of quantities that never fall as the price rises, as blocks of rising prices."""
    order = np.argsort(points.price, kind="stable")
    rows = zip(
        *(a[order].tolist() for a in (points.price, points.quantity_kwh, points.marginal, points.stored)), strict=True
    )
    found: list[_Block] = []
    for price, quantity, marginal, stored in rows:
        new = _Block(price, price, quantity, marginal, stored, 1)
        if found and price == found[-1].high:
            found[-1].join(new)
        else:
            found.append(new)
        while len(found) > 1 and found[-2].mean >= found[-1].mean:
            last = found.pop()
            found[-1].join(last)
    return found


def fewer(blocks: list[_Block], most: int) -> list[_Block]:
    """Return at most so many blocks: neighbours whose joining moves the curve least are joined first (Ward's criterion)."""
    found = list(blocks)

    def loss(k: int) -> float:
        a, b = found[k], found[k + 1]
        return a.count * b.count / (a.count + b.count) * (a.mean - b.mean) ** 2

    losses = [loss(k) for k in range(len(found) - 1)]
    while len(found) > 1 and (len(found) > most or min(losses) <= FLAT_KWH**2):
        k = min(range(len(losses)), key=losses.__getitem__)
        found[k].join(found.pop(k + 1))
        losses.pop(k)
        for near in (k - 1, k):
            if 0 <= near < len(losses):
                losses[near] = loss(near)
    return found


def curve_steps(points: Points, *, margin_kwh: float = 0.0, most: int = MOST_STEPS) -> tuple[OfferStep, ...]:
    """Return the steps of one interval: each begins half-way between the prices of the paths on either side.

    ``margin_kwh`` is bought on top at every price; taking the same off everywhere, it keeps the curve rising.
    """
    blocks = fewer(rising(points), most)
    begins = [blocks[0].low, *((a.high + b.low) / 2 for a, b in pairwise(blocks))]
    return tuple(
        OfferStep(
            price_micro=round(begin * KILO * MICRO),
            quantity_wh=round((b.mean - margin_kwh) * KILO),
            marginal_cost_per_kwh=b.marginal / b.count,
            store_value_per_kwh=b.stored / b.count,
            margin_wh=round(margin_kwh * KILO),
            support=b.count,
        )
        for begin, b in zip(begins, blocks, strict=True)
    )


def curves_of(
    horizon: Horizon,
    prices: Floats,
    quantities_kwh: Floats,
    beside: tuple[Floats, Floats],
    *,
    margin_kwh: Floats | None = None,
    most: int = MOST_STEPS,
    kind: Kind = "energy",
    contract: str = "",
) -> tuple[OfferCurve, ...]:
    """Return one curve per interval from prices and quantities of shape (path, step).

    ``beside`` are marginal cost and store value, of the same shape.
    """
    margin = np.zeros(len(horizon)) if margin_kwh is None else margin_kwh
    columns = zip(prices.T, quantities_kwh.T, beside[0].T, beside[1].T, strict=True)
    return tuple(
        OfferCurve(begin, end, curve_steps(Points(*column), margin_kwh=float(more), most=most), kind, contract)
        for begin, end, column, more in zip(horizon.edges, horizon.edges[1:], columns, margin.tolist(), strict=False)
    )
