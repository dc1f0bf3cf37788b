"""What forecast errors ask of a plan: how far below the peak to stay."""

from collections.abc import Iterable, Mapping

import numpy as np

from models.carriers import Carrier
from models.components import Consumer, FlexibleLoad, Pv, Wind
from models.forecast.own import OwnForecaster
from models.forecast.recent import signs
from models.site import Site

SURE_SHARE = 0.8
"""A margin covers so many of the errors of a quarter-hour."""


def import_weights(site: Site) -> dict[str, float]:
    """Return by how many kW the import moves when a series moves by one of its units and nobody acts."""
    found: dict[str, float] = {}

    def add(parts: Iterable[tuple[str, float]]) -> None:
        for name, weight in parts:
            found[name] = found.get(name, 0.0) + weight

    electric = (d for c in site.of_kind(Consumer) for d in c.demands if d.carrier is Carrier.ELECTRICITY)
    add((d.profile, d.scale) for d in electric)
    add((load.profile, load.scale) for load in site.of_kind(FlexibleLoad))
    add((pv.profile, -pv.peak_kw) for pv in site.of_kind(Pv))
    add((wind.profile, -wind.rated_kw) for wind in site.of_kind(Wind))
    return found


def net_margin_kw(forecaster: OwnForecaster, weights: Mapping[str, float], sure_share: float = SURE_SHARE) -> float:
    """Return what the net load of the next quarter-hour exceeded its forecast by in the last weeks, in all but the worst cases."""
    errors = forecaster.recent_errors()
    seen = signs(errors)[:, :-1]
    left = errors[:, 1:] - np.einsum("sqk,sk->sq", seen, forecaster.trained.memory.weights[:, 0])
    share = np.array([weights.get(name, 0.0) for name in forecaster.trained.names])
    net = np.nan_to_num(left).T @ share
    return max(float(np.quantile(net, sure_share)), 0.0) if net.size else 0.0
