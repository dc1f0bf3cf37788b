"""What the site did: energies by asset and carrier in equal bins of time, bounded, and what its stores held."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import ENERGY_CARRIERS, Carrier
from models.dispatch import Plan
from models.site import Site
from models.state import Snapshot

Array = npt.NDArray[np.float64]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BIN = timedelta(minutes=5)
LONGEST_GAP = timedelta(minutes=15)
"""Two snapshots further apart than this are not joined: nobody knows what happened between them."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of bins.

    ``starts`` are the bins' starts; ``fed_kwh`` and ``drawn_kwh`` (never negative) and ``mean_kw`` have the shape (bin, asset, carrier),
    ``stored_kwh`` (bin, asset) is what was held last in the bin. ``seen_h`` is how much of each bin was measured; where it is 0 the
    means and contents are NaN.
    """

    starts: tuple[datetime, ...]
    seen_h: Array
    fed_kwh: Array
    drawn_kwh: Array
    stored_kwh: Array

    @property
    def mean_kw(self) -> Array:
        """Mean power of every bin over the time that was measured."""
        hours = np.where(self.seen_h > 0, self.seen_h, np.nan)[:, None, None]
        return (self.fed_kwh - self.drawn_kwh) / hours


class History:
    """Energies of the last days in bins of five minutes; may be written by one thread and read by others."""

    def __init__(self, site: Site, kept: timedelta = timedelta(days=2)) -> None:
        self.assets: tuple[str, ...] = tuple(a.id for a in site.assets)
        self.carriers: tuple[Carrier, ...] = ENERGY_CARRIERS
        self._row = {name: i for i, name in enumerate(self.assets)}
        self._count = kept // BIN
        self._lock = threading.Lock()
        shape = (self._count, len(self.assets), len(self.carriers))
        self._number = np.full(self._count, -1, dtype=np.int64)
        self._seen_h = np.zeros(self._count)
        self._fed, self._drawn = np.zeros(shape), np.zeros(shape)
        self._stored = np.full(shape[:2], np.nan)
        self._last: tuple[datetime, Array] | None = None

    def add(self, snapshot: Snapshot) -> None:
        """Count the energy since the last snapshot, as a straight line between the two; going back in time is ignored."""
        power = self.matrix(snapshot.power_kw)
        stored = self._stored_row(snapshot.stored_kwh)
        with self._lock:
            if self._last is not None and snapshot.at <= self._last[0]:
                return
            if self._last is not None and snapshot.at - self._last[0] <= LONGEST_GAP:
                self._count_energy(self._last[0], snapshot.at, (self._last[1] + power) / 2.0)
            slot = self._slot(snapshot.at)
            self._stored[slot] = np.where(np.isfinite(stored), stored, self._stored[slot])
            self._last = (snapshot.at, power)

    def matrix(self, power_kw: xr.DataArray) -> Array:
        """Return powers as (asset, carrier) in this history's order, 0 where there is no port or no value."""
        aligned = power_kw.reindex(asset=list(self.assets), carrier=[c.value for c in self.carriers])
        values: Array = np.asarray(aligned.transpose("asset", "carrier").to_numpy(), dtype=float)
        return np.nan_to_num(values)

    def plan_arrays(self, plan: Plan) -> tuple[Array, Array]:
        """Return a plan's powers as (step, asset, carrier) and its stored energy as (step, asset), NaN where nothing is stored."""
        names, carriers = list(self.assets), [c.value for c in self.carriers]
        power = plan.power_kw.reindex(asset=names, carrier=carriers).transpose("time", "asset", "carrier")
        stored = plan.stored_kwh.reindex(asset=names).transpose("time", "asset")
        return np.nan_to_num(np.asarray(power.to_numpy(), dtype=float)), np.asarray(stored.to_numpy(), dtype=float)

    def span(self, start: datetime, end: datetime) -> Span:
        """Return every bin that starts in ``start <= t < end``, measured or not, as copies."""
        last = _first_bin_from(end)
        first = max(_first_bin_from(start), last - self._count)
        numbers = np.arange(first, max(last, first))
        slots = numbers % self._count
        with self._lock:
            known = self._number[slots] == numbers
            seen = np.where(known, self._seen_h[slots], 0.0)
            keep = known[:, None, None]
            fed, drawn = np.where(keep, self._fed[slots], 0.0), np.where(keep, self._drawn[slots], 0.0)
            stored = np.where(known[:, None], self._stored[slots], np.nan)
        starts = tuple(EPOCH + int(n) * BIN for n in numbers)
        return Span(starts, seen, fed, drawn, stored)

    def _count_energy(self, start: datetime, end: datetime, mean_kw: Array) -> None:
        while start < end:
            until = min(end, EPOCH + ((start - EPOCH) // BIN + 1) * BIN)
            hours = (until - start) / timedelta(hours=1)
            slot = self._slot(start)
            self._seen_h[slot] += hours
            self._fed[slot] += np.clip(mean_kw, 0.0, None) * hours
            self._drawn[slot] += np.clip(-mean_kw, 0.0, None) * hours
            start = until

    def _slot(self, instant: datetime) -> int:
        """Return the ring's place for an instant, emptied when it last held another bin."""
        number = (instant - EPOCH) // BIN
        slot = number % self._count
        if self._number[slot] != number:
            self._number[slot] = number
            self._seen_h[slot] = self._fed[slot] = self._drawn[slot] = 0.0
            self._stored[slot] = np.nan
        return slot

    def _stored_row(self, stored_kwh: xr.DataArray) -> Array:
        aligned = stored_kwh.reindex(asset=list(self.assets)).to_numpy()
        return np.asarray(aligned, dtype=float)


def _first_bin_from(instant: datetime) -> int:
    """Return the number of the first bin that does not start before an instant."""
    return -((EPOCH - instant) // BIN)
