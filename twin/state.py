"""Snapshots and trajectories: building them from plain figures and reading them back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import Carrier
from models.components import EvFleet, FlexibleLoad, Store
from models.horizon import to_index
from models.ports import Quality
from models.site import Site
from models.state import Snapshot, TagState, UnitState
from models.station import Port

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Which asset and carrier stands where in the arrays of a site; made once."""

    assets: tuple[str, ...]
    carriers: tuple[Carrier, ...]
    ports: tuple[Port, ...]
    """Every (asset, carrier) that exists, water left out."""
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    keepers: tuple[str, ...]
    """Stores, flexible loads and fleets: what has a figure in ``stored_kwh``."""
    empty_power: xr.DataArray
    empty_stored: xr.DataArray
    """Labelled arrays to copy: labelling anew costs ten times as much."""

    @classmethod
    def of(cls, site: Site) -> "Layout":
        """Return the layout of a site."""
        assets = tuple(a.id for a in site.assets)
        carriers = tuple(c for c in site.carriers if c is not Carrier.WATER)
        ports = tuple((a.id, c) for a in site.assets for c in a.ports() if c in carriers)
        place = {a: i for i, a in enumerate(assets)}
        column = {c: i for i, c in enumerate(carriers)}
        keepers = tuple(a.id for a in site.assets if isinstance(a, Store | FlexibleLoad | EvFleet))
        shape = len(assets), len(carriers)
        coords = {"asset": list(assets), "carrier": [c.value for c in carriers]}
        return cls(
            assets,
            carriers,
            ports,
            np.array([place[a] for a, _ in ports], dtype=np.intp),
            np.array([column[c] for _, c in ports], dtype=np.intp),
            keepers,
            xr.DataArray(np.full(shape, np.nan), coords, ("asset", "carrier"), "power_kw"),
            xr.DataArray(np.zeros(len(keepers)), {"asset": list(keepers)}, ("asset",), "stored_kwh"),
        )

    def power_array(self, power_kw: Mapping[Port, float]) -> xr.DataArray:
        """Return powers as (asset, carrier); NaN where an asset has no port, 0 where a port's power is not given."""
        values = np.full((len(self.assets), len(self.carriers)), np.nan)
        values[self.rows, self.columns] = [power_kw.get(p, 0.0) for p in self.ports]
        return self.empty_power.copy(deep=False, data=values)

    def stored_array(self, stored_kwh: Mapping[str, float]) -> xr.DataArray:
        """Return stored energy as (asset,) over everything that keeps energy; 0 where it is not given."""
        values = np.array([stored_kwh.get(k, 0.0) for k in self.keepers], dtype=float)
        return self.empty_stored.copy(deep=False, data=values)

    def power_over_time(
        self, power_kw: Mapping[Port, FloatArray], times: Sequence[object] | npt.NDArray[np.generic]
    ) -> xr.DataArray:
        """Return power series as (asset, carrier, time); 0 where an asset has no port, as in plans."""
        values = np.zeros((len(self.assets), len(self.carriers), len(times)))
        for (asset, carrier), row, column in zip(self.ports, self.rows, self.columns, strict=True):
            values[row, column] = power_kw.get((asset, carrier), 0.0)
        coords = {**self.empty_power.coords, "time": np.asarray(times)}
        return xr.DataArray(values, coords, ("asset", "carrier", "time"), "power_kw")


def build_snapshot(
    layout: Layout,
    at: datetime,
    power_kw: Mapping[Port, float],
    stored_kwh: Mapping[str, float],
    *,
    units: Mapping[str, UnitState] | None = None,
    networks: Mapping[str, xr.Dataset] | None = None,
    tags: Mapping[tuple[str, str], TagState] | None = None,
) -> Snapshot:
    """Return a snapshot from plain figures by asset and carrier."""
    return Snapshot(
        at,
        layout.power_array(power_kw),
        layout.stored_array(stored_kwh),
        units or {},
        networks=networks or {},
        tags=tags or {},
    )


def start_snapshot(
    site: Site,
    at: datetime,
    stored_share: float = 0.5,
    *,
    needs_kwh: Mapping[str, float] = MappingProxyType({}),
) -> Snapshot:
    """Return a site at rest: nothing flows, stores hold ``stored_share`` of their usable energy, shifts owe nothing.

    ``needs_kwh`` is what the vehicles that are there already still need, by fleet; nothing where it is not said. Units have stood for
    a day, so that every start is free.
    """
    stored = {s.id: s.stored_min_kwh + stored_share * (s.stored_max_kwh - s.stored_min_kwh) for s in _stores(site)}
    stored |= needs_kwh
    layout = Layout.of(site)
    return build_snapshot(layout, at, {}, stored, units={u: UnitState(False, 24.0) for u in unit_ids(site)})


def unit_ids(site: Site) -> tuple[str, ...]:
    """Return the assets that can be on or off: everything that converts one carrier into another."""
    quiet = {"grid_connection", "gas_supply", "pv", "wind", "battery", "hot_tank", "cold_store", "consumer", "meter"}
    loads = {"flexible_load", "ev_fleet"}
    return tuple(a.id for a in site.assets if a.kind not in quiet | loads)


def _stores(site: Site) -> Iterable[Store]:
    return (a for a in site.assets if isinstance(a, Store))


def powers_of(snapshot: Snapshot) -> dict[Port, float]:
    """Return a snapshot's powers by (asset, carrier), ports only."""
    values = snapshot.power_kw.transpose("asset", "carrier").to_numpy()
    assets = [str(a) for a in snapshot.power_kw["asset"].to_numpy()]
    carriers = [Carrier(str(c)) for c in snapshot.power_kw["carrier"].to_numpy()]
    return {(assets[i], carriers[j]): float(values[i, j]) for i, j in zip(*np.nonzero(~np.isnan(values)), strict=True)}


def stored_of(snapshot: Snapshot) -> dict[str, float]:
    """Return a snapshot's stored energy by asset."""
    names = [str(a) for a in snapshot.stored_kwh["asset"].to_numpy()]
    return dict(zip(names, snapshot.stored_kwh.to_numpy().tolist(), strict=True))


def next_units(
    site: Site, before: Mapping[str, UnitState], running: Mapping[str, bool], step_h: float
) -> dict[str, UnitState]:
    """Return each unit's state after ``step_h`` hours in which it ran or stood; a unit that changed starts counting anew."""
    after = {}
    for unit in unit_ids(site):
        old = before.get(unit)
        now = running.get(unit, False)
        kept = old is not None and old.running == now
        after[unit] = UnitState(now, (old.hours_in_state if kept and old else 0.0) + step_h)
    return after


def trajectory(snapshots: Sequence[Snapshot]) -> xr.Dataset:
    """Return snapshots in a row: ``power_kw`` (asset, carrier, time) and ``stored_kwh`` (keeper, time).

    ``doubtful`` counts, per time, the values that were late, frozen or filled in.
    """
    times = [to_index(s.at) for s in snapshots]
    power = np.stack([s.power_kw.to_numpy() for s in snapshots], axis=-1)
    stored = np.stack([s.stored_kwh.to_numpy() for s in snapshots], axis=-1)
    doubtful = [sum(t.quality is not Quality.GOOD for t in s.tags.values()) for s in snapshots]
    first = snapshots[0]
    return xr.Dataset(
        {
            "power_kw": (("asset", "carrier", "time"), power),
            "stored_kwh": (("keeper", "time"), stored),
            "doubtful": ("time", doubtful),
        },
        coords={
            "asset": first.power_kw["asset"].to_numpy(),
            "carrier": first.power_kw["carrier"].to_numpy(),
            "keeper": first.stored_kwh["asset"].to_numpy(),
            "time": times,
        },
    )
