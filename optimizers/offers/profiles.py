"""Whole days as an exclusive group: of many paths' optima the few that together cost least, whichever path comes."""

import numpy as np
import numpy.typing as npt

from models.offers import ProfileOffer
from models.tariffs.money import KILO, MICRO

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def chosen(prices: Floats, bought_kwh: Floats, beside: Floats, count: int) -> Ints:
    """Return which paths' optima make the group: one by one the profile that lowers the mean cost over all paths most.

    ``prices`` and ``bought_kwh`` have shape (path, step), ``beside`` (path,) is what a day costs beside the market.
    """
    cost = prices @ bought_kwh.T + beside
    best, found = np.full(len(prices), np.inf), list[int]()
    for _ in range(min(count, len(prices))):
        mean = np.minimum(best[:, None], cost).mean(axis=0)
        place = int(mean.argmin())
        if found and mean[place] >= best.mean() - 1e-9 * abs(best.mean()):
            break
        found.append(place)
        best = np.minimum(best, cost[:, place])
    return np.array(found)


def profile_offers(
    prices: Floats, bought_kwh: Floats, beside: Floats, *, count: int, group: str
) -> tuple[ProfileOffer, ...]:
    """Return the group as offers in whole watt-hours and millionths of the currency."""
    return tuple(
        ProfileOffer(tuple(round(-q * KILO) for q in bought_kwh[k].tolist()), round(float(beside[k]) * MICRO), group)
        for k in chosen(prices, bought_kwh, beside, count).tolist()
    )
