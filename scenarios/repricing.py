"""Contracts that change while a site is operated: which prices move, and by how much."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from models.errors import DataError
from models.findings import error
from models.horizon import Horizon
from models.site import AnyContract, Site
from scenarios.costs import prices_per_kwh

PRICE_SHARE = 0.02
"""Prices that move by more than this share of themselves, anywhere in the plan in force, are worth a new plan at once."""


def under(site: Site, contracts: Sequence[AnyContract]) -> Site:
    """Return the site under these contracts, which replace those of the same id.

    Raises
    ------
    DataError
        If the site has no contract of an id, or one of another kind; each is named.
    """
    kinds = {c.id: c.kind for c in site.contracts}
    wrong = [
        error(f"contracts[{c.id}]", f"the site has no {c.kind} contract of this id; it has {', '.join(sorted(kinds))}")
        for c in contracts
        if kinds.get(c.id) != c.kind
    ]
    if wrong:
        raise DataError(wrong)
    new = {c.id: c for c in contracts}
    return replace(site, contracts=tuple(new.get(c.id, c) for c in site.contracts))


def moved_prices(before: Site, after: Site, horizon: Horizon, now: datetime) -> list[str]:
    """Return, in words, the prices that differ by more than ``PRICE_SHARE`` in the steps of a horizon that are not over at ``now``."""
    ahead = np.array([end > now for end in horizon.edges[1:]])
    old, new = prices_per_kwh(before, horizon), prices_per_kwh(after, horizon)
    by = {name: np.abs(new[name] - old[name])[ahead] for name in old}
    return [
        f"{name} by up to {float(moved.max()):.3g} {after.currency}/kWh"
        for name, moved in by.items()
        if (moved > PRICE_SHARE * np.abs(old[name][ahead])).any()
    ]
