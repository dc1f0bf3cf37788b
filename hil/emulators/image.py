"""Register images: the memory of many devices in one array, so that a whole plant is encoded in a few array operations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hil.codec import STRUCT, encode
from hil.maps.check import RAW_RANGE
from hil.maps.types import DataType, Point, RegisterMap, Table

Words = npt.NDArray[np.uint16]
Values = npt.NDArray[np.float64]


class TableImage:
    """One table of one device: consecutive addresses from ``start``; everything between its points reads 0."""

    def __init__(self, start: int, words: Words) -> None:
        self.start = start
        self.words = words

    @property
    def end(self) -> int:
        """First address behind the image."""
        return self.start + len(self.words)

    def holds(self, address: int, count: int) -> bool:
        """Return whether all the addresses lie in the image."""
        return self.start <= address and address + count <= self.end

    def read(self, address: int, count: int) -> list[int]:
        """Return registers as plain numbers."""
        offset = address - self.start
        values: list[int] = self.words[offset : offset + count].tolist()
        return values

    def put(self, address: int, words: Sequence[int]) -> None:
        """Set registers."""
        offset = address - self.start
        self.words[offset : offset + len(words)] = words


class Memory:
    """The registers of many devices; :meth:`claim` hands out one device's tables, in the order of the calls."""

    def __init__(self, maps: Sequence[RegisterMap]) -> None:
        self._spans = [_spans(m) for m in maps]
        self.words: Words = np.zeros(sum(e - s for spans in self._spans for s, e in spans.values()), dtype=np.uint16)
        self.places: list[dict[Table, int]] = []
        at = 0
        for spans in self._spans:
            self.places.append({})
            for table, (start, end) in spans.items():
                self.places[-1][table] = at - start  # what to add to an address
                at += end - start

    def claim(self, device: int) -> dict[Table, TableImage]:
        """Return the tables of one device as views into the shared array."""
        places = self.places[device]
        return {
            table: TableImage(start, self.words[places[table] + start : places[table] + end])
            for table, (start, end) in self._spans[device].items()
        }


def _spans(found: RegisterMap) -> dict[Table, tuple[int, int]]:
    """Return first address and end of every table that a map uses."""
    spans: dict[Table, tuple[int, int]] = {}
    taken = [(p.table, p.address, p.end) for p in found.points]
    taken += [(c.table, c.address, c.end) for c in found.constants]
    for table, start, behind in taken:
        first, end = spans.get(table, (start, behind))
        spans[table] = min(first, start), max(end, behind)
    return spans


@dataclass(frozen=True, slots=True)
class _Group:
    """Points of one type and byte order."""

    type: DataType
    swapped: bool
    rows: npt.NDArray[np.intp]
    words: npt.NDArray[np.intp]
    """Shape (point, register): places in the memory, most significant register first."""
    factor: Values
    offset: Values
    missing: npt.NDArray[np.float64]
    """Raw number that stands for no value."""


class Encoder:
    """Writes the values of many points into a memory; values that a point cannot hold stop at the end of its range."""

    def __init__(self, points: Sequence[tuple[int, Point]], memory: Memory) -> None:
        kinds: dict[tuple[DataType, bool], list[int]] = {}
        flags: list[int] = []
        for row, (_, point) in enumerate(points):
            if point.bit is not None or point.table.is_bits:
                flags.append(row)
            else:
                kinds.setdefault((point.type, point.order.bytes_swapped), []).append(row)
        self._groups = [_group(points, rows, memory, *kind) for kind, rows in kinds.items()]
        self._flag_rows = np.array(flags, dtype=np.intp)
        self._flag_words = np.array([_places(*points[r], memory)[0] for r in flags], dtype=np.intp)
        self._flag_bits = np.array([points[r][1].bit or 0 for r in flags], dtype=np.uint16)
        self._memory = memory.words

    def put(self, values: Values) -> None:
        """Encode one value per point, in the units of the quantities."""
        for group in self._groups:
            self._memory[group.words] = _encode(group, values[group.rows])
        if len(self._flag_rows):
            raised = (values[self._flag_rows] > 0.5).astype(np.uint16) << self._flag_bits
            self._memory[self._flag_words] = 0
            np.bitwise_or.at(self._memory, self._flag_words, raised)


def _group(
    points: Sequence[tuple[int, Point]], rows: list[int], memory: Memory, kind: DataType, swapped: bool
) -> _Group:
    chosen = [points[r] for r in rows]
    linear = [p.linear for _, p in chosen]
    return _Group(
        type=kind,
        swapped=swapped,
        rows=np.array(rows, dtype=np.intp),
        words=np.array([_places(d, p, memory) for d, p in chosen], dtype=np.intp),
        factor=np.array([x.factor for x in linear]),
        offset=np.array([x.offset for x in linear]),
        missing=np.array([0.0 if p.nan is None else float(p.nan) for _, p in chosen]),
    )


def _places(device: int, point: Point, memory: Memory) -> list[int]:
    first = memory.places[device][point.table] + point.address
    places = [first + k for k in range(point.registers)]
    return places[::-1] if point.order.low_word_first else places


def _encode(group: _Group, values: Values) -> Words:
    """Return the registers of a group; shape (point, register)."""
    raw = (values - group.offset) / group.factor
    wire = f">{STRUCT[group.type]}"  # NumPy calls the types of numbers as struct does
    if group.type.is_float:
        packed = raw.astype(wire)
    else:
        low, high = RAW_RANGE[group.type]
        # the highest 64-bit numbers are no floats; the next float below is
        top = np.nextafter(float(high), 0.0) if float(high) > high else float(high)
        whole = np.clip(np.rint(raw), float(low), top)
        packed = np.where(np.isnan(raw), 0.0, whole).astype(wire)
        missing = np.isnan(raw)
        if missing.any():
            codes = [int(c) for c in group.missing[missing]]
            packed[missing] = np.array([min(max(c, low), high) for c in codes], dtype=wire)
    words = packed.reshape(-1, 1).view(">u2").astype(np.uint16)
    return words.byteswap() if group.swapped else words


def fill_constants(found: RegisterMap, tables: dict[Table, TableImage]) -> None:
    """Write a map's constant registers, and the codes for no value of points that nobody measures."""
    for constant in found.constants:
        tables[constant.table].put(constant.address, constant.words())
    for point in found.points:
        if point.nan is not None and point.type is not DataType.STRING:
            tables[point.table].put(point.address, encode(point, float("nan")))
