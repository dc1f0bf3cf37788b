"""The alarm that a forecaster no longer fits its site: recent errors against those of the back-test."""

import numpy as np

from models.findings import Finding, warning
from models.forecast.backtest import nan_mean
from models.forecast.grid import PER_DAY, Array
from models.forecast.own import OwnForecaster

DAYS = 7
WORSE, WORSE_THAN_NAIVE = 1.6, 1.3
"""Errors so many times those of the back-test, and those of yesterday or last week in the same days: a new season alone moves both."""
LEAST_BIAS_SHARE = 0.8
"""Errors that all go one way: the mean error over the mean size of an error."""


def drifted(forecaster: OwnForecaster) -> list[Finding]:
    """Return a warning for every series whose errors of the last week the back-test does not explain; train again then."""
    errors = forecaster.recent_errors()[:, -DAYS * PER_DAY :]
    naive = np.fmin(*(nan_mean(np.abs(forecaster.naive_errors(d)[:, -DAYS * PER_DAY :])) for d in (1, 7)))
    trained = forecaster.trained
    found = []
    for row, name in enumerate(trained.names):
        known = errors[row][np.isfinite(errors[row])]
        expected = float(trained.test.chosen_error[row])
        if known.size < PER_DAY or not np.isfinite(expected) or expected <= 0:
            continue
        size = float(np.abs(known).mean())
        limit = max(WORSE * expected, WORSE_THAN_NAIVE * float(np.nan_to_num(naive[row])))
        if size > limit:
            found.append(warning(name, _words(known, size, expected), value=size, limit=limit))
    return found


def _words(errors: Array, size: float, expected: float) -> str:
    """Return what has changed, and what to do about it."""
    bias = float(errors.mean())
    way = ""
    if abs(bias) > LEAST_BIAS_SHARE * size:
        way = ", always too low" if bias > 0 else ", always too high"
    return f"off by {size:.3g} on average over the last week{way}; the back-test promised {expected:.3g}. Train again"
