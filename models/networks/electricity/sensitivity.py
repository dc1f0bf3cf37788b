"""How voltages, loadings and losses answer to a little more power at a bus: exact slopes of the power flow."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.networks.data import ElectricNetwork
from models.networks.electricity.compile import CompiledGrid, ComplexArray, FloatArray, compile_grid
from models.networks.electricity.flow import voltages_of


def sensitivities(network: ElectricNetwork, flow: xr.Dataset, sources: Sequence[str] | None = None) -> xr.Dataset:
    """Return the slopes of a solved flow with respect to real and reactive power fed into buses.

    Parameters
    ----------
    network, flow
        The grid and a result of ``solve_electricity`` on it.
    sources
        Buses whose power moves; all buses when left out.

    Returns
    -------
    xr.Dataset
        ``vm_by_p`` in pu per kW and ``vm_by_q`` in pu per kvar (bus, source, time); ``loading_by_p``, ``loading_by_q``
        (branch, source, time), of the end that carries the larger current; ``loss_by_p``, ``loss_by_q`` (source, time)
        in kW per kW and kW per kvar. The slack balances every change, so its own column is zero. NaN where the step or
        the bus has no solution.
    """
    grid = compile_grid(network)
    chosen = list(grid.bus_ids) if sources is None else list(sources)
    place = {bus: int(node) for bus, node in zip(grid.bus_ids, grid.bus_node, strict=True)}
    nodes = np.array([place[bus] for bus in chosen], dtype=np.int32)
    v = voltages_of(grid, flow)
    slopes = _node_slopes(grid, v, nodes)
    return _label(grid, flow, chosen, v, slopes)


def _node_slopes(grid: CompiledGrid, v: ComplexArray, nodes: npt.NDArray[np.int32]) -> ComplexArray:
    """Return d v / d (P, Q) per MVA, dims (step, source, 2, node)."""
    from models.networks.electricity.slopes import slope_steps  # the compiler's import takes half a second
    from models.networks.jit import in_pieces

    e = grid.elimination
    slopes = np.zeros((len(v), len(nodes), 2, grid.node_count + 1), dtype=np.complex128)
    problem = (
        v,
        nodes,
        grid.held_vm_pu,
        (grid.edge_from, grid.edge_to, grid.edge_block),
        (grid.y_edge, grid.y_edge_back, grid.y_diagonal),
        (e.ptr, e.column, e.upper, e.lower, e.target_ptr, e.target),
        slopes,
    )
    in_pieces(len(v), lambda first, last: slope_steps(*problem, first, last))
    return slopes


def _label(
    grid: CompiledGrid, flow: xr.Dataset, sources: Sequence[str], v: ComplexArray, slopes: ComplexArray
) -> xr.Dataset:
    vm = np.where(grid.bus_node >= 0, _along(v[:, None, None, :], slopes)[..., grid.bus_node], np.nan) / 1e3
    loading = _loading_slopes(grid, v, slopes) / 1e3
    loss = _loss_slopes(grid, v, slopes)
    loss[:, [grid.bus_node[grid.bus_ids.index(s)] < 0 for s in sources]] = np.nan
    parts: dict[str, tuple[tuple[str, ...], FloatArray]] = {}
    for k, power in enumerate(("p", "q")):
        parts[f"vm_by_{power}"] = (("time", "source", "bus"), vm[:, :, k])
        parts[f"loading_by_{power}"] = (("time", "source", "branch"), loading[:, :, k])
        parts[f"loss_by_{power}"] = (("time", "source"), loss[:, :, k])
    coords = {"bus": flow["bus"], "branch": flow["branch"], "source": list(sources), "time": flow["time"]}
    return xr.Dataset(parts, coords=coords).transpose("bus", "branch", "source", "time")


def _along(value: ComplexArray, change: ComplexArray) -> FloatArray:
    """Return how fast the magnitude of ``value`` grows when it changes by ``change``."""
    size = np.abs(value)
    return np.asarray((np.conj(value) * change).real / np.where(size > 0, size, 1.0))


def _loading_slopes(grid: CompiledGrid, v: ComplexArray, slopes: ComplexArray) -> FloatArray:
    b = grid.branches

    def ends(x: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
        x_from = np.where(b.from_node >= 0, x[..., b.from_node], 0)
        x_to = np.where(b.to_node >= 0, x[..., b.to_node], 0)
        return b.ff * x_from + b.ft * x_to, b.tf * x_from + b.tt * x_to

    scale = b.from_current_ka / b.from_limit_ka, b.to_current_ka / b.to_limit_ka
    i_from, i_to = ends(v[:, None, None, :])
    di_from, di_to = ends(slopes)
    from_is_larger = np.abs(i_from) * scale[0] >= np.abs(i_to) * scale[1]
    return np.where(from_is_larger, _along(i_from, di_from) * scale[0], _along(i_to, di_to) * scale[1])


def _loss_slopes(grid: CompiledGrid, v: ComplexArray, slopes: ComplexArray) -> FloatArray:
    """Return d loss / d (P, Q): what the slack adds, plus the power itself, dims (step, source, 2)."""
    slack = grid.node_count
    current = np.zeros(slopes.shape[:3], dtype=np.complex128)
    for k in np.flatnonzero(grid.edge_to == slack):
        current += grid.y_edge_back[k] * slopes[..., grid.edge_from[k]]
    by_slack = (v[:, slack, None, None] * np.conj(current)).real
    moved = np.abs(slopes).any(axis=-1)
    return np.asarray(by_slack + np.where(moved, [1.0, 0.0], 0.0))
