"""Steady hydraulics of a water network: one tube per pipe, no temperatures."""

import numpy as np
import xarray as xr

from models.networks.data import PipeNetwork
from models.networks.fluids import GRAVITY_M_PER_S2, Fluid, liquid
from models.networks.friction import CODE
from models.networks.heat_kernel import GAP_PA
from models.networks.hydraulics import Floats, balance_steps, shape_of
from models.networks.jit import in_pieces
from models.networks.labels import axis_of, table
from models.networks.pipes import PipeModel, compile_pipes, sum_at, to_junctions
from models.networks.status import Status


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
        ``plant_flow_kg_per_s``, ``status`` and ``residual_kpa`` (time). ``BOUND`` marks steps with a pressure below vacuum.
    """
    model, fluid, time = compile_pipes(network), fluid or liquid(network), axis_of(demand_m3_per_h)
    wanted = table(demand_m3_per_h, "consumer", network.consumers, time, "demand_m3_per_h")
    demand, stranded = sum_at(model.consumers, wanted * (fluid.supply_kg_per_m3 / 3600), model.graph.node_count)
    m, pressure, residual = _run(network, model, fluid, demand)
    failed = np.isnan(pressure[:, 0])
    states = [Status.NOT_CONVERGED, Status.BOUND, Status.ISLAND]
    status = np.select([failed, (pressure < 0).any(axis=1), stranded], states, Status.OK).astype(np.int8)
    at_plant = (model.graph.start == 0).astype(float) - (model.graph.end == 0)
    return model.frame.dataset(
        time,
        {
            "pressure_kpa": (("junction", "time"), to_junctions(model.graph, pressure).T / 1e3),
            "flow_kg_per_s": (("pipe", "time"), m.T),
            "velocity_m_per_s": (("pipe", "time"), (m / (model.tubes[2] * fluid.supply_kg_per_m3)).T),
            "plant_flow_kg_per_s": (("time",), m @ at_plant),
            "status": (("time",), status),
            "residual_kpa": (("time",), residual / 1e3),
        },
    )


def _run(network: PipeNetwork, model: PipeModel, fluid: Fluid, demand: Floats) -> tuple[Floats, Floats, Floats]:
    """Return flows, absolute pressures (NaN where a step has no solution) and the worst loop gaps in Pa."""
    steps, graph = len(demand), model.graph
    rise = np.where(model.live, model.height_m[graph.end] - model.height_m[graph.start], 0.0)
    lift, curve = model.pumps
    m, pressure = np.zeros((steps, len(graph.edge_ids))), np.empty(demand.shape)
    pressure[:, 0] = (network.return_pressure_kpa + network.pump_lift_kpa) * 1e3
    count, worst = np.zeros(steps, np.int32), np.zeros(steps)
    problem = (
        demand,
        m,
        pressure,
        shape_of(graph),
        model.tubes,
        CODE[network.friction],
        (np.array([fluid.supply_pa_s]), np.array([1 / fluid.supply_kg_per_m3])),
        (lift + fluid.supply_kg_per_m3 * GRAVITY_M_PER_S2 * rise, curve),
        GAP_PA,
        count,
        worst,
    )
    in_pieces(steps, lambda first, last: balance_steps(*problem, first, last))
    m[count < 0], pressure[count < 0] = np.nan, np.nan
    return m, pressure, worst
