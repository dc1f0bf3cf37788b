"""Does the plant follow? What parts from the plan asks for a new one, and what a unit has shown that it cannot do is not planned with."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import xarray as xr

from models.dispatch import Plan
from models.findings import Finding
from models.horizon import HOUR, Horizon
from models.limits import power_range_kw
from models.ports import Receipt
from models.site import Site
from models.state import Snapshot
from scenarios.events import PlantTracked
from twin.track import Tracker, size_kw

CALM = timedelta(minutes=5)
"""Between two plans lies so long at least, however much parts from them: devices need time to do what they are told."""
BELIEVED = HOUR
"""So long a unit that did less than it was told is planned with what it did; then it is tried again."""
NEARLY_ALL_SHARE = 0.98


class Following:
    """Compares planned, commanded, read back and done, and remembers what units cannot do."""

    def __init__(self, site: Site) -> None:
        self.tracker = Tracker(site)
        self._site = site
        self._able: dict[str, tuple[float, datetime]] = {}
        """Asset → share of its size that it does, and until when this is believed."""

    def plan(self, plan: Plan) -> None:
        """Take the plan in force."""
        self.tracker.plan(plan)

    def receipts(self, receipts: Iterable[Receipt]) -> None:
        """Take what became of commands."""
        self.tracker.receipts(receipts)

    def observe(self, snapshot: Snapshot, planned_at: datetime | None) -> PlantTracked:
        """Return what has parted from the plan by now, and whether it asks for a new one."""
        request = self.tracker.observe(snapshot)
        for finding in self.tracker.unfollowed:
            self._learn(finding, snapshot.at)
        calm = planned_at is not None and snapshot.at - planned_at < CALM
        return PlantTracked(snapshot.at, self.tracker.apart, None if calm else request)

    def available_share(self, horizon: Horizon) -> xr.DataArray | None:
        """Return what the units can do in every step, dims (asset, time); None while all of them can do everything."""
        self._able = {a: (s, until) for a, (s, until) in self._able.items() if until > horizon.start}
        if not self._able:
            return None
        starts = horizon.edges[:-1]
        rows = [[share if at < until else 1.0 for at in starts] for share, until in self._able.values()]
        return xr.DataArray(
            np.array(rows), {"asset": list(self._able), "time": horizon.times}, ("asset", "time"), "available_share"
        )

    def _learn(self, finding: Finding, at: datetime) -> None:
        """Believe a unit that did less than it was told; one that does more is only told again."""
        done, told = finding.value, finding.limit
        asset = next((a for a in self._site.assets if a.id == finding.place), None)
        if asset is None or done is None or told is None or not self.tracker.commanded(asset.id):
            return
        size = size_kw(power_range_kw(asset))
        if size > 0 and abs(done) < NEARLY_ALL_SHARE * abs(told):
            share = 0.0 if done * told <= 0 else min(abs(done) / size, 1.0)
            self._able[asset.id] = share, at + BELIEVED
