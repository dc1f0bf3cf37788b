"""Flows of a heat or cold network that carry what consumers ask for, as compiled loops.

A consumer's flow follows from the temperature that arrives, which falls less the more everybody on the way draws. On a tree
this is Newton's method at the price of two walks over the nodes; elsewhere the same walks guide the iteration.
"""

import numpy as np
import numpy.typing as npt

from models.networks.heat_rows import Places, Rows, Totals, describe, describe_failed
from models.networks.hydraulics import Floats, Ints, Shape, close_loops, descend, tree_flows
from models.networks.jit import compiled
from models.networks.loops import behind, fill, put
from models.networks.thermal import STILL_KG_PER_S, Pipework, downstream, keep_shares, mix, turned

ITERATIONS_MAX = 400
PLAIN_FROM, CRAWL_FROM = 10, 60
"""Iterations after which networks with loops are followed in plain shares: where two tubes meet, one of them nearly at rest,
the walks over the tree mistake what arrives."""
SPREAD_MIN_SHARE = 0.15
"""Consumers use at least this share of the plant's spread; where less is left the heat does not arrive."""
LEAST_SHARE_KEPT = 0.2
"""A flow falls to no less than this share of itself in one iteration."""
TOLERANCE_K = 1e-9
GAP_PA = 1e-6
"""Loops are closed to this pressure."""


@compiled
def least_spread(plant_t: float, wanted_return: float, sign: float) -> float:
    """Return the least spread in K that a consumer's flow is set by."""
    return max(SPREAD_MIN_SHARE * sign * (plant_t - wanted_return), 1e-3)


@compiled
def ask(
    demand: Floats,
    supply_t: Floats,
    return_t: Floats,
    wanted_return: Floats,
    feed_t: Floats,
    held: Floats,
    ground: float,
    cp: float,
    sign: float,
    least_k: float,
    flow: Floats,
    wanted: Floats,
) -> tuple[float, bool]:
    """Fill what each node would draw in kg/s at the temperatures it sees.

    A consumer whose flow is ``held`` (not NaN) gets a return temperature instead, in ``wanted_return``. Returns the largest
    gap in K between the spread a node has and the one that its present flow needs, and whether every consumer gets its
    spread and sends nothing back from beyond the ground's temperature.
    """
    fine, gap = True, 0.0
    for i in range(1, len(demand)):
        wanted[i] = 0.0
        if held[i] > 0.0:
            wanted[i] = held[i]
            sent_back = supply_t[i] - sign * demand[i] / (held[i] * cp)
            fine = fine and sign * (sent_back - ground) >= 0.0
            gap = max(gap, abs(sent_back - wanted_return[i]))
            wanted_return[i] = sent_back
        elif demand[i] != 0.0:
            spread = sign * (supply_t[i] - wanted_return[i] if demand[i] > 0 else feed_t[i] - return_t[i])
            fine = fine and spread >= least_k
            wanted[i] = demand[i] / (cp * max(spread, least_k))
            away = abs(flow[i] / wanted[i] - 1.0) * max(spread, least_k)
            if away > gap or np.isnan(away):
                gap = away
    return gap, fine


@compiled
def _cooling(i: int, m: Floats, loss: Floats, cp: float, shape: Shape) -> float:
    """Return by how much of its warmth above the ground a node gains per kg/s more through the edge from its parent."""
    k = shape[3][i]
    through: float = shape[4][i] * m[k]
    return float(loss[k] / (through * through * cp)) if through > STILL_KG_PER_S else 0.0


@compiled
def _yielding(
    i: int, demand: Floats, supply_t: Floats, wanted_return: Floats, held: Floats, ground: float, sign: float,
    least_k: float, flow: Floats,
) -> float:  # fmt: skip
    """Return by how many kg/s less a consumer asks for when what arrives is warmer by its height above the ground."""
    spread: float = sign * (supply_t[i] - wanted_return[i])
    if demand[i] <= 0.0 or spread < least_k or held[i] > 0.0:
        return 0.0
    less: float = flow[i] * sign * (supply_t[i] - ground) / spread
    return max(less, 0.0)


@compiled
def approach(
    demand: Floats,
    supply_t: Floats,
    wanted_return: Floats,
    held: Floats,
    ground: float,
    loss: Floats,
    cp: float,
    sign: float,
    least_k: float,
    m: Floats,
    shape: Shape,
    wanted: Floats,
    flow: Floats,
    more: Floats,
    less: Floats,
) -> None:
    """Move the flows of all nodes by Newton's step.

    Below a node the flow grows by ``more - less * warmth``, where warmth is the relative gain of what arrives there; leaves
    are put together towards the root, like conductances of a circuit, and the warmth follows on the way back.
    """
    parent = shape[2]
    fill(more, 0.0)
    fill(less, 0.0)
    for i in range(len(flow) - 1, 0, -1):
        more[i] += wanted[i] - flow[i]
        less[i] += _yielding(i, demand, supply_t, wanted_return, held, ground, sign, least_k, flow)
        felt = 1.0 / (1.0 + less[i] * _cooling(i, m, loss, cp, shape))
        more[i] *= felt
        less[i] *= felt
        more[parent[i]] += more[i]
        less[parent[i]] += less[i]
    warmth = more
    warmth[0] = 0.0
    for i in range(1, len(flow)):
        arriving = warmth[parent[i]]
        warmth[i] = arriving + _cooling(i, m, loss, cp, shape) * (more[i] - less[i] * arriving)
        own = _yielding(i, demand, supply_t, wanted_return, held, ground, sign, least_k, flow)
        target = wanted[i] - own * warmth[i]
        flow[i] = max(target, LEAST_SHARE_KEPT * flow[i]) if demand[i] > 0.0 else target


@compiled
def route(flow: Floats, pipework: Pipework, m: Floats, need: Floats) -> bool:
    """Fill the flows of all edges for what nodes draw, the root balancing them; return whether every loop closes."""
    shape, _, tubes, model, media, pumps = pipework
    flow[0] = -behind(flow)
    if not np.isfinite(flow[0]):
        return False
    tree_flows(flow, m, shape, need)
    count, _ = close_loops(m, shape, tubes, model, media, pumps, GAP_PA)
    return count >= 0


@compiled
def tube_levels(m: Floats, pipework: Pipework, supply_pa: Floats, return_pa: Floats) -> None:
    """Fill pressures of both tubes relative to the plant, without the weight of the water; pumps count in the supply."""
    shape, _, tubes, model, media, pumps = pipework
    viscosity, weight = media
    supply_pa[0], return_pa[0] = 0.0, 0.0
    descend(m, shape, tubes, model, viscosity[0], weight[0], pumps, 1.0, supply_pa)
    descend(m, shape, tubes, model, viscosity[1], -weight[1], pumps, 0.0, return_pa)


@compiled
def steady(
    demand: Floats,
    plant_t: float,
    wanted_return: Floats,
    feed_t: Floats,
    held: Floats,
    ground: float,
    loss: Floats,
    cp: float,
    sign: float,
    pipework: Pipework,
    m: Floats,
    flow: Floats,
    supply_t: Floats,
    return_t: Floats,
) -> tuple[int, float, float, bool]:
    """Find flows and temperatures that agree.

    Returns iterations (-1: gave up), the largest gap of a spread in K, the heat lost in W, and whether all get their heat.
    ``demand`` in W per node, negative for plants with a set power; ``wanted_return`` is filled where flows are ``held``.
    """
    shape, near = pipework[0], pipework[1]
    nodes, edges, is_tree = len(demand), len(m), len(shape[5]) == 0
    fill(supply_t, plant_t)
    put(wanted_return, return_t)
    fill(flow, 0.0)
    feed_t[0] = plant_t
    need, mass, wanted, kept = np.empty(nodes), np.empty(nodes), np.empty(nodes), np.empty(edges)
    way, sequence, placed = np.full(edges, 2, np.int32), np.empty(edges, np.int32), 0
    lost, gap, fine, least_k = 0.0, np.inf, True, least_spread(plant_t, wanted_return[0], sign)
    for iteration in range(ITERATIONS_MAX):
        gap, fine = ask(
            demand, supply_t, return_t, wanted_return, feed_t, held, ground, cp, sign, least_k, flow, wanted
        )
        if iteration == 0:
            put(wanted, flow)
        elif gap <= TOLERANCE_K:
            return iteration, gap, lost * cp, fine
        else:
            share = 1.0 if is_tree or iteration < PLAIN_FROM else (0.5 if iteration < CRAWL_FROM else 0.2)
            if share == 1.0:
                approach(
                    demand, supply_t, wanted_return, held, ground, loss, cp, sign, least_k, m, shape,
                    wanted, flow, need, mass,
                )  # fmt: skip
            else:
                for i in range(1, nodes):
                    flow[i] += share * (wanted[i] - flow[i])
        if not route(flow, pipework, m, need):
            return -1, gap, 0.0, False
        if turned(m, way):
            placed = downstream(way, shape, near, sequence)
        keep_shares(m, loss, cp, kept)
        lost = mix(m, flow, feed_t, ground, kept, shape, sequence, placed, 1.0, mass, supply_t)
        lost += mix(m, flow, wanted_return, ground, kept, shape, sequence, placed, -1.0, mass, return_t)
    return -1, gap, 0.0, fine


@compiled
def steady_steps(
    demand: Floats,
    plant_t: Floats,
    wanted_return: Floats,
    feed_t: Floats,
    held: Floats,
    ground: Floats,
    loss: Floats,
    cp: float,
    sign: float,
    pipework: Pipework,
    places: Places,
    rows: Rows,
    totals: Totals,
    count: Ints,
    change: Floats,
    fine: npt.NDArray[np.bool_],
    first: int,
    last: int,
) -> None:
    """Solve many independent steps; the leading dim of every per-step array is the step."""
    nodes, m = demand.shape[1], np.zeros(len(loss))
    flow, supply_t, return_t = np.empty(nodes), np.empty(nodes), np.empty(nodes)
    supply_pa, return_pa = np.empty(nodes), np.empty(nodes)
    for t in range(first, last):
        fill(m, 0.0)
        count[t], change[t], lost_w, fine[t] = steady(
            demand[t], plant_t[t], wanted_return[t], feed_t[t], held[t], ground[t], loss, cp, sign, pipework,
            m, flow, supply_t, return_t,
        )  # fmt: skip
        if count[t] < 0:
            describe_failed(t, rows, totals)
            continue
        tube_levels(m, pipework, supply_pa, return_pa)
        describe(t, (m, flow, supply_t, return_t, supply_pa, return_pa), lost_w, places, rows, totals)
