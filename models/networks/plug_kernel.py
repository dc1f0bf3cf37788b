"""Steps of a heat or cold network with water under way, as a compiled loop."""

import numpy as np

from models.networks.heat_kernel import ask, least_spread, route, tube_levels
from models.networks.hydraulics import Floats, Ints
from models.networks.jit import compiled
from models.networks.loops import apart, fill, put, put_table
from models.networks.parcels import transport
from models.networks.thermal import Pipework, downstream, turned

ROUNDS_MAX = 8
AGREE_K = 1e-7
Water = tuple[Floats, Floats, Ints, Floats, Floats]
"""Parcel mass and temperature (edge, parcel), parcel count and wall temperature (edge), node temperature (node)."""


@compiled
def _copy(source: Water, target: Water) -> None:
    put_table(source[0], target[0], source[2])
    put_table(source[1], target[1], source[2])
    for k in range(len(source[2])):
        target[2][k] = source[2][k]
    put(source[3], target[3])
    put(source[4], target[4])


@compiled
def move(
    supply: Water,
    back: Water,
    work_supply: Water,
    work_back: Water,
    demand: Floats,
    plant_t: float,
    wanted_return: Floats,
    feed_t: Floats,
    held: Floats,
    ground: float,
    rate: Floats,
    wall_kg: Floats,
    cp: float,
    sign: float,
    least_k: float,
    dt: float,
    pipework: Pipework,
    m: Floats,
    fall: Floats,
    flow: Floats,
) -> tuple[bool, float, bool]:
    """Advance by ``dt`` in place; return whether there is a flow pattern, heat lost / cp, and whether all get their spread.

    Consumers set their flow by the temperature that arrives within the step, so each round moves the water of the step's
    beginning anew until the temperatures agree.
    """
    shape, near = pipework[0], pipework[1]
    arriving = supply[4].copy()
    leaving = back[4].copy()
    need, level = np.empty(len(demand)), np.empty(len(demand))
    way, sequence = np.full(len(m), 2, np.int32), np.empty(len(m), np.int32)
    fine, lost, placed = True, 0.0, 0
    for _ in range(ROUNDS_MAX):
        _, fine = ask(demand, arriving, leaving, wanted_return, feed_t, held, ground, cp, sign, least_k, flow, flow)
        if not route(flow, pipework, m, need):
            return False, 0.0, False
        if turned(m, way):
            placed = downstream(way, shape, near, sequence)
        _copy(supply, work_supply)
        _copy(back, work_back)
        mass, t, count, wall, node_t = work_supply
        feed_t[0] = plant_t
        lost = transport(
            mass, t, count, wall, wall_kg, m, flow, feed_t, ground, rate[0], dt, shape, sequence, placed, 1.0, node_t
        )  # fmt: skip
        mass, t, count, wall, back_t = work_back
        lost += transport(
            mass, t, count, wall, wall_kg, m, flow, wanted_return, ground, rate[1], dt,
            shape, sequence, placed, -1.0, back_t,
        )  # fmt: skip
        change = max(apart(node_t, arriving), apart(back_t, leaving))
        put(node_t, arriving)
        put(back_t, leaving)
        if change <= AGREE_K:
            break
    tube_levels(m, pipework, fall, level)
    for i in range(len(fall)):
        fall[i] -= level[i]
    _copy(work_supply, supply)
    _copy(work_back, back)
    return True, lost, fine


@compiled
def run(
    supply: Water,
    back: Water,
    work_supply: Water,
    work_back: Water,
    demand: Floats,
    plant_t: Floats,
    wanted_return: Floats,
    feed_t: Floats,
    held: Floats,
    ground: Floats,
    rate: Floats,
    wall_kg: Floats,
    cp: float,
    sign: float,
    step_s: float,
    substeps: int,
    pipework: Pipework,
    m: Floats,
    fall: Floats,
    flow: Floats,
    supply_t: Floats,
    return_t: Floats,
    plant_w: Floats,
    lost_w: Floats,
    taken_w: Floats,
    state: Ints,
) -> None:
    """Advance over all steps; per-step arrays receive values at the end of each step, powers and flows are means."""
    dt = step_s / substeps
    for s in range(len(demand)):
        least = least_spread(plant_t[s], wanted_return[s, 0], sign)
        chords, level, drawn = m[s].copy(), np.zeros(len(demand[s])), np.zeros(len(demand[s]))
        fill(fall[s], np.inf)
        for _ in range(substeps):
            found, lost, fine = move(
                supply, back, work_supply, work_back, demand[s], plant_t[s], wanted_return[s], feed_t[s], held[s],
                ground[s], rate, wall_kg, cp, sign, least, dt, pipework, chords, level, drawn,
            )  # fmt: skip
            if not found:
                state[s] = 1
                continue
            if not fine:
                state[s] = 3
            for k in range(len(chords)):
                m[s, k] += chords[k] / substeps
            for i in range(len(drawn)):
                flow[s, i] += drawn[i] / substeps
                fall[s, i] = min(fall[s, i], level[i])
            lost_w[s] += lost * cp / step_s
            plant_w[s] += -drawn[0] * cp * (plant_t[s] - back[4][0]) / substeps
            for i in range(1, len(drawn)):
                spread = supply[4][i] - wanted_return[s, i] if drawn[i] > 0 else feed_t[s, i] - back[4][i]
                taken_w[s, i] += drawn[i] * cp * spread / substeps
        put(supply[4], supply_t[s])
        put(back[4], return_t[s])
