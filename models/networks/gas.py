"""Steady state of a gas network for many steps at once."""

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.networks.data import GasNetwork
from models.networks.fluids import GRAVITY_M_PER_S2, GasLaw
from models.networks.gas_model import KW_S_PER_KWH, GasFlow, GasModel, compile_gas, demand_kg_per_s, linepack_kg
from models.networks.gas_stations import solve_with_stations
from models.networks.hydraulics import Floats, solve_hydraulics
from models.networks.labels import spread, table, time_of
from models.networks.pipes import to_junctions, to_nodes
from models.networks.status import Status

HEIGHT_ROUNDS = 12


def solve_gas(
    network: GasNetwork,
    demand_kw: xr.DataArray,
    *,
    source_pressure_kpa: xr.DataArray | float | None = None,
    law: GasLaw | None = None,
) -> xr.Dataset:
    """Return pressures and flows of every step, each in its steady state.

    Parameters
    ----------
    network
        The network; equal networks are compiled once.
    demand_kw
        Gas drawn at consumers by lower heating value, dims (consumer, time) in any order; a negative number feeds in.
        Consumers left out draw nothing.
    source_pressure_kpa
        Absolute pressure at the source, a number or (time); the network's own when left out.
    law
        Equation of state to use instead of the network's.

    Returns
    -------
    xr.Dataset
        ``pressure_kpa`` (absolute), ``density_kg_per_m3`` (junction, time); ``flow_kg_per_s`` (positive from start to
        end) and ``velocity_m_per_s`` (the faster end) with dims (pipe, time), compressors included;
        ``source_kw``, ``source_flow_kg_per_s``, ``linepack_kg``, ``status``, ``residual_share`` (largest gap of a pipe's
        law relative to the source's potential) and ``worst_junction``, the one with the least pressure (time).

    A step is ``BOUND`` when the demand is more than the network can carry: some pressure would fall below vacuum.
    """
    model = compile_gas(network)
    time = time_of(demand_kw)
    demand = demand_kg_per_s(network, model, table(demand_kw, "consumer", network.consumers, time, "demand_kw"))
    given = np.asarray(network.source_pressure_kpa if source_pressure_kpa is None else source_pressure_kpa, dtype=float)
    source = spread(given * 1e3, len(demand))
    nodes = to_nodes(model.graph, demand)
    flow = _solve(network, model, law or model.law, nodes, source)
    stranded = np.asarray(np.abs(demand[:, model.graph.node < 0]).any(axis=1))
    return _label(network, model, law or model.law, flow, stranded, time)


def _solve(network: GasNetwork, model: GasModel, law: GasLaw, demand: Floats, source: Floats) -> GasFlow:
    if network.compressors or network.further_sources:
        return solve_with_stations(network, model, law, demand, source)
    return solve_plain(network, model, law, demand, source)


def solve_plain(network: GasNetwork, model: GasModel, law: GasLaw, demand: Floats, source: Floats) -> GasFlow:
    """Solve a network with one source and no compressors by its chords; heights by repeated substitution."""
    root = law.potential(source)
    head = np.zeros((len(demand), len(model.graph.edge_ids)))
    uphill = bool(np.any(model.rise_m))
    for _ in range(HEIGHT_ROUNDS):
        solved = solve_hydraulics(
            model.graph,
            model.tubes,
            demand,
            root,
            friction=network.friction,
            media=(np.array([network.viscosity_upa_s * 1e-6]), np.array([1.0])),
            head=head,
            curve=np.zeros(head.shape[1]),
            tolerance=1e-11 * float(root.max(initial=1.0)),
        )
        pressure = law.pressure(solved.potential)
        lifted = _column_weight(model, law, pressure) if uphill else head
        if np.nanmax(np.abs(lifted - head), initial=0.0) <= 1e-12 * float(root.max(initial=1.0)):
            break
        head = np.nan_to_num(lifted)
    return GasFlow(solved.m, pressure, np.asarray(solved.iterations >= 0), solved.worst / root)


def _column_weight(model: GasModel, law: GasLaw, pressure: Floats) -> Floats:
    """Return the potential that standing gas loses along every edge: squared mean density times g times height."""
    density = law.density(pressure)
    mean = (density[:, model.graph.start] + density[:, model.graph.end]) / 2
    return mean**2 * GRAVITY_M_PER_S2 * model.rise_m


def _label(
    network: GasNetwork,
    model: GasModel,
    law: GasLaw,
    flow: GasFlow,
    stranded: npt.NDArray[np.bool_],
    time: xr.DataArray,
) -> xr.Dataset:
    graph = model.graph
    pressure = np.where(flow.converged[:, None], flow.pressure_pa, np.nan)
    m = np.where(flow.converged[:, None], flow.m, np.nan)
    bound = np.isnan(flow.pressure_pa).any(axis=1)
    density = law.density(pressure)
    thin = np.fmin(density[:, graph.start], density[:, graph.end])
    source = m @ ((graph.start == 0).astype(float) - (graph.end == 0))
    states = [Status.NOT_CONVERGED, Status.BOUND, Status.ISLAND]
    status = np.select([~flow.converged, bound, stranded], states, Status.OK).astype(np.int8)
    at_junction = to_junctions(graph, pressure)
    lowest = np.argmin(np.where(np.isnan(at_junction), np.inf, at_junction), axis=1)
    return xr.Dataset(
        {
            "pressure_kpa": (("junction", "time"), at_junction.T / 1e3),
            "density_kg_per_m3": (("junction", "time"), to_junctions(graph, density).T),
            "flow_kg_per_s": (("pipe", "time"), m.T),
            "velocity_m_per_s": (("pipe", "time"), (m / model.tubes[2] / thin).T),
            "source_flow_kg_per_s": ("time", source),
            "source_kw": ("time", source * network.lower_heating_value_kwh_per_kg * KW_S_PER_KWH),
            "linepack_kg": ("time", linepack_kg(model, law, pressure)),
            "status": ("time", status),
            "residual_share": ("time", flow.residual_share),
            "worst_junction": ("time", np.array(graph.junction_ids, dtype=object)[lowest]),
        },
        coords={"junction": list(graph.junction_ids), "pipe": list(graph.edge_ids), "time": time},
    )
