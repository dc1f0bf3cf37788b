"""How much a customer's years differ, learnt from other customers: what one year of data cannot show and an honest interval needs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import error

Floats = npt.NDArray[np.float64]
LEAST_PAIRS = 20
COMMON_UNKNOWN = 0.02
"""Taken for the common part where only one pair of years is known, which cannot show it."""
USUAL_SWING = 1.4
"""1 if next year had the metered year's weather; more, as it has not. The middle of what made-up customers at eight places teach, 1.2 to 1.6."""


@dataclass(frozen=True, slots=True)
class BetweenYears:
    """The logarithm of next year's load over this year's: ``drift``, what moves all customers and what moves each (standard deviations).

    ``swing`` is how much of what a metered year's own weeks can differ by comes on top, because the metered year was one of many too.
    ``customers`` and ``pairs`` say how many of each it was learnt from; 0 where nothing was learnt.
    """

    drift: float
    common_sd: float
    own_sd: float
    customers: int = 0
    pairs: int = 0
    swing: float = USUAL_SWING


ASSUMED = BetweenYears(drift=0.01, common_sd=0.02, own_sd=0.055)
"""Where no other customers' years are known; stated in the proof."""


def learnt(yearly_kwh: Floats) -> BetweenYears:
    """Return the between-year terms of customers whose sums over two or more years are known, shape (customer, year).

    Spreads are scaled medians of absolute deviations, so that a closed plant or a new hall does not widen everybody's interval.

    Raises
    ------
    DataError
        If there are fewer than 20 pairs of years, or a sum is not positive.
    """
    if yearly_kwh.ndim != 2 or yearly_kwh.shape[1] < 2 or (yearly_kwh.shape[1] - 1) * len(yearly_kwh) < LEAST_PAIRS:
        raise DataError([error("yearly_kwh", f"has shape {yearly_kwh.shape}; needs 20 pairs of years at least")])
    if not (yearly_kwh > 0).all():
        raise DataError([error("yearly_kwh", "holds sums that are not positive; leave those customers out")])
    steps = np.diff(np.log(yearly_kwh), axis=1)
    middle = np.median(steps, axis=0)
    own = _spread(steps - middle)
    common = float(middle.std(ddof=1)) if len(middle) > 1 else COMMON_UNKNOWN
    # a median over n customers carries own / sqrt(n) of their own movements
    common = float(np.sqrt(max(common**2 - own**2 * np.pi / 2 / len(steps), 0.0)))
    return BetweenYears(float(middle.mean()), common, own, len(steps), len(middle))


def _spread(values: Floats) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
