"""Steady state of a heat network: flows, temperatures and pressures that agree, for many steps at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.networks.data import PipeNetwork
from models.networks.fluids import Fluid, liquid
from models.networks.hydraulics import Floats, Ints
from models.networks.jit import in_pieces
from models.networks.labels import spread, table, time_of
from models.networks.pipes import PipeModel, compile_pipes, pipework_of, to_junctions, to_nodes
from models.networks.status import Status
from models.networks.thermal import steady_steps


def solve_heat(
    network: PipeNetwork,
    demand_kw: xr.DataArray,
    supply_degc: xr.DataArray | float | None = None,
    *,
    feed_in_kw: xr.DataArray | None = None,
    feed_in_degc: xr.DataArray | float | None = None,
    return_degc: xr.DataArray | float | None = None,
    ground_degc: xr.DataArray | float | None = None,
    fluid: Fluid | None = None,
) -> xr.Dataset:
    """Return flows, temperatures and pressures of every step, each in its steady state.

    Every consumer takes the flow that carries its demand between the supply temperature that arrives and the return
    temperature; supply and return are alike, so one flow pattern serves both.

    Parameters
    ----------
    network
        The network; equal networks are compiled once.
    demand_kw
        Heat drawn at consumers, dims (consumer, time) in any order, at least zero; consumers left out draw nothing.
    supply_degc
        Supply temperature at the plant (time); the network's own when left out.
    feed_in_kw, feed_in_degc
        Heat fed by plants with a set power, dims (feed_in, time), and the temperature of their water (a number or
        (time); the plant's when left out).
    return_degc
        Temperature that consumers send back, a number, (time) or (consumer, time).
    ground_degc
        Temperature around the tubes, a number or (time).
    fluid
        Properties to use; those of the network's water at its design temperatures when left out.

    Returns
    -------
    xr.Dataset
        ``supply_degc``, ``return_degc``, ``dp_kpa`` (pressure difference between supply and return),
        ``supply_pressure_kpa``, ``return_pressure_kpa`` (absolute) with dims (junction, time); ``flow_kg_per_s``
        (positive from start to end of the pipe in the supply) and ``velocity_m_per_s`` (pipe, time);
        ``consumer_flow_kg_per_s`` (consumer, time); ``plant_kw``, ``plant_flow_kg_per_s``, ``loss_kw``, ``pump_kw``
        (hydraulic power at the plant), ``status``, ``residual_k`` (time) and the junction with the least pressure
        difference among the consumers, ``worst_junction`` (time). Stagnant water has the temperature of the ground.

    A step is ``BOUND`` when its heat cannot arrive: the pressure difference is used up before a consumer, or the water
    that reaches one is no warmer than what it sends back.
    """
    return solve_thermal(
        network, 1.0, demand_kw, supply_degc, feed_in_kw, feed_in_degc, return_degc, ground_degc, fluid
    )


@dataclass(frozen=True, slots=True)
class ThermalInput:
    """Labelled series as plain arrays, dims (step, node) or (step,)."""

    demand_w: Floats
    plant_degc: Floats
    feed_degc: Floats
    return_degc: Floats
    ground_degc: Floats
    stranded: npt.NDArray[np.bool_]
    """Steps with demand or feed-in where no plant reaches."""


@dataclass(frozen=True, slots=True)
class ThermalFlow:
    """What the kernel found, dims (step, node) or (step, edge)."""

    m: Floats
    fall_pa: Floats
    flow: Floats
    supply_degc: Floats
    return_degc: Floats
    count: Ints
    change_k: Floats
    fine: npt.NDArray[np.bool_]


def solve_thermal(
    network: PipeNetwork,
    sign: float,
    demand_kw: xr.DataArray,
    supply_degc: xr.DataArray | float | None,
    feed_in_kw: xr.DataArray | None,
    feed_in_degc: xr.DataArray | float | None,
    return_degc: xr.DataArray | float | None,
    ground_degc: xr.DataArray | float | None,
    fluid: Fluid | None,
) -> xr.Dataset:
    """Solve a heat (``sign`` +1) or cold (-1) network; see ``solve_heat``."""
    model = compile_pipes(network)
    time = time_of(demand_kw)
    given = plain_input(
        network, model, time, demand_kw, supply_degc, feed_in_kw, feed_in_degc, return_degc, ground_degc
    )
    medium = fluid or liquid(network)
    flow = _run(network, model, sign, medium, given)
    return _label(network, model, sign, medium, given, flow, time)


def plain_input(
    network: PipeNetwork,
    model: PipeModel,
    time: xr.DataArray,
    demand_kw: xr.DataArray,
    supply_degc: xr.DataArray | float | None,
    feed_in_kw: xr.DataArray | None,
    feed_in_degc: xr.DataArray | float | None,
    return_degc: xr.DataArray | float | None,
    ground_degc: xr.DataArray | float | None,
) -> ThermalInput:
    """Return labelled series as plain arrays per graph node; see ``solve_heat`` for their meaning."""
    ids = model.graph.junction_ids
    demand = _at_junctions(ids, network.consumers, table(demand_kw, "consumer", network.consumers, time, "demand_kw"))
    if feed_in_kw is not None:
        feed = table(feed_in_kw, "feed_in", network.feed_in_junctions, time, "feed_in_kw")
        demand -= _at_junctions(ids, network.feed_in_junctions, feed)
    plant = along_time(supply_degc, network.supply_degc, time)
    shape = len(demand), model.graph.node_count
    return ThermalInput(
        demand_w=to_nodes(model.graph, demand) * 1e3,
        plant_degc=plant,
        feed_degc=spread(_or(feed_in_degc, plant, time)[:, None], shape),
        return_degc=_returned(network, model, time, return_degc, len(demand)),
        ground_degc=along_time(ground_degc, network.ground_degc, time),
        stranded=np.asarray(np.abs(demand[:, model.graph.node < 0]).any(axis=1)),
    )


def _returned(
    network: PipeNetwork, model: PipeModel, time: xr.DataArray, value: xr.DataArray | float | None, steps: int
) -> Floats:
    """Return what every node sends back, dims (step, node)."""
    if isinstance(value, xr.DataArray) and "consumer" in value.dims:
        full = np.full((steps, model.graph.node_count), network.return_degc)
        steady = value if "time" in value.dims else value.expand_dims(time=time)
        per_consumer = table(steady, "consumer", network.consumers, time, "return_degc")
        for k, node in enumerate(model.graph.node[model.graph.places(network.consumers)]):
            if node >= 0:
                full[:, node] = per_consumer[:, k]
        return full
    along = along_time(value, network.return_degc, time)
    return spread(along[:, None], (steps, model.graph.node_count))


def _at_junctions(ids: Sequence[str], some: Sequence[str], values: Floats) -> Floats:
    place = {junction: i for i, junction in enumerate(ids)}
    out = np.zeros((len(values), len(ids)))
    for k, junction in enumerate(some):
        out[:, place[junction]] += values[:, k]
    return out


def along_time(value: xr.DataArray | float | None, default: float, time: xr.DataArray) -> Floats:
    """Return a number or a series over time as a plain array."""
    return _or(value, np.full(time.size, float(default)), time)


def _or(value: xr.DataArray | float | None, default: Floats, time: xr.DataArray) -> Floats:
    if value is None:
        return default
    return spread(value, time.size)


def _run(network: PipeNetwork, model: PipeModel, sign: float, fluid: Fluid, given: ThermalInput) -> ThermalFlow:
    steps, nodes = given.demand_w.shape
    m = np.zeros((steps, len(model.graph.edge_ids)))
    fall, flow, supply, back = (np.zeros((steps, nodes)) for _ in range(4))
    count, change, fine = np.zeros(steps, np.int32), np.zeros(steps), np.zeros(steps, np.bool_)
    problem = (
        given.demand_w,
        given.plant_degc,
        given.return_degc,
        given.feed_degc,
        given.ground_degc,
        model.loss_w_per_k,
        float(fluid.heat_j_per_kg_k),  # a whole number would be compiled for anew
        sign,
        pipework_of(model, network.friction, fluid),
        m,
        fall,
        flow,
        supply,
        back,
        count,
        change,
        fine,
    )
    in_pieces(steps, lambda first, last: steady_steps(*problem, first, last))
    return ThermalFlow(m, fall, flow, supply, back, count, change, fine)


def _label(
    network: PipeNetwork,
    model: PipeModel,
    sign: float,
    fluid: Fluid,
    given: ThermalInput,
    flow: ThermalFlow,
    time: xr.DataArray,
) -> xr.Dataset:
    graph = model.graph
    failed = flow.count < 0
    cp = fluid.heat_j_per_kg_k
    dp = network.pump_lift_kpa + to_junctions(graph, flow.fall_pa) / 1e3
    plant_flow = -flow.flow[:, 0]
    status, worst = _verdict(network, model, given, flow, dp)
    supply_kpa, return_kpa = pressures(network, model, fluid, flow.m)
    by_junction = {
        "supply_degc": to_junctions(graph, flow.supply_degc),
        "return_degc": to_junctions(graph, flow.return_degc),
        "dp_kpa": dp,
        "supply_pressure_kpa": supply_kpa,
        "return_pressure_kpa": return_kpa,
    }
    by_pipe = {"flow_kg_per_s": flow.m, "velocity_m_per_s": flow.m / model.tubes[2] / fluid.supply_kg_per_m3}
    by_time = {
        "plant_kw": sign * cp * plant_flow * (given.plant_degc - flow.return_degc[:, 0]) / 1e3,
        "plant_flow_kg_per_s": plant_flow,
        "loss_kw": sign * lost_w(model, cp, given.ground_degc, flow) / 1e3,
        "pump_kw": plant_flow * network.pump_lift_kpa / fluid.return_kg_per_m3,
    }
    at = graph.places(network.consumers)
    consumer_flow = np.maximum(to_junctions(graph, flow.flow)[:, at], 0)

    def masked(values: Floats) -> Floats:
        return np.where(failed[:, None], np.nan, values).T

    return xr.Dataset(
        {
            **{name: (("junction", "time"), masked(v)) for name, v in by_junction.items()},
            **{name: (("pipe", "time"), masked(v)) for name, v in by_pipe.items()},
            "consumer_flow_kg_per_s": (("consumer", "time"), masked(consumer_flow)),
            **{name: ("time", np.where(failed, np.nan, v)) for name, v in by_time.items()},
            "status": ("time", status),
            "residual_k": ("time", flow.change_k),
            "worst_junction": ("time", worst),
        },
        coords={
            "junction": list(graph.junction_ids),
            "pipe": list(graph.edge_ids),
            "consumer": list(network.consumers),
            "time": time,
        },
    )


def _verdict(
    network: PipeNetwork, model: PipeModel, given: ThermalInput, flow: ThermalFlow, dp_kpa: Floats
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.object_]]:
    """Return the status of every step and the consumer with the least pressure difference."""
    if not network.consumers:
        none = np.where(flow.count < 0, Status.NOT_CONVERGED, Status.OK).astype(np.int8)
        return none, np.full(len(none), "", dtype=object)
    at = model.graph.places(network.consumers)
    dp = np.where(np.isnan(dp_kpa[:, at]), np.inf, dp_kpa[:, at])
    bound = ~flow.fine | (dp.min(axis=1) < 0)
    states = [Status.NOT_CONVERGED, Status.BOUND, Status.ISLAND]
    status = np.select([flow.count < 0, bound, given.stranded], states, Status.OK).astype(np.int8)
    return status, np.array(network.consumers, dtype=object)[np.argmin(dp, axis=1)]


def lost_w(model: PipeModel, cp: float, ground: Floats, flow: ThermalFlow) -> Floats:
    """Return the heat that flowing water loses to the ground in both tubes."""
    start, end = model.graph.start, model.graph.end
    forward = flow.m > 0
    size = np.abs(flow.m)
    moving = (size > 1e-9) & (start >= 0)
    kept = np.exp(-model.loss_w_per_k / np.where(moving, size * cp, 1.0))
    supply_in = np.where(forward, flow.supply_degc[:, start], flow.supply_degc[:, end])
    return_in = np.where(forward, flow.return_degc[:, end], flow.return_degc[:, start])
    above = supply_in + return_in - 2 * ground[:, None]
    return np.asarray((np.where(moving, size * cp * (1 - kept) * above, 0.0)).sum(axis=1))


def pressures(network: PipeNetwork, model: PipeModel, fluid: Fluid, m: Floats) -> tuple[Floats, Floats]:
    """Return absolute supply and return pressures in kPa, dims (step, junction), following the tree from the plant."""
    from models.networks.levels import tube_pressures

    graph = model.graph
    supply, back = tube_pressures(m, pipework_of(model, network.friction, fluid), model.height_m)
    at_plant = network.return_pressure_kpa
    return (
        at_plant + network.pump_lift_kpa + to_junctions(graph, supply) / 1e3,
        at_plant + to_junctions(graph, back) / 1e3,
    )
