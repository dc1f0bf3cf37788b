"""Temperatures in a heat or cold network, as compiled loops.

The supply runs from the plant to the consumers, the return runs the same way back; water mixes at every junction and
cools towards the ground along every tube, ``T_out = T_g + (T_in - T_g) exp(-u L / (m cp))``.

Source: Liu, Wu, Jenkins, Bagdanavicius, Applied Energy 162 (2016), thermal model of district heating networks.
"""

import math

import numpy as np
import numpy.typing as npt

from models.networks.graph import CompiledGraph
from models.networks.hydraulics import Floats, Ints, Media, Shape, Tubes, balance, tree_flows
from models.networks.jit import compiled
from models.networks.loops import apart, behind, fill, put

Adjacency = tuple[Ints, Ints]
"""ptr, edge: the edges that touch each node."""

Pipework = tuple[Shape, Adjacency, Tubes, int, Media, Floats, Floats]
"""Graph, adjacency, tubes, friction code, media, pump curve and head of a network."""

ITERATIONS_MAX = 200
RELAX_FROM, CRAWL_FROM = 12, 40
"""Iterations after which flows are averaged with the last ones; only nearly stagnant networks need it."""
SPREAD_MIN_SHARE = 0.15
"""Consumers use at least this share of the plant's spread; where less is left the heat does not arrive."""
STILL_KG_PER_S = 1e-9
TOLERANCE_K = 1e-10


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
def downstream_order(m: Floats, start: Ints, end: Ints, near: Adjacency, order: Ints) -> int:
    """Fill nodes so that water reaches each from earlier ones; return how many have a place in such an order."""
    ptr, edges = near
    count = len(ptr) - 1
    waiting = np.zeros(count, np.int32)
    for k in range(len(m)):
        if start[k] >= 0 and start[k] != end[k] and abs(m[k]) > STILL_KG_PER_S:
            waiting[end[k] if m[k] > 0 else start[k]] += 1
    done = 0
    for i in range(count):
        if waiting[i] == 0:
            order[done] = i
            done += 1
    at = 0
    while at < done:
        i = order[at]
        at += 1
        for n in range(ptr[i], ptr[i + 1]):
            k = edges[n]
            if abs(m[k]) > STILL_KG_PER_S and (start[k] == i) == (m[k] > 0):
                other = end[k] if start[k] == i else start[k]
                waiting[other] -= 1
                if waiting[other] == 0:
                    order[done] = other
                    done += 1
    return done


@compiled
def _cooled(degc: float, ground: float, m: float, loss: float, cp: float) -> float:
    return ground + (degc - ground) * math.exp(-loss / (abs(m) * cp))


@compiled
def mix(
    m: Floats,
    drawn: Floats,
    source_t: Floats,
    ground: float,
    loss: Floats,
    cp: float,
    shape: Shape,
    near: Adjacency,
    order: Ints,
    placed: int,
    direction: float,
    t: Floats,
) -> None:
    """Fill node temperatures: supply with ``direction`` +1, return with -1 (order and flows are run backwards).

    ``drawn`` is what each node takes from the supply and gives to the return, below zero at plants; ``source_t`` is how
    warm what comes from outside the tubes is.
    """
    start, end = shape[0], shape[1]
    ptr, edges = near
    fill(t, ground)
    for at in range(placed):
        i = order[at if direction > 0 else placed - 1 - at]
        mass = max(-direction * drawn[i], 0.0)
        heat = mass * source_t[i]
        for n in range(ptr[i], ptr[i + 1]):
            k = edges[n]
            flow = direction * m[k]
            if abs(flow) > STILL_KG_PER_S and (end[k] == i) == (flow > 0):
                upstream = start[k] if end[k] == i else end[k]
                mass += abs(flow)
                heat += abs(flow) * _cooled(t[upstream], ground, flow, loss[k], cp)
        if mass > STILL_KG_PER_S:
            t[i] = heat / mass


@compiled
def set_flows(
    demand: Floats,
    supply_t: Floats,
    return_t: Floats,
    wanted_return: Floats,
    feed_t: Floats,
    cp: float,
    sign: float,
    least_k: float,
    share: float,
    flow: Floats,
) -> bool:
    """Fill what each node draws in kg/s from power and temperatures; return whether every consumer gets its spread."""
    fine = True
    for i in range(1, len(demand)):
        if demand[i] == 0.0:
            flow[i] = 0.0
            continue
        spread = sign * (supply_t[i] - wanted_return[i] if demand[i] > 0 else feed_t[i] - return_t[i])
        fine = fine and spread >= least_k
        flow[i] = share * demand[i] / (cp * max(spread, least_k)) + (1 - share) * flow[i]
    return fine


@compiled
def steady(
    demand: Floats,
    plant_t: float,
    wanted_return: Floats,
    feed_t: Floats,
    ground: float,
    loss: Floats,
    cp: float,
    sign: float,
    pipework: Pipework,
    m: Floats,
    fall: Floats,
    flow: Floats,
    supply_t: Floats,
    return_t: Floats,
) -> tuple[int, float, bool]:
    """Find flows and temperatures that agree; return iterations (-1: gave up), the last change in K, and whether all get heat.

    ``demand`` in W per node, negative for plants with a set power; ``fall`` receives pressure below the root in Pa.
    """
    shape, near, tubes, model, media, curve, head = pipework
    start, end = shape[0], shape[1]
    count = len(demand)
    fill(supply_t, plant_t)
    put(wanted_return, return_t)
    fill(flow, 0.0)
    order = np.zeros(count, np.int32)
    is_tree, need = len(shape[5]) == 0, np.empty(count)
    old_supply, old_return = np.empty(count), np.empty(count)
    change, fine = np.inf, True
    least_k = max(SPREAD_MIN_SHARE * sign * (plant_t - wanted_return[0]), 1e-3)
    for iteration in range(ITERATIONS_MAX):
        share = 1.0 if iteration < RELAX_FROM else (0.5 if iteration < CRAWL_FROM else 0.2)
        fine = set_flows(demand, supply_t, return_t, wanted_return, feed_t, cp, sign, least_k, share, flow)
        flow[0] = 0.0
        if is_tree:  # node balances alone give the flows; pressures can wait
            tree_flows(flow, m, shape, need)
        else:
            steps, gap = balance(flow, 0.0, head, m, fall, shape, tubes, model, media, curve, 1e-6)
            if steps < 0:
                return -1, gap, False
        flow[0] = -behind(flow)
        put(supply_t, old_supply)
        put(return_t, old_return)
        placed = downstream_order(m, start, end, near, order)
        feed_t[0] = plant_t
        mix(m, flow, feed_t, ground, loss, cp, shape, near, order, placed, 1.0, supply_t)
        mix(m, flow, wanted_return, ground, loss, cp, shape, near, order, placed, -1.0, return_t)
        change = max(apart(supply_t, old_supply), apart(return_t, old_return))
        if change <= TOLERANCE_K:
            if is_tree:
                balance(flow, 0.0, head, m, fall, shape, tubes, model, media, curve, 1e-6)
            return iteration + 1, change, fine
    return -1, change, fine


@compiled
def steady_steps(
    demand: Floats,
    plant_t: Floats,
    wanted_return: Floats,
    feed_t: Floats,
    ground: Floats,
    loss: Floats,
    cp: float,
    sign: float,
    pipework: Pipework,
    m: Floats,
    fall: Floats,
    flow: Floats,
    supply_t: Floats,
    return_t: Floats,
    count: Ints,
    change: Floats,
    fine: npt.NDArray[np.bool_],
    first: int,
    last: int,
) -> None:
    """Solve many independent steps; the leading dim of every per-step array is the step."""
    for t in range(first, last):
        count[t], change[t], fine[t] = steady(
            demand[t], plant_t[t], wanted_return[t], feed_t[t], ground[t], loss, cp, sign, pipework,
            m[t], fall[t], flow[t], supply_t[t], return_t[t],
        )  # fmt: skip
