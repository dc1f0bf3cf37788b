"""Points as they come: those of one series and one block's time that came together, as plain bytes, seventeen a point."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from service.telemetry.points import Points

POINT = np.dtype([("at", "<i8"), ("value", "<f8"), ("quality", "u1")])


def batches(points: Points, span_us: int) -> Iterator[tuple[int, bytes]]:
    """Yield the points of every span that holds some: its start in µs, and their bytes."""
    if not len(points):
        return
    table = np.empty(len(points), POINT)
    table["at"], table["value"], table["quality"] = points.at_us, points.value, points.quality
    numbers = points.at_us // span_us
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(points)]
    for first, behind in pairwise(edges):
        yield int(numbers[first]) * span_us, table[first:behind].tobytes()


def together(bodies: Iterable[bytes]) -> Points:
    """Return the points of batches of one series; of two at one instant that of the later batch counts."""
    table = np.frombuffer(b"".join(bodies), POINT)
    at, value, quality = (np.ascontiguousarray(table[name]) for name in POINT.names or ())
    return Points.of(at, value, quality)
