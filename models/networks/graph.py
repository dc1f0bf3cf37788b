"""The shape of a pipe network: a spanning tree from its root plus the chords that close its loops.

Compiled once per topology; flows of a tree follow from node balances alone, so only the chords (none in most heat and
gas networks) are unknowns of an iteration.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Edge:
    """A pipe, pump or compressor between two junctions."""

    id: str
    start: str
    end: str
    weight: float
    """The tree takes light edges first; the resistance is a good weight."""


@dataclass(frozen=True, slots=True)
class CompiledGraph:
    """Tree and chords as arrays; nodes are numbered so that a parent comes before its children, the root is 0."""

    junction_ids: tuple[str, ...]
    edge_ids: tuple[str, ...]
    node: IntArray
    """Number of every junction; -1 where no open edge joins it to the root."""
    start: IntArray
    """Node at the start of every edge; -1 for edges outside the root's part."""
    end: IntArray
    parent: IntArray
    """Of every node; the root's is -1."""
    parent_edge: IntArray
    parent_sign: npt.NDArray[np.float64]
    """+1 where the edge to the parent points away from the root."""
    chord: IntArray
    """Edges that close a loop."""
    path_ptr: IntArray
    path_edge: IntArray
    path_sign: npt.NDArray[np.float64]
    """Per chord: tree edges whose flow a unit of chord flow changes, and by how much."""
    loop_edge: IntArray
    """Edges that lie on a loop, chords included."""

    @property
    def node_count(self) -> int:
        """Junctions that the root reaches."""
        return len(self.parent)

    @property
    def islands(self) -> tuple[str, ...]:
        """Junctions that the root does not reach."""
        return tuple(j for j, node in zip(self.junction_ids, self.node, strict=True) if node < 0)


@lru_cache(maxsize=64)
def compile_graph(
    junctions: tuple[str, ...], edges: tuple[Edge, ...], closed: frozenset[str], root: str
) -> CompiledGraph:
    """Return tree and chords of the edges that are not ``closed``."""
    order, parent_edge = _lightest_tree(junctions, edges, closed, root)
    number = {junction: i for i, junction in enumerate(order)}
    start = np.array([number.get(e.start, -1) for e in edges], dtype=np.int32)
    end = np.array([number.get(e.end, -1) for e in edges], dtype=np.int32)
    used = np.array([e.id not in closed for e in edges], dtype=bool) & (start >= 0)
    start[~used], end[~used] = -1, -1
    via = np.array(parent_edge, dtype=np.int32)
    outward = np.array([k >= 0 and end[k] == i for i, k in enumerate(via)], dtype=bool)
    parent = np.array([-1 if k < 0 else (start[k] if out else end[k]) for k, out in zip(via, outward, strict=True)])
    sign = np.where(outward, 1.0, -1.0)
    in_tree = set(via.tolist())
    chords = [k for k in np.flatnonzero(used).tolist() if k not in in_tree and start[k] != end[k]]
    paths = [_loop(int(start[k]), int(end[k]), parent, via, sign) for k in chords]
    return CompiledGraph(
        junction_ids=junctions,
        edge_ids=tuple(e.id for e in edges),
        node=np.array([number.get(j, -1) for j in junctions], dtype=np.int32),
        start=start,
        end=end,
        parent=parent.astype(np.int32),
        parent_edge=via,
        parent_sign=sign,
        chord=np.array(chords, dtype=np.int32),
        path_ptr=np.cumsum([0, *map(len, paths)]).astype(np.int32),
        path_edge=np.array([k for path in paths for k, _ in path], dtype=np.int32),
        path_sign=np.array([s for path in paths for _, s in path], dtype=np.float64),
        loop_edge=np.array(sorted({k for path in paths for k, _ in path} | set(chords)), dtype=np.int32),
    )


def _lightest_tree(
    junctions: Sequence[str], edges: Sequence[Edge], closed: frozenset[str], root: str
) -> tuple[list[str], list[int]]:
    """Return junctions from the root outwards and the edge by which each was reached (Prim)."""
    near: dict[str, list[tuple[float, int, str]]] = {j: [] for j in junctions}
    for k, edge in enumerate(edges):
        if edge.id not in closed:
            near[edge.start].append((edge.weight, k, edge.end))
            near[edge.end].append((edge.weight, k, edge.start))
    order, via, seen = [root], [-1], {root}
    waiting = list(near[root])
    heapq.heapify(waiting)
    while waiting:
        _, k, junction = heapq.heappop(waiting)
        if junction in seen:
            continue
        seen.add(junction)
        order.append(junction)
        via.append(k)
        for item in near[junction]:
            heapq.heappush(waiting, item)
    return order, via


def _loop(
    start: int, end: int, parent: IntArray, via: IntArray, sign: npt.NDArray[np.float64]
) -> list[tuple[int, float]]:
    """Return the tree edges whose flow changes when a unit flows along a chord, with the sign of the change.

    The chord draws at its start and feeds at its end, so more flows from the root to the start and less to the end.
    """
    change: dict[int, float] = {}
    for node, amount in ((start, 1.0), (end, -1.0)):
        while node > 0:
            edge = int(via[node])
            change[edge] = change.get(edge, 0.0) + amount * float(sign[node])
            node = int(parent[node])
    return [(edge, amount) for edge, amount in change.items() if amount != 0.0]
