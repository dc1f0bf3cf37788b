"""Points of one series: instants, values and qualities side by side, in order and each instant once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import numpy.typing as npt

from models.ports import Quality
from service.store.columns import EPOCH, micros

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
QUALITIES = tuple(Quality)
GOOD = QUALITIES.index(Quality.GOOD)
COUNTS = np.array([q in (Quality.GOOD, Quality.UNCERTAIN, Quality.SUBSTITUTED) for q in QUALITIES])
"""What a mean is made of: neither a value that stands still nor one that nobody knows."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Points in order of time.

    ``at_us`` are microseconds since 1970 UTC, each once; ``value`` is NaN where there is none; ``quality`` counts in ``QUALITIES``.
    """

    at_us: Ints
    value: Floats
    quality: Bytes

    @classmethod
    def of(
        cls,
        at_us: Sequence[int] | Ints,
        value: Sequence[float | None] | Floats,
        quality: Sequence[int] | Bytes | None = None,
    ) -> Self:
        """Return points in order; of several at one instant the last counts."""
        at, values = np.asarray(at_us, dtype=np.int64), np.asarray(value, dtype=np.float64)
        marks = np.full(at.size, GOOD, np.uint8) if quality is None else np.asarray(quality, dtype=np.uint8)
        if at.size > 1 and (np.diff(at) <= 0).any():
            order = np.argsort(at, kind="stable")
            order = order[np.append(np.diff(at[order]) > 0, True)]
            at, values, marks = at[order], values[order], marks[order]
        return cls(at, values, marks)

    @classmethod
    def none(cls) -> Self:
        """Return no points."""
        return cls.of((), ())

    def __len__(self) -> int:
        return int(self.at_us.size)

    def between(self, start_us: int, end_us: int) -> "Points":
        """Return the points in ``start_us <= at < end_us``."""
        a, b = np.searchsorted(self.at_us, (start_us, end_us))
        return Points(self.at_us[a:b], self.value[a:b], self.quality[a:b])

    def times(self) -> list[datetime]:
        """Return the instants."""
        return [EPOCH + timedelta(microseconds=at) for at in self.at_us.tolist()]

    def values(self) -> list[float | None]:
        """Return the values, None where there is none."""
        return [None if v != v else v for v in self.value.tolist()]  # NaN alone differs from itself

    def qualities(self) -> list[Quality]:
        """Return the qualities in words."""
        return [QUALITIES[q] for q in self.quality.tolist()]


def joined(parts: Iterable[Points]) -> Points:
    """Return points of several parts as one; where two parts have a point at one instant, that of the later part counts."""
    found = [p for p in parts if len(p)]
    if len(found) <= 1:
        return found[0] if found else Points.none()
    return Points.of(
        np.concatenate([p.at_us for p in found]),
        np.concatenate([p.value for p in found]),
        np.concatenate([p.quality for p in found]),
    )


def means(points: Points, start_us: int, every_us: int, count: int) -> tuple[Floats, Ints]:
    """Return the mean of every interval and how many points it is made of; NaN where there are none.

    Points weigh alike. Values that stand still or that nobody knows are left out.
    """
    use = np.isfinite(points.value) & COUNTS[points.quality]
    at, value = (points.at_us, points.value) if use.all() else (points.at_us[use], points.value[use])
    edges = np.searchsorted(at, start_us + every_us * np.arange(count + 1, dtype=np.int64))
    seen: Ints = np.diff(edges)
    full, found = seen > 0, np.full(count, np.nan)
    if full.any():
        found[full] = np.add.reduceat(value[: edges[-1]], edges[:-1][full]) / seen[full]
    return found, seen


def interval_us(span: timedelta) -> int:
    """Return the length of an interval in microseconds."""
    return span // timedelta(microseconds=1)


def at_us(instant: datetime) -> int:
    """Return an instant as points have it."""
    return micros(instant)
