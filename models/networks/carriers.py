"""One face for the networks of a site: power fed into nodes goes in, a state and what the slack had to feed come out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import Carrier
from models.errors import DataError
from models.findings import error
from models.networks.data import ElectricNetwork, GasNetwork, PipeNetwork

FloatArray = npt.NDArray[np.float64]
Injections = Mapping[str, FloatArray]
"""Power fed into each node over time in kW; drawing is negative."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A network's state and its energy balance, arrays over time in kW."""

    state: xr.Dataset
    slack_kw: FloatArray
    """What the slack (grid, plant, source) feeds beyond the injections at its own node."""
    loss_kw: FloatArray


class Solver(Protocol):
    """A network that can be solved for injections over time."""

    def solve(self, fed_kw: Injections) -> Solved:
        """Return the state for power fed into nodes."""
        ...


@dataclass(frozen=True, slots=True)
class Grid:
    """The electric network with reactive power given beside it."""

    network: ElectricNetwork
    time: xr.DataArray
    q_kvar: xr.DataArray | None = None

    def solve(self, fed_kw: Injections) -> Solved:
        """Return the power flow."""
        from models.networks.electricity import solve_electricity

        state = solve_electricity(self.network, _table(fed_kw, "bus", self.time), self.q_kvar)
        return Solved(state, state.slack_p_kw.to_numpy(), state.loss_kw.to_numpy())


@dataclass(frozen=True, slots=True)
class Pipes:
    """A heat or cold network; what is fed into it is heat or cold."""

    network: PipeNetwork
    time: xr.DataArray
    supply_degc: xr.DataArray | float | None = None

    def solve(self, fed_kw: Injections) -> Solved:
        """Return the steady state; feeding nodes have to be the plant or listed in ``feed_in_junctions``."""
        from models.networks.cold import solve_cold
        from models.networks.heat import solve_heat

        n = self.network
        drawn = {j: -v for j, v in fed_kw.items() if j in n.consumers}
        feeds = {j: v for j, v in fed_kw.items() if j in n.feed_in_junctions and j not in n.consumers}
        at_plant = fed_kw.get(n.plant_junction, np.zeros(self.time.size))
        _refuse_unknown(n.id, set(fed_kw) - set(drawn) - set(feeds) - {n.plant_junction})
        solve = solve_cold if n.carrier == "cold" else solve_heat
        state = solve(
            n,
            _table(drawn, "consumer", self.time),
            self.supply_degc,
            feed_in_kw=_table(feeds, "feed_in", self.time) if feeds else None,
        )
        return Solved(state, state.plant_kw.to_numpy() - at_plant, state.loss_kw.to_numpy())


@dataclass(frozen=True, slots=True)
class Gas:
    """The gas network; powers are by lower heating value."""

    network: GasNetwork
    time: xr.DataArray

    def solve(self, fed_kw: Injections) -> Solved:
        """Return the steady state; nodes have to be the source or listed in ``consumers``."""
        from models.networks.gas import solve_gas

        n = self.network
        drawn = {j: -v for j, v in fed_kw.items() if j in n.consumers}
        at_source = fed_kw.get(n.source_junction, np.zeros(self.time.size))
        if n.source_junction in drawn:
            at_source = np.zeros(self.time.size)
        _refuse_unknown(n.id, set(fed_kw) - set(drawn) - {n.source_junction})
        state = solve_gas(n, _table(drawn, "consumer", self.time))
        return Solved(state, state.source_kw.to_numpy() - at_source, np.zeros(self.time.size))


def solver_of(
    carrier: Carrier,
    network: ElectricNetwork | PipeNetwork | GasNetwork,
    time: xr.DataArray,
    q_kvar: xr.DataArray | None,
    supply_degc: xr.DataArray | float | None,
) -> Solver:
    """Return the solver of a carrier's network."""
    if isinstance(network, ElectricNetwork):
        return Grid(network, time, q_kvar)
    if isinstance(network, GasNetwork):
        return Gas(network, time)
    return Pipes(network, time, supply_degc if carrier is Carrier.HEAT else None)


def _refuse_unknown(network: str, nodes: set[str]) -> None:
    if nodes:
        raise DataError(
            error(f"networks.{network}", f"nothing may be fed or drawn at {n!r}; list it as consumer or feed-in", n)
            for n in sorted(nodes)
        )


def _table(values: Injections, dim: str, time: xr.DataArray) -> xr.DataArray:
    rows = np.array(list(values.values())) if values else np.zeros((0, time.size))
    return xr.DataArray(rows, dims=(dim, "time"), coords={dim: list(values), "time": time})
