"""Flows and potentials of a pipe network by Newton's method on its chords.

The potential is the integral of density over pressure, ``rho * p`` for a liquid, so one law serves liquids and gases:
``potential drop = (lambda L / D + zeta) m |m| / (2 A^2) + head``. Flows along the tree follow from node balances, so
only edges that lie on loops take part in the iteration; potentials are followed down the tree once at the end.

Source: loop equations after Cross (1936) solved by Newton; see Todini and Rossman, J. Hydraulic Eng. 139(5), 2013.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.networks.data import Pipe
from models.networks.friction import friction_factor, rough_factor
from models.networks.graph import CompiledGraph
from models.networks.jit import compiled
from models.networks.loops import solve_positive

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Tubes = Floats
"""Rows over edges: length, diameter, area (m, m, m2), relative roughness, zeta, known friction factor (NaN: from the model);
then what the drop of a known factor and of the nikuradse law has per viscosity and flow, and per squared flow. One array,
because taking a tuple of arrays apart for every edge costs more than the friction law."""
LENGTH, DIAMETER, AREA, ROUGHNESS, ZETA, KNOWN, LAMINAR, SQUARE = range(8)
Shape = tuple[Ints, Ints, Ints, Ints, Floats, Ints, Ints, Ints, Floats, Ints]
"""start, end, parent, parent_edge, parent_sign, chord, path_ptr, path_edge, path_sign, loop_edge of a graph."""

Media = tuple[Floats, Floats]
"""Viscosity in Pa s and weight of each fluid that flows through an edge; the weighted drops add up."""
Pumps = tuple[Floats, Floats]
"""Flow-free part of every edge's drop, and its part per squared flow."""

ITERATIONS_MAX = 60
SMALLEST_FLOW_KG_PER_S = 1e-9
"""Below this the law is followed as a straight line through zero."""
NIKURADSE = 0


def shape_of(graph: CompiledGraph) -> Shape:
    """Return the arrays of a graph in the order that kernels expect."""
    g = graph
    tree = g.start, g.end, g.parent, g.parent_edge, g.parent_sign
    return *tree, g.chord, g.path_ptr, g.path_edge, g.path_sign, g.loop_edge


def tubes_of(pipes: Sequence[Pipe], further: int = 0) -> Tubes:
    """Return pipes as arrays, followed by ``further`` edges without any resistance."""
    rows = [
        (
            p.length_m,
            p.inner_diameter_mm / 1e3,
            p.roughness_mm / p.inner_diameter_mm,
            p.loss_coefficient,
            math.nan if p.friction_factor is None else p.friction_factor,
        )
        for p in pipes
    ] + [(0.0, 1.0, 1e-3, 0.0, math.nan)] * further
    length, diameter, roughness, zeta, known = np.array(rows, dtype=np.float64).reshape(-1, 5).T.copy()
    area, roughness = math.pi / 4 * diameter**2, np.maximum(roughness, 1e-7)
    laminar = np.where(np.isnan(known), 32 * length / (diameter**2 * area), 0.0)
    factor = np.where(np.isnan(known), rough_factor(roughness), known)
    square = (factor * length / diameter + zeta) / (2 * area**2)
    return np.array([length, diameter, area, roughness, zeta, known, laminar, square])


@compiled
def drop_and_slope(m: float, k: int, tubes: Tubes, model: int, viscosity: float) -> tuple[float, float]:
    """Return the potential drop of tube ``k`` at flow ``m`` in kg/s, odd in ``m``, and how fast it grows, > 0 even at rest."""
    size: float = max(abs(m), SMALLEST_FLOW_KG_PER_S)
    if model == NIKURADSE or not np.isnan(tubes[KNOWN, k]):
        straight, bent = viscosity * tubes[LAMINAR, k], tubes[SQUARE, k] * size
        return (straight + bent) * m, straight + 2 * bent
    length, diameter, area, zeta = tubes[LENGTH, k], tubes[DIAMETER, k], tubes[AREA, k], tubes[ZETA, k]
    if length == 0.0 and zeta == 0.0:
        return 0.0, 0.0
    re = size * diameter / (area * viscosity)
    factor, by_re = friction_factor(model, re, tubes[ROUGHNESS, k])
    per_square = size / (2 * area**2)
    losses = (factor * length / diameter + zeta) * per_square
    return losses * m, 2 * losses + by_re * re * length / diameter * per_square


@compiled
def drop(m: float, k: int, tubes: Tubes, model: int, viscosity: float) -> float:
    """Return the potential drop of tube ``k`` at flow ``m`` in kg/s; odd in ``m``."""
    return drop_and_slope(m, k, tubes, model, viscosity)[0]


@compiled
def tree_flows(demand: Floats, m: Floats, shape: Shape, need: Floats) -> None:
    """Fill the flows of all tree edges from node balances; chord flows in ``m`` are kept."""
    start, end, parent, parent_edge, parent_sign, chord = shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]
    for i in range(len(demand)):
        need[i] = demand[i]
    for l in range(len(chord)):
        k = chord[l]
        need[start[k]] += m[k]
        need[end[k]] -= m[k]
    for i in range(len(parent) - 1, 0, -1):
        m[parent_edge[i]] = parent_sign[i] * need[i]
        need[parent[i]] += need[i]


@compiled
def _loop_step(gap: Floats, gain: Floats, shape: Shape, row: Floats) -> None:
    """Turn loop gaps into the change of chord flows that closes the loops to first order; ``row`` is zeros and stays so."""
    chord, ptr, edge, sign = shape[5], shape[6], shape[7], shape[8]
    count = len(chord)
    jacobian = np.zeros((count, count))
    for l in range(count):
        for n in range(ptr[l], ptr[l + 1]):
            row[edge[n]] = sign[n] * gain[edge[n]]
        for j in range(l, count):
            total = 0.0
            for n in range(ptr[j], ptr[j + 1]):
                total += sign[n] * row[edge[n]]
            jacobian[l, j] = total
            jacobian[j, l] = total
        jacobian[l, l] += gain[chord[l]] + 1e-12
        for n in range(ptr[l], ptr[l + 1]):
            row[edge[n]] = 0.0
    solve_positive(jacobian, gap)


@compiled
def _loop_gaps(fall: Floats, shape: Shape, gap: Floats) -> float:
    """Fill how far every loop is from closing; return the worst."""
    chord, ptr, edge, sign = shape[5], shape[6], shape[7], shape[8]
    worst = 0.0
    for l in range(len(chord)):
        gap[l] = -fall[chord[l]]
        for n in range(ptr[l], ptr[l + 1]):
            gap[l] -= sign[n] * fall[edge[n]]
        if not abs(gap[l]) <= worst:
            worst = abs(gap[l])
    return worst


@compiled
def close_loops(
    m: Floats, shape: Shape, tubes: Tubes, model: int, media: Media, pumps: Pumps, tolerance: float
) -> tuple[int, float]:
    """Change flows around loops until every loop closes; return iterations (-1: gave up) and the worst loop gap.

    ``m`` balances every node at the beginning and at the end.
    """
    chord, ptr, edge, sign, loop_edge = shape[5], shape[6], shape[7], shape[8], shape[9]
    if len(chord) == 0:
        return 0, 0.0
    viscosity, weight = media
    head, curve = pumps
    fall, gain, row, gap = np.empty(len(m)), np.empty(len(m)), np.zeros(len(m)), np.empty(len(chord))
    worst, damping = np.inf, 1.0
    for count in range(ITERATIONS_MAX):
        for k in loop_edge:
            fall[k] = head[k] + curve[k] * m[k] * abs(m[k])
            gain[k] = 2 * curve[k] * abs(m[k])
            for i in range(len(weight)):
                lost, slope = drop_and_slope(m[k], k, tubes, model, viscosity[i])
                fall[k] += weight[i] * lost
                gain[k] += weight[i] * slope
        before = worst
        worst = _loop_gaps(fall, shape, gap)
        if not np.isfinite(worst):
            return -1, np.inf
        if worst <= tolerance:
            return count, worst
        damping = max(damping / 2, 0.1) if worst > before else min(1.0, damping * 2)
        _loop_step(gap, gain, shape, row)
        for l in range(len(chord)):
            change = damping * gap[l]
            m[chord[l]] += change
            for n in range(ptr[l], ptr[l + 1]):
                m[edge[n]] += sign[n] * change
    return -1, worst


@compiled
def descend(
    m: Floats, shape: Shape, tubes: Tubes, model: int, viscosity: float, weight: float, pumps: Pumps, share: float,
    potential: Floats,
) -> None:  # fmt: skip
    """Fill node potentials down the tree from that of the root, for one fluid; ``share`` of the pumps counts in it."""
    parent, parent_edge, parent_sign = shape[2], shape[3], shape[4]
    head, curve = pumps
    for i in range(1, len(parent)):
        k = parent_edge[i]
        lost = weight * drop(m[k], k, tubes, model, viscosity)
        if share != 0.0:
            lost += share * (head[k] + curve[k] * m[k] * abs(m[k]))
        potential[i] = potential[parent[i]] - parent_sign[i] * lost


@compiled
def balance_steps(
    demand: Floats,
    m: Floats,
    potential: Floats,
    shape: Shape,
    tubes: Tubes,
    model: int,
    media: Media,
    head: Floats,
    curve: Floats,
    tolerance: float,
    count: Ints,
    worst: Floats,
    first: int,
    last: int,
) -> None:
    """Solve many independent steps of one fluid; ``m`` and ``demand`` have dims (step, edge) and (step, node).

    ``head`` (step, edge) is the flow-free part of every edge's drop, ``curve`` (edge) its part per squared flow.

    ``potential`` (step, node) has the root's in its first column.
    """
    viscosity, weight = media
    need = np.empty(demand.shape[1])
    for t in range(first, last):
        tree_flows(demand[t], m[t], shape, need)
        if not np.isfinite(need[0]):
            count[t], worst[t] = -1, np.nan
            continue
        pumps = head[t], curve
        count[t], worst[t] = close_loops(m[t], shape, tubes, model, media, pumps, tolerance)
        descend(m[t], shape, tubes, model, viscosity[0], weight[0], pumps, 1.0, potential[t])
