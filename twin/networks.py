"""The site's networks behind one interface: port powers in, network states and losses out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from models.carriers import Carrier
from models.components import Consumer, GridConnection
from models.horizon import QUARTER
from models.labelled import Axis, along, labelled, named
from models.networks.data import ElectricNetwork, GasNetwork, PipeNetwork
from models.site import Site
from models.station import Port

FloatArray = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class NetworkStates:
    """Every network over time, by network id, and what each carrier loses, shape (time,)."""

    states: Mapping[str, xr.Dataset] = field(default_factory=dict)
    losses_kw: Mapping[Carrier, FloatArray] = field(default_factory=dict)

    def __or__(self, other: "NetworkStates") -> "NetworkStates":
        """Return the networks of both; those of ``other`` win."""
        return NetworkStates({**self.states, **other.states}, {**self.losses_kw, **other.losses_kw})


@dataclass(frozen=True, slots=True)
class SiteNetworks:
    """All networks of a site with the ports that touch them; made once."""

    site: Site
    ports_at: Mapping[str, Mapping[str, tuple[Port, ...]]]
    """Network id → bus or junction → ports there; the connection to the public grid is the slack and left out."""
    tan_phi: Mapping[Port, float]

    @classmethod
    def of(cls, site: Site) -> "SiteNetworks":
        """Return the networks of a site."""
        factors: dict[Port, float] = {
            (a.id, d.carrier): d.tan_phi
            for a in site.of_kind(Consumer)
            for d in a.demands
            if d.carrier is Carrier.ELECTRICITY and d.power_factor < 1
        }
        return cls(site, _ports_at(site), factors)

    def pipes(
        self,
        power_kw: Mapping[Port, FloatArray],
        times: Times,
        supply_degc: Mapping[str, FloatArray] = MappingProxyType({}),
    ) -> NetworkStates:
        """Return heat and cold networks for port powers over time, shape (time,); a port that is not given draws nothing.

        Consumers decide the flows and the plant junction covers the rest, so consumers and feed-ins are enough to know the losses.
        A network with a schedule of supply temperatures, by network id, is not taken as steady: its water moves, and what it takes
        beyond the demand is below 0 while it gives back stored heat.
        """
        states: dict[str, xr.Dataset] = {}
        losses: dict[Carrier, FloatArray] = {}
        for network in (*self.site.networks.heat, *self.site.networks.cold):
            if network.id in supply_degc:
                states[network.id], lost = self.moving(network, power_kw, times, supply_degc[network.id])
            else:
                states[network.id] = state = self._pipe(network, power_kw, times)
                # a step without a solution is a finding, not a loss
                lost = np.clip(np.nan_to_num(state["loss_kw"].to_numpy()), 0.0, None)
            carrier = Carrier(network.carrier)
            losses[carrier] = losses.get(carrier, 0.0) + lost
        return NetworkStates(states, losses)

    def grids(
        self,
        power_kw: Mapping[Port, FloatArray],
        times: Times,
        reactive_kvar: Mapping[str, FloatArray] = MappingProxyType({}),
    ) -> NetworkStates:
        """Return electric, gas and water networks for port powers over time, shape (time,); every port must be given.

        ``reactive_kvar`` is what converters feed on purpose, by asset; loads bring theirs by their power factor.
        """
        return self.wires(power_kw, times, reactive_kvar) | self.mains(power_kw, times)

    def wires(
        self,
        power_kw: Mapping[Port, FloatArray],
        times: Times,
        reactive_kvar: Mapping[str, FloatArray] = MappingProxyType({}),
    ) -> NetworkStates:
        """Return the electric networks alone; see :meth:`grids`."""
        states = {n.id: self._electric(n, power_kw, times, reactive_kvar) for n in self.site.networks.electricity}
        lost = [np.nan_to_num(s["loss_kw"].to_numpy()) for s in states.values()]
        return NetworkStates(states, {Carrier.ELECTRICITY: np.sum(lost, axis=0)} if lost else {})

    def mains(self, power_kw: Mapping[Port, FloatArray], times: Times) -> NetworkStates:
        """Return the gas and water networks alone, which lose nothing; see :meth:`grids`."""
        states = {n.id: self._gas(n, power_kw, times) for n in self.site.networks.gas}
        return NetworkStates(states | {n.id: self._water(n, power_kw, times) for n in self.site.networks.water})

    def _gas(self, network: GasNetwork, power_kw: Mapping[Port, FloatArray], times: Times) -> xr.Dataset:
        from models.networks.gas import solve_gas

        at = self._net_power(network.id, power_kw, len(times))
        return solve_gas(network, _table("consumer", {j: -at[j] for j in network.consumers if j in at}, times))

    def _water(self, network: PipeNetwork, power_kw: Mapping[Port, FloatArray], times: Times) -> xr.Dataset:
        from models.networks.water import solve_water

        at = self._net_power(network.id, power_kw, len(times))  # water's ports count m3/h
        return solve_water(network, _table("consumer", {j: -at[j] for j in network.consumers if j in at}, times))

    def _pipe(self, network: PipeNetwork, power_kw: Mapping[Port, FloatArray], times: Times) -> xr.Dataset:
        from models.networks.cold import solve_cold
        from models.networks.heat import solve_heat

        demand, feed = self._asked(network, power_kw, times)
        solve = solve_cold if network.carrier == "cold" else solve_heat
        return solve(network, demand, feed_in_kw=feed)

    def _asked(
        self, network: PipeNetwork, power_kw: Mapping[Port, FloatArray], times: Times
    ) -> tuple[xr.DataArray, xr.DataArray | None]:
        """Return what consumers of a pipe network draw and what feed-ins give, dims (consumer or feed_in, time)."""
        at = self._net_power(network.id, power_kw, len(times))
        drawn = {j: np.clip(-at[j], 0.0, None) for j in network.consumers if j in at}
        feed = {j: at[j] for j in network.feed_in_junctions if j in at}
        return _table("consumer", drawn, times), _table("feed_in", feed, times) if feed else None

    def moving(
        self, network: PipeNetwork, power_kw: Mapping[Port, FloatArray], times: Times, supply_degc: FloatArray
    ) -> tuple[xr.Dataset, FloatArray]:
        """Return a heat network over equal steps as its water moves, and what it takes beyond the demand in kW, shape (time,).

        It starts from the steady state of the first step at the network's own supply temperature.
        """
        from models.networks.heat import solve_heat
        from models.networks.plugflow import advance_pipes, start_state

        demand, feed = self._asked(network, power_kw, times)
        sent = xr.DataArray(supply_degc, {"time": times}, ("time",))
        step_s = float((times[1] - times[0]) / np.timedelta64(1, "s")) if len(times) > 1 else QUARTER.total_seconds()
        start = start_state(network, solve_heat(network, demand.isel(time=[0])))
        _, moved = advance_pipes(network, start, demand, sent, step_s=step_s, feed_in_kw=feed)
        fed_kw = 0.0 if feed is None else feed.sum("feed_in").to_numpy()
        taken_kw: FloatArray = np.nan_to_num(moved["plant_kw"].to_numpy()) + fed_kw - demand.sum("consumer").to_numpy()
        return moved, taken_kw

    def _net_power(self, network: str, power_kw: Mapping[Port, FloatArray], steps: int) -> dict[str, FloatArray]:
        """Return the power fed into a network at each junction or bus, shape (time,)."""
        found: dict[str, FloatArray] = {}
        for place, ports in self.ports_at.get(network, {}).items():
            given = [power_kw[p] for p in ports if p in power_kw]
            found[place] = np.sum(given, axis=0) if given else np.zeros(steps)
        return found

    def bus_powers(
        self,
        network: ElectricNetwork,
        power_kw: Mapping[Port, FloatArray],
        times: Times,
        reactive_kvar: Mapping[str, FloatArray] = MappingProxyType({}),
    ) -> tuple[xr.DataArray, xr.DataArray]:
        """Return what is fed into every bus of a grid for port powers over time: kW and kvar, dims (bus, time)."""
        p = self._net_power(network.id, power_kw, len(times))
        reactive = {port: tan_phi * power_kw[port] for port, tan_phi in self.tan_phi.items()}
        reactive |= {(asset, Carrier.ELECTRICITY): kvar for asset, kvar in reactive_kvar.items()}
        q = self._net_power(network.id, reactive, len(times))
        return _table("bus", p, times), _table("bus", q, times)

    def _electric(
        self,
        network: ElectricNetwork,
        power_kw: Mapping[Port, FloatArray],
        times: Times,
        reactive_kvar: Mapping[str, FloatArray],
    ) -> xr.Dataset:
        from models.networks.electricity import solve_electricity

        return solve_electricity(network, *self.bus_powers(network, power_kw, times, reactive_kvar))


def _table(dim: str, rows: Mapping[str, FloatArray], times: Times) -> xr.DataArray:
    values = np.array(list(rows.values()), dtype=float).reshape(len(rows), len(times))
    return labelled(values, named(dim, list(rows)), _instants(times.astype("datetime64[ns]").tobytes()))


@lru_cache(maxsize=8)  # all networks of a step have its times
def _instants(stamps: bytes) -> Axis:
    return along("time", pd.DatetimeIndex(np.frombuffer(stamps, "datetime64[ns]")))


def _ports_at(site: Site) -> dict[str, dict[str, tuple[Port, ...]]]:
    slacks = {g.id for g in site.of_kind(GridConnection)}
    home = {n.id: n.network for n in site.nodes}
    found: dict[str, dict[str, tuple[Port, ...]]] = {}
    for asset in site.assets:
        for carrier, node in () if asset.id in slacks else asset.ports().items():
            network = home.get(node)
            if network is not None:
                at = found.setdefault(network, {})
                at[node] = (*at.get(node, ()), (asset.id, carrier))
    return found


def over_time(powers: Iterable[Mapping[Port, float]]) -> dict[Port, FloatArray]:
    """Return the same ports at many instants as one array per port, shape (time,)."""
    steps = list(powers)
    return {port: np.array([step[port] for step in steps]) for port in steps[0]}
