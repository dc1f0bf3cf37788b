"""Newton's power flow as compiled loops.

Unknowns are the real and imaginary voltages (e, f). A load bus balances its current, ``Y v - conj(s / v) = 0``, so only
the diagonal of the Jacobian moves; a bus with held voltage balances real power and squared voltage instead; a node whose held voltage is
infinite is dead and left alone.

Source: current-injection Newton in rectangular form (da Costa, Martins, Pereira, IEEE Trans. Power Systems 14(4), 1999).
"""

import numpy as np
import numpy.typing as npt

from models.networks.jit import compiled

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int32]
Edges = tuple[Ints, Ints, Ints]
"""From node, to node, block number."""
Admittances = tuple[Complexes, Complexes, Complexes]
"""(from, to), (to, from), diagonal."""
Plan = tuple[Ints, Ints, Ints, Ints, Ints, Ints]
"""ptr, column, upper, lower, target_ptr, target of the elimination."""


@compiled
def bus_currents(v: Complexes, edges: Edges, ys: Admittances, current: Complexes) -> None:
    """Fill the current that every node feeds into the grid."""
    edge_from, edge_to, _ = edges
    y_edge, y_back, y_diag = ys
    for i in range(len(v)):
        current[i] = y_diag[i] * v[i]
    for k in range(len(edge_from)):
        a = edge_from[k]
        b = edge_to[k]
        current[a] += y_edge[k] * v[b]
        current[b] += y_back[k] * v[a]


@compiled
def _mismatch(v: Complexes, current: Complexes, s: Complexes, held: Floats, rhs: Floats) -> tuple[float, int]:
    """Fill the right side (minus the residual) and return the largest power mismatch in MVA and its node."""
    worst = 0.0
    where = 0
    for i in range(len(held)):
        if np.isinf(held[i]):  # without voltage: nothing to balance
            rhs[2 * i] = 0.0
            rhs[2 * i + 1] = 0.0
            continue
        off = v[i] * np.conj(current[i]) - s[i]
        if np.isnan(held[i]):
            r = current[i] - np.conj(s[i] / v[i])
            rhs[2 * i] = -r.real
            rhs[2 * i + 1] = -r.imag
            size = abs(off)
        else:
            gap = held[i] ** 2 - (v[i].real ** 2 + v[i].imag ** 2)
            rhs[2 * i] = -off.real
            rhs[2 * i + 1] = gap
            size = max(abs(off.real), abs(gap))
        if not size <= worst:
            worst = size
            where = i
    return worst, where


@compiled
def _put(block: Floats, number: int, y: complex, v: complex, is_held: bool) -> None:
    g = y.real
    b = y.imag
    if is_held:
        block[number, 0] += v.real * g + v.imag * b
        block[number, 1] += v.imag * g - v.real * b
    else:
        block[number, 0] += g
        block[number, 1] -= b
        block[number, 2] += b
        block[number, 3] += g


@compiled
def jacobian(
    v: Complexes, current: Complexes, s: Complexes, held: Floats, edges: Edges, ys: Admittances, block: Floats
) -> None:
    """Fill the blocks of the Jacobian at ``v``; ``current`` holds the bus currents there."""
    edge_from, edge_to, edge_block = edges
    y_edge, y_back, y_diag = ys
    block[:] = 0.0
    for i in range(len(held)):
        if np.isinf(held[i]):
            block[i, 0] = 1.0
            block[i, 3] = 1.0
            continue
        is_held = not np.isnan(held[i])
        _put(block, i, y_diag[i], v[i], is_held)
        if is_held:
            block[i, 0] += current[i].real
            block[i, 1] += current[i].imag
            block[i, 2] = 2 * v[i].real
            block[i, 3] = 2 * v[i].imag
        else:
            slope = np.conj(s[i] / v[i] ** 2)
            block[i, 0] += slope.real
            block[i, 1] += slope.imag
            block[i, 2] += slope.imag
            block[i, 3] -= slope.real
    for k in range(len(edge_from)):
        at = edge_block[k]
        a = edge_from[k]
        b = edge_to[k]
        if at >= 0 and not np.isinf(held[a]) and not np.isinf(held[b]):
            _put(block, at, y_edge[k], v[a], not np.isnan(held[a]))
            _put(block, at + 1, y_back[k], v[b], not np.isnan(held[b]))


@compiled
def factorize(block: Floats, plan: Plan) -> None:
    """Turn 2x2 blocks into inverse diagonals and elimination factors, in place."""
    ptr, _, upper, lower, target_ptr, target = plan
    for k in range(len(ptr) - 1):
        a, b, c, d = block[k, 0], block[k, 1], block[k, 2], block[k, 3]
        det = a * d - b * c
        if det == 0.0:
            det = 1e-300
        p, q, r, t = d / det, -b / det, -c / det, a / det
        block[k, 0], block[k, 1], block[k, 2], block[k, 3] = p, q, r, t
        at = target_ptr[k]
        for m in range(ptr[k], ptr[k + 1]):
            low = lower[m]
            l0 = block[low, 0] * p + block[low, 1] * r
            l1 = block[low, 0] * q + block[low, 1] * t
            l2 = block[low, 2] * p + block[low, 3] * r
            l3 = block[low, 2] * q + block[low, 3] * t
            block[low, 0], block[low, 1], block[low, 2], block[low, 3] = l0, l1, l2, l3
            for n in range(ptr[k], ptr[k + 1]):
                up = upper[n]
                to = target[at]
                at += 1
                block[to, 0] -= l0 * block[up, 0] + l1 * block[up, 2]
                block[to, 1] -= l0 * block[up, 1] + l1 * block[up, 3]
                block[to, 2] -= l2 * block[up, 0] + l3 * block[up, 2]
                block[to, 3] -= l2 * block[up, 1] + l3 * block[up, 3]


@compiled
def solve_factored(block: Floats, plan: Plan, x: Floats) -> None:
    """Solve in place with the factors of ``factorize``."""
    ptr, column, upper, lower, _, _ = plan
    n = len(ptr) - 1
    for k in range(n):
        a, b = x[2 * k], x[2 * k + 1]
        for m in range(ptr[k], ptr[k + 1]):
            j = column[m]
            low = lower[m]
            x[2 * j] -= block[low, 0] * a + block[low, 1] * b
            x[2 * j + 1] -= block[low, 2] * a + block[low, 3] * b
    for k in range(n - 1, -1, -1):
        a, b = x[2 * k], x[2 * k + 1]
        for m in range(ptr[k], ptr[k + 1]):
            j = column[m]
            up = upper[m]
            a -= block[up, 0] * x[2 * j] + block[up, 1] * x[2 * j + 1]
            b -= block[up, 2] * x[2 * j] + block[up, 3] * x[2 * j + 1]
        x[2 * k] = block[k, 0] * a + block[k, 1] * b
        x[2 * k + 1] = block[k, 2] * a + block[k, 3] * b


@compiled
def newton(
    v: Complexes,
    s: Complexes,
    held: Floats,
    edges: Edges,
    ys: Admittances,
    plan: Plan,
    tolerance: float,
    iterations_max: int,
    work: tuple[Complexes, Floats, Floats],
) -> tuple[int, float, int]:
    """Improve ``v`` in place; return the iterations taken (-1: gave up) and the last mismatch in MVA and its node."""
    current, rhs, block = work
    worst = np.inf
    where = 0
    for count in range(iterations_max + 1):
        bus_currents(v, edges, ys, current)
        worst, where = _mismatch(v, current, s, held, rhs)
        if worst <= tolerance:
            return count, worst, where
        if not np.isfinite(worst) or count == iterations_max:
            break
        jacobian(v, current, s, held, edges, ys, block)
        factorize(block, plan)
        solve_factored(block, plan, rhs)
        for i in range(len(held)):
            v[i] += complex(rhs[2 * i], rhs[2 * i + 1])
    return -1, worst, where


@compiled
def workspace(size: int, pairs: int) -> tuple[Complexes, Floats, Floats]:
    """Return the arrays that one thread works in."""
    return np.empty(size + 1, np.complex128), np.empty(2 * size), np.empty((size + 2 * pairs, 4))


@compiled
def newton_steps(
    v: Complexes,
    s: Complexes,
    held: Floats,
    edges: Edges,
    ys: Admittances,
    plan: Plan,
    tolerance: float,
    iterations_max: int,
    count: Ints,
    worst: Floats,
    where: Ints,
    first: int,
    last: int,
) -> None:
    """Solve steps ``first`` to ``last``; ``v`` holds the starts and receives the voltages, dims (step, node)."""
    work = workspace(len(held), len(plan[1]))
    for t in range(first, last):
        count[t], worst[t], where[t] = newton(v[t], s[t], held, edges, ys, plan, tolerance, iterations_max, work)
