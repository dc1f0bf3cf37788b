"""Steady hydraulics of a water network: one tube per pipe, no temperatures."""

import numpy as np
import xarray as xr

from models.networks.data import PipeNetwork
from models.networks.fluids import GRAVITY_M_PER_S2, liquid
from models.networks.hydraulics import solve_hydraulics
from models.networks.labels import table, time_of
from models.networks.pipes import compile_pipes, to_junctions, to_nodes
from models.networks.status import Status


def solve_water(network: PipeNetwork, demand_m3_per_h: xr.DataArray) -> xr.Dataset:
    """Return pressures and flows of every step.

    Parameters
    ----------
    network
        A water network; its plant feeds at ``return_pressure_kpa + pump_lift_kpa`` absolute. Density and viscosity are
        those at ``supply_degc``.
    demand_m3_per_h
        Water drawn, dims (consumer, time); a negative number feeds in.

    Returns
    -------
    xr.Dataset
        ``pressure_kpa`` (absolute; junction, time), ``flow_kg_per_s``, ``velocity_m_per_s`` (pipe, time),
        ``plant_flow_kg_per_s``, ``status`` and ``residual_kpa`` (time). ``BOUND`` marks steps with a pressure below vacuum.
    """
    model, fluid, time = compile_pipes(network), liquid(network), time_of(demand_m3_per_h)
    graph = model.graph
    wanted = table(demand_m3_per_h, "consumer", network.consumers, time, "demand_m3_per_h")
    demand = np.zeros((len(wanted), len(graph.junction_ids)))
    for k, at in enumerate(graph.places(network.consumers)):
        demand[:, at] += wanted[:, k] * fluid.supply_kg_per_m3 / 3600
    rise = np.where(model.live, model.height_m[graph.end] - model.height_m[graph.start], 0.0)
    head = model.head_pa + fluid.supply_kg_per_m3 * GRAVITY_M_PER_S2 * rise
    root = np.full(len(wanted), (network.return_pressure_kpa + network.pump_lift_kpa) * 1e3)
    solved = solve_hydraulics(
        graph,
        model.tubes,
        to_nodes(graph, demand),
        root,
        friction=network.friction,
        media=(np.array([fluid.supply_pa_s]), np.array([1 / fluid.supply_kg_per_m3])),
        head=np.repeat(head[None, :], len(wanted), axis=0),
        curve=model.curve_pa_s2_per_kg2,
        tolerance=1e-6,
    )
    failed = solved.iterations < 0
    pressure = np.where(failed[:, None], np.nan, solved.potential)
    m = np.where(failed[:, None], np.nan, solved.m)
    stranded = np.abs(demand[:, graph.node < 0]).any(axis=1)
    states = [Status.NOT_CONVERGED, Status.BOUND, Status.ISLAND]
    status = np.select([failed, (pressure < 0).any(axis=1), stranded], states, Status.OK).astype(np.int8)
    return xr.Dataset(
        {
            "pressure_kpa": (("junction", "time"), to_junctions(graph, pressure).T / 1e3),
            "flow_kg_per_s": (("pipe", "time"), m.T),
            "velocity_m_per_s": (("pipe", "time"), (m / model.tubes[2] / fluid.supply_kg_per_m3).T),
            "plant_flow_kg_per_s": ("time", m @ ((graph.start == 0).astype(float) - (graph.end == 0))),
            "status": ("time", status),
            "residual_kpa": ("time", solved.worst / 1e3),
        },
        coords={"junction": list(graph.junction_ids), "pipe": list(graph.edge_ids), "time": time},
    )
