"""Linear grids for planning studies: which branches carry a transfer (PTDF), and voltages of a feeder (LinDistFlow).

Neither proves a plan: losses are left out and voltages come out up to a hundredth too high. The AC flow of
``solve_electricity`` does that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.errors import DataError
from models.findings import Finding, error
from models.networks.data import ElectricNetwork
from models.networks.electricity.compile import CompiledGrid, ComplexArray, FloatArray, compile_grid
from models.networks.labels import table, time_of


@dataclass(frozen=True, slots=True)
class Series:
    """What lies between the two ends of branches: an ideal transformer at the from end, then an impedance; shape (branch,)."""

    z_pu: ComplexArray
    """Seen from the to end; infinite where nothing passes."""
    ratio: FloatArray
    shift_rad: FloatArray

    @property
    def dc_susceptance(self) -> FloatArray:
        """Power per radian that the reactance (the resistance where there is none) lets through, MW; zero where nothing passes."""
        live = np.isfinite(self.z_pu)
        z = np.where(live, self.z_pu, 1)
        ohm = np.where(z.imag == 0, z.real, z.imag) * self.ratio
        return np.asarray(np.where(live, 1 / ohm, 0.0))


def series_of(ff: ComplexArray, ft: ComplexArray, tf: ComplexArray, tt: ComplexArray) -> Series:
    """Return impedance, ratio and phase shift out of two-port admittances."""
    y = np.sqrt(ft * tf)
    y = np.where(
        (y.real < 0) | ((y.real == 0) & (y.imag > 0)), -y, y
    )  # of the two roots the one that does not generate
    live = y != 0
    ratio = np.sqrt(np.abs(np.where(live, tt, 1) / np.where(live, ff, 1)))
    z = np.where(live, 1 / np.where(live, y * ratio, 1), np.inf)
    return Series(z, ratio, np.where(live, np.angle(-ft / np.where(live, y, 1)), 0.0))


def ptdf(network: ElectricNetwork, sources: Sequence[str] | None = None) -> xr.DataArray:
    """Return the share of a power fed in at a bus and taken at the slack that flows over each branch.

    Parameters
    ----------
    network
        The grid.
    sources
        Buses that feed; all when left out.

    Returns
    -------
    xr.DataArray
        Dims (branch, source), positive from a branch's start to its end; NaN for buses that the slack does not reach.

    Source: DC power flow, reactances only (Wood, Wollenberg, Sheblé: Power Generation, Operation, and Control, chapter 7).
    """
    grid = compile_grid(network)
    chosen = list(grid.bus_ids) if sources is None else list(sources)
    node = _nodes(grid, chosen)
    angle = np.zeros((grid.node_count + 1, len(chosen)))
    inner = np.flatnonzero((node >= 0) & (node < grid.node_count))
    feed = np.zeros((grid.node_count, len(inner)))
    feed[node[inner], np.arange(len(inner))] = 1.0
    angle[:-1, inner] = _solve_dc(grid, feed)
    shares = _dc_flow(grid, angle)
    shares[:, node < 0] = np.nan
    return xr.DataArray(shares, {"branch": list(grid.branches.ids), "source": chosen}, ("branch", "source"), "ptdf")


@dataclass(frozen=True, slots=True)
class DcGrid:
    """A grid as markets see it: nodes that buses share, and branches with what a radian lets through and what they may carry.

    ``node`` has shape (bus,), -1 where the slack does not reach; the rest has shape (branch,). A branch without a limit has inf.
    """

    buses: tuple[str, ...]
    node: npt.NDArray[np.int32]
    branches: tuple[str, ...]
    from_node: npt.NDArray[np.int32]
    to_node: npt.NDArray[np.int32]
    kw_per_rad: FloatArray
    shift_rad: FloatArray
    limit_kw: FloatArray


def dc_grid(network: ElectricNetwork) -> DcGrid:
    """Return the lossless grid of the DC power flow; branches that are open or carry nothing are left out.

    Source: as for ``ptdf``.
    """
    grid = compile_grid(network)
    b = grid.branches
    series = series_of(b.ff, b.ft, b.tf, b.tt)
    y = series.dc_susceptance
    live = (y != 0) & (b.from_node >= 0) & (b.from_node != b.to_node)
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = 1e3 * np.fmin(b.from_limit_ka / b.from_current_ka, b.to_limit_ka / b.to_current_ka)
    limit = np.where(np.isnan(limit), np.inf, limit)
    ids = tuple(name for name, there in zip(b.ids, live.tolist(), strict=True) if there)
    parts = (b.from_node[live], b.to_node[live], 1e3 * y[live], series.shift_rad[live], limit[live])
    return DcGrid(grid.bus_ids, grid.bus_node, ids, *parts)


def dc_start(grid: CompiledGrid, s_mva: ComplexArray) -> ComplexArray:
    """Return voltages with the angles of the DC power flow and rated or held magnitude, dims (step, node), slack last."""
    b = grid.branches
    series = series_of(b.ff, b.ft, b.tf, b.tt)
    pushed = np.zeros(grid.node_count + 1)
    push = series.dc_susceptance * series.shift_rad
    np.add.at(pushed, b.from_node, push)
    np.add.at(pushed, b.to_node, -push)
    angle = np.angle(grid.slack_v) + _solve_dc(grid, s_mva.real.T + pushed[:-1, None])
    size = np.where(np.isnan(grid.held_vm_pu), 1.0, grid.held_vm_pu)
    v = np.empty((len(s_mva), grid.node_count + 1), dtype=np.complex128)
    v[:, :-1] = (size[:, None] * np.exp(1j * angle)).T
    v[:, -1] = grid.slack_v
    return v


def _nodes(grid: CompiledGrid, buses: Sequence[str]) -> npt.NDArray[np.int32]:
    place = dict(zip(grid.bus_ids, grid.bus_node.tolist(), strict=True))
    return np.array([place[bus] for bus in buses], dtype=np.int32)


def _solve_dc(grid: CompiledGrid, feed_mw: FloatArray) -> FloatArray:
    """Return voltage angles against the slack for powers fed in, both (node, case)."""
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import splu

    if not grid.node_count:
        return np.zeros_like(feed_mw)
    b, size = grid.branches, grid.node_count + 1
    y = series_of(b.ff, b.ft, b.tf, b.tt).dc_susceptance
    live = (y != 0) & (b.from_node >= 0)
    i, j, y = b.from_node[live], b.to_node[live], y[live]
    places = np.concatenate([i, j, i, j]), np.concatenate([i, j, j, i])
    laplace = csc_matrix((np.concatenate([y, y, -y, -y]), places), shape=(size, size))[:-1, :-1]
    return np.asarray(splu(laplace.tocsc()).solve(feed_mw))


def _dc_flow(grid: CompiledGrid, angle: FloatArray) -> FloatArray:
    b = grid.branches
    y = series_of(b.ff, b.ft, b.tf, b.tt).dc_susceptance
    return np.asarray(np.where(b.from_node >= 0, y, 0.0)[:, None] * (angle[b.from_node] - angle[b.to_node]))


def lindistflow(network: ElectricNetwork, sources: Sequence[str] | None = None) -> xr.Dataset:
    """Return squared voltages of a radial grid as linear functions of the powers fed into its buses.

    ``vm² = vm2_no_load + vm2_by_p @ p_kw + vm2_by_q @ q_kvar``, so rows for a planner's limits are ready to use.

    Parameters
    ----------
    network
        A grid without loops and without held voltages.
    sources
        Buses whose power moves; all when left out.

    Returns
    -------
    xr.Dataset
        ``vm2_by_p`` (pu² per kW) and ``vm2_by_q`` (pu² per kvar), dims (bus, source), ``vm2_no_load`` (bus): charging
        currents and iron are in the start, losses are not in the slopes. NaN for buses that the slack does not reach.

    Raises
    ------
    DataError
        When the grid has loops or a bus that holds its voltage.

    Source: linearised DistFlow (Baran, Wu, IEEE Trans. Power Delivery 4(1), 1989).
    """
    grid = compile_grid(network)
    if found := _unfit(network, grid):
        raise DataError(found)
    chosen = list(grid.bus_ids) if sources is None else list(sources)
    by_p, by_q = (
        np.where((grid.bus_node >= 0)[:, None], s[grid.bus_node], np.nan) / 1e3
        for s in _slopes(grid, _nodes(grid, chosen))
    )
    idle = np.where(grid.bus_node >= 0, np.abs(grid.start[grid.bus_node]) ** 2, np.nan)
    parts = {
        "vm2_by_p": (("bus", "source"), by_p),
        "vm2_by_q": (("bus", "source"), by_q),
        "vm2_no_load": ("bus", idle),
    }
    return xr.Dataset(parts, {"bus": list(grid.bus_ids), "source": chosen})


def _unfit(network: ElectricNetwork, grid: CompiledGrid) -> list[Finding]:
    """Return what keeps a grid from being a feeder: loops and held voltages."""
    loops = len(grid.edge_from) - grid.node_count
    found = [
        error(f"{network.id}[{c.id}]", "holds its voltage; give its reactive power instead", c.bus)
        for c in network.voltage_controls
    ]
    if loops > 0:
        found.append(error(network.id, f"has {loops} loops; open one line in each for a feeder model", value=loops))
    return found


def _slopes(grid: CompiledGrid, sources: npt.NDArray[np.int32]) -> tuple[FloatArray, FloatArray]:
    """Return d |v|² by real and by reactive power per MVA, dims (node with the slack last, source)."""
    series, parent, edge, order = _tree(grid)
    below = np.eye(grid.node_count + 1)
    for node in reversed(order):
        below[parent[node]] += below[node]
    by_p, by_q = np.zeros_like(below), np.zeros_like(below)
    for node in order:
        k = edge[node]
        gain = series.ratio[k] ** (2.0 if grid.edge_from[k] == node else -2.0)
        scale = gain if grid.edge_from[k] == node else 1.0
        for slope, ohm in ((by_p, series.z_pu[k].real), (by_q, series.z_pu[k].imag)):
            slope[node] = gain * slope[parent[node]] + 2 * scale * ohm * below[node]
    dead = sources < 0
    return tuple(np.where(dead, np.nan, slope[:, sources]) for slope in (by_p, by_q))  # type: ignore[return-value] # two of them


def _tree(grid: CompiledGrid) -> tuple[Series, npt.NDArray[np.int32], npt.NDArray[np.int32], list[int]]:
    """Return the edges' series parts, every node's parent and edge, and the nodes from the slack outwards."""
    near: dict[int, list[tuple[int, int]]] = {}
    for k, (a, b) in enumerate(zip(grid.edge_from.tolist(), grid.edge_to.tolist(), strict=True)):
        near.setdefault(a, []).append((b, k))
        near.setdefault(b, []).append((a, k))
    parent, edge = np.full((2, grid.node_count + 1), -1, dtype=np.int32)
    order, waiting = [], [grid.node_count]
    while waiting:
        node = waiting.pop()
        for other, k in near.get(node, ()):
            if k != edge[node]:
                parent[other], edge[other] = node, k
                order.append(other)
                waiting.append(other)
    return _edge_series(grid), parent, edge, order


def _edge_series(grid: CompiledGrid) -> Series:
    """Return what lies between the nodes of every edge, its parallel branches taken together."""
    b = grid.branches
    number = {pair: k for k, pair in enumerate(zip(grid.edge_from.tolist(), grid.edge_to.tolist(), strict=True))}
    total = np.zeros((4, len(number)), dtype=np.complex128)
    for i, (a, c) in enumerate(zip(b.from_node.tolist(), b.to_node.tolist(), strict=True)):
        if (a, c) in number:
            total[:, number[a, c]] += (b.ff[i], b.ft[i], b.tf[i], b.tt[i])
        elif (c, a) in number:
            total[:, number[c, a]] += (b.tt[i], b.tf[i], b.ft[i], b.ff[i])
    return series_of(*total)


def linear_flow(network: ElectricNetwork, p_kw: xr.DataArray, q_kvar: xr.DataArray | None = None) -> xr.Dataset:
    """Return the lossless estimate of a grid's flow: ``p_from_kw`` (branch, time), and ``vm_pu`` (bus, time) of a feeder.

    Powers as for ``solve_electricity``. A grid with loops or held voltages has no ``vm_pu``.
    """
    grid = compile_grid(network)
    time = time_of(p_kw)
    p = table(p_kw, "bus", grid.bus_ids, time, "p_kw")
    q = np.zeros_like(p) if q_kvar is None else table(q_kvar, "bus", grid.bus_ids, time, "q_kvar")
    coords = {"bus": list(grid.bus_ids), "branch": list(grid.branches.ids), "time": time}
    parts = {"p_from_kw": (("branch", "time"), np.nan_to_num(ptdf(network).to_numpy()) @ p.T)}
    if _unfit(network, grid):
        return xr.Dataset(parts, coords)
    rows = lindistflow(network)
    squared = np.nan_to_num(rows["vm2_by_p"].to_numpy()) @ p.T + np.nan_to_num(rows["vm2_by_q"].to_numpy()) @ q.T
    parts["vm_pu"] = (("bus", "time"), np.sqrt(np.maximum(squared + rows["vm2_no_load"].to_numpy()[:, None], 0.0)))
    return xr.Dataset(parts, coords)
