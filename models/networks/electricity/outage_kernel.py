"""Power flows with one branch out at a time, as a compiled loop."""

import numpy as np

from models.networks.electricity.kernels import (
    Admittances,
    Complexes,
    Edges,
    Floats,
    Ints,
    Plan,
    newton,
    workspace,
)
from models.networks.jit import compiled

Outages = tuple[Ints, Ints, Ints, Ints, Complexes, Complexes, Complexes, Complexes]
"""Edge (-1: none, as of a branch open at one end), branches on that edge, both nodes (-1: none), and ff, ft, tf, tt of the branch.

All in the direction of the edge."""


@compiled
def mark_live(edges: Edges, y_edge: Complexes, live: Ints) -> None:
    """Fill 1 for nodes that non-zero edges join to the slack (the last node), 0 for the others."""
    edge_from, edge_to, _ = edges
    for i in range(len(live)):
        live[i] = 0
    live[len(live) - 1] = 1
    grown = True
    while grown:
        grown = False
        for k in range(len(edge_from)):
            a, b = edge_from[k], edge_to[k]
            if y_edge[k] != 0 and live[a] != live[b]:
                live[a] = live[b] = 1
                grown = True


@compiled
def run_outages(
    start: Complexes,
    s: Complexes,
    held: Floats,
    edges: Edges,
    ys: Admittances,
    plan: Plan,
    tolerance: float,
    iterations_max: int,
    outages: Outages,
    v: Complexes,
    count: Ints,
    worst: Floats,
    live: Ints,
    first: int,
    last: int,
) -> None:
    """Fill ``v`` (outage, step, node); ``start`` and ``s`` have dims (step, node)."""
    at, together, lower, upper, ff, ft, tf, tt = outages
    work = workspace(len(held), len(plan[1]))
    for c in range(first, last):
        y_edge, y_back, y_diag = ys[0].copy(), ys[1].copy(), ys[2].copy()
        stands = held.copy()
        k = at[c]
        if k >= 0:
            alone = together[c] == 1
            y_edge[k] = 0.0 if alone else y_edge[k] - ft[c]
            y_back[k] = 0.0 if alone else y_back[k] - tf[c]
        if lower[c] >= 0:
            y_diag[lower[c]] -= ff[c]
        if upper[c] >= 0:
            y_diag[upper[c]] -= tt[c]
        mark_live(edges, y_edge, live[c])
        for i in range(len(held)):
            if live[c, i] == 0:
                stands[i] = np.inf
        for t in range(len(s)):
            for i in range(len(start[t])):
                v[c, t, i] = start[t, i]
            count[c, t], worst[c, t], _ = newton(
                v[c, t], s[t], stands, edges, (y_edge, y_back, y_diag), plan, tolerance, iterations_max, work
            )
            if count[c, t] < 0:
                for i in range(len(start[t])):
                    v[c, t, i] = np.nan
            for i in range(len(held)):
                if live[c, i] == 0:
                    v[c, t, i] = 0.0
