"""Deliverability: packages at their customers' buses, every hour of the year replayed on the electric network with the batch power flow."""

from collections.abc import Iterable, Mapping
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
ABSORBED_PER_KW = 0.329
"""Reactive power that inverters of photovoltaics absorb per kW they feed, power factor 0.95: less than the 44 % of the rating of IEEE 1547-2018, category B."""


@dataclass(frozen=True, slots=True)
class Fed:
    """What packages feed in beside their customers' loads, by bus, shape (hour,): in all, and of that what their photovoltaics give."""

    power_kw: Mapping[str, Floats]
    pv_kw: Mapping[str, Floats]

    @classmethod
    def of(cls, built: Iterable[tuple[Bench, Bundle]], hours: int, most_pv_kw: float = np.inf) -> "Fed":
        """Return what bundles feed in together, with no more than ``most_pv_kw`` of photovoltaics each."""
        power, pv = dict[str, Floats](), dict[str, Floats]()
        for bench, bundle in built:
            bus, sun = bench.customer.bus, _hourly_sun(bench, hours)
            kw = bundle.simulated.variant.pv_kw
            fed = fed_by(bench, bundle, hours) - max(kw - most_pv_kw, 0.0) * sun
            power[bus] = power.get(bus, 0.0) + fed
            pv[bus] = pv.get(bus, 0.0) + min(kw, most_pv_kw) * sun
        return cls(power, pv)

    def repeated(self, hours: int) -> "Fed":
        """Return the same over so many hours, repeated or cut."""
        return Fed(*({bus: np.resize(kw, hours) for bus, kw in part.items()} for part in (self.power_kw, self.pv_kw)))


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
    """The network without and with packages; ``held`` hours in which their inverters absorb reactive power to hold a voltage."""

    before: Replay
    after: Replay
    buses: tuple[str, ...]
    held: int

    @property
    def deliverable(self) -> bool:
        """Whether the packages bring no further hour in which something is beyond its limit, and every hour is solved."""
        return self.after.beyond <= self.before.beyond and self.after.unsolved <= self.before.unsolved


def check_delivery(site: Site, fed: Fed) -> Delivery:
    """Replay a site's year with what packages feed in beside their customers' loads, positive feeds.

    Loads and renewables follow the site's profiles; machines of an energy station, whose plan is not known a year ahead, stand still. In
    hours in which a voltage would be too high, the packages' inverters absorb reactive power.

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
    wrong = [
        error(b, f"is no bus of {network.id}; known are {', '.join(names)}") for b in fed.power_kw if b not in names
    ]
    wrong += [
        error(b, f"has {len(v)} hours, the site {len(table)}") for b, v in fed.power_kw.items() if len(v) != len(table)
    ]
    if wrong:
        raise DataError(wrong)
    power, reactive = _as_it_is(site, table, names)
    before = _replay(network, _flow(network, power, reactive))
    for bus, kw in fed.power_kw.items():
        power[names.index(bus)] += kw
    flow = _flow(network, power, reactive)
    absorbed = np.zeros_like(reactive)
    for bus, kw in fed.pv_kw.items():
        absorbed[names.index(bus)] = ABSORBED_PER_KW * kw
    held = _too_high(network, flow) & (absorbed > 0).any(axis=0)
    if held.any():
        flow = _flow(network, power, reactive - absorbed * held)
    return Delivery(before, _replay(network, flow), tuple(fed.power_kw), int(held.sum()))


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


def _flow(network: ElectricNetwork, power: Floats, reactive: Floats) -> xr.Dataset:
    coords = {"bus": [b.id for b in network.buses], "time": np.arange(power.shape[1])}
    return solve_electricity(network, *(xr.DataArray(a, coords, ("bus", "time")) for a in (power, reactive)))


def _vm_pu(network: ElectricNetwork, flow: xr.Dataset) -> Floats:
    """Return the voltages, shape (bus, hour)."""
    return np.asarray(flow["vm_pu"].sel(bus=[b.id for b in network.buses]).transpose("bus", "time").to_numpy())


def _too_high(network: ElectricNetwork, flow: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return in which hours a voltage is above its limit; shape (hour,)."""
    high = np.array([b.vm_max_pu for b in network.buses])[:, np.newaxis]
    return np.asarray((_vm_pu(network, flow) > high).any(axis=0))


def _replay(network: ElectricNetwork, flow: xr.Dataset) -> Replay:
    vm, low = _vm_pu(network, flow), np.array([b.vm_min_pu for b in network.buses])[:, np.newaxis]
    loading = flow["loading_share"].transpose("branch", "time").to_numpy()
    beyond = (vm < low).any(axis=0) | _too_high(network, flow) | (loading > LOADED).any(axis=0)
    branch = int(np.nanargmax(np.nanmax(loading, axis=1)))
    return Replay(
        vm.shape[1],
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


def _hourly_sun(bench: Bench, hours: int) -> Floats:
    """Return the output of photovoltaics per kW in a typical year, mean of every hour."""
    sun = bench.sun.typical
    return np.asarray(sun[: hours * (len(sun) // hours)].reshape(hours, -1).mean(axis=1), dtype=np.float64)
