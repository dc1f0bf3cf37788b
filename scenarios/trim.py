"""The fast trim below a plan that buys nothing: between two plans batteries follow what loads, sun and wind do by the minute.

Where the site's own sun just covers its load, a quarter-hour that buys nothing on average imports for some minutes and exports for the
next ones, and a bill counts both. A battery that takes up the difference, a minute late, saves most of that; over the quarter-hour it
gives as much as it takes.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from models.carriers import Carrier
from models.components import Battery
from models.horizon import HOUR, QUARTER
from models.site import Site
from scenarios.measured import Measured

E = Carrier.ELECTRICITY
NOTHING_KW = 50.0
"""A plan that buys or sells less than this means to do neither."""
EVERY = timedelta(minutes=1)
"""Batteries are moved no oftener: import and battery are read one after the other, and a second look at old readings would make them swing."""


class Trim:
    """Moves the set-points of batteries so that the import stays where the plan wants none."""

    def __init__(self, site: Site) -> None:
        self._batteries = site.of_kind(Battery)
        self._last: tuple[datetime, Mapping[str, float], dict[str, float]] | None = None

    def adjusted(
        self, planned_kw: Mapping[str, float], seen: Measured, import_kw: float, planned_import_kw: float
    ) -> dict[str, float]:
        """Return the set-points, with batteries moved as far as they can hold it for a quarter-hour.

        Where the plan buys nothing, batteries keep it there both ways; where it buys, they only take up what would be sent out. A plan
        that sells is left alone: its batteries are full, or kept for later.
        """
        if self._last is not None:
            at, before, told = self._last
            if before == planned_kw and seen.at - at < EVERY:
                return dict(told)
        found = self._moved(planned_kw, seen, import_kw, planned_import_kw)
        self._last = seen.at, dict(planned_kw), found
        return dict(found)

    def _moved(
        self, planned_kw: Mapping[str, float], seen: Measured, import_kw: float, planned_import_kw: float
    ) -> dict[str, float]:
        found = dict(planned_kw)
        batteries = [b for b in self._batteries if b.id in planned_kw]
        if not batteries or planned_import_kw < -NOTHING_KW:
            return found
        wanted_kw = sum(planned_kw[b.id] for b in batteries)
        drawn_kw = import_kw + sum(seen.power_kw(b.id, E) for b in batteries)
        moved_kw = drawn_kw - max(planned_import_kw, 0.0) - wanted_kw
        if planned_import_kw > NOTHING_KW:
            moved_kw = min(drawn_kw - wanted_kw, 0.0)
        for battery in batteries:
            low, high = battery.power_range_kw(seen.stored_kwh(battery.id), QUARTER / HOUR)
            found[battery.id] = min(max(planned_kw[battery.id] + moved_kw, low), high)
            moved_kw -= found[battery.id] - planned_kw[battery.id]
        return found
