"""Where things stand in a picture: buses in a tree below the slack, junctions along a path from the plant."""

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.networks.data import ElectricNetwork, Pipe

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ends:
    """A branch of a grid with the buses at its ends."""

    id: str
    first: str
    last: str
    kind: str
    """line, transformer or switch"""


@dataclass(frozen=True, slots=True)
class SingleLine:
    """A grid laid out: ``place`` gives column and row of every bus, ``tree`` the branches that hang below one another, ``rest`` the others."""

    place: Mapping[str, Place]
    tree: Sequence[Ends]
    rest: Sequence[Ends]


def branches(network: ElectricNetwork) -> list[Ends]:
    """Return everything that joins two buses."""
    found = [Ends(t.id, t.hv_bus, t.lv_bus, "transformer") for t in network.transformers]
    found += [Ends(b.id, b.from_bus, b.to_bus, "line") for b in network.lines]
    return found + [Ends(s.id, s.bus, s.element, "switch") for s in network.switches if s.kind == "bus"]


def open_branches(network: ElectricNetwork) -> frozenset[str]:
    """Return the branches through which nothing can flow."""
    out = {b.id for b in network.lines if not b.in_service} | {t.id for t in network.transformers if not t.in_service}
    opened = {s.id if s.kind == "bus" else s.element for s in network.switches if not s.closed}
    return frozenset(out | opened)


def single_line(network: ElectricNetwork) -> SingleLine:
    """Return a tree of the grid: the slack on top, every bus one row below the one that feeds it, feeders side by side."""
    opened = open_branches(network)
    ends = sorted(branches(network), key=lambda b: b.id in opened)  # the tree follows what is closed where it can
    feeds = _fed_by(network, ends)
    tree = [b for b, _, _ in feeds]
    below: dict[str, list[str]] = {}
    for _, upper, lower in feeds:
        below.setdefault(upper, []).append(lower)
    place: dict[str, Place] = {}
    column = 0.0
    for root in [network.slack_bus, *(b.id for b in network.buses)]:
        if root not in place:
            column = _hang(root, 0.0, column, below, place)
    return SingleLine(place, tree, [b for b in ends if b not in tree])


def hung(root: str, ends: Iterable[tuple[str, str]], nodes: Iterable[str]) -> dict[str, Place]:
    """Return a place, column and row, for every node: each one row below the one that feeds it, breadth first from the root."""
    near: dict[str, list[str]] = {}
    for first, last in ends:
        near.setdefault(first, []).append(last)
        near.setdefault(last, []).append(first)
    below: dict[str, list[str]] = {}
    place: dict[str, Place] = {}
    column, seen = 0.0, {root}
    for start in [root, *nodes]:
        if start in place:
            continue
        seen.add(start)
        queue = deque([start])
        while queue:
            upper = queue.popleft()
            below[upper] = [n for n in dict.fromkeys(near.get(upper, ())) if n not in seen]
            seen.update(below[upper])
            queue.extend(below[upper])
        column = _hang(start, 0.0, column, below, place)
    return place


def _fed_by(network: ElectricNetwork, ends: Iterable[Ends]) -> list[tuple[Ends, str, str]]:
    """Return branches with upper and lower bus, breadth first from the slack, so that paths are short."""
    near: dict[str, list[Ends]] = {}
    for b in ends:
        near.setdefault(b.first, []).append(b)
        near.setdefault(b.last, []).append(b)
    seen, found = {network.slack_bus}, []
    opened = open_branches(network)
    for refused in (opened, frozenset[str]()):
        queue = deque(seen)
        while queue:
            bus = queue.popleft()
            for b in near.get(bus, []):
                other = b.last if b.first == bus else b.first
                if other not in seen and b.id not in refused:
                    seen.add(other)
                    found.append((b, bus, other))
                    queue.append(other)
    return found


def _hang(bus: str, row: float, column: float, below: Mapping[str, Sequence[str]], place: dict[str, Place]) -> float:
    """Place a bus above the middle of what hangs below it; return the next free column."""
    first = column
    for lower in below.get(bus, ()):
        column = _hang(lower, row + 1.0, column, below, place)
    lowers = [place[b][0] for b in below.get(bus, ())]
    place[bus] = ((lowers[0] + lowers[-1]) / 2 if lowers else first, row)
    return max(column, first + 1.0)


def path(pipes: Iterable[Pipe], start: str, end: str) -> tuple[list[str], list[float]]:
    """Return the junctions of the shortest way along open pipes and the metres from its start; nothing where there is no way."""
    near: dict[str, list[tuple[str, float]]] = {}
    for p in pipes:
        if p.open:
            near.setdefault(p.from_junction, []).append((p.to_junction, p.length_m))
            near.setdefault(p.to_junction, []).append((p.from_junction, p.length_m))
    came: dict[str, tuple[str, float]] = {}
    queue = [(0.0, start, start)]
    while queue:
        metres, junction, before = heapq.heappop(queue)
        if junction in came:
            continue
        came[junction] = (before, metres)
        for other, length in near.get(junction, []):
            heapq.heappush(queue, (metres + length, other, junction))
    if end not in came:
        return [], []
    way = [end]
    while way[-1] != start:
        way.append(came[way[-1]][0])
    way.reverse()
    return way, [came[j][1] for j in way]
