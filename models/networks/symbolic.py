"""The order in which the nodes of a network are eliminated, worked out once per topology.

Newton's linear systems all share one pattern, so the elimination becomes a fixed list of block operations that a
compiled loop walks through without any search.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Elimination:
    """A block elimination in fixed order; blocks are numbered: diagonals first, then pairs of off-diagonals.

    ``column[ptr[k]:ptr[k + 1]]`` are the later nodes that node k touches; ``upper`` and ``lower`` are the block numbers
    of (k, column) and (column, k). ``target`` lists, for each k, the blocks that all pairs of its columns update.
    """

    order: IntArray
    """Original node number at each position of the elimination."""
    ptr: IntArray
    column: IntArray
    upper: IntArray
    lower: IntArray
    target_ptr: IntArray
    target: IntArray
    block_count: int


def eliminate(node_count: int, edges: Iterable[tuple[int, int]]) -> Elimination:
    """Return the elimination of a graph by smallest degree; a tree gets no fill at all."""
    order, later = _smallest_degree_order(_neighbours(node_count, edges))
    position = {node: k for k, node in enumerate(order)}
    columns = [sorted(position[other] for other in later[node]) for node in order]
    return _number_blocks(order, columns)


def _neighbours(node_count: int, edges: Iterable[tuple[int, int]]) -> list[set[int]]:
    near: list[set[int]] = [set() for _ in range(node_count)]
    for a, b in edges:
        if a != b:
            near[a].add(b)
            near[b].add(a)
    return near


def _smallest_degree_order(near: list[set[int]]) -> tuple[list[int], list[set[int]]]:
    """Return nodes in elimination order and, per node, the nodes it still touches when its turn comes."""
    waiting = [(len(n), i) for i, n in enumerate(near)]
    heapq.heapify(waiting)
    done = [False] * len(near)
    order: list[int] = []
    while waiting:
        degree, node = heapq.heappop(waiting)
        if done[node] or degree != len(near[node]):
            continue
        done[node] = True
        order.append(node)
        for a in near[node]:
            near[a] |= near[node]
            near[a] -= {a, node}
            heapq.heappush(waiting, (len(near[a]), a))
    return order, near


def _number_blocks(order: Sequence[int], columns: Sequence[Sequence[int]]) -> Elimination:
    size = len(order)
    pairs = [(k, j) for k, cols in enumerate(columns) for j in cols]
    upper = {pair: size + 2 * i for i, pair in enumerate(pairs)}
    block = {(k, k): k for k in range(size)}
    for (k, j), number in upper.items():
        block[k, j] = number
        block[j, k] = number + 1
    targets = [[block[i, j] for i in cols for j in cols] for cols in columns]
    return Elimination(
        order=np.array(order, dtype=np.int32),
        ptr=_offsets(columns),
        column=_flat(columns),
        upper=np.array([upper[pair] for pair in pairs], dtype=np.int32),
        lower=np.array([upper[pair] + 1 for pair in pairs], dtype=np.int32),
        target_ptr=_offsets(targets),
        target=_flat(targets),
        block_count=size + 2 * len(pairs),
    )


def _offsets(rows: Sequence[Sequence[int]]) -> IntArray:
    return np.cumsum([0, *(len(row) for row in rows)]).astype(np.int32)


def _flat(rows: Sequence[Sequence[int]]) -> IntArray:
    return np.array([value for row in rows for value in row], dtype=np.int32)
