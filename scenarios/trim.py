"""The fast trim below a plan: between two plans batteries and engines follow what loads, sun and wind do by the minute.

Where the site's own sun just covers its load, a quarter-hour that buys nothing on average imports for some minutes and exports for the
next ones, and a bill counts both. A battery that takes up part of the difference, a minute late, saves a fifth of that where the plan
knew the quarter-hour and a third where it did not. What it cannot take up, running engines leave out: what they burn costs more than
what is sent out earns.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from models.carriers import Carrier
from models.components import Battery, Chp
from models.horizon import HOUR, QUARTER
from models.site import Site
from scenarios.measured import Measured

E = Carrier.ELECTRICITY
NOTHING_KW = 50.0
"""A plan that buys or sells less than this means to do neither."""
FOLLOWED_SHARE = 0.7
"""Part of what was seen a minute ago that is followed: the whole of it would add to what has changed since."""
EVERY = timedelta(minutes=1)
"""Units are moved no oftener: import and units are read one after the other, and a second look at old readings would make them swing."""


class Trim:
    """Moves set-points so that nothing is sent out that the plan did not mean to sell, and nothing bought where it meant to buy none."""

    def __init__(self, site: Site) -> None:
        self._batteries = site.of_kind(Battery)
        self._engines = site.of_kind(Chp)
        self._last: tuple[datetime, Mapping[str, float], dict[str, float]] | None = None

    def adjusted(
        self, planned_kw: Mapping[str, float], seen: Measured, import_kw: float, planned_import_kw: float
    ) -> dict[str, float]:
        """Return the set-points, with batteries moved as far as they can hold it for a quarter-hour and engines no lower than they run.

        Where the plan buys nothing, the import is kept there both ways; where it buys, only what would be sent out is taken up. A plan
        that sells is left alone: its batteries are full, or kept for later.
        """
        if self._last is not None:
            at, before, told = self._last
            if before == planned_kw and seen.at - at < EVERY:
                return dict(told)
        found = dict(planned_kw)
        if planned_import_kw >= -NOTHING_KW:
            self._move(found, self._missing_kw(planned_kw, seen, import_kw, planned_import_kw), seen)
        self._last = seen.at, dict(planned_kw), found
        return dict(found)

    def _missing_kw(
        self, planned_kw: Mapping[str, float], seen: Measured, import_kw: float, planned_import_kw: float
    ) -> float:
        """Return how much more than planned batteries and engines should give; negative where they give too much."""
        units = [u.id for u in (*self._batteries, *self._engines) if u.id in planned_kw]
        missing_kw = import_kw + sum(seen.power_kw(u, E) - planned_kw[u] for u in units)
        if planned_import_kw > NOTHING_KW:
            return FOLLOWED_SHARE * min(missing_kw, 0.0)
        return FOLLOWED_SHARE * (missing_kw - max(planned_import_kw, 0.0))

    def _move(self, found: dict[str, float], missing_kw: float, seen: Measured) -> None:
        """Let batteries give what is missing or take what is too much, and engines leave out what batteries cannot take.

        A battery that is not meant to give stops taking at most: to give and be filled again costs more than the minutes are worth.
        """
        for battery in self._batteries:
            if battery.id in found:
                low, high = battery.power_range_kw(seen.stored_kwh(battery.id), QUARTER / HOUR)
                high = high if found[battery.id] > 0.0 else 0.0
                told_kw = min(max(found[battery.id] + missing_kw, low), high)
                missing_kw -= told_kw - found[battery.id]
                found[battery.id] = told_kw
        for engine in self._engines:
            spare_kw = found.get(engine.id, 0.0) - engine.power_min_kw
            if spare_kw > 0.0 and missing_kw < 0.0:
                left_out_kw = min(spare_kw, -missing_kw)
                found[engine.id] -= left_out_kw
                missing_kw += left_out_kw
