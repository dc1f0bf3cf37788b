"""A plant's own log: what really happened, step by step, for judging a run afterwards."""

from collections import deque
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from models.carriers import ENERGY_CARRIERS, Carrier
from models.horizon import to_index
from models.site import Site
from models.station import Balance, Port

Array = npt.NDArray[np.float64]
DAYS_KEPT = 31


class TruthLog:
    """Every balance of a plant in equal steps, over the last ``days_kept`` days."""

    def __init__(self, site: Site, start: datetime, step_s: float, *, days_kept: float = DAYS_KEPT) -> None:
        self.step_s = step_s
        self._first = start
        self._assets = [a.id for a in site.assets]
        self._ports: list[Port] = [(a.id, c) for a in site.assets for c in a.ports()]
        self._kept: list[str] = []
        self._rows: deque[Array] = deque(maxlen=round(days_kept * 86400 / step_s))

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, balance: Balance) -> None:
        """Add the balance of one more step."""
        if not self._rows:
            self._kept = sorted(balance.stored_kwh)
        if len(self._rows) == self._rows.maxlen:
            self._first += timedelta(seconds=self.step_s)
        ports = self._ports
        parts = (balance.power_kw, balance.unserved_kw, balance.dumped_kw)
        row = [part.get(p, 0.0) for part in parts for p in ports]
        row += [balance.losses_kw.get(c, 0.0) for c in ENERGY_CARRIERS]
        row += [balance.stored_kwh[k] for k in self._kept]
        self._rows.append(np.array(row))

    def dataset(self) -> xr.Dataset:
        """Return the log.

        ``power_kw``, ``unserved_kw``, ``dumped_kw`` have dims (asset, carrier, time), 0 where an asset has no port; water is in m3/h.
        Powers are what went through the ports: demand that was cut and heat that was blown off stand beside them, not in them.
        ``losses_kw`` has dims (carrier, time), ``stored_kwh`` (asset, time), at the end of each step. ``time`` is each step's start.
        """
        table = np.array(list(self._rows)).reshape(len(self._rows), -1).T
        count, carriers = len(self._ports), list(Carrier)
        times = pd.date_range(to_index(self._first), periods=len(self._rows), freq=pd.Timedelta(seconds=self.step_s))
        coords = {"asset": self._assets, "carrier": [c.value for c in carriers], "time": times}
        data = {
            name: (("asset", "carrier", "time"), self._cube(table[k * count : (k + 1) * count]))
            for k, name in enumerate(("power_kw", "unserved_kw", "dumped_kw"))
        }
        losses = np.zeros((len(carriers), len(times)))
        losses[: len(ENERGY_CARRIERS)] = table[3 * count : 3 * count + len(ENERGY_CARRIERS)]
        stored = np.full((len(self._assets), len(times)), np.nan)
        stored[[self._assets.index(k) for k in self._kept]] = table[3 * count + len(ENERGY_CARRIERS) :]
        return xr.Dataset(
            {**data, "losses_kw": (("carrier", "time"), losses), "stored_kwh": (("asset", "time"), stored)}, coords
        )

    def _cube(self, values: Array) -> Array:
        carriers = list(Carrier)
        cube = np.zeros((len(self._assets), len(carriers), values.shape[1]))
        for (asset, carrier), row in zip(self._ports, values, strict=True):
            cube[self._assets.index(asset), carriers.index(carrier)] = row
        return cube
