"""The state that a set-point would bring about: its power flow is looked at before the set-point is written."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import AnyAsset, ElectricBoiler, ElectricChiller, HeatPump, Pv, Wind
from models.networks.data import ElectricNetwork
from models.networks.status import Status
from models.ports import Command
from models.roster import Port
from models.site import Site
from twin.networks import SiteNetworks

STOPPED_KW = 0.0
WORSE_PU = 1e-4
WORSE_SHARE = 1e-3
"""Less than this is not worse than what stands already."""
ComplexArray = npt.NDArray[np.complex128]


class Candidates:
    """Judges set-points of one site by the AC power flow of the present state with one power changed.

    What has been let through counts as done until the next state is told, so that many small steps are judged together. A set-point is
    only objected to where it brings a voltage or a loading beyond its limit, or further beyond it; what stops a unit never is.
    """

    def __init__(self, site: Site) -> None:
        networks = SiteNetworks.of(site)
        self._grids = [_Grid(n, networks) for n in site.networks.electricity]
        self._asset_of = {d.id: site.asset(d.asset) for d in site.devices}
        self._known = False

    def present(self, power_kw: Mapping[Port, float]) -> None:
        """Take in the present powers by (asset, carrier), kW; a port that is missing draws nothing."""
        self._known = True
        for grid in self._grids:
            grid.present(power_kw)

    def objection(self, command: Command) -> str | None:
        """Return what a set-point would break, in words; None where it breaks nothing or nothing is known yet."""
        asset = self._asset_of.get(command.device)
        if asset is None or not self._known or command.quantity != "setpoint_kw" or command.value == STOPPED_KW:
            return None
        wanted_kw = electricity_kw(asset, command.value)
        port = (asset.id, Carrier.ELECTRICITY)
        grid = next((g for g in self._grids if port in g.bus_of), None)
        if wanted_kw is None or grid is None:
            return None
        found = grid.move(port, wanted_kw)
        if found is None:
            return None
        return f"with {asset.id} at {command.value:g} kW {found}; nothing was sent. Plan again, or change something else first"


def electricity_kw(asset: AnyAsset, setpoint_kw: float) -> float | None:
    """Return what an asset feeds (positive) or draws at a set-point, kW; None where a set-point says nothing of its electricity."""
    match asset:
        case Pv() | Wind():
            return None  # a limit, which the sun and the wind may leave unused
        case HeatPump():
            return -float(asset.electricity_kw(np.asarray(setpoint_kw), np.asarray(asset.rated_air_degc)))
        case ElectricBoiler() | ElectricChiller():
            return -float(asset.electricity_kw(np.asarray(setpoint_kw)))
        case _:
            return setpoint_kw if asset.control is Carrier.ELECTRICITY else None


class _Grid:
    """One grid, compiled, with what stands at its buses."""

    def __init__(self, network: ElectricNetwork, networks: SiteNetworks) -> None:
        from models.networks.electricity.compile import compile_grid

        self._grid = compile_grid(network)
        self._network, self._tan_phi = network, networks.tan_phi
        place = {bus: k for k, bus in enumerate(self._grid.bus_ids)}
        self.bus_of = {
            port: place[bus] for bus, ports in networks.ports_at.get(network.id, {}).items() for port in ports
        }
        band = {b.id: (b.vm_min_pu, b.vm_max_pu) for b in network.buses}
        self._lowest, self._highest = np.array([band[b] for b in self._grid.bus_ids]).T
        self._power_kw: dict[Port, float] = {}
        self._bus_mva = np.zeros(len(place), dtype=np.complex128)

    def present(self, power_kw: Mapping[Port, float]) -> None:
        """Take in the powers at every bus."""
        self._power_kw = {port: power_kw.get(port, 0.0) for port in self.bus_of}
        self._bus_mva[:] = 0.0
        for port, bus in self.bus_of.items():
            self._bus_mva[bus] += self._power_kw[port] * complex(1.0, self._tan_phi.get(port, 0.0)) / 1e3

    def move(self, port: Port, wanted_kw: float) -> str | None:
        """Let one power change, unless that breaks something: then return what."""
        changed = self._bus_mva.copy()
        changed[self.bus_of[port]] += (wanted_kw - self._power_kw[port]) / 1e3
        found = self._worse(np.stack([self._bus_mva, changed]))
        if found is None:
            self._power_kw[port], self._bus_mva = wanted_kw, changed
        return found

    def _worse(self, bus_mva: ComplexArray) -> str | None:
        """Return the figure of the second state that is furthest beyond its limit, and further than in the first."""
        from models.networks.electricity.batch import run_batch
        from models.networks.electricity.flow import branch_results, node_power

        grid = self._grid
        flow = run_batch(grid, node_power(grid, bus_mva)[:, :-1], None)
        if flow.status[1] != Status.OK:
            return (
                None if flow.status[0] != Status.OK else f"no state of {self._network.id} carries what is drawn and fed"
            )
        vm_pu = np.where(grid.bus_node >= 0, np.abs(flow.v[:, grid.bus_node]), 1.0)
        beyond = np.maximum(np.maximum(vm_pu - self._highest, self._lowest - vm_pu), 0.0)
        k = int(np.argmax(beyond[1] - beyond[0]))
        if beyond[1, k] > beyond[0, k] + WORSE_PU:
            band = f"the band is {self._lowest[k]:g} to {self._highest[k]:g} pu"
            return f"the voltage at {grid.bus_ids[k]} goes to {vm_pu[1, k]:.4f} pu, {band}"
        loading = np.maximum(branch_results(grid, flow.v)["loading_share"], 1.0)
        k = int(np.argmax(loading[1] - loading[0]))
        if loading[1, k] > loading[0, k] + WORSE_SHARE:
            return f"{grid.branches.ids[k]} is loaded to {loading[1, k]:.1%} of its thermal limit"
        return None
