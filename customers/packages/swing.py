"""How far a customer's next year lies from what its metered year says, learnt from customers of whom both are known."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from customers.packages.proof import own_year, weeks_near
from customers.packages.variants import Bench, Simulated
from models.errors import DataError
from models.findings import error

Floats = npt.NDArray[np.float64]
LEAST = 20
REPLICATES = 60


def learnt_swing(metered: Sequence[tuple[Bench, Simulated]], next_kw: Sequence[Floats]) -> float:
    """Return the ``swing`` of :class:`BetweenYears` from other customers' designs in a metered year and their loads in the next one.

    The next year is brought to the metered year's level, so that only its weeks and their peaks differ. Its distance from the metered
    year's mean, in spreads of the metered year's own weeks, holds both years' differences; the next year's own is taken out. The spread is
    a scaled median of absolute deviations.

    Raises
    ------
    DataError
        If there are fewer than 20 customers.
    """
    if len(metered) < LEAST:
        raise DataError(
            [error("others", f"are {len(metered)} customers; what years differ by is learnt from {LEAST} at least")]
        )
    away = np.array([_away(b, s, kw) for (b, s), kw in zip(metered, next_kw, strict=True)])
    spread = 1.4826 * float(np.median(np.abs(away - np.median(away))))
    return float(np.sqrt(max(spread**2 - 1.0, 0.0)))


def _away(bench: Bench, simulated: Simulated, next_kw: Floats) -> float:
    """Return how far the next year's saving is from the metered year's, in spreads of the metered year's own weeks."""
    own = own_year(bench, simulated, weeks_near(np.random.default_rng(7), bench.weeks, REPLICATES))
    level = float(bench.load_kw.sum() / next_kw.sum())
    more = bench.year_saved(simulated, next_kw * level) - bench.year_saved(simulated, bench.load_kw)
    return more / max(float(own.std(ddof=1)), 1e-9)
