"""Steady state of a gas network for many steps at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.networks.data import GasNetwork
from models.networks.fluids import GasLaw
from models.networks.gas_kernel import Rows, Totals, describe_steps, gas_steps
from models.networks.gas_model import KW_S_PER_KWH, GasModel, compile_gas, demand_kg_per_s, gaswork_of
from models.networks.gas_stations import solve_with_stations
from models.networks.hydraulics import Floats
from models.networks.jit import in_pieces
from models.networks.labels import Axis, axis_of, spread, table
from models.networks.status import Status


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
        law relative to the source's potential) and ``worst_junction``, the one with the least pressure or the first on the way
        from the source where there is none left (time).

    A step is ``BOUND`` when the demand is more than the network can carry: some pressure would fall below vacuum.
    """
    model = compile_gas(network)
    time = axis_of(demand_kw)
    drawn = table(demand_kw, "consumer", network.consumers, time, "demand_kw")
    demand, stranded = demand_kg_per_s(network, model, drawn)
    given = network.source_pressure_kpa if source_pressure_kpa is None else source_pressure_kpa
    source_pa = spread(np.asarray(given, dtype=float) * 1e3, len(demand))
    found = _solve(network, model, law or model.law, demand, source_pa)
    return _label(network, model, found, stranded, time)


@dataclass(frozen=True, slots=True)
class GasFlow:
    """What the kernels found, dims (step, ...); see ``models.networks.gas_kernel``."""

    rows: Rows
    totals: Totals
    converged: npt.NDArray[np.bool_]
    residual: Floats


def _solve(network: GasNetwork, model: GasModel, law: GasLaw, demand: Floats, source_pa: Floats) -> GasFlow:
    steps, graph, work = len(demand), model.graph, gaswork_of(network, model, law)
    per_junction, per_edge = (steps, len(graph.junction_ids)), (steps, len(graph.edge_ids))
    rows: Rows = np.empty(per_junction), np.empty(per_junction), np.empty(per_edge), np.empty(per_edge)
    totals: Totals = np.empty(steps), np.empty(steps), np.empty(steps, np.int32), np.empty(steps, np.int32)
    if network.compressors or network.further_sources:
        m, pressure, converged, residual = solve_with_stations(network, model, law, demand, source_pa)
        in_pieces(steps, lambda first, last: describe_steps(m, pressure, converged, work, rows, totals, first, last))
    else:
        converged, residual = np.empty(steps, np.bool_), np.empty(steps)
        in_pieces(
            steps,
            lambda first, last: gas_steps(demand, source_pa, work, rows, totals, converged, residual, first, last),
        )
    return GasFlow(rows, totals, converged, residual)


def _label(
    network: GasNetwork, model: GasModel, found: GasFlow, stranded: npt.NDArray[np.bool_], time: Axis
) -> xr.Dataset:
    pressure, dense, flow, velocity = found.rows
    source, packed, worst, bound = found.totals
    states = [Status.NOT_CONVERGED, Status.BOUND, Status.ISLAND]
    status = np.select([~found.converged, bound > 0, stranded], states, Status.OK).astype(np.int8)
    by_junction, by_pipe, by_time = ("junction", "time"), ("pipe", "time"), ("time",)
    return model.frame.dataset(
        time,
        {
            "pressure_kpa": (by_junction, pressure.T),
            "density_kg_per_m3": (by_junction, dense.T),
            "flow_kg_per_s": (by_pipe, flow.T),
            "velocity_m_per_s": (by_pipe, velocity.T),
            "source_flow_kg_per_s": (by_time, source),
            "source_kw": (by_time, source * (network.lower_heating_value_kwh_per_kg * KW_S_PER_KWH)),
            "linepack_kg": (by_time, packed),
            "status": (by_time, status),
            "residual_share": (by_time, found.residual),
            "worst_junction": (by_time, model.frame.names["junction"][worst]),
        },
    )
