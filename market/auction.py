"""Uniform-price double auction of one period: everybody trades at one price, in exact integers of lots and ticks.

Rules. The price maximises the traded volume and leaves nobody short who bid better than it; of several such prices it is the floor of
their middle. Purchases above and sales below the price are filled whole. Of those at the price itself the longer side is curtailed:
``pro rata`` by cumulative rounding in the order of entry (so that shares add up to the lot), or first come first served.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import Finding, error
from models.networks.jit import compiled

Ints = npt.NDArray[np.int64]
SPARSE = 4
"""More ticks than so many per order (and ``DENSE``) are counted by rank instead."""
DENSE = 1_000
MOST_LOTS = 2**31
"""Lots at one price whose shares are still taken in 64 bits."""


class Curtail(StrEnum):
    """Who gets what there is at the price itself."""

    PRO_RATA = "pro rata"
    FIRST_COME = "first come"


@dataclass(frozen=True, slots=True)
class Cleared:
    """What came of an auction: ``accepted`` lots (order,) with the sign of the orders, and every price tick that would have done.

    ``price`` is None where nothing is traded; ``lowest`` and ``highest`` are then the prices between which nobody would trade.
    """

    price: int | None
    lowest: int
    highest: int
    volume: int
    accepted: Ints


def clear(ticks: Ints, lots: Ints, *, curtail: Curtail = Curtail.PRO_RATA) -> Cleared:
    """Clear simple orders, in the order of their entry: ``lots`` > 0 are sales, < 0 purchases, at ``ticks``; both (order,).

    Raises
    ------
    DataError
        If the arrays differ in shape, hold floats or zeros, or more lots than can be shared exactly.
    """
    if found := list(check_simple(ticks, lots)):
        raise DataError(found)
    if not len(lots):
        return Cleared(None, 0, 0, 0, np.zeros(0, dtype=np.int64))
    low, high = int(ticks.min()), int(ticks.max())
    if high - low >= SPARSE * len(ticks) + DENSE:
        return _sparse(ticks, lots, curtail)
    counted = _counted(ticks, lots, low, high - low + 1)
    lowest, highest = _interval(*counted)
    return _filled(ticks, lots, counted, low, (lowest + low, highest + low), (lowest + highest) // 2 + low, curtail)


def _sparse(ticks: Ints, lots: Ints, curtail: Curtail) -> Cleared:
    """Clear over ranks of prices where ticks are many: price k is place 2 k, what lies between two prices the place between."""
    levels, rank = np.unique(ticks, return_inverse=True)
    places = 2 * rank.astype(np.int64)
    counted = _counted(places, lots, 0, 2 * len(levels))
    lowest, highest = (int(levels[place // 2]) for place in _interval(*counted))
    price = (lowest + highest) // 2
    below = int(np.searchsorted(levels, price, side="right")) - 1
    cleared = _filled(places, lots, counted, 0, (lowest, highest), 2 * below + int(levels[below] != price), curtail)
    return cleared if cleared.price is None else replace(cleared, price=price)


def check_simple(ticks: Ints, lots: Ints) -> list[Finding]:
    """Return what is wrong with simple orders as arrays."""
    if ticks.shape != lots.shape or ticks.ndim != 1:
        return [error("lots", f"has shape {lots.shape}, ticks {ticks.shape}; both are (order,)")]
    named = (("ticks", ticks), ("lots", lots))
    found = [error(n, f"holds {v.dtype}; whole numbers of 64 bits are needed") for n, v in named if v.dtype != np.int64]
    if not found and not lots.all():
        found.append(error("lots", f"order {int(np.flatnonzero(lots == 0)[0])} has no quantity; leave it out"))
    return found


def _interval(bought: Ints, sold: Ints) -> tuple[int, int]:
    """Return the lowest and the highest place at which sales and purchases can be made equal."""
    supply, demand = np.cumsum(sold), np.cumsum(bought[::-1])[::-1]
    above, below = supply.copy(), -demand
    above[:-1] -= demand[1:]
    below[1:] += supply[:-1]
    return int(np.searchsorted(above, 0)), int(np.searchsorted(below, 0, side="right")) - 1


def _filled(
    places: Ints, lots: Ints, counted: tuple[Ints, Ints], base: int, span: tuple[int, int], price: int, curtail: Curtail
) -> Cleared:
    """Fill orders at the price of a place; ``span`` is told as it is."""
    (bought, sold), at = counted, price - base
    demand, supply = int(bought[at:].sum()), int(sold[: at + 1].sum())
    volume, here = min(demand, supply), (int(bought[at]), int(sold[at]))
    if max(here) >= MOST_LOTS:
        raise DataError([error("lots", f"{max(here)} lots at one price cannot be shared exactly; use larger lots")])
    left = volume - (demand - here[0]), volume - (supply - here[1])
    accepted = _allocated(places, lots, price, left, here, curtail is Curtail.PRO_RATA)
    return Cleared(price if volume else None, *span, volume, accepted)


def shares(prices: Ints, lots: Ints, price: int, net: int, curtail: Curtail) -> Ints:
    """Return what every simple order gets at a given price when together they must sell ``net`` lots more than they buy.

    At the price itself as much is bought and sold as possible; the longer side is curtailed. ``net`` must be what orders can do there.
    """
    here = prices == price
    at = int(-lots[here & (lots < 0)].sum()), int(lots[here & (lots > 0)].sum())
    inside = int(lots[~here & ((lots < 0) == (prices > price))].sum())
    bought = min(at[0], at[1] - (net - inside))
    return _allocated(prices, lots, price, (bought, bought + net - inside), at, curtail is Curtail.PRO_RATA)


@compiled
def _counted(ticks: Ints, lots: Ints, base: int, span: int) -> tuple[Ints, Ints]:
    """Return lots bought and sold at every tick from ``base`` on."""
    bought, sold = np.zeros(span, dtype=np.int64), np.zeros(span, dtype=np.int64)
    for k in range(len(ticks)):
        if lots[k] < 0:
            bought[ticks[k] - base] -= lots[k]
        else:
            sold[ticks[k] - base] += lots[k]
    return bought, sold


@compiled
def _allocated(
    ticks: Ints, lots: Ints, price: int, left: tuple[int, int], here: tuple[int, int], pro_rata: bool
) -> Ints:
    """Return what every order gets; ``left`` are the lots for purchases and sales at the price, ``here`` those that want them."""
    accepted = np.zeros_like(lots)
    seen_bought, seen_sold = 0, 0
    for k in range(len(lots)):
        q = lots[k]
        if ticks[k] == price:
            if q < 0:
                accepted[k] = -_share(seen_bought, -q, left[0], here[0], pro_rata)
                seen_bought -= q
            else:
                accepted[k] = _share(seen_sold, q, left[1], here[1], pro_rata)
                seen_sold += q
        elif (q < 0) == (ticks[k] > price):
            accepted[k] = q
    return accepted


@compiled
def _share(before: int, own: int, left: int, all_of_them: int, pro_rata: bool) -> int:
    if pro_rata:
        return (before + own) * left // all_of_them - before * left // all_of_them
    return min(own, max(left - before, 0))
