"""Heat and cold networks in motion: what left the plant some minutes ago arrives at the consumers now."""

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.networks.data import PipeNetwork
from models.networks.fluids import Fluid, liquid
from models.networks.heat import ThermalInput, plain_input, pump_of
from models.networks.heat_rows import lift_steps
from models.networks.hydraulics import Floats, Ints
from models.networks.labels import Axis, axis_of
from models.networks.pipes import PipeModel, compile_pipes, pipework_of, to_junctions
from models.networks.status import Status

PARCELS = 48
SUBSTEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Water:
    """The water in one set of tubes (supply or return)."""

    mass_kg: Floats
    """Dims (edge, parcel), from the start of the pipe to its end."""
    degc: Floats
    count: Ints
    """Parcels in use per edge."""
    wall_degc: Floats
    node_degc: Floats

    def copy(self) -> "Water":
        """Return an independent copy."""
        return Water(*(getattr(self, f.name).copy() for f in fields(self)))

    def arrays(self) -> tuple[Floats, Floats, Ints, Floats, Floats]:
        """Return the arrays in the order that the kernel expects."""
        return self.mass_kg, self.degc, self.count, self.wall_degc, self.node_degc


@dataclass(frozen=True, slots=True)
class PlugState:
    """Everything a network remembers; a result never changes the state that it came from."""

    supply: Water
    back: Water

    def stored_kwh(self, network: PipeNetwork, fluid: Fluid | None = None) -> float:
        """Return the heat in water and walls above 0 degC."""
        cp = (fluid or liquid(network)).heat_j_per_kg_k
        walls = _wall_j_per_k(network)
        total = 0.0
        for water in (self.supply, self.back):
            used = np.arange(water.mass_kg.shape[1]) < water.count[:, None]
            total += cp * float((water.mass_kg * water.degc)[used].sum()) + float((walls * water.wall_degc).sum())
        return total / 3.6e6


def start_state(network: PipeNetwork, steady: xr.Dataset | None = None, fluid: Fluid | None = None) -> PlugState:
    """Return a state to start from.

    All supply tubes are at the supply and all return tubes at the return temperature, or, with a single-step result of
    ``solve_heat`` or ``solve_cold``, each tube has the temperature between its ends.
    """
    model = compile_pipes(network)
    medium = fluid or liquid(network)
    nodes = model.graph.node_count
    supply, back = np.full(nodes, network.supply_degc), np.full(nodes, network.return_degc)
    if steady is not None:
        live = model.graph.node >= 0
        for values, name in ((supply, "supply_degc"), (back, "return_degc")):
            values[model.graph.node[live]] = steady[name].to_numpy().reshape(-1)[live]
    return PlugState(_fill(model, supply, medium.supply_kg_per_m3), _fill(model, back, medium.return_kg_per_m3))


def _fill(model: PipeModel, node_degc: Floats, density: float) -> Water:
    length, _, area, *_ = model.tubes
    edges = len(length)
    filled = 8
    mass, degc = np.zeros((edges, PARCELS)), np.zeros((edges, PARCELS))
    share = (np.arange(filled) + 0.5) / filled
    from_degc, to_degc = node_degc[model.graph.start], node_degc[model.graph.end]
    mass[:, :filled] = (length * area * density / filled)[:, None]
    degc[:, :filled] = from_degc[:, None] + (to_degc - from_degc)[:, None] * share
    count = np.where(length > 0, filled, 0).astype(np.int32)
    return Water(mass, degc, count, (from_degc + to_degc) / 2, node_degc.copy())


def _wall_j_per_k(network: PipeNetwork) -> Floats:
    return np.array([p.wall_kj_per_m_k * p.length_m * 1e3 for p in network.pipes] + [0.0] * len(network.pumps))


def advance_pipes(
    network: PipeNetwork,
    state: PlugState,
    demand_kw: xr.DataArray,
    supply_degc: xr.DataArray | float | None = None,
    *,
    step_s: float,
    feed_in_kw: xr.DataArray | None = None,
    feed_in_degc: xr.DataArray | float | None = None,
    return_degc: xr.DataArray | float | None = None,
    flow_kg_per_s: xr.DataArray | None = None,
    ground_degc: xr.DataArray | float | None = None,
    fluid: Fluid | None = None,
) -> tuple[PlugState, xr.Dataset]:
    """Advance a heat or cold network over the steps of ``demand_kw`` and return the state after them and what happened.

    Parameters
    ----------
    network, state
        The network and what its tubes hold at the beginning; neither is changed.
    demand_kw, supply_degc, feed_in_kw, feed_in_degc, return_degc, flow_kg_per_s, ground_degc, fluid
        As for ``solve_heat`` (``solve_cold`` for a cold network, where powers count cold).
    step_s
        Length of a step; it is cut into pieces of at most 60 s.

    Returns
    -------
    PlugState
        The state at the end of the last step.
    xr.Dataset
        ``supply_degc``, ``return_degc`` (junction, time) at the end of each step; ``dp_kpa`` (junction, time), the least
        of the step; ``flow_kg_per_s``, ``velocity_m_per_s`` (pipe, time), ``consumer_flow_kg_per_s``, ``consumer_kw`` (consumer, time)
        received, ``plant_kw``,
        ``loss_kw``, ``plant_flow_kg_per_s`` (time), means over the step; ``status`` (time), ``BOUND`` where heat does
        not arrive or the pressure is used up.
    """
    model = compile_pipes(network)
    time = axis_of(demand_kw)
    medium = fluid or liquid(network)
    sign = -1.0 if network.carrier == "cold" else 1.0
    given = plain_input(
        network, model, time, demand_kw, supply_degc, feed_in_kw, feed_in_degc, return_degc, flow_kg_per_s, ground_degc
    )
    after = PlugState(state.supply.copy(), state.back.copy())
    result = _run(network, model, sign, medium, given, after, step_s)
    return after, _label(network, model, (sign, medium), given, result, time)


@dataclass(frozen=True, slots=True)
class _Motion:
    """What happened, dims (step, edge), (step, node) or (step,)."""

    m: Floats
    fall_pa: Floats
    flow: Floats
    supply_degc: Floats
    return_degc: Floats
    plant_w: Floats
    lost_w: Floats
    taken_w: Floats
    state: Ints


def _run(
    network: PipeNetwork,
    model: PipeModel,
    sign: float,
    fluid: Fluid,
    given: ThermalInput,
    state: PlugState,
    step_s: float,
) -> _Motion:
    from models.networks.plug_kernel import run

    steps, nodes = given.demand_w.shape
    fall, flow, supply, back, taken = (np.zeros((steps, nodes)) for _ in range(5))
    plant, lost = np.zeros(steps), np.zeros(steps)
    motion = _Motion(
        np.zeros((steps, len(model.graph.edge_ids))),
        fall,
        flow,
        supply,
        back,
        plant,
        lost,
        taken,
        np.zeros(steps, np.int32),
    )
    length, _, area, *_ = model.tubes
    density = np.array([[fluid.supply_kg_per_m3], [fluid.return_kg_per_m3]])
    content = np.where(length > 0, length * area * density, 1.0)
    cp = float(fluid.heat_j_per_kg_k)
    run(
        state.supply.arrays(),
        state.back.arrays(),
        state.supply.copy().arrays(),
        state.back.copy().arrays(),
        given.demand_w,
        given.plant_degc,
        given.return_degc,
        given.feed_degc,
        given.held_kg_per_s,
        given.ground_degc,
        model.loss_w_per_k / (content * cp),
        _wall_j_per_k(network) / cp,
        cp,
        sign,
        float(step_s),
        max(1, math.ceil(step_s / SUBSTEP_S - 1e-9)),
        pipework_of(model, network.friction, fluid),
        motion.m,
        motion.fall_pa,
        motion.flow,
        motion.supply_degc,
        motion.return_degc,
        motion.plant_w,
        motion.lost_w,
        motion.taken_w,
        motion.state,
    )
    return motion


def _label(
    network: PipeNetwork,
    model: PipeModel,
    medium: tuple[float, Fluid],
    given: ThermalInput,
    motion: _Motion,
    time: Axis,
) -> xr.Dataset:
    graph, (sign, fluid), (length, _, area, *_) = model.graph, medium, model.tubes
    carried = np.where(length > 0, area * fluid.supply_kg_per_m3, np.inf)
    at = model.consumers.junction
    left = to_junctions(graph, motion.fall_pa) / 1e3
    lift = np.empty(len(left))
    lift_steps(np.ascontiguousarray(left), at, pump_of(network), lift)
    dp = lift[:, None] + left
    status: npt.NDArray[np.int8] = motion.state.astype(np.int8)
    short = (status == Status.OK) & (dp[:, at].min(axis=1, initial=np.inf) < 0)
    status = np.where(short, np.int8(Status.BOUND), status)
    status = np.where((status == Status.OK) & given.stranded, np.int8(Status.ISLAND), status)
    by_junction, by_time = ("junction", "time"), ("time",)
    return model.frame.dataset(
        time,
        {
            "supply_degc": (by_junction, to_junctions(graph, motion.supply_degc).T),
            "return_degc": (by_junction, to_junctions(graph, motion.return_degc).T),
            "dp_kpa": (by_junction, dp.T),
            "flow_kg_per_s": (("pipe", "time"), motion.m.T),
            "velocity_m_per_s": (("pipe", "time"), (motion.m / carried).T),
            "consumer_flow_kg_per_s": (("consumer", "time"), to_junctions(graph, motion.flow)[:, at].T),
            "consumer_kw": (("consumer", "time"), sign * to_junctions(graph, motion.taken_w)[:, at].T / 1e3),
            "plant_kw": (by_time, sign * motion.plant_w / 1e3),
            "loss_kw": (by_time, sign * motion.lost_w / 1e3),
            "plant_flow_kg_per_s": (by_time, -motion.flow[:, 0]),
            "status": (by_time, status),
        },
    )
