"""Steady states of a gas network as compiled loops.

Flows along the tree follow from node balances; then every pressure follows from its parent's, the height between them
included, so only the flows around loops need an iteration.
"""

import math

import numpy as np
import numpy.typing as npt

from models.networks.fluids import LOG_SERIES, SERIES_TO
from models.networks.hydraulics import AREA, LENGTH, Floats, Ints, Shape, Tubes, close_loops, drop, tree_flows
from models.networks.jit import compiled
from models.networks.loops import fill

Law = tuple[float, float, float, bool]
"""R_s T, b1, b2, linear, as in ``models.networks.fluids.GasLaw``."""
Gaswork = tuple[Shape, Tubes, int, Floats, Floats, Ints, Law]
"""Graph, tubes, friction code, viscosity (one number), height gained along edges times g, node of every junction, law."""
Rows = tuple[Floats, Floats, Floats, Floats]
"""Pressure in kPa and density (step, junction), flow and velocity (step, edge)."""
Totals = tuple[Floats, Floats, Ints, Ints]
"""Flow from the source, gas in the pipes, place of the least pressure, 1 where some pressure falls below vacuum (step)."""

HEIGHT_ROUNDS = 12
CLOSE_SHARE = 1e-11
"""Loops close to this share of the source's potential."""
SAME_SHARE = 1e-12
QUADRATIC_END = 3e-8
"""Newton's method doubles its digits: after a step of this share the next would change nothing."""


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
    """Return the integral of density over pressure; a series where the closed form would lose its digits."""
    specific, b1, b2, linear = law
    if not linear:
        return (b1 / 2 + b2 / 3 * p) * p * p / specific
    x = b2 * p / b1
    excess = 0.0
    if abs(x) > SERIES_TO:
        excess = (x - math.log1p(x)) / (x * x)
    else:
        for n in range(len(LOG_SERIES) - 1, -1, -1):
            excess = excess * x + LOG_SERIES[n]
    return p * p / b1 / specific * excess


@compiled
def further(p: float, level: float, fall: float, lift: float, law: Law) -> tuple[float, float]:
    """Return pressure and potential where gas has lost ``fall`` of its potential and climbed ``lift`` m2/s2.

    ``level`` is the potential of ``p``. NaN where the pressure would fall below vacuum.
    """
    rho, _ = density(p, law)
    there = p - (fall + rho * rho * lift) / rho
    if not there > 0.5 * p:
        if not level - fall - max(lift, 0.0) * (rho / 2) ** 2 > 0.0:
            return np.nan, np.nan
        there = max(there, 0.1 * p)
    for _ in range(100):
        rho_there, by_p = density(there, law)
        mean = (rho + rho_there) / 2
        gap = potential(there, law) + mean * mean * lift - level + fall
        change = gap / (rho_there + mean * by_p * lift)
        there -= change
        if abs(change) <= QUADRATIC_END * there:
            break
    rho_there, _ = density(there, law)
    return there, level - fall - ((rho + rho_there) / 2) ** 2 * lift


@compiled
def follow_pressures(m: Floats, work: Gaswork, p: Floats, level: Floats) -> None:
    """Fill pressures and potentials down the tree from those of the root."""
    shape, tubes, model, viscosity, lift, _, law = work
    parent, parent_edge, parent_sign = shape[2], shape[3], shape[4]
    for i in range(1, len(parent)):
        k, up, sign = parent_edge[i], parent[i], parent_sign[i]
        fall = sign * drop(m[k], k, tubes, model, viscosity[0])
        p[i], level[i] = further(p[up], level[up], fall, sign * lift[k], law)


@compiled
def _columns(p: Floats, work: Gaswork, head: Floats) -> float:
    """Fill the potential that standing gas loses along edges on loops; return the largest change."""
    shape, _, _, _, lift, _, law = work
    start, end, loop_edge = shape[0], shape[1], shape[9]
    change = 0.0
    for k in loop_edge:
        mean = (density(p[start[k]], law)[0] + density(p[end[k]], law)[0]) / 2
        column = mean * mean * lift[k] if mean > 0.0 else 0.0
        change = max(change, abs(column - head[k]))
        head[k] = column
    return change


@compiled
def settle(demand: Floats, m: Floats, p: Floats, level: Floats, work: Gaswork, need: Floats) -> tuple[bool, float]:
    """Find flows and pressures of one step from the pressure ``p[0]``; return success and the worst loop gap's share."""
    shape, tubes, model, viscosity, _, _, law = work
    tree_flows(demand, m, shape, need)
    if not np.isfinite(need[0]):
        return False, np.nan
    level[0] = potential(p[0], law)
    for i in range(1, len(p)):
        p[i] = p[0]
    head, none, media = np.zeros(len(m)), np.zeros(len(m)), (viscosity, np.ones(1))
    worst = 0.0
    for rounds in range(HEIGHT_ROUNDS):
        change = _columns(p, work, head)
        if rounds > 0 and change <= SAME_SHARE * level[0]:
            break
        count, worst = close_loops(m, shape, tubes, model, media, (head, none), CLOSE_SHARE * level[0])
        if count < 0:
            return False, worst / level[0]
        follow_pressures(m, work, p, level)
    return True, worst / level[0]


@compiled
def _source_flow(m: Floats, shape: Shape) -> float:
    """Return what leaves the root."""
    start, end = shape[0], shape[1]
    total = 0.0
    for k in range(len(m)):
        if start[k] == 0:
            total += m[k]
        elif end[k] == 0:
            total -= m[k]
    return total


@compiled
def _pipes_row(m: Floats, rho: Floats, shape: Shape, tubes: Tubes, flow: Floats, velocity: Floats) -> float:
    """Fill flow and velocity (at the faster end) of every edge; return the gas in the pipes."""
    start, end, length, area = shape[0], shape[1], tubes[LENGTH], tubes[AREA]
    packed = 0.0
    for k in range(len(m)):
        flow[k] = m[k]
        if start[k] < 0:
            velocity[k] = 0.0
            continue
        first, last = rho[start[k]], rho[end[k]]
        packed += (first + last) * area[k] * length[k] / 2
        thin = last if not first <= last else first
        velocity[k] = m[k] / (area[k] * (first if np.isnan(thin) else thin))
    return packed


@compiled
def describe(
    t: int, m: Floats, p: Floats, rho: Floats, converged: bool, work: Gaswork, rows: Rows, totals: Totals
) -> None:
    """Fill row ``t`` of the results from flows and node pressures; NaN for a step that has not converged."""
    shape, tubes, _, _, _, node, law = work
    pressure, dense, flow, velocity = rows
    source, packed, worst, bound = totals
    if not converged:
        fill(p, np.nan)
        fill(m, np.nan)
    for i in range(len(p)):
        rho[i] = density(p[i], law)[0]
    least, worst[t], bound[t] = np.inf, 0, 0
    for j in range(len(node)):
        i = node[j]
        pressure[t, j] = p[i] / 1e3 if i >= 0 else np.nan
        dense[t, j] = rho[i] if i >= 0 else np.nan
        if i < 0:
            continue
        if np.isnan(p[i]):  # the first on the way from the source is where the gas runs out
            if bound[t] == 0 or i < node[worst[t]]:
                worst[t] = j
            bound[t] = 1
        elif bound[t] == 0 and p[i] < least:
            least, worst[t] = p[i], j
    packed[t] = _pipes_row(m, rho, shape, tubes, flow[t], velocity[t])
    source[t] = _source_flow(m, shape)


@compiled
def gas_steps(
    demand: Floats,
    root_pa: Floats,
    work: Gaswork,
    rows: Rows,
    totals: Totals,
    converged: npt.NDArray[np.bool_],
    residual: Floats,
    first: int,
    last: int,
) -> None:
    """Solve many independent steps; ``demand`` (step, node) in kg/s, ``root_pa`` (step)."""
    nodes, edges = demand.shape[1], rows[2].shape[1]
    p, level, need, rho, m = np.empty(nodes), np.empty(nodes), np.empty(nodes), np.empty(nodes), np.empty(edges)
    for t in range(first, last):
        fill(m, 0.0)
        p[0] = root_pa[t]
        converged[t], residual[t] = settle(demand[t], m, p, level, work, need)
        describe(t, m, p, rho, converged[t], work, rows, totals)


@compiled
def describe_steps(
    m: Floats,
    p: Floats,
    converged: npt.NDArray[np.bool_],
    work: Gaswork,
    rows: Rows,
    totals: Totals,
    first: int,
    last: int,
) -> None:
    """Fill the results of steps that were solved elsewhere; ``m`` (step, edge), ``p`` (step, node)."""
    rho = np.empty(p.shape[1])
    for t in range(first, last):
        describe(t, m[t], p[t], rho, converged[t], work, rows, totals)
