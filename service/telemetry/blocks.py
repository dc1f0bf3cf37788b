"""Points of one series packed into a block of bytes and back, bit for bit.

Times at an even pace take no room. Values that are decimals (a meter's usually are) are kept as differences of whole numbers, others as
differences of their bits; bytes of the same weight stand together, and the rest is left to zlib.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from service.telemetry.points import Bytes, Floats, Ints, Points

HEADER = struct.Struct("<BBBBIqqII")
"""Version, whether times are even, decimals of the values, one quality for all, count, first time, step, lengths of two parts."""
VERSION = 1
DECIMALS = (0, 1, 2, 3, 4, 6)
BITS = 255
"""In place of decimals: values as they are, bit by bit."""
MIXED = 255
"""In place of a quality: each point has its own."""
LEVEL = 3
WIDTHS = (np.int8, np.int16, np.int32, np.int64)
EXACT = 2.0**52


def pack(points: Points) -> bytes:
    """Return points as a block."""
    steps = np.diff(points.at_us)
    even = bool(steps.size == 0 or (steps == steps[0]).all())
    first = int(points.at_us[0]) if len(points) else 0
    step = int(steps[0]) if even and steps.size else 0
    times = b"" if even else _pack_ints(_differences(steps))
    decimals, values = _pack_values(points.value)
    marks = points.quality
    alike = bool(marks.size == 0 or (marks == marks[0]).all())
    mark = int(marks[0]) if alike and marks.size else 0 if alike else MIXED
    qualities = b"" if alike else zlib.compress(marks.tobytes(), LEVEL)
    head = HEADER.pack(VERSION, even, decimals, mark, len(points), first, step, len(times), len(values))
    return head + times + values + qualities


def unpack(block: bytes) -> Points:
    """Return the points of a block."""
    version, even, decimals, mark, count, first, step, times, values = HEADER.unpack_from(block)
    assert version == VERSION  # noqa: S101 # what a newer version has packed stands in a store that this one does not open
    a, b = HEADER.size + times, HEADER.size + times + values
    if even:
        at = first + step * np.arange(count, dtype=np.int64)
    else:
        at = first + np.concatenate(([0], np.cumsum(np.cumsum(_unpack_ints(block[HEADER.size : a], count - 1)))))
    marks: Bytes = np.full(count, mark, np.uint8)
    if mark == MIXED:
        marks = np.frombuffer(zlib.decompress(block[b:]), np.uint8)
    return Points(at, _unpack_values(block[a:b], decimals, count), marks)


def _pack_values(value: Floats) -> tuple[int, bytes]:
    for decimals in DECIMALS:
        whole = value * 10.0**decimals
        if not (np.abs(whole) < EXACT).all():  # NaN is not either
            break
        whole = np.rint(whole)
        if (whole / 10.0**decimals == value).all() and not np.signbit(value[value == 0]).any():
            return decimals, _pack_ints(_differences(whole.astype(np.int64)))
    bits = value.view(np.int64)
    return BITS, _shuffled(bits ^ np.concatenate((np.zeros(1, np.int64), bits[:-1])) if bits.size else bits)


def _unpack_values(part: bytes, decimals: int, count: int) -> Floats:
    if decimals != BITS:
        found: Floats = np.cumsum(_unpack_ints(part, count)) / 10.0**decimals
        return found
    bits: Floats = np.bitwise_xor.accumulate(_straight(part, np.dtype(np.int64), count)).view(np.float64)
    return bits


def _differences(numbers: Ints) -> Ints:
    """Return the first number and by how much each differs from the one before."""
    return np.concatenate((numbers[:1], numbers[1:] - numbers[:-1]))


def _pack_ints(numbers: Ints) -> bytes:
    """Return whole numbers, each as narrow as the widest of them lets it be."""
    low, high = (int(numbers.min()), int(numbers.max())) if numbers.size else (0, 0)
    kind = next(k for k in WIDTHS if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
    return bytes([np.dtype(kind).itemsize]) + _shuffled(numbers.astype(kind))


def _unpack_ints(part: bytes, count: int) -> Ints:
    kind = next(k for k in WIDTHS if np.dtype(k).itemsize == part[0])
    return _straight(part[1:], np.dtype(kind), count).astype(np.int64)


def _shuffled(numbers: npt.NDArray[np.signedinteger]) -> bytes:
    """Return numbers with their bytes of the same weight together: those of high weight hardly ever change."""
    apart = np.ascontiguousarray(numbers).view(np.uint8).reshape(-1, numbers.itemsize).T
    return zlib.compress(apart.tobytes(), LEVEL)


def _straight(part: bytes, kind: np.dtype[np.signedinteger], count: int) -> npt.NDArray[np.signedinteger]:
    apart = np.frombuffer(zlib.decompress(part), np.uint8).reshape(kind.itemsize, count)
    return np.ascontiguousarray(apart.T).view(kind).reshape(count)
