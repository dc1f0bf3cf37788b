"""The plant's electric network: what it loses, and the voltages it shows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import AnyAsset, Consumer
from models.networks.data import ElectricNetwork
from models.site import Site
from models.station import Balance, Port

NOMINAL_PU = 1.0


@dataclass(frozen=True, slots=True)
class GridState:
    """One solution of an electric network: voltage by bus, losses, and what the public grid gives as reactive power."""

    voltage_pu: Mapping[str, float]
    loss_kw: float
    slack_kvar: float


class Grid:
    """One electric network, solved at one instant after another from the state before."""

    def __init__(self, site: Site, network: ElectricNetwork) -> None:
        from models.networks.electricity.compile import (
            compile_grid,
        )  # needs the kernels' compiler, so not before a plant is made

        self._grid = compile_grid(network)
        bus = {b: i for i, b in enumerate(self._grid.bus_ids)}
        at = {n.id: bus[n.id] for n in site.nodes if n.network == network.id and n.id in bus}
        ports = [(a.id, a.ports()[Carrier.ELECTRICITY]) for a in site.assets if Carrier.ELECTRICITY in a.ports()]
        self._ports: list[Port] = [(a, Carrier.ELECTRICITY) for a, node in ports if node in at]
        self._bus = np.array([at[node] for _, node in ports if node in at], dtype=np.intp)
        self._tan = np.array([tan_phi(site.asset(a)) for a, _ in self._ports])
        self._before: npt.NDArray[np.complex128] | None = None

    def solve(self, balance: Balance) -> GridState | None:
        """Return voltages and losses for the powers of a balance, None where the network has no solution."""
        from models.networks.electricity.batch import run_batch
        from models.networks.electricity.flow import branch_results, node_power

        p_kw = np.array([balance.power_kw.get(p, 0.0) for p in self._ports])
        s_mva = np.zeros((1, len(self._grid.bus_ids)), dtype=np.complex128)
        np.add.at(s_mva[0], self._bus, p_kw * (1.0 + 1j * self._tan) / 1e3)
        flow = run_batch(self._grid, node_power(self._grid, s_mva)[:, :-1], self._before)
        if flow.status[0] != 0:
            self._before = None
            return None
        self._before = flow.v
        branch = branch_results(self._grid, flow.v)
        volts = np.where(self._grid.bus_node >= 0, np.abs(flow.v[0, self._grid.bus_node]), 0.0)
        loss_kvar = float((branch["q_from_kvar"] + branch["q_to_kvar"]).sum())
        return GridState(
            voltage_pu=dict(zip(self._grid.bus_ids, volts.tolist(), strict=True)),
            loss_kw=float((branch["p_from_kw"] + branch["p_to_kw"]).sum()),
            slack_kvar=loss_kvar - float(s_mva.imag.sum()) * 1e3,
        )


def tan_phi(asset: AnyAsset) -> float:
    """Return reactive over active power of an asset; only consumers draw reactive power."""
    if not isinstance(asset, Consumer):
        return 0.0
    return next((d.tan_phi for d in asset.demands if d.carrier is Carrier.ELECTRICITY), 0.0)
