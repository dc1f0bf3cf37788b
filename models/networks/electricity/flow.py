"""Power flow of a grid over labelled time series."""

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.networks.data import ElectricNetwork
from models.networks.electricity.batch import BatchFlow, run_batch
from models.networks.electricity.compile import CompiledGrid, ComplexArray, FloatArray, compile_grid
from models.networks.labels import Axis, axis_of, table
from models.networks.status import Status

BRANCH_RESULTS = ("loading_share", "current_ka", "p_from_kw", "q_from_kvar", "p_to_kw", "q_to_kvar")


def solve_electricity(
    network: ElectricNetwork, p_kw: xr.DataArray, q_kvar: xr.DataArray | None = None, *, start: xr.Dataset | None = None
) -> xr.Dataset:
    """Return voltages, loadings and losses of every step.

    Parameters
    ----------
    network
        The grid; equal grids are compiled once.
    p_kw, q_kvar
        Power fed into each bus, dims (bus, time) in any order; positive feeds the network. Buses left out feed nothing;
        what is given at the slack bus is netted against the grid.
    start
        An earlier result on the same grid and number of steps to start the iteration from.

    Returns
    -------
    xr.Dataset
        ``vm_pu``, ``angle_deg`` (bus, time); ``loading_share``, ``current_ka``, ``p_from_kw``, ``q_from_kvar``,
        ``p_to_kw``, ``q_to_kvar`` (branch, time), power counted into the branch; ``loss_kw``, ``slack_p_kw``,
        ``slack_q_kvar`` (time), the slack's power positive when the public grid feeds; ``status`` (see
        ``models.networks.status.Status``), ``residual_kva`` and the bus
        it occurs at, ``worst_bus`` (time).

    Raises
    ------
    DataError
        When a series names an unknown bus or its times differ from the other's.
    """
    grid = compile_grid(network)
    time = axis_of(p_kw)
    p = table(p_kw, "bus", grid.bus_ids, time, "p_kw")
    q = np.zeros_like(p) if q_kvar is None else table(q_kvar, "bus", grid.bus_ids, time, "q_kvar")
    s_bus: ComplexArray = np.asarray((p + 1j * q) / 1e3, dtype=np.complex128)
    s = node_power(grid, s_bus)
    flow = run_batch(grid, s[:, :-1], None if start is None else voltages_of(grid, start))
    return _label(grid, time, s_bus, s[:, -1], flow)


def node_power(grid: CompiledGrid, s_bus: ComplexArray) -> ComplexArray:
    """Return the power fed in per electrical node, dims (step, node) with the slack last."""
    s = np.zeros((len(s_bus), grid.node_count + 1), dtype=np.complex128)
    s[:, grid.joined.node] = np.add.reduceat(s_bus[:, grid.joined.bus], grid.joined.first, axis=1)
    return s


def voltages_of(grid: CompiledGrid, start: xr.Dataset) -> ComplexArray:
    """Return the complex voltages of an earlier result, dims (step, node) with the slack last."""
    vm = start["vm_pu"].transpose("time", "bus").to_numpy()
    angle = np.radians(start["angle_deg"].transpose("time", "bus").to_numpy())
    v = np.full((len(vm), grid.node_count + 1), np.nan, dtype=np.complex128)
    live = grid.bus_node >= 0
    v[:, grid.bus_node[live]] = (vm * np.exp(1j * angle))[:, live]
    v[:, -1] = grid.slack_v
    return v


def _label(grid: CompiledGrid, time: Axis, s_bus: ComplexArray, s_slack: ComplexArray, flow: BatchFlow) -> xr.Dataset:
    v_bus = np.where(grid.bus_node >= 0, flow.v[:, grid.bus_node], np.nan)
    branch = branch_results(grid, flow.v)
    slack = _slack_power(grid, flow.v) - s_slack
    stranded = np.abs(s_bus[:, grid.bus_node < 0]).any(axis=1) & (flow.status == Status.OK)
    by_bus, by_branch, by_time = ("bus", "time"), ("branch", "time"), ("time",)
    return grid.frame.dataset(
        time,
        {
            "vm_pu": (by_bus, np.abs(v_bus).T),
            "angle_deg": (by_bus, np.degrees(np.angle(v_bus)).T),
            **{name: (by_branch, branch[name].T) for name in BRANCH_RESULTS},
            "loss_kw": (by_time, (branch["p_from_kw"] + branch["p_to_kw"]).sum(axis=1)),
            "slack_p_kw": (by_time, slack.real * 1e3),
            "slack_q_kvar": (by_time, slack.imag * 1e3),
            "status": (by_time, np.where(stranded, np.int8(Status.ISLAND), flow.status)),
            "residual_kva": (by_time, flow.residual_kva),
            "worst_bus": (by_time, _bus_of_node(grid)[flow.worst_node]),
        },
    )


def _bus_of_node(grid: CompiledGrid) -> npt.NDArray[np.str_]:
    """Return the first bus of every node."""
    names = grid.frame.names["bus"]
    at = np.full(grid.node_count + 1, "", dtype=names.dtype)
    at[grid.joined.node] = names[grid.joined.bus[grid.joined.first]]
    return at


def _slack_power(grid: CompiledGrid, v: ComplexArray) -> ComplexArray:
    """Return what the slack node injects into the grid in MVA."""
    slack = grid.node_count
    current = grid.y_diagonal[slack] * v[:, slack]
    for k in np.flatnonzero(grid.edge_to == slack):
        current = current + grid.y_edge_back[k] * v[:, grid.edge_from[k]]
    return np.asarray(v[:, slack] * np.conj(current))


def branch_results(grid: CompiledGrid, v: ComplexArray) -> dict[str, FloatArray]:
    """Return currents, loadings and powers at both ends, dims (step, branch); zero where a branch is dead."""
    b = grid.branches
    v_from = np.where(b.from_node >= 0, v[:, b.from_node], 0)
    v_to = np.where(b.to_node >= 0, v[:, b.to_node], 0)
    i_from = b.ff * v_from + b.ft * v_to
    i_to = b.tf * v_from + b.tt * v_to
    from_ka, to_ka = np.abs(i_from) * b.from_current_ka, np.abs(i_to) * b.to_current_ka
    s_from, s_to = v_from * np.conj(i_from) * 1e3, v_to * np.conj(i_to) * 1e3
    return {
        "loading_share": np.maximum(from_ka / b.from_limit_ka, to_ka / b.to_limit_ka),
        "current_ka": np.maximum(from_ka, to_ka),
        "p_from_kw": s_from.real,
        "q_from_kvar": s_from.imag,
        "p_to_kw": s_to.real,
        "q_to_kvar": s_to.imag,
    }
