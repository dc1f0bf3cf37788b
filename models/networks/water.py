"""Steady hydraulics of a water network: one tube per pipe, no temperatures."""

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.networks.coupled import settle
from models.networks.data import PipeNetwork
from models.networks.fluids import GRAVITY_M_PER_S2, Fluid, liquid
from models.networks.friction import CODE
from models.networks.heat_kernel import GAP_PA
from models.networks.hydraulics import Floats, balance_steps, shape_of
from models.networks.jit import in_pieces
from models.networks.labels import axis_of, spread, table
from models.networks.pipes import PipeModel, compile_pipes, sum_at, to_junctions
from models.networks.status import Status

REGULATED_PA = 1.0
"""Regulators hold their pressure to this."""


def solve_water(network: PipeNetwork, demand_m3_per_h: xr.DataArray, *, fluid: Fluid | None = None) -> xr.Dataset:
    """Return pressures and flows of every step.

    Parameters
    ----------
    network
        A water network; its plant feeds at ``return_pressure_kpa + pump_lift_kpa`` absolute. Density and viscosity are
        those at ``supply_degc``.
    demand_m3_per_h
        Water drawn, dims (consumer, time); a negative number feeds in.
    fluid
        Properties to use, those of the supply; the network's water when left out.

    Returns
    -------
    xr.Dataset
        ``pressure_kpa`` (absolute; junction, time), ``flow_kg_per_s``, ``velocity_m_per_s`` (pipe, time),
        ``source_flow_kg_per_s`` (source, time; positive feeds) where there are further sources, ``plant_flow_kg_per_s``, ``status``,
        ``residual_kpa`` and ``worst_junction``, the one with the least pressure (time). ``BOUND`` marks steps with a pressure below vacuum.
    """
    model, fluid, time = compile_pipes(network), fluid or liquid(network), axis_of(demand_m3_per_h)
    wanted = table(demand_m3_per_h, "consumer", network.consumers, time, "demand_m3_per_h")
    demand, stranded = sum_at(model.consumers, wanted * (fluid.supply_kg_per_m3 / 3600), model.graph.node_count)
    problem = _Problem(network, model, fluid, demand)
    m, pressure, residual, settled = problem.solve()
    failed = np.isnan(pressure[:, 0]) | ~settled
    states = [Status.NOT_CONVERGED, Status.BOUND, Status.ISLAND]
    status = np.select([failed, (pressure < 0).any(axis=1), stranded], states, Status.OK).astype(np.int8)
    pipes = len(model.graph.edge_ids) - len(network.further_sources)
    at_plant = ((model.graph.start == 0).astype(float) - (model.graph.end == 0))[:pipes]
    at_junctions = to_junctions(model.graph, pressure) / 1e3
    by_source = {"source_flow_kg_per_s": (("source", "time"), m[:, pipes:].T)} if network.further_sources else {}
    return model.frame.dataset(
        time,
        {
            "pressure_kpa": (("junction", "time"), at_junctions.T),
            "flow_kg_per_s": (("pipe", "time"), m[:, :pipes].T),
            "velocity_m_per_s": (("pipe", "time"), (m / (model.tubes[2] * fluid.supply_kg_per_m3))[:, :pipes].T),
            "plant_flow_kg_per_s": (("time",), m[:, :pipes] @ at_plant),
            **by_source,
            "status": (("time",), status),
            "residual_kpa": (("time",), residual / 1e3),
            "worst_junction": (("time",), _lowest(model, at_junctions)),
        },
    )


def _lowest(model: PipeModel, pressure_kpa: Floats) -> npt.NDArray[np.str_]:
    """Return the junction with the least pressure in every step."""
    known = np.where(np.isnan(pressure_kpa), np.inf, pressure_kpa)
    return np.asarray(model.frame.names["junction"][np.argmin(known, axis=1)])


class _Problem:
    """One network's steps; what regulators take off the pressure is found round by round."""

    def __init__(self, network: PipeNetwork, model: PipeModel, fluid: Fluid, demand: Floats) -> None:
        self.network, self.model, self.fluid, self.demand = network, model, fluid, demand
        graph = model.graph
        self.at_plant_pa = (network.return_pressure_kpa + network.pump_lift_kpa) * 1e3
        rise = np.where(model.live, model.height_m[graph.end] - model.height_m[graph.start], 0.0)
        self.head = model.pumps[0] + fluid.supply_kg_per_m3 * GRAVITY_M_PER_S2 * rise
        first = len(network.pipes) + len(network.pumps)
        self.regulators = slice(first, first + len(network.regulators))
        for k, source in enumerate(network.further_sources, start=self.regulators.stop):
            self.head[k] = self.at_plant_pa - source.pressure_kpa * 1e3  # a way without friction, whatever the height

    def solve(self) -> tuple[Floats, Floats, Floats, npt.NDArray[np.bool_]]:
        """Return flows, absolute pressures (NaN where a step has no solution), worst loop gaps in Pa, and whether regulators hold."""
        if not self.network.regulators:
            m, pressure, worst = self._run(self.head)
            return m, pressure, worst, np.ones(len(m), np.bool_)
        none = np.zeros((len(self.demand), len(self.network.regulators)))
        met = settle(self._regulated, none, tolerance=REGULATED_PA)
        return *met.solved, met.residual <= REGULATED_PA

    def _regulated(self, taken_pa: Floats) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
        """Return what regulators would have to take off the pressure, dims (step, regulator), when they take off ``taken_pa``."""
        head = np.repeat(self.head[None, :], len(taken_pa), axis=0)
        head[:, self.regulators] += np.maximum(taken_pa, 0.0)
        solved = self._run(head)
        behind = np.maximum(self.model.graph.end[self.regulators], 0)
        above = solved[1][:, behind] - [r.outlet_pressure_kpa * 1e3 for r in self.network.regulators]
        return np.maximum(np.maximum(taken_pa, 0.0) + np.nan_to_num(above), 0.0), solved

    def _run(self, head: Floats) -> tuple[Floats, Floats, Floats]:
        steps, graph, fluid = len(self.demand), self.model.graph, self.fluid
        m, pressure = np.zeros((steps, len(graph.edge_ids))), np.empty(self.demand.shape)
        pressure[:, 0] = self.at_plant_pa
        count, worst = np.zeros(steps, np.int32), np.zeros(steps)
        problem = (
            self.demand,
            m,
            pressure,
            shape_of(graph),
            self.model.tubes,
            CODE[self.network.friction],
            (np.array([fluid.supply_pa_s]), np.array([1 / fluid.supply_kg_per_m3])),
            spread(head, (steps, head.shape[-1])),
            self.model.pumps[1],
            GAP_PA,
            count,
            worst,
        )
        in_pieces(steps, lambda first, last: balance_steps(*problem, first, last))
        m[count < 0], pressure[count < 0] = np.nan, np.nan
        return m, pressure, worst
