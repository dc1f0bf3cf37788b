"""Power flow of many steps at once; no step can stop another."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.electricity.compile import CompiledGrid, ComplexArray, FloatArray
from models.networks.status import Status

ITERATIONS_MAX = 20
STAGES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of its power that a step without solution is solved at, one after the other."""


@dataclass(frozen=True, slots=True)
class BatchFlow:
    """Voltages of every step in per unit; the slack is the last node."""

    v: ComplexArray
    """Dims (step, node); NaN where the step did not converge."""
    status: npt.NDArray[np.int8]
    residual_kva: FloatArray
    iterations: npt.NDArray[np.int32]
    worst_node: npt.NDArray[np.int32]
    """Node with the largest residual."""


def run_batch(grid: CompiledGrid, s_mva: ComplexArray, start: ComplexArray | None = None) -> BatchFlow:
    """Solve all steps from the no-load state, or from ``start`` where it is finite.

    Every step starts from the same place and not from its neighbour, so a result does not depend on which other steps
    are in the batch, and a failed step leaves nothing behind. A step that does not converge is tried once more, its
    power raised in stages from the DC power flow's voltages, which meshed grids of high voltage need.

    Parameters
    ----------
    grid
        Compiled grid.
    s_mva
        Power fed in per node, dims (step, node) in elimination order without the slack.
    start
        Voltages to start from, dims (step, node) with the slack last.
    """
    v = np.repeat(grid.start[None, :], len(s_mva), axis=0)
    if start is not None:
        usable = np.isfinite(start).all(axis=1)
        v[usable] = start[usable]
    count = np.zeros(len(s_mva), dtype=np.int32)
    worst = np.zeros(len(s_mva))
    where = np.zeros(len(s_mva), dtype=np.int32)
    if grid.node_count:
        _iterate(grid, v, np.ascontiguousarray(s_mva), count, worst, where)
        _try_again(grid, v, s_mva, count, worst, where)
    failed = count < 0
    v[failed] = np.nan
    status = np.where(failed, Status.NOT_CONVERGED, Status.OK).astype(np.int8)
    return BatchFlow(v, status, worst * 1e3, count, where)


def _try_again(
    grid: CompiledGrid,
    v: ComplexArray,
    s_mva: ComplexArray,
    count: npt.NDArray[np.int32],
    worst: FloatArray,
    where: npt.NDArray[np.int32],
) -> None:
    """Solve the failed steps in stages; those that fail again keep their first residual."""
    from models.networks.electricity.linear import dc_start  # with scipy's solvers, which few runs need

    failed = np.flatnonzero(count < 0)
    if not len(failed):
        return
    again, tries, off, at = dc_start(grid, 0 * s_mva[failed]), count[failed], worst[failed], where[failed]
    for share in STAGES:
        _iterate(grid, again, share * s_mva[failed], tries, off, at)
    mended = tries >= 0
    for old, new in ((v, again), (count, tries), (worst, off), (where, at)):
        old[failed[mended]] = new[mended]


def _iterate(
    grid: CompiledGrid,
    v: ComplexArray,
    s_mva: ComplexArray,
    count: npt.NDArray[np.int32],
    worst: FloatArray,
    where: npt.NDArray[np.int32],
) -> None:
    from models.networks.electricity.kernels import newton_steps  # the compiler's import takes half a second
    from models.networks.jit import in_pieces

    e = grid.elimination
    problem = (
        grid.held_vm_pu,
        (grid.edge_from, grid.edge_to, grid.edge_block),
        (grid.y_edge, grid.y_edge_back, grid.y_diagonal),
        (e.ptr, e.column, e.upper, e.lower, e.target_ptr, e.target),
        grid.tolerance_mva,
        ITERATIONS_MAX,
        count,
        worst,
        where,
    )
    in_pieces(len(v), lambda first, last: newton_steps(v, s_mva, *problem, first, last))
