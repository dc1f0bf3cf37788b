"""Registers to numbers and back: pure functions over a whole block."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hil.maps.check import RAW_RANGE
from hil.maps.types import DataType, Point

Values = npt.NDArray[np.float64]
WIRE = {
    DataType.INT16: ">i2",
    DataType.UINT16: ">u2",
    DataType.BITS: ">u2",
    DataType.INT32: ">i4",
    DataType.UINT32: ">u4",
    DataType.INT64: ">i8",
    DataType.UINT64: ">u8",
    DataType.FLOAT32: ">f4",
    DataType.FLOAT64: ">f8",
}
PACK = {DataType.FLOAT32: ">f", DataType.FLOAT64: ">d"}


@dataclass(frozen=True, slots=True)
class _Group:
    """Points of one type and byte order, decoded in one go."""

    type: DataType
    swapped: bool
    words: npt.NDArray[np.intp]
    """Shape (point, register): where in the block, most significant register first."""
    at: npt.NDArray[np.intp]
    """Shape (point,): where in the answer."""
    factor: Values
    offset: Values
    nan: tuple[tuple[int, int], ...]
    """(row, raw) of the points that have a not-a-number code."""
    bits: tuple[tuple[int, int], ...]
    """(row, bit) of the points that are one flag."""


class BlockDecoder:
    """Decodes one block of registers (or bits) into the values of its points, in the quantities' units.

    ``start`` is the address of the block's first register. Text points give NaN.
    """

    def __init__(self, points: Sequence[Point], start: int) -> None:
        self.points = tuple(points)
        self._is_bits = bool(self.points) and self.points[0].table.is_bits
        keys: dict[tuple[DataType, bool], list[int]] = {}
        for i, point in enumerate(self.points):
            if point.type is not DataType.STRING:
                keys.setdefault((point.type, point.order.bytes_swapped), []).append(i)
        self._groups = tuple(_group(self.points, rows, start, kind, swapped) for (kind, swapped), rows in keys.items())

    def decode(self, registers: Sequence[int]) -> Values:
        """Return one value per point, NaN where the device says that it has none; shape (point,)."""
        block = np.asarray(registers, dtype=np.uint16)
        values = np.full(len(self.points), np.nan)
        for group in self._groups:
            values[group.at] = _decode_group(group, block)
        return values


def _group(points: Sequence[Point], rows: list[int], start: int, kind: DataType, swapped: bool) -> _Group:
    chosen = [points[i] for i in rows]
    words = [_word_places(p, start) for p in chosen]
    linear = [p.linear for p in chosen]
    return _Group(
        type=kind,
        swapped=swapped,
        words=np.array(words, dtype=np.intp),
        at=np.array(rows, dtype=np.intp),
        factor=np.array([x.factor for x in linear]),
        offset=np.array([x.offset for x in linear]),
        nan=tuple((k, p.nan) for k, p in enumerate(chosen) if p.nan is not None),
        bits=tuple((k, p.bit) for k, p in enumerate(chosen) if p.bit is not None),
    )


def _word_places(point: Point, start: int) -> list[int]:
    """Return where the point's registers lie in the block, most significant first."""
    places = [point.address - start + k for k in range(point.registers)]
    return places[::-1] if point.order.low_word_first else places


def _decode_group(group: _Group, block: npt.NDArray[np.uint16]) -> Values:
    words = block[group.words]
    if group.swapped:
        words = words.byteswap()
    raw = words.astype(">u2").view(WIRE[group.type])[:, 0]
    values = raw.astype(np.float64)
    for row, bit in group.bits:
        values[row] = float((int(raw[row]) >> bit) & 1)
    values = values * group.factor + group.offset
    for row, code in group.nan:
        if int(raw[row]) == code:
            values[row] = np.nan
    return values


def encode(point: Point, value: float) -> tuple[int, ...]:
    """Return the registers that hold ``value``, given in the quantity's unit; one 0 or 1 for a coil.

    NaN becomes the point's not-a-number code.

    Raises
    ------
    ValueError
        If the value does not fit the point's type, or is NaN and the point has no code for that.
    """
    if point.type is DataType.STRING:
        raise ValueError(f"{point.quantity} is text")
    if point.table.is_bits:
        return (int(bool(value)),)
    return _to_words(point, _raw_bytes(point, value))


def raw_number(point: Point, value: float) -> int:
    """Return the whole number nearest to ``value`` in the point's own counts; ValueError when the type cannot hold it."""
    if np.isnan(value):
        if point.nan is None:
            raise ValueError(f"{point.quantity} has no code for a missing value")
        return point.nan
    factor, offset = point.linear
    raw = round((value - offset) / factor)
    low, high = RAW_RANGE[point.type]
    if not low <= raw <= high:
        raise ValueError(f"{point.quantity} {value:g} is {raw} counts, {point.type.value} holds {low}..{high}")
    return raw


def _raw_bytes(point: Point, value: float) -> bytes:
    if point.type.is_float:
        factor, offset = point.linear
        try:
            return struct.pack(PACK[point.type], (value - offset) / factor)
        except OverflowError:
            raise ValueError(f"{point.quantity} {value:g} does not fit {point.type.value}") from None
    raw = raw_number(point, value)
    if point.bit is not None:
        raw = int(bool(value)) << point.bit
    return raw.to_bytes(2 * point.registers, "big", signed=raw < 0)


def _to_words(point: Point, raw: bytes) -> tuple[int, ...]:
    """Return big-endian bytes as registers in the point's order."""
    byte_order: Literal["little", "big"] = "little" if point.order.bytes_swapped else "big"
    words = [int.from_bytes(raw[i : i + 2], byte_order) for i in range(0, len(raw), 2)]
    return tuple(words[::-1] if point.order.low_word_first else words)


def decode_one(point: Point, registers: Sequence[int]) -> float:
    """Return the value of one point from its own registers."""
    return float(BlockDecoder([point], point.address).decode(registers)[0])


def resolution(point: Point, value: float = 0.0) -> float:
    """Return the step by which the point's value moves near ``value``, in the quantity's unit."""
    if point.type.is_float:
        kind = np.float32 if point.type is DataType.FLOAT32 else np.float64
        factor, offset = point.linear
        return abs(float(np.spacing(kind((value - offset) / factor))) * factor)
    return abs(point.linear.factor)
