"""Implicit steps of a gas network with storage in its pipes, as a compiled loop.

Unknowns are pressures and flows. Each pipe law is solved for its flow change and put into the node balances, which leaves
a symmetric positive matrix in the potentials; leaving the flows out of the unknowns altogether makes Newton cycle.
"""

import numpy as np
import numpy.typing as npt

from models.networks.hydraulics import Floats, Ints, Tubes, drop, slope
from models.networks.jit import compiled
from models.networks.loops import fill, put

Law = tuple[float, float, float, bool]
"""R_s T, b1, b2, linear, as in ``models.networks.fluids.GasLaw``."""
Plan = tuple[Ints, Ints, Ints, Ints, Ints, Ints, Ints]
"""order, ptr, column, upper, lower, target_ptr, target of the elimination."""

ROUNDS_MAX = 40
TOLERANCE_KG_PER_S = 1e-10


@compiled
def density(p: float, law: Law) -> tuple[float, float]:
    """Return density and its slope with pressure."""
    specific, b1, b2, linear = law
    if linear:
        z = b1 + b2 * p
        return p / (z * specific), b1 / (z * z * specific)
    return p * (b1 + b2 * p) / specific, (b1 + 2 * b2 * p) / specific


@compiled
def potential(p: float, law: Law) -> float:
    """Return the integral of density over pressure."""
    specific, b1, b2, linear = law
    if not linear:
        return (b1 / 2 + b2 / 3 * p) * p * p / specific
    if b2 == 0.0:
        return p * p / 2 / b1 / specific
    return float((p / b2 - b1 / b2**2 * np.log1p(b2 * p / b1)) / specific)


@compiled
def solve_symmetric(entry: Floats, plan: Plan, x: Floats, y: Floats) -> None:
    """Solve in place; ``entry`` holds diagonals, then (upper, lower) pairs of which only the upper is filled."""
    order, ptr, column, upper, _, target_ptr, target = plan
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
def step(
    p: Floats,
    m: Floats,
    before: Floats,
    demand: Floats,
    held_pa: float,
    fed: float,
    dt: float,
    volume: Floats,
    start: Ints,
    end: Ints,
    block: Ints,
    tubes: Tubes,
    model: int,
    viscosity: float,
    lift: Floats,
    law: Law,
    plan: Plan,
    position: Ints,
) -> tuple[bool, float]:
    """Find pressures and flows at the end of a step in place; return success and the worst node balance in kg/s."""
    n, edges = len(p), len(m)
    entry = np.empty(len(plan[0]) + 2 * len(plan[2]))
    rhs, work, gap, gain = np.empty(n), np.empty(n), np.empty(edges), np.empty(edges)
    holds = np.isnan(fed)
    if holds:
        p[0] = held_pa
    worst = np.inf
    for _ in range(ROUNDS_MAX):
        fill(entry, 0.0)
        for i in range(n):
            rho, by_p = density(p[i], law)
            rhs[i] = -demand[i] - volume[i] * (rho - before[i]) / dt
            entry[position[i]] = volume[i] * by_p / (rho * dt) + 1e-30
        if not holds:
            rhs[0] += fed
        law_gap = 0.0
        rounding = 1e-14 * potential(p[0], law)  # wide pipes at rest cannot do better than this
        for k in range(edges):
            a, b = start[k], end[k]
            if block[k] < 0:
                continue
            rho_a, _ = density(p[a], law)
            rho_b, _ = density(p[b], law)
            head = ((rho_a + rho_b) / 2) ** 2 * lift[k]
            gap[k] = potential(p[a], law) - potential(p[b], law) - drop(m[k], k, tubes, model, viscosity) - head
            gain[k] = max(slope(m[k], k, tubes, model, viscosity), 1e-6)
            law_gap = max(law_gap, min(abs(gap[k]) / gain[k], abs(gap[k]) / rounding * TOLERANCE_KG_PER_S))
            rhs[a] -= m[k]
            rhs[b] += m[k]
        worst = 0.0
        for i in range(1 if holds else 0, n):
            worst = max(worst, abs(rhs[i]))
        if not np.isfinite(worst):
            return False, worst
        if worst <= TOLERANCE_KG_PER_S and law_gap <= TOLERANCE_KG_PER_S:
            return True, worst
        for k in range(edges):
            if block[k] < 0:
                continue
            a, b = start[k], end[k]
            rhs[a] -= gap[k] / gain[k]
            rhs[b] += gap[k] / gain[k]
            entry[position[a]] += 1 / gain[k]
            entry[position[b]] += 1 / gain[k]
            entry[block[k]] -= 1 / gain[k]
        if holds:
            entry[position[0]] = 1e30
            rhs[0] = 0.0
        solve_symmetric(entry, plan, rhs, work)
        share = 1.0
        for i in range(n):
            rho, _ = density(p[i], law)
            change = rhs[i] / rho
            if change < -0.8 * p[i]:
                share = min(share, -0.8 * p[i] / change)
        for k in range(edges):
            if block[k] >= 0:
                m[k] += share * (rhs[start[k]] - rhs[end[k]] + gap[k]) / gain[k]
        for i in range(n):
            rho, _ = density(p[i], law)
            p[i] += share * rhs[i] / rho
    return False, worst


@compiled
def run(
    start_p: Floats,
    start_m: Floats,
    demand: Floats,
    source_pa: Floats,
    fed: Floats,
    dt: float,
    volume: Floats,
    start: Ints,
    end: Ints,
    block: Ints,
    tubes: Tubes,
    model: int,
    viscosity: float,
    lift: Floats,
    law: Law,
    plan: Plan,
    pressure: Floats,
    flow: Floats,
    source: Floats,
    residual: Floats,
    ok: npt.NDArray[np.bool_],
) -> None:
    """Advance over all steps; rows of ``pressure`` and ``flow`` receive the ends of the steps."""
    p, m = start_p.copy(), start_m.copy()
    before = np.empty(len(p))
    position = np.empty(len(p), np.int32)
    for k in range(len(p)):
        position[plan[0][k]] = k
    for s in range(len(demand)):
        for i in range(len(p)):
            before[i], _ = density(p[i], law)
        kept_p, kept_m = p.copy(), m.copy()
        ok[s], residual[s] = step(
            p, m, before, demand[s], source_pa[s], fed[s], dt, volume, start, end, block,
            tubes, model, viscosity, lift, law, plan, position,
        )  # fmt: skip
        if not ok[s]:
            p, m = kept_p, kept_m
        else:
            now, _ = density(p[0], law)
            source[s] = demand[s, 0] + volume[0] * (now - before[0]) / dt
            for k in range(len(m)):
                if block[k] >= 0 and start[k] == 0:
                    source[s] += m[k]
                elif block[k] >= 0 and end[k] == 0:
                    source[s] -= m[k]
        put(p, pressure[s])
        put(m, flow[s])
