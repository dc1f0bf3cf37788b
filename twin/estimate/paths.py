"""Flow paths of a pipe network: which pipes lie between its source and each junction."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.networks.data import Pipe
from twin.estimate.problem import Array


@dataclass(frozen=True, slots=True)
class Paths:
    """A spanning tree over the open pipes, and the chords that close loops.

    ``tree`` has shape (pipe, junction): +1 or -1 where the pipe lies on the way from the source to the junction, by whether it is
    walked along or against its direction. ``loops`` has shape (pipe, chord): a unit of flow around each loop.
    """

    junctions: tuple[str, ...]
    pipes: tuple[Pipe, ...]
    tree: Array
    loops: Array

    def column(self, junction: str) -> int:
        """Return the column of a junction."""
        return self.junctions.index(junction)

    @property
    def reached(self) -> tuple[str, ...]:
        """Junctions that the source feeds."""
        moved = np.any(self.tree != 0, axis=0)
        return tuple(j for i, j in enumerate(self.junctions) if moved[i] or i == 0)


def find_paths(source: str, junctions: Sequence[str], pipes: Sequence[Pipe]) -> Paths:
    """Return the paths from ``source`` over the open pipes; the source is the first junction of the result."""
    order = (source, *(j for j in junctions if j != source))
    where = {j: i for i, j in enumerate(order)}
    flowing = tuple(p for p in pipes if p.open)
    tree = np.zeros((len(flowing), len(order)))
    seen, used, queue = {source}, set[int](), deque([source])
    while queue:
        here = queue.popleft()
        for number, pipe in enumerate(flowing):
            for near, far, sign in _directions(pipe):
                if near == here and far not in seen:
                    tree[:, where[far]] = tree[:, where[near]]
                    tree[number, where[far]] = sign
                    seen.add(far)
                    used.add(number)
                    queue.append(far)
    chords = [n for n, p in enumerate(flowing) if n not in used and p.from_junction in seen]
    loops = np.zeros((len(flowing), len(chords)))
    for column, number in enumerate(chords):
        pipe = flowing[number]
        loops[:, column] = tree[:, where[pipe.from_junction]] - tree[:, where[pipe.to_junction]]
        loops[number, column] += 1.0
    return Paths(order, flowing, tree, loops)


def _directions(pipe: Pipe) -> tuple[tuple[str, str, int], tuple[str, str, int]]:
    return (pipe.from_junction, pipe.to_junction, 1), (pipe.to_junction, pipe.from_junction, -1)
