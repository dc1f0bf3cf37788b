"""Registers to numbers and back: pure functions over a whole block."""

import math
import struct
from collections.abc import Iterator, Sequence
from math import nan
from operator import itemgetter
from typing import Literal

import numpy as np

from hil.maps.check import RAW_RANGE
from hil.maps.types import DataType, Point

STRUCT = {
    DataType.INT16: "h",
    DataType.UINT16: "H",
    DataType.BITS: "H",
    DataType.INT32: "i",
    DataType.UINT32: "I",
    DataType.INT64: "q",
    DataType.UINT64: "Q",
    DataType.FLOAT32: "f",
    DataType.FLOAT64: "d",
}
PACK = {DataType.FLOAT32: ">f", DataType.FLOAT64: ">d"}


class BlockDecoder:
    """Decodes one block of registers (or bits) into the values of its points, in the quantities' units.

    ``start`` is the address of the block's first register. Text points give NaN. The registers of all points are picked in one go, most
    significant first, and read as one record: for the hundred registers that a request can bring, that is several times faster than arrays.
    """

    def __init__(self, points: Sequence[Point], start: int) -> None:
        self.points = tuple(points)
        numbers = [p for p in self.points if p.type is not DataType.STRING]
        places = [place for p in numbers for place in _word_places(p, start)]
        # two more at the end, since one alone would be picked as a number and none at all as an error
        self._pick = itemgetter(*places, 0, 0)
        self._swapped = tuple(_swapped_places(numbers))
        self._words = struct.Struct(f">{len(places) + 2}H")
        self._record = struct.Struct(">" + "".join(STRUCT[p.type] for p in numbers) + "4x")
        self._linear = tuple((p.linear.factor, p.linear.offset) for p in numbers)
        self._bits = tuple((k, p.bit) for k, p in enumerate(numbers) if p.bit is not None)
        self._codes = tuple((k, p.nan) for k, p in enumerate(numbers) if p.nan is not None)
        self._texts = tuple(k for k, p in enumerate(self.points) if p.type is DataType.STRING)

    def decode(self, registers: Sequence[int]) -> list[float]:
        """Return one value per point, NaN where the device says that it has none."""
        words = self._pick(registers)
        raw = self._record.unpack(self._words.pack(*(self._unswapped(words) if self._swapped else words)))
        values = [count * factor + offset for count, (factor, offset) in zip(raw, self._linear, strict=True)]
        for k, bit in self._bits:
            factor, offset = self._linear[k]
            values[k] = ((raw[k] >> bit) & 1) * factor + offset
        for k, code in self._codes:
            if raw[k] == code:
                values[k] = nan
        for k in self._texts:
            values.insert(k, nan)
        return values

    def _unswapped(self, words: Sequence[int]) -> list[int]:
        """Return the words with the bytes of those exchanged whose device sends the low one first."""
        found = list(words)
        for k in self._swapped:
            found[k] = (found[k] >> 8) | (found[k] & 0xFF) << 8
        return found


def _word_places(point: Point, start: int) -> list[int]:
    """Return where the point's registers lie in the block, most significant first."""
    places = [point.address - start + k for k in range(point.registers)]
    return places[::-1] if point.order.low_word_first else places


def _swapped_places(points: Sequence[Point]) -> Iterator[int]:
    """Yield which of the words of all points have their bytes exchanged."""
    place = 0
    for point in points:
        yield from range(place, place + point.registers if point.order.bytes_swapped else place)
        place += point.registers


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
    if math.isnan(value):
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
    return BlockDecoder([point], point.address).decode(registers)[0]


def resolution(point: Point, value: float = 0.0) -> float:
    """Return the step by which the point's value moves near ``value``, in the quantity's unit."""
    if point.type.is_float:
        kind = np.float32 if point.type is DataType.FLOAT32 else np.float64
        factor, offset = point.linear
        return abs(float(np.spacing(kind((value - offset) / factor))) * factor)
    return abs(point.linear.factor)
