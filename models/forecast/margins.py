"""What forecast errors ask of a plan: how far below the peak to stay, and when it has been overtaken."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from models.forecast.grid import Array
from models.forecast.netload import import_weights
from models.forecast.own import OwnForecaster
from models.forecast.recent import signs
from models.site import Site

LEFT_SHARE = 0.95
"""Errors larger than so many of the past ones are outside the band."""
LEAST_KW = 20.0
"""Less than this is worth no new plan."""


class NetBand:
    """How sure the net load of a site is, from the forecaster's own errors: a margin below the peak, and when to plan anew."""

    def __init__(self, forecaster: OwnForecaster, site: Site) -> None:
        self._forecaster = forecaster
        self._weights = import_weights(site)
        self._day = ""
        self._left_kw: Array = np.zeros(0)

    def margin_kw(self) -> float:
        """Return what the net load of the next quarter-hour exceeded its forecast by in the last weeks, on average over all of them.

        So much a guard has to find anyway, quarter-hour after quarter-hour; a plan that stays further below the peak burns fuel for nothing.
        """
        left = self._left()
        return float(np.mean(np.maximum(left, 0.0))) if left.size else 0.0

    def left(self, at: datetime, present: Mapping[str, float]) -> bool:
        """Return whether what is measured now is further from the last forecast than nearly all errors of the last weeks."""
        expected = self._forecaster.last_expected(at)
        errors = self._left()
        if expected is None or not errors.size:
            return False
        off = sum(w * (present[n] - expected[n]) for n, w in self._weights.items() if n in present and n in expected)
        return abs(off) > max(float(np.quantile(np.abs(errors), LEFT_SHARE)), LEAST_KW)

    def _left(self) -> Array:
        """Return by how many kW the net load was off a quarter-hour ahead in the last weeks; looked up once a day."""
        today = f"{self._forecaster.known_until:%Y-%m-%d}"
        if today != self._day:
            self._day, self._left_kw = today, net_errors_kw(self._forecaster, self._weights)
        return self._left_kw


def net_errors_kw(forecaster: OwnForecaster, weights: Mapping[str, float]) -> Array:
    """Return the errors of the net load a quarter-hour ahead, the latest errors taken in; shape (quarter,)."""
    errors = forecaster.recent_errors()
    seen = signs(errors)[:, :-1]
    left = errors[:, 1:] - np.einsum("sqk,sk->sq", seen, forecaster.trained.memory.weights[:, 0])
    share = np.array([weights.get(name, 0.0) for name in forecaster.trained.names])
    return np.asarray(np.nan_to_num(left).T @ share, dtype=float)
