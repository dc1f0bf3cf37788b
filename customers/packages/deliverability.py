"""Deliverability: packages at their customers' buses, every hour of the year replayed on the electric network with the batch power flow."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from customers.packages.design import Bundle
from customers.packages.variants import Bench
from models.carriers import Carrier
from models.components import Consumer, FlexibleLoad, Pv, Wind
from models.errors import DataError
from models.findings import error
from models.networks.data import ElectricNetwork
from models.networks.electricity import solve_electricity
from models.site import Site
from models.site.profiles import load_profiles

Floats = npt.NDArray[np.float64]
LOADED = 1.0
"""Share of a branch's thermal limit."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A year of one network: hours in which a voltage or a branch is beyond its limit, the worst of both, and losses."""

    hours: int
    unsolved: int
    beyond: int
    highest_vm_pu: float
    lowest_vm_pu: float
    highest_loading: float
    loaded_branch: str
    loss_kwh: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """The network without and with packages; ``deliverable`` where they bring no hour beyond a limit."""

    before: Replay
    after: Replay
    buses: tuple[str, ...]

    @property
    def deliverable(self) -> bool:
        """Whether the packages bring no further hour in which something is beyond its limit, and every hour is solved."""
        return self.after.beyond <= self.before.beyond and self.after.unsolved <= self.before.unsolved


def check_delivery(site: Site, fed_kw: Mapping[str, Floats]) -> Delivery:
    """Replay a site's year with what packages feed in beside their customers' loads, by bus, shape (hour,), positive feeds.

    Loads and renewables follow the site's profiles; machines of an energy station, whose plan is not known a year ahead, stand still.

    Raises
    ------
    DataError
        If the site has no electric network, a bus is not in it, or a series is not as long as the profiles.
    """
    table = load_profiles(site)
    if not site.networks.electricity:
        raise DataError(
            [error("networks.electricity", "is empty; without a network nothing can be proven deliverable")]
        )
    network = site.networks.electricity[0]
    names = [b.id for b in network.buses]
    wrong = [error(b, f"is no bus of {network.id}; known are {', '.join(names)}") for b in fed_kw if b not in names]
    wrong += [error(b, f"has {len(v)} hours, the site {len(table)}") for b, v in fed_kw.items() if len(v) != len(table)]
    if wrong:
        raise DataError(wrong)
    power, reactive = _as_it_is(site, table, names)
    before = _replay(network, power, reactive)
    for bus, fed in fed_kw.items():
        power[names.index(bus)] += fed
    return Delivery(before, _replay(network, power, reactive), tuple(fed_kw))


def _as_it_is(site: Site, table: pd.DataFrame, names: list[str]) -> tuple[Floats, Floats]:
    """Return what is fed into every bus now, real and reactive; shape (bus, hour)."""
    power, reactive = np.zeros((2, len(names), len(table)))

    def add(bus: str, kw: Floats, tan_phi: float = 0.0) -> None:
        if bus in names:
            power[names.index(bus)] += kw
            reactive[names.index(bus)] += kw * tan_phi

    for consumer in site.of_kind(Consumer):
        for d in consumer.demands:
            if d.carrier is Carrier.ELECTRICITY:
                add(d.node, -d.scale * table[d.profile].to_numpy(dtype=np.float64), d.tan_phi)
    for load in site.of_kind(FlexibleLoad):
        add(load.electricity_node, -load.scale * table[load.profile].to_numpy(dtype=np.float64))
    for field in site.of_kind(Pv):
        add(field.electricity_node, field.available_kw(table[field.profile].to_numpy(dtype=np.float64)))
    for turbine in site.of_kind(Wind):
        add(turbine.electricity_node, turbine.available_kw(table[turbine.profile].to_numpy(dtype=np.float64)))
    return power, reactive


def _replay(network: ElectricNetwork, power: Floats, reactive: Floats) -> Replay:
    coords = {"bus": [b.id for b in network.buses], "time": np.arange(power.shape[1])}
    flow = solve_electricity(network, *(xr.DataArray(a, coords, ("bus", "time")) for a in (power, reactive)))
    vm = flow["vm_pu"].sel(bus=coords["bus"]).transpose("bus", "time").to_numpy()
    low, high = (
        np.array([getattr(b, f"vm_{side}_pu") for b in network.buses])[:, np.newaxis] for side in ("min", "max")
    )
    loading = flow["loading_share"].transpose("branch", "time").to_numpy()
    beyond = ((vm < low) | (vm > high)).any(axis=0) | (loading > LOADED).any(axis=0)
    branch = int(np.nanargmax(np.nanmax(loading, axis=1)))
    return Replay(
        power.shape[1],
        int((flow["status"].to_numpy() != 0).sum()),
        int(beyond.sum()),
        float(np.nanmax(vm)),
        float(np.nanmin(vm)),
        float(np.nanmax(loading)),
        str(flow["branch"].to_numpy()[branch]),
        float(np.nansum(flow["loss_kw"].to_numpy())),
    )


def fed_by(bench: Bench, bundle: Bundle, hours: int) -> Floats:
    """Return what a bundle feeds in beside the load, hour by hour: of each hour's intervals the one that moves the network most; shape (hour,)."""
    moved = bench.load_kw - bundle.simulated.net_kw
    per_hour = moved[: hours * (len(moved) // hours)].reshape(hours, -1)
    return np.asarray(per_hour[np.arange(hours), np.abs(per_hour).argmax(axis=1)])
