"""The site's networks behind one interface: port powers in, network states and losses out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import Carrier
from models.components import Consumer, GridConnection
from models.components.demand import reactive_kvar
from models.networks.data import ElectricNetwork, PipeNetwork
from models.networks.status import Status
from models.site import Site
from models.station import Port

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NetworkStates:
    """Every network over time, by network id, and what each carrier loses, shape (time,)."""

    states: Mapping[str, xr.Dataset] = field(default_factory=dict)
    losses_kw: Mapping[Carrier, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SiteNetworks:
    """All networks of a site with the ports that touch them; made once."""

    site: Site
    ports_at: Mapping[str, Mapping[str, tuple[Port, ...]]]
    """Network id → bus or junction → ports there; the connection to the public grid is the slack and left out."""
    power_factor: Mapping[Port, float]

    @classmethod
    def of(cls, site: Site) -> "SiteNetworks":
        """Return the networks of a site."""
        factors: dict[Port, float] = {
            (a.id, d.carrier): d.power_factor
            for a in site.of_kind(Consumer)
            for d in a.demands
            if d.carrier is Carrier.ELECTRICITY and d.power_factor < 1
        }
        return cls(site, _ports_at(site), factors)

    def solve(self, power_kw: Mapping[Port, FloatArray], times: npt.NDArray[np.generic]) -> NetworkStates:
        """Return all network states for port powers over time; arrays have shape (time,), one value per step."""
        states: dict[str, xr.Dataset] = {}
        losses: dict[Carrier, FloatArray] = {}
        for carrier, network in self.site.networks:
            if isinstance(network, ElectricNetwork):
                states[network.id] = self._electric(network, power_kw, times)
                lost = states[network.id]["loss_kw"].to_numpy()
            elif isinstance(network, PipeNetwork):
                lost = np.full(len(times), standing_loss_kw(network))
            else:
                continue  # gas pipes lose nothing
            # a step without a solution is a finding, not a loss
            losses[carrier] = losses.get(carrier, 0.0) + np.nan_to_num(lost)
        return NetworkStates(states, losses)

    def _electric(
        self, network: ElectricNetwork, power_kw: Mapping[Port, FloatArray], times: npt.NDArray[np.generic]
    ) -> xr.Dataset:
        from models.networks.electricity import solve_electricity

        at = self.ports_at.get(network.id, {})
        shape = (len(at), len(times))
        p, q = np.zeros(shape), np.zeros(shape)
        for row, ports in enumerate(at.values()):
            for port in ports:
                p[row] += power_kw[port]
                q[row] += self._reactive(port, power_kw[port])
        coords = {"bus": list(at), "time": times}
        return solve_electricity(
            network, xr.DataArray(p, coords, ("bus", "time")), xr.DataArray(q, coords, ("bus", "time"))
        )

    def _reactive(self, port: Port, power_kw: FloatArray) -> FloatArray | float:
        factor = self.power_factor.get(port)
        return 0.0 if factor is None else reactive_kvar(power_kw, factor)


def standing_loss_kw(network: PipeNetwork) -> float:
    """Return the heat that all pipes exchange with the ground at the network's design temperatures, supply and return together.

    A heat network loses it, a cold network gains it; either way the plant has to cover it, so it is never negative.

    Source: steady-state conduction per metre of pipe (Fourier's law).
    """
    per_kelvin = sum(p.length_m * p.heat_loss_w_per_m_k for p in network.pipes if p.open) / 1e3
    kelvin = (network.supply_degc - network.ground_degc) + (network.return_degc - network.ground_degc)
    return max(per_kelvin * (-kelvin if network.carrier == "cold" else kelvin), 0.0)


def unsolved(state: xr.Dataset) -> npt.NDArray[np.intp]:
    """Return the steps that a network calculation could not solve."""
    return np.flatnonzero(np.isin(state["status"].to_numpy(), (Status.NOT_CONVERGED, Status.BOUND)))


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
