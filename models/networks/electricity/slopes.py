"""The linear solves behind the sensitivities, as compiled loops."""

import numpy as np
import numpy.typing as npt

from models.networks.electricity.kernels import (
    Admittances,
    Complexes,
    Edges,
    Floats,
    Ints,
    Plan,
    bus_currents,
    factorize,
    jacobian,
    solve_factored,
    workspace,
)
from models.networks.jit import compiled


@compiled
def _slopes(
    v: Complexes,
    nodes: Ints,
    held: Floats,
    edges: Edges,
    ys: Admittances,
    plan: Plan,
    work: tuple[Complexes, Floats, Floats],
    out: npt.NDArray[np.complex128],
) -> None:
    """Fill ``out`` (source, 2, node) with d v / d P and d v / d Q at one solved step."""
    current, x, block = work
    bus_currents(v, edges, ys, current)
    power = v * np.conj(current)
    jacobian(v, current, power, held, edges, ys, block)
    factorize(block, plan)
    for i in range(len(nodes)):
        node = nodes[i]
        if node < 0 or node >= len(held):
            continue
        for part in range(2):
            x[:] = 0.0
            if np.isnan(held[node]):
                push = (1.0 if part == 0 else -1j) / np.conj(v[node])
                x[2 * node] = push.real
                x[2 * node + 1] = push.imag
            elif part == 0:
                x[2 * node] = 1.0
            solve_factored(block, plan, x)
            for j in range(len(held)):
                out[i, part, j] = complex(x[2 * j], x[2 * j + 1])


@compiled
def slope_steps(
    v: Complexes,
    nodes: Ints,
    held: Floats,
    edges: Edges,
    ys: Admittances,
    plan: Plan,
    out: npt.NDArray[np.complex128],
    first: int,
    last: int,
) -> None:
    """Fill ``out`` (step, source, 2, node); steps without a solution become NaN."""
    work = workspace(len(held), len(plan[1]))
    for t in range(first, last):
        if np.isfinite(v[t].real).all():
            _slopes(v[t], nodes, held, edges, ys, plan, work, out[t])
        else:
            out[t] = np.nan
