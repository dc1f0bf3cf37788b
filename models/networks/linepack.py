"""Gas networks in motion: the pipes hold gas, so supply and demand may differ for a while."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.errors import DataError
from models.findings import error
from models.networks.cache import compiled_once
from models.networks.data import GasNetwork
from models.networks.gas_model import KW_S_PER_KWH, GasModel, compile_gas, demand_kg_per_s, gaswork_of, linepack_kg
from models.networks.hydraulics import Floats, Ints
from models.networks.labels import Axis, axis_of, spread, table
from models.networks.linepack_kernel import Storage, run
from models.networks.pipes import to_junctions
from models.networks.status import Status
from models.networks.symbolic import Elimination, eliminate


@dataclass(frozen=True, slots=True)
class GasState:
    """What a gas network remembers."""

    pressure_pa: Floats
    """Per node, absolute."""
    m_kg_per_s: Floats
    """Per edge; the next step starts its iteration here."""


@dataclass(frozen=True, slots=True)
class LinepackModel:
    """Volumes and elimination order of a gas network."""

    volume_m3: Floats
    """Per node: half the volume of every pipe that ends there."""
    position: Ints
    """Per node: its place in the elimination."""
    block: Ints
    """Per edge: its off-diagonal entry, -1 for dead or doubled-back edges."""
    elimination: Elimination

    def storage(self) -> Storage:
        """Return the arrays in the order that the kernel expects."""
        e = self.elimination
        return self.volume_m3, self.position, self.block, (e.order, e.ptr, e.column, e.upper, e.target_ptr, e.target)


@compiled_once
def compile_linepack(network: GasNetwork) -> LinepackModel:
    """Return volumes and elimination order; raises ``DataError`` for compressors, whose linepack is not modelled."""
    if network.compressors or network.further_sources:
        place = f"networks.{network.id}"
        raise DataError(
            [error(place, "has compressors or several sources; linepack steps need one source and pipes only")]
        )
    model = compile_gas(network)
    g = model.graph
    live = g.start >= 0
    length, _, area, *_ = model.tubes
    volume = np.zeros(g.node_count)
    for ends in (g.start, g.end):
        np.add.at(volume, ends[live], (length * area / 2)[live])
    elimination = eliminate(g.node_count, zip(g.start[live].tolist(), g.end[live].tolist(), strict=True))
    position = np.empty(g.node_count, dtype=np.int32)
    position[elimination.order] = np.arange(g.node_count)
    return LinepackModel(volume, position, _entries(elimination, position, g.start, g.end), elimination)


def _entries(elimination: Elimination, position: Ints, start: Ints, end: Ints) -> Ints:
    """Return the entry (earlier, later) of every edge in the elimination."""
    row = np.repeat(np.arange(len(position)), np.diff(elimination.ptr))
    pairs = zip(row.tolist(), elimination.column.tolist(), elimination.upper.tolist(), strict=True)
    entry = {(i, j): number for i, j, number in pairs}
    out = np.full(len(start), -1, dtype=np.int32)
    for k, (a, b) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        if a >= 0 and a != b:
            i, j = sorted((int(position[a]), int(position[b])))
            out[k] = entry[i, j]
    return out


def start_gas(network: GasNetwork, steady: xr.Dataset | None = None) -> GasState:
    """Return the state of a single-step result of ``solve_gas``, or everything at source pressure and rest."""
    g = compile_gas(network).graph
    pressure, m = np.full(g.node_count, network.source_pressure_kpa * 1e3), np.zeros(len(g.edge_ids))
    if steady is not None:
        live = g.node >= 0
        pressure[g.node[live]] = steady["pressure_kpa"].to_numpy().reshape(-1)[live] * 1e3
        m[:] = np.nan_to_num(steady["flow_kg_per_s"].to_numpy().reshape(-1))
    return GasState(pressure, m)


def advance_gas(
    network: GasNetwork,
    state: GasState,
    demand_kw: xr.DataArray,
    *,
    step_s: float,
    source_pressure_kpa: xr.DataArray | float | None = None,
    source_kw: xr.DataArray | float | None = None,
) -> tuple[GasState, xr.Dataset]:
    """Advance a gas network over the steps of ``demand_kw`` and return the state after them and what happened.

    Implicit Euler in time with half of every pipe's volume at either end; mass is conserved to the residual.

    Parameters
    ----------
    network, state
        The network and what it holds at the beginning; neither is changed.
    demand_kw
        Gas drawn, dims (consumer, time), by lower heating value; negative feeds in.
    step_s
        Length of a step.
    source_pressure_kpa
        Absolute pressure held at the source (a number or (time)); the network's own when left out.
    source_kw
        Gas that the source feeds instead of holding its pressure (a number or (time)).

    Returns
    -------
    GasState
        The state at the end; a step that fails leaves the state before it.
    xr.Dataset
        ``pressure_kpa`` (junction, time), ``flow_kg_per_s`` (pipe, time) at the end of each step; ``source_kw``,
        ``linepack_kg``, ``status`` and ``residual_kg_per_s`` (time).
    """
    model, pack = compile_gas(network), compile_linepack(network)
    time = axis_of(demand_kw)
    drawn = table(demand_kw, "consumer", network.consumers, time, "demand_kw")
    demand, stranded = demand_kg_per_s(network, model, drawn)
    per_kw = 1 / (network.lower_heating_value_kwh_per_kg * KW_S_PER_KWH)
    held = network.source_pressure_kpa if source_pressure_kpa is None else source_pressure_kpa
    steps = len(demand)
    source_pa = spread(np.asarray(held, dtype=float) * 1e3, steps)
    fed = spread(np.nan if source_kw is None else np.asarray(source_kw, dtype=float) * per_kw, steps)
    motion = _run(network, model, pack, state, demand, source_pa, fed, step_s)
    after = GasState(motion.pressure[-1].copy(), motion.m[-1].copy())
    return after, _label(network, model, motion, stranded, time)


@dataclass(frozen=True, slots=True)
class _Motion:
    pressure: Floats
    m: Floats
    source: Floats
    residual: Floats
    ok: npt.NDArray[np.bool_]


def _run(
    network: GasNetwork,
    model: GasModel,
    pack: LinepackModel,
    state: GasState,
    demand: Floats,
    source_pa: Floats,
    fed: Floats,
    step_s: float,
) -> _Motion:
    g, steps = model.graph, len(demand)
    pressure, m = np.empty((steps, g.node_count)), np.empty((steps, len(g.edge_ids)))
    source, residual, ok = np.zeros(steps), np.zeros(steps), np.zeros(steps, dtype=np.bool_)
    run(
        state.pressure_pa,
        state.m_kg_per_s,
        demand,
        source_pa,
        fed,
        float(step_s),
        gaswork_of(network, model, model.law),
        pack.storage(),
        pressure,
        m,
        source,
        residual,
        ok,
    )
    return _Motion(pressure, m, source, residual, ok)


def _label(
    network: GasNetwork, model: GasModel, motion: _Motion, stranded: npt.NDArray[np.bool_], time: Axis
) -> xr.Dataset:
    graph = model.graph
    status = np.select([~motion.ok, stranded], [Status.NOT_CONVERGED, Status.ISLAND], Status.OK).astype(np.int8)
    seen = np.where(motion.ok[:, None], motion.pressure, np.nan)
    flows = np.where(motion.ok[:, None], motion.m, np.nan)
    per_kg = network.lower_heating_value_kwh_per_kg * KW_S_PER_KWH
    by_time = ("time",)
    return model.frame.dataset(
        time,
        {
            "pressure_kpa": (("junction", "time"), to_junctions(graph, seen).T / 1e3),
            "flow_kg_per_s": (("pipe", "time"), flows.T),
            "source_kw": (by_time, np.where(motion.ok, motion.source * per_kg, np.nan)),
            "linepack_kg": (by_time, linepack_kg(model, model.law, motion.pressure)),
            "status": (by_time, status),
            "residual_kg_per_s": (by_time, motion.residual),
        },
    )
