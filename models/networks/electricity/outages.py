"""What happens to a grid when one line or transformer fails (N-1)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.networks.data import ElectricNetwork
from models.networks.electricity.batch import ITERATIONS_MAX, run_batch
from models.networks.electricity.compile import CompiledGrid, ComplexArray, FloatArray, compile_grid
from models.networks.electricity.flow import branch_results, node_power
from models.networks.labels import table, time_of
from models.networks.status import Status
from models.networks.symbolic import IntArray


def n1(
    network: ElectricNetwork,
    p_kw: xr.DataArray,
    q_kvar: xr.DataArray | None = None,
    outages: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return the grid's state after each single outage.

    Parameters
    ----------
    network, p_kw, q_kvar
        As for ``solve_electricity``.
    outages
        Ids of lines and transformers to take out one at a time; all of them when left out.

    Returns
    -------
    xr.Dataset
        ``vm_pu`` (outage, bus, time), NaN where the outage leaves a bus without voltage; ``loading_share``
        (outage, branch, time); ``unsupplied_kw`` (outage, time), power drawn at dead buses; ``vm_min_pu``,
        ``loading_max_share``, ``worst_branch``, ``status``, ``residual_kva`` (outage, time). ``ISLAND`` marks outages
        that cut somebody off; everybody else is solved.
    """
    grid = compile_grid(network)
    time = time_of(p_kw)
    p = table(p_kw, "bus", grid.bus_ids, time, "p_kw")
    q = np.zeros_like(p) if q_kvar is None else table(q_kvar, "bus", grid.bus_ids, time, "q_kvar")
    s_bus: ComplexArray = np.asarray((p + 1j * q) / 1e3, dtype=np.complex128)
    ids = list(grid.branches.ids) if outages is None else list(outages)
    out = np.array([grid.branches.ids.index(i) for i in ids], dtype=np.int64)
    v, count, worst, live = _run(grid, node_power(grid, s_bus)[:, :-1], out)
    return _label(grid, time, s_bus, ids, out, v, count, worst, live)


def _run(
    grid: CompiledGrid, s: ComplexArray, out: npt.NDArray[np.int64]
) -> tuple[ComplexArray, npt.NDArray[np.int32], FloatArray, npt.NDArray[np.int32]]:
    from models.networks.electricity.outage_kernel import run_outages  # the compiler's import takes half a second
    from models.networks.jit import in_pieces

    e, size = grid.elimination, grid.node_count
    base = run_batch(grid, s)
    start = np.where(np.isfinite(base.v), base.v, grid.start)
    shape = len(out), len(s)
    v = np.empty((*shape, size + 1), dtype=np.complex128)
    count, worst = np.zeros(shape, dtype=np.int32), np.zeros(shape)
    live = np.zeros((len(out), size + 1), dtype=np.int32)
    problem = (
        start,
        np.ascontiguousarray(s),
        grid.held_vm_pu,
        (grid.edge_from, grid.edge_to, grid.edge_block),
        (grid.y_edge, grid.y_edge_back, grid.y_diagonal),
        (e.ptr, e.column, e.upper, e.lower, e.target_ptr, e.target),
        grid.tolerance_mva,
        ITERATIONS_MAX,
        _taken_out(grid, out),
        v,
        count,
        worst,
        live,
    )
    in_pieces(len(out), lambda first, last: run_outages(*problem, first, last))
    return v, count, worst, live


def _taken_out(
    grid: CompiledGrid, out: npt.NDArray[np.int64]
) -> tuple[IntArray, IntArray, IntArray, IntArray, ComplexArray, ComplexArray, ComplexArray, ComplexArray]:
    """Return edge, branches on it, both nodes and the two-port of every outage in the direction of its edge."""
    b = grid.branches
    edge = {pair: k for k, pair in enumerate(zip(grid.edge_from.tolist(), grid.edge_to.tolist(), strict=True))}
    through = b.ft != 0
    ends = [(min(i, j), max(i, j)) for i, j in zip(b.from_node.tolist(), b.to_node.tolist(), strict=True)]
    number = np.array(
        [edge.get(pair, -1) if ok else -1 for pair, ok in zip(ends, through, strict=True)], dtype=np.int32
    )
    together = np.bincount(number[number >= 0], minlength=len(edge))
    turned = (b.from_node > b.to_node)[out]
    first, last = np.where(turned, b.tt[out], b.ff[out]), np.where(turned, b.ff[out], b.tt[out])
    forth, back = np.where(turned, b.tf[out], b.ft[out]), np.where(turned, b.ft[out], b.tf[out])
    shared = together[number[out]] if len(together) else np.zeros(len(out))
    lower, upper = (
        np.where(turned, b.to_node[out], b.from_node[out]),
        np.where(turned, b.from_node[out], b.to_node[out]),
    )
    nodes = lower.astype(np.int32), upper.astype(np.int32)
    return number[out], shared.astype(np.int32), *nodes, first, forth, back, last


def _label(
    grid: CompiledGrid,
    time: xr.DataArray,
    s_bus: ComplexArray,
    ids: list[str],
    out: npt.NDArray[np.int64],
    v: ComplexArray,
    count: npt.NDArray[np.int32],
    worst: FloatArray,
    live: npt.NDArray[np.int32],
) -> xr.Dataset:
    shape = len(ids), len(s_bus)
    loading = branch_results(grid, v.reshape(-1, v.shape[-1]))["loading_share"].reshape(*shape, -1)
    loading[np.arange(len(ids)), :, out] = 0.0
    vm = np.where(grid.bus_node >= 0, np.abs(v)[..., grid.bus_node], 0.0)
    on = (live[:, grid.bus_node] == 1) & (grid.bus_node >= 0)
    vm = np.where(on[:, None, :], vm, np.nan)
    drawn = np.maximum(-s_bus.real, 0) @ (~on).T * 1e3
    cut = np.abs(s_bus) @ (~on).T > 0
    status = np.select([count < 0, cut.T], [Status.NOT_CONVERGED, Status.ISLAND], Status.OK).astype(np.int8)
    names = np.array([*grid.branches.ids, ""], dtype=object)
    heaviest = np.argmax(np.nan_to_num(loading), axis=2) if loading.shape[2] else np.full(shape, -1)
    return xr.Dataset(
        {
            "vm_pu": (("outage", "time", "bus"), vm),
            "loading_share": (("outage", "time", "branch"), loading),
            "unsupplied_kw": (("outage", "time"), drawn.T),
            "vm_min_pu": (("outage", "time"), np.nanmin(vm, axis=2)),
            "loading_max_share": (("outage", "time"), loading.max(axis=2, initial=0.0)),
            "worst_branch": (("outage", "time"), names[heaviest]),
            "status": (("outage", "time"), status),
            "residual_kva": (("outage", "time"), worst * 1e3),
        },
        coords={"outage": ids, "bus": list(grid.bus_ids), "branch": list(grid.branches.ids), "time": time},
    ).transpose("outage", "bus", "branch", "time")
