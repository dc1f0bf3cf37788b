"""Implicit steps of a gas network with storage in its pipes, as a compiled loop.

Unknowns are pressures and flows. Each pipe law is solved for its flow change and put into the node balances, which leaves
a symmetric positive matrix in the potentials; leaving the flows out of the unknowns altogether makes Newton cycle.
"""

import numpy as np
import numpy.typing as npt

from models.networks.gas_kernel import Gaswork, Law, density, potential
from models.networks.hydraulics import Floats, Ints, drop_and_slope
from models.networks.jit import compiled
from models.networks.loops import fill, put

Plan = tuple[Ints, Ints, Ints, Ints, Ints, Ints]
"""order, ptr, column, upper, target_ptr, target of the elimination."""
Storage = tuple[Floats, Ints, Ints, Plan]
"""Volume of every node, position of every node in the elimination, entry of every edge (-1 for dead ones), elimination."""
Scratch = tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats]
"""Entries of the matrix, right side, its working copy, density and potential per node, gap and slope per edge."""

ROUNDS_MAX = 40
TOLERANCE_KG_PER_S = 1e-10
SMALLEST_SLOPE = 1e-6
HELD = 1e30
"""What stands on the diagonal of a node whose pressure is held."""


@compiled
def solve_symmetric(entry: Floats, plan: Plan, x: Floats, y: Floats) -> None:
    """Solve in place; ``entry`` holds diagonals, then (upper, lower) pairs of which only the upper is filled."""
    order, ptr, column, upper, target_ptr, target = plan
    n = len(order)
    for k in range(n):
        y[k] = x[order[k]]
    for k in range(n):
        at = target_ptr[k]
        for i in range(ptr[k], ptr[k + 1]):
            factor = entry[upper[i]] / entry[k]
            y[column[i]] -= factor * y[k]
            for j in range(ptr[k], ptr[k + 1]):
                if j >= i:
                    entry[target[at]] -= factor * entry[upper[j]]
                at += 1
    for k in range(n - 1, -1, -1):
        for i in range(ptr[k], ptr[k + 1]):
            y[k] -= entry[upper[i]] * y[column[i]]
        y[k] /= entry[k]
    for k in range(n):
        x[order[k]] = y[k]


@compiled
def _store(p: Floats, before: Floats, demand: Floats, dt: float, law: Law, storage: Storage, scratch: Scratch) -> None:
    """Start node balances and the matrix with what nodes draw and hold."""
    volume, position = storage[0], storage[1]
    entry, rhs, rho, level = scratch[0], scratch[1], scratch[3], scratch[4]
    fill(entry, 0.0)
    for i in range(len(p)):
        rho[i], by_p = density(p[i], law)
        level[i] = potential(p[i], law)
        rhs[i] = -demand[i] - volume[i] * (rho[i] - before[i]) / dt
        entry[position[i]] = volume[i] * by_p / (rho[i] * dt) + 1e-30


@compiled
def _flow_gaps(m: Floats, work: Gaswork, storage: Storage, scratch: Scratch) -> float:
    """Bring flows into the node balances; fill how far each is from its law and return the worst in kg/s."""
    shape, tubes, model, viscosity, lift, _, _ = work
    start, end, block, rhs, rho, level = shape[0], shape[1], storage[2], scratch[1], scratch[3], scratch[4]
    gap, gain = scratch[5], scratch[6]
    rounding = 1e-14 * level[0]  # wide pipes at rest cannot do better than this
    worst = 0.0
    for k in range(len(m)):
        if block[k] < 0:
            continue
        a, b = start[k], end[k]
        fall, slope = drop_and_slope(m[k], k, tubes, model, viscosity[0])
        mean = (rho[a] + rho[b]) / 2
        gap[k] = level[a] - level[b] - fall - mean * mean * lift[k]
        gain[k] = max(slope, SMALLEST_SLOPE)
        worst = max(worst, min(abs(gap[k]) / gain[k], abs(gap[k]) / rounding * TOLERANCE_KG_PER_S))
        rhs[a] -= m[k]
        rhs[b] += m[k]
    return worst


@compiled
def _assemble(holds: bool, shape_start: Ints, shape_end: Ints, storage: Storage, scratch: Scratch) -> None:
    """Put the flows' laws into the matrix and the right side."""
    position, block = storage[1], storage[2]
    entry, rhs, gap, gain = scratch[0], scratch[1], scratch[5], scratch[6]
    for k in range(len(gap)):
        if block[k] < 0:
            continue
        a, b, ease = shape_start[k], shape_end[k], 1 / gain[k]
        rhs[a] -= gap[k] * ease
        rhs[b] += gap[k] * ease
        entry[position[a]] += ease
        entry[position[b]] += ease
        entry[block[k]] -= ease
    if holds:
        entry[position[0]] = HELD
        rhs[0] = 0.0


@compiled
def _move(p: Floats, m: Floats, start: Ints, end: Ints, block: Ints, scratch: Scratch) -> None:
    """Take the step, or as much of it as leaves every pressure a fifth of what it was."""
    change, rho, gap, gain = scratch[1], scratch[3], scratch[5], scratch[6]
    share = 1.0
    for i in range(len(p)):
        if change[i] < -0.8 * p[i] * rho[i]:
            share = min(share, -0.8 * p[i] * rho[i] / change[i])
    for k in range(len(m)):
        if block[k] >= 0:
            m[k] += share * (change[start[k]] - change[end[k]] + gap[k]) / gain[k]
    for i in range(len(p)):
        p[i] += share * change[i] / rho[i]


@compiled
def step(
    p: Floats,
    m: Floats,
    before: Floats,
    demand: Floats,
    held_pa: float,
    fed: float,
    dt: float,
    work: Gaswork,
    storage: Storage,
    scratch: Scratch,
) -> tuple[bool, float]:
    """Find pressures and flows at the end of a step in place; return success and the worst node balance in kg/s."""
    start, end, law = work[0][0], work[0][1], work[6]
    rhs = scratch[1]
    holds = np.isnan(fed)
    if holds:
        p[0] = held_pa
    worst = np.inf
    for _ in range(ROUNDS_MAX):
        _store(p, before, demand, dt, law, storage, scratch)
        if not holds:
            rhs[0] += fed
        law_gap = _flow_gaps(m, work, storage, scratch)
        worst = 0.0
        for i in range(1 if holds else 0, len(p)):
            if not abs(rhs[i]) <= worst:
                worst = abs(rhs[i])
        if not np.isfinite(worst):
            return False, worst
        if worst <= TOLERANCE_KG_PER_S and law_gap <= TOLERANCE_KG_PER_S:
            return True, worst
        _assemble(holds, start, end, storage, scratch)
        solve_symmetric(scratch[0], storage[3], rhs, scratch[2])
        _move(p, m, start, end, storage[2], scratch)
    return False, worst


@compiled
def run(
    start_p: Floats,
    start_m: Floats,
    demand: Floats,
    source_pa: Floats,
    fed: Floats,
    dt: float,
    work: Gaswork,
    storage: Storage,
    pressure: Floats,
    flow: Floats,
    source: Floats,
    residual: Floats,
    ok: npt.NDArray[np.bool_],
) -> None:
    """Advance over all steps; rows of ``pressure`` and ``flow`` receive the ends of the steps."""
    start, end, law = work[0][0], work[0][1], work[6]
    volume, block, plan = storage[0], storage[2], storage[3]
    p, m, before = start_p.copy(), start_m.copy(), np.empty(len(start_p))
    n, edges = len(p), len(m)
    scratch = (
        np.empty(n + 2 * len(plan[2])), np.empty(n), np.empty(n), np.empty(n), np.empty(n),
        np.empty(edges), np.empty(edges),
    )  # fmt: skip
    for s in range(len(demand)):
        for i in range(n):
            before[i], _ = density(p[i], law)
        ok[s], residual[s] = step(p, m, before, demand[s], source_pa[s], fed[s], dt, work, storage, scratch)
        if ok[s]:
            now, _ = density(p[0], law)
            source[s] = demand[s, 0] + volume[0] * (now - before[0]) / dt
            for k in range(edges):
                if block[k] >= 0 and start[k] == 0:
                    source[s] += m[k]
                elif block[k] >= 0 and end[k] == 0:
                    source[s] -= m[k]
        else:
            put(start_p if s == 0 else pressure[s - 1], p)
            put(start_m if s == 0 else flow[s - 1], m)
        put(p, pressure[s])
        put(m, flow[s])
