"""Temperatures in a heat or cold network, as compiled loops.

The supply runs from the plant to the consumers, the return runs the same way back; water mixes at every junction and
cools towards the ground along every tube, ``T_out = T_g + (T_in - T_g) exp(-u L / (m cp))``.

Source: Liu, Wu, Jenkins, Bagdanavicius, Applied Energy 162 (2016), thermal model of district heating networks.
"""

import math

import numpy as np

from models.networks.graph import CompiledGraph
from models.networks.hydraulics import Floats, Ints, Media, Pumps, Shape, Tubes
from models.networks.jit import compiled

Adjacency = tuple[Ints, Ints]
"""ptr, edge: the edges that touch each node."""

Pipework = tuple[Shape, Adjacency, Tubes, int, Media, Pumps]
"""Graph, adjacency, tubes, friction code, media of supply and return, pumps of a network; drops are in Pa."""

STILL_KG_PER_S = 1e-9


def adjacency(graph: CompiledGraph) -> Adjacency:
    """Return which edges touch each node."""
    near: list[list[int]] = [[] for _ in range(graph.node_count)]
    for k, (a, b) in enumerate(zip(graph.start.tolist(), graph.end.tolist(), strict=True)):
        if a >= 0 and a != b:
            near[a].append(k)
            near[b].append(k)
    ptr = np.cumsum([0, *map(len, near)]).astype(np.int32)
    return ptr, np.array([k for edges in near for k in edges], dtype=np.int32)


@compiled
def way_of(m: float) -> int:
    """Return +1 or -1 for a flow forwards or backwards, 0 for water that stands."""
    if abs(m) <= STILL_KG_PER_S:
        return 0
    return 1 if m > 0 else -1


@compiled
def turned(m: Floats, way: Ints) -> bool:
    """Note the ways of all flows; return whether any has changed."""
    changed = False
    for k in range(len(m)):
        now = way_of(m[k])
        if now != way[k]:
            way[k] = now
            changed = True
    return changed


@compiled
def downstream(way: Ints, shape: Shape, near: Adjacency, sequence: Ints) -> int:
    """Fill the flowing edges so that each comes after all that lead to it; return how many there are.

    Edges of a ring that water runs around in (pumps could make one) have no place and are left out.
    """
    start, end = shape[0], shape[1]
    ptr, edges = near
    count = len(ptr) - 1
    waiting, order = np.zeros(count, np.int32), np.empty(count, np.int32)
    for k in range(len(way)):
        if way[k] != 0 and start[k] >= 0 and start[k] != end[k]:
            waiting[end[k] if way[k] > 0 else start[k]] += 1
    done = 0
    for i in range(count):
        if waiting[i] == 0:
            order[done] = i
            done += 1
    at, placed = 0, 0
    while at < done:
        i = order[at]
        at += 1
        for n in range(ptr[i], ptr[i + 1]):
            k = edges[n]
            if way[k] != 0 and (start[k] == i) == (way[k] > 0):
                sequence[placed] = k
                placed += 1
                other = end[k] if start[k] == i else start[k]
                waiting[other] -= 1
                if waiting[other] == 0:
                    order[done] = other
                    done += 1
    return placed


@compiled
def keep_shares(m: Floats, loss: Floats, cp: float, kept: Floats) -> None:
    """Fill the share of its warmth above the ground that water keeps along every tube."""
    for k in range(len(m)):
        kept[k] = math.exp(-loss[k] / (abs(m[k]) * cp)) if abs(m[k]) > STILL_KG_PER_S else 0.0


@compiled
def enter(drawn: Floats, source_t: Floats, direction: float, scale: float, mass: Floats, heat: Floats) -> None:
    """Fill what enters every node from outside the tubes, ``scale`` times its flow, and its heat."""
    for i in range(len(drawn)):
        mass[i] = max(-direction * drawn[i], 0.0) * scale
        heat[i] = mass[i] * source_t[i]


@compiled
def mix(
    m: Floats,
    drawn: Floats,
    source_t: Floats,
    ground: float,
    kept: Floats,
    shape: Shape,
    sequence: Ints,
    placed: int,
    direction: float,
    mass: Floats,
    t: Floats,
) -> float:
    """Fill node temperatures: supply with ``direction`` +1, return with -1 (edges and flows are run backwards).

    Returns the heat lost to the ground / cp in kg K/s.

    ``drawn`` is what each node takes from the supply and gives to the return, below zero at plants; ``source_t`` is how
    warm what comes from outside the tubes is.
    """
    start, end = shape[0], shape[1]
    enter(drawn, source_t, direction, 1.0, mass, t)  # the heat stands in t until the end
    lost = 0.0
    for n in range(placed):
        k = sequence[n if direction > 0 else placed - 1 - n]
        forward = (m[k] > 0) == (direction > 0)
        up, down = (start[k], end[k]) if forward else (end[k], start[k])
        above = t[up] / mass[up] - ground if mass[up] > STILL_KG_PER_S else 0.0
        mass[down] += abs(m[k])
        t[down] += abs(m[k]) * (ground + above * kept[k])
        lost += abs(m[k]) * above * (1.0 - kept[k])
    for i in range(len(t)):
        t[i] = t[i] / mass[i] if mass[i] > STILL_KG_PER_S else ground
    return lost
