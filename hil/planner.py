"""Which registers to ask for together: few requests, none across a hole, and blocks that learn what a device refuses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hil.codec import BlockDecoder
from hil.maps.types import DataType, Point, RegisterMap, Table

MAX_BITS = 2000


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive addresses of one table, read by one request."""

    table: Table
    points: tuple[Point, ...]
    """In address order."""
    start: int = field(init=False)
    """First address."""
    count: int = field(init=False)
    """Addresses asked for."""
    decoder: BlockDecoder = field(init=False, compare=False)

    def __post_init__(self) -> None:
        start = self.points[0].address
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "count", max(p.end for p in self.points) - start)
        object.__setattr__(self, "decoder", BlockDecoder(self.points, start))

    def decode(self, registers: Sequence[int]) -> list[float]:
        """Return one value per point of the block."""
        return self.decoder.decode(registers)


def plan_blocks(found: RegisterMap, points: Iterable[Point] | None = None) -> tuple[Block, ...]:
    """Return the blocks that read ``points`` (all that are polled, by default) with the fewest requests.

    Points may share a block when the gap between them is at most ``gap_limit``, the block stays within ``max_block`` and no
    declared hole lies between them.
    """
    chosen = [p for p in (found.points if points is None else points) if is_polled(p)]
    blocks: list[Block] = []
    for table in Table:
        row = sorted((p for p in chosen if p.table is table), key=lambda p: (p.address, p.end))
        blocks += [Block(table, tuple(run)) for run in _runs(row, found, table)]
    return tuple(blocks)


def is_polled(point: Point) -> bool:
    """Return whether the point is read in the course of polling."""
    return point.access.readable and point.poll != "never" and point.type is not DataType.STRING


def _runs(row: Sequence[Point], found: RegisterMap, table: Table) -> list[list[Point]]:
    limit = MAX_BITS if table.is_bits else found.max_block
    holes = found.holes.get(table, ())
    runs: list[list[Point]] = []
    start = end = 0
    for point in row:
        behind = point.end
        near = behind - start <= limit and point.address - end <= found.gap_limit
        if runs and near and not _hole_between(end, point.address, holes):
            runs[-1].append(point)
            end = max(end, behind)
        else:
            runs.append([point])
            start, end = point.address, behind
    return runs


def _hole_between(end: int, address: int, holes: Sequence[tuple[int, int]]) -> bool:
    return any(first < address and last >= end for first, last in holes)


def halves(block: Block) -> tuple[Block, Block]:
    """Return the block as two, cut at its widest gap (in the middle when there is none); it must hold more than one point.

    A refused address lies in one of the halves or in the gap, which neither of them asks for.
    """
    points = block.points
    gaps = [points[k + 1].address - points[k].end for k in range(len(points) - 1)]
    widest = max(gaps)
    middle = (len(points) - 1) // 2
    cut = gaps.index(widest) if widest > 0 else middle
    return Block(block.table, points[: cut + 1]), Block(block.table, points[cut + 1 :])
