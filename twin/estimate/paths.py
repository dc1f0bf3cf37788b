"""Flow paths of a pipe network: which pipes lie between its source and each junction."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.networks.data import Pipe
from models.networks.graph import CompiledGraph, Edge, compile_graph
from twin.estimate.problem import Array


@dataclass(frozen=True, slots=True)
class Paths:
    """A spanning tree over the open pipes, and the chords that close loops.

    ``tree`` has shape (pipe, junction): +1 or -1 where the pipe lies on the way from the source to the junction, by whether it is
    walked along or against its direction. ``loops`` has shape (pipe, chord): a unit of flow around each loop. Shut pipes are left out.
    """

    junctions: tuple[str, ...]
    pipes: tuple[Pipe, ...]
    tree: Array
    loops: Array
    unreached: tuple[str, ...]

    def column(self, junction: str) -> int:
        """Return the column of a junction."""
        return self.junctions.index(junction)


def find_paths(source: str, junctions: Sequence[str], pipes: Sequence[Pipe]) -> Paths:
    """Return the paths from ``source`` over the open pipes; short pipes are preferred for the tree."""
    flowing = tuple(p for p in pipes if p.open)
    edges = tuple(Edge(p.id, p.from_junction, p.to_junction, p.length_m) for p in flowing)
    graph = compile_graph(tuple(junctions), edges, frozenset(), source)
    by_node = _tree(graph, len(flowing))
    tree = np.where(graph.node >= 0, by_node[:, graph.node], 0.0)
    return Paths(tuple(junctions), flowing, tree, _loops(graph, len(flowing)), graph.islands)


def _tree(graph: CompiledGraph, pipes: int) -> Array:
    """Return, per node, the signed pipes from the source to it; parents come first, so each adds one pipe to its parent's way."""
    way = np.zeros((pipes, graph.node_count))
    for node in range(1, graph.node_count):
        way[:, node] = way[:, graph.parent[node]]
        way[graph.parent_edge[node], node] = graph.parent_sign[node]
    return way


def _loops(graph: CompiledGraph, pipes: int) -> Array:
    loops = np.zeros((pipes, len(graph.chord)))
    for column, chord in enumerate(graph.chord):
        part = slice(graph.path_ptr[column], graph.path_ptr[column + 1])
        np.add.at(loops[:, column], graph.path_edge[part], graph.path_sign[part])
        loops[chord, column] += 1.0
    return loops
