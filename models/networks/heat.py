"""Steady state of a heat network: flows, temperatures and pressures that agree, for many steps at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.networks.data import PipeNetwork
from models.networks.fluids import GRAVITY_M_PER_S2, Fluid, liquid
from models.networks.heat_kernel import steady_steps
from models.networks.heat_rows import Places, PlantPump, Rows, Totals
from models.networks.hydraulics import Floats, Ints
from models.networks.jit import in_pieces
from models.networks.labels import Axis, axis_of, spread, table
from models.networks.pipes import PipeModel, compile_pipes, pipework_of, sum_at
from models.networks.status import Status

Flags = npt.NDArray[np.bool_]
BY_JUNCTION, BY_PIPE, BY_TIME = ("junction", "time"), ("pipe", "time"), ("time",)


def solve_heat(
    network: PipeNetwork,
    demand_kw: xr.DataArray,
    supply_degc: xr.DataArray | float | None = None,
    *,
    feed_in_kw: xr.DataArray | None = None,
    feed_in_degc: xr.DataArray | float | None = None,
    return_degc: xr.DataArray | float | None = None,
    flow_kg_per_s: xr.DataArray | None = None,
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
    flow_kg_per_s
        Flows that consumers hold, dims (consumer, time); zero and consumers left out set their flow by temperature. What a
        flow controller sends back follows from its demand.
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
        network, 1.0, demand_kw, supply_degc, feed_in_kw, feed_in_degc, return_degc, flow_kg_per_s, ground_degc, fluid
    )


@dataclass(frozen=True, slots=True)
class ThermalInput:
    """Labelled series as plain arrays, dims (step, node) or (step,)."""

    demand_w: Floats
    plant_degc: Floats
    feed_degc: Floats
    return_degc: Floats
    held_kg_per_s: Floats
    ground_degc: Floats
    stranded: Flags
    """Steps with demand or feed-in where no plant reaches."""


@dataclass(frozen=True, slots=True)
class ThermalFlow:
    """What the kernel found; see ``models.networks.heat_rows`` for rows and totals, the others have dims (step,)."""

    rows: Rows
    totals: Totals
    count: Ints
    change_k: Floats
    fine: Flags


def solve_thermal(
    network: PipeNetwork,
    sign: float,
    demand_kw: xr.DataArray,
    supply_degc: xr.DataArray | float | None,
    feed_in_kw: xr.DataArray | None,
    feed_in_degc: xr.DataArray | float | None,
    return_degc: xr.DataArray | float | None,
    flow_kg_per_s: xr.DataArray | None,
    ground_degc: xr.DataArray | float | None,
    fluid: Fluid | None,
) -> xr.Dataset:
    """Solve a heat (``sign`` +1) or cold (-1) network; see ``solve_heat``."""
    model = compile_pipes(network)
    time = axis_of(demand_kw)
    given = plain_input(
        network, model, time, demand_kw, supply_degc, feed_in_kw, feed_in_degc, return_degc, flow_kg_per_s, ground_degc
    )
    medium = fluid or liquid(network)
    flow = _run(network, model, sign, medium, given)
    return _label(network, model, sign, medium, given, flow, time)


def plain_input(
    network: PipeNetwork,
    model: PipeModel,
    time: Axis,
    demand_kw: xr.DataArray,
    supply_degc: xr.DataArray | float | None,
    feed_in_kw: xr.DataArray | None,
    feed_in_degc: xr.DataArray | float | None,
    return_degc: xr.DataArray | float | None,
    flow_kg_per_s: xr.DataArray | None,
    ground_degc: xr.DataArray | float | None,
) -> ThermalInput:
    """Return labelled series as plain arrays per graph node; see ``solve_heat`` for their meaning."""
    nodes = model.graph.node_count
    drawn = table(demand_kw, "consumer", network.consumers, time, "demand_kw")
    demand, stranded = sum_at(model.consumers, drawn, nodes)
    if feed_in_kw is not None:
        fed = table(feed_in_kw, "feed_in", network.feed_in_junctions, time, "feed_in_kw")
        feed, outside = sum_at(model.feed_ins, fed, nodes)
        demand, stranded = demand - feed, stranded | outside
    demand *= 1e3
    plant = along_time(supply_degc, network.supply_degc, time)
    return ThermalInput(
        demand_w=demand,
        plant_degc=plant,
        feed_degc=spread(_or(feed_in_degc, plant, time)[:, None], demand.shape),
        return_degc=_returned(network, model, time, return_degc, len(demand)),
        held_kg_per_s=_held(network, model, time, flow_kg_per_s, demand.shape),
        ground_degc=along_time(ground_degc, network.ground_degc, time),
        stranded=stranded,
    )


def _returned(
    network: PipeNetwork, model: PipeModel, time: Axis, value: xr.DataArray | float | None, steps: int
) -> Floats:
    """Return what every node sends back, dims (step, node)."""
    shape = steps, model.graph.node_count
    if not (isinstance(value, xr.DataArray) and "consumer" in value.dims):
        return spread(along_time(value, network.return_degc, time)[:, None], shape)
    one_time = time if "time" in value.dims else None
    live = model.consumers.node >= 0
    full = np.full(shape, network.return_degc)
    full[:, model.consumers.node[live]] = table(value, "consumer", network.consumers, one_time, "return_degc")[:, live]
    return full


def _held(
    network: PipeNetwork, model: PipeModel, time: Axis, value: xr.DataArray | None, shape: tuple[int, ...]
) -> Floats:
    """Return the flows that nodes hold, dims (step, node); zero where the temperature sets them."""
    if value is None:
        return np.zeros(shape)
    return sum_at(model.consumers, table(value, "consumer", network.consumers, time, "flow_kg_per_s"), shape[1])[0]


def along_time(value: xr.DataArray | float | None, default: float, time: Axis) -> Floats:
    """Return a number or a series over time as a plain array."""
    return _or(value, np.full(time.size, float(default)), time)


def _or(value: xr.DataArray | float | None, default: Floats, time: Axis) -> Floats:
    if value is None:
        return default
    return spread(value, time.size)


def _run(network: PipeNetwork, model: PipeModel, sign: float, fluid: Fluid, given: ThermalInput) -> ThermalFlow:
    steps, junctions = len(given.demand_w), len(model.graph.node)
    edges, consumers = len(model.graph.edge_ids), len(network.consumers)
    widths = (*[junctions] * 5, edges, edges, consumers)
    rows: Rows = tuple(np.empty((steps, width)) for width in widths)  # type: ignore[assignment] # as many as there are rows
    totals: Totals = (*[np.empty(steps) for _ in range(5)], np.empty(steps, np.int32))  # type: ignore[assignment] # likewise
    found = ThermalFlow(rows, totals, np.empty(steps, np.int32), np.empty(steps), np.empty(steps, np.bool_))
    problem = (
        given.demand_w,
        given.plant_degc,
        given.return_degc,
        given.feed_degc,
        given.held_kg_per_s,
        given.ground_degc,
        model.loss_w_per_k,
        float(fluid.heat_j_per_kg_k),  # a whole number would be compiled for anew
        sign,
        pipework_of(model, network.friction, fluid),
        _places(network, model, fluid),
        rows,
        totals,
        found.count,
        found.change_k,
        found.fine,
    )
    in_pieces(steps, lambda first, last: steady_steps(*problem, first, last))
    return found


def _places(network: PipeNetwork, model: PipeModel, fluid: Fluid) -> Places:
    """Return where results are written, and what pressures are without flow: the weight of the water below the plant's return."""
    weight_kpa = GRAVITY_M_PER_S2 * (model.junction_height_m - model.height_m[0]) / 1e3
    at_plant = network.return_pressure_kpa
    return (
        model.graph.node,
        model.consumers.junction,
        at_plant - fluid.supply_kg_per_m3 * weight_kpa,
        at_plant - fluid.return_kg_per_m3 * weight_kpa,
        model.tubes[2] * fluid.supply_kg_per_m3,
        pump_of(network),
    )


def pump_of(network: PipeNetwork) -> PlantPump:
    """Return the plant's pump as the kernels read it."""
    return network.pump_control != "lift", float(network.pump_lift_kpa), float(network.dp_min_kpa)


def _label(
    network: PipeNetwork,
    model: PipeModel,
    sign: float,
    fluid: Fluid,
    given: ThermalInput,
    found: ThermalFlow,
    time: Axis,
) -> xr.Dataset:
    supply_t, return_t, dp, supply_kpa, return_kpa, m, velocity, consumer_flow = found.rows
    plant_flow, back_degc, lost_w, lift, _, _ = found.totals
    heat = sign * fluid.heat_j_per_kg_k * plant_flow * (given.plant_degc - back_degc)
    status, worst = _verdict(network, model, given, found)
    return model.frame.dataset(
        time,
        {
            "supply_degc": (BY_JUNCTION, supply_t.T),
            "return_degc": (BY_JUNCTION, return_t.T),
            "dp_kpa": (BY_JUNCTION, dp.T),
            "supply_pressure_kpa": (BY_JUNCTION, supply_kpa.T),
            "return_pressure_kpa": (BY_JUNCTION, return_kpa.T),
            "flow_kg_per_s": (BY_PIPE, m.T),
            "velocity_m_per_s": (BY_PIPE, velocity.T),
            "consumer_flow_kg_per_s": (("consumer", "time"), consumer_flow.T),
            "plant_kw": (BY_TIME, heat / 1e3),
            "plant_flow_kg_per_s": (BY_TIME, plant_flow),
            "loss_kw": (BY_TIME, sign * lost_w / 1e3),
            "pump_kw": (BY_TIME, plant_flow * lift / fluid.return_kg_per_m3),
            "status": (BY_TIME, status),
            "residual_k": (BY_TIME, found.change_k),
            "worst_junction": (BY_TIME, worst),
        },
    )


def _verdict(
    network: PipeNetwork, model: PipeModel, given: ThermalInput, found: ThermalFlow
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.str_]]:
    """Return the status of every step and the consumer with the least pressure difference."""
    failed, least, worst = found.count < 0, found.totals[4], found.totals[5]
    if not network.consumers:
        none = np.where(failed, Status.NOT_CONVERGED, Status.OK).astype(np.int8)
        return none, np.full(len(none), "")
    bound = ~found.fine | (least < 0)
    status = np.where(failed, Status.NOT_CONVERGED, np.where(bound, Status.BOUND, Status.OK))
    status = np.where((status == Status.OK) & given.stranded, Status.ISLAND, status).astype(np.int8)
    return status, model.frame.names["consumer"][worst]
