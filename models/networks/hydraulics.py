"""Flows and potentials of a pipe network by Newton's method on its chords.

The potential is the integral of density over pressure, ``rho * p`` for a liquid, so one law serves liquids and gases:
``potential drop = (lambda L / D + zeta) m |m| / (2 A^2) + head``.

Source: loop equations after Cross (1936) solved by Newton; see Todini and Rossman, J. Hydraulic Eng. 139(5), 2013.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.data import Friction, Pipe
from models.networks.friction import CODE, friction_factor
from models.networks.graph import CompiledGraph
from models.networks.jit import compiled, in_pieces
from models.networks.loops import behind, put, solve_positive

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Tubes = tuple[Floats, Floats, Floats, Floats, Floats, Floats]
"""Length, diameter, area (m, m, m2), relative roughness, zeta, known friction factor (NaN: from the model)."""
Shape = tuple[Ints, Ints, Ints, Ints, Floats, Ints, Ints, Ints, Floats]
"""start, end, parent, parent_edge, parent_sign, chord, path_ptr, path_edge, path_sign of a graph."""

Media = tuple[Floats, Floats]
"""Viscosity in Pa s and weight of each fluid that flows through an edge; the weighted drops add up."""

ITERATIONS_MAX = 60
SMALLEST_FLOW_KG_PER_S = 1e-9
"""Below this the law is followed as a straight line through zero."""


def shape_of(graph: CompiledGraph) -> Shape:
    """Return the arrays of a graph in the order that kernels expect."""
    g = graph
    return g.start, g.end, g.parent, g.parent_edge, g.parent_sign, g.chord, g.path_ptr, g.path_edge, g.path_sign


def tubes_of(pipes: Sequence[Pipe], further: int = 0) -> Tubes:
    """Return pipes as arrays, followed by ``further`` edges without any resistance."""
    rows = [
        (
            p.length_m,
            p.inner_diameter_mm / 1e3,
            p.roughness_mm / p.inner_diameter_mm,
            p.loss_coefficient,
            p.friction_factor,
        )
        for p in pipes
    ] + [(0.0, 1.0, 1e-3, 0.0, None)] * further
    length, diameter, roughness, zeta, known = (
        (np.array(c, dtype=np.float64) for c in zip(*rows, strict=True)) if rows else (np.zeros(0),) * 5
    )
    return length, diameter, math.pi / 4 * diameter**2, np.maximum(roughness, 1e-7), zeta, known


@compiled
def drop(m: float, k: int, tubes: Tubes, model: int, viscosity: float) -> float:
    """Return the potential drop of tube ``k`` at flow ``m`` in kg/s; odd in ``m``."""
    length, diameter, area, roughness, zeta, known = tubes
    if length[k] == 0.0 and zeta[k] == 0.0:
        return 0.0
    size: float = max(abs(m), SMALLEST_FLOW_KG_PER_S)
    factor: float = known[k]
    if np.isnan(factor):
        factor = friction_factor(model, size * diameter[k] / (area[k] * viscosity), roughness[k])
    return float((factor * length[k] / diameter[k] + zeta[k]) * m * size / (2 * area[k] ** 2))


@compiled
def slope(m: float, k: int, tubes: Tubes, model: int, viscosity: float) -> float:
    """Return how fast the drop grows with the flow, > 0 even at rest."""
    size = abs(m) + SMALLEST_FLOW_KG_PER_S
    step = 1e-6 * size
    return (drop(size + step, k, tubes, model, viscosity) - drop(size - step, k, tubes, model, viscosity)) / (2 * step)


@compiled
def tree_flows(demand: Floats, m: Floats, shape: Shape, need: Floats) -> None:
    """Fill the flows of all tree edges from node balances; chord flows in ``m`` are kept."""
    start, end, parent, parent_edge, parent_sign, chord, _, _, _ = shape
    put(demand, need)
    for l in range(len(chord)):
        k = chord[l]
        need[start[k]] += m[k]
        need[end[k]] -= m[k]
    for i in range(len(parent) - 1, 0, -1):
        m[parent_edge[i]] = parent_sign[i] * need[i]
        need[parent[i]] += need[i]


@compiled
def potentials(fall: Floats, root: float, shape: Shape, potential: Floats) -> None:
    """Fill node potentials from the drops ``fall`` along tree edges."""
    _, _, parent, parent_edge, parent_sign, _, _, _, _ = shape
    potential[0] = root
    for i in range(1, len(parent)):
        potential[i] = potential[parent[i]] - parent_sign[i] * fall[parent_edge[i]]


@compiled
def _loop_step(gap: Floats, gain: Floats, shape: Shape) -> None:
    """Turn loop gaps into the change of chord flows that closes the loops to first order."""
    chord, ptr, edge, sign = shape[5], shape[6], shape[7], shape[8]
    count = len(chord)
    jacobian = np.zeros((count, count))
    row = np.zeros(len(gain))
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
def _loop_gaps(fall: Floats, potential: Floats, shape: Shape, gap: Floats) -> float:
    """Fill how far every loop is from closing; return the worst."""
    start, end, chord = shape[0], shape[1], shape[5]
    worst = 0.0
    for l in range(len(chord)):
        k = chord[l]
        gap[l] = potential[start[k]] - potential[end[k]] - fall[k]
        worst = max(worst, abs(gap[l]))
    return worst


@compiled
def balance(
    demand: Floats,
    root: float,
    head: Floats,
    m: Floats,
    potential: Floats,
    shape: Shape,
    tubes: Tubes,
    model: int,
    media: Media,
    curve: Floats,
    tolerance: float,
) -> tuple[int, float]:
    """Solve one step in place; return iterations (-1: gave up) and the worst loop gap.

    ``m`` carries the chord flows to start from; ``curve`` is the quadratic pump term and ``head`` the flow-free part of each edge.
    """
    chord = shape[5]
    viscosity, weight = media
    fall = np.empty(len(m))
    gain = np.empty(len(m))
    gap = np.empty(len(chord))
    need = np.empty(len(demand))
    worst = np.inf
    damping = 1.0
    for count in range(ITERATIONS_MAX):
        tree_flows(demand, m, shape, need)
        for k in range(len(m)):
            fall[k] = head[k] + curve[k] * m[k] * abs(m[k])
            for i in range(len(weight)):
                fall[k] += weight[i] * drop(m[k], k, tubes, model, viscosity[i])
        potentials(fall, root, shape, potential)
        before = worst
        worst = _loop_gaps(fall, potential, shape, gap)
        if not np.isfinite(behind(potential)):
            return -1, np.inf
        if worst <= tolerance:
            return count, worst
        damping = max(damping / 2, 0.1) if worst > before else min(1.0, damping * 2)
        for k in range(len(m)):
            gain[k] = 2 * curve[k] * abs(m[k])
            for i in range(len(weight)):
                gain[k] += weight[i] * slope(m[k], k, tubes, model, viscosity[i])
        _loop_step(gap, gain, shape)
        for l in range(len(chord)):
            m[chord[l]] += damping * gap[l]
    return -1, worst


@compiled
def balance_steps(
    demand: Floats,
    root: Floats,
    head: Floats,
    m: Floats,
    potential: Floats,
    shape: Shape,
    tubes: Tubes,
    model: int,
    media: Media,
    curve: Floats,
    tolerance: float,
    count: Ints,
    worst: Floats,
    first: int,
    last: int,
) -> None:
    """Solve many independent steps; ``head`` and ``m`` have dims (step, edge), ``demand`` (step, node)."""
    for t in range(first, last):
        count[t], worst[t] = balance(
            demand[t], root[t], head[t], m[t], potential[t], shape, tubes, model, media, curve, tolerance
        )


@dataclass(frozen=True, slots=True)
class Hydraulics:
    """Solved flows of many steps."""

    m: Floats
    """kg/s, dims (step, edge), positive from start to end."""
    potential: Floats
    """Dims (step, node), node in graph order."""
    iterations: Ints
    worst: Floats
    """Largest loop gap, in units of the potential."""


def solve_hydraulics(
    graph: CompiledGraph,
    tubes: Tubes,
    demand: Floats,
    root: Floats,
    *,
    friction: Friction,
    media: Media,
    head: Floats,
    curve: Floats,
    tolerance: float,
) -> Hydraulics:
    """Return flows and potentials of all steps.

    ``demand`` is what leaves each node in kg/s, dims (step, node); ``head`` has dims (step, edge).
    """
    steps, edges = len(demand), len(graph.edge_ids)
    m, potential = np.zeros((steps, edges)), np.empty((steps, graph.node_count))
    count, worst = np.zeros(steps, dtype=np.int32), np.zeros(steps)
    problem = (
        demand,
        root,
        head,
        m,
        potential,
        shape_of(graph),
        tubes,
        CODE[friction],
        media,
        curve,
        tolerance,
        count,
        worst,
    )
    in_pieces(steps, lambda first, last: balance_steps(*problem, first, last))
    return Hydraulics(m, potential, count, worst)
