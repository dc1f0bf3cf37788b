"""What was measured and is not in the store yet: put in by the operating loop, taken out by whoever writes it down."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from models.ports import Reading
from service.telemetry.points import QUALITIES, Points, at_us

WAITING_MOST = 200_000
"""So many readings wait at most; while the store takes none for longer, the oldest are lost."""


class Intake:
    """Readings that wait; safe to use from any thread."""

    def __init__(self, most: int = WAITING_MOST) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Reading] = deque(maxlen=most)
        self.lost = 0
        """How many were lost since the start."""

    def put(self, readings: Iterable[Reading]) -> None:
        """Let readings wait."""
        with self._lock:
            for reading in readings:
                self.lost += len(self._waiting) == self._waiting.maxlen
                self._waiting.append(reading)

    def take(self, most: int) -> Sequence[Reading]:
        """Take the oldest readings out."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def put_back(self, readings: Sequence[Reading]) -> None:
        """Let readings wait again that could not be written, before all others."""
        with self._lock:
            room = (self._waiting.maxlen or 0) - len(self._waiting)
            kept = readings[max(len(readings) - room, 0) :]
            self.lost += len(readings) - len(kept)
            self._waiting.extendleft(reversed(kept))


def series_of(readings: Iterable[Reading]) -> Mapping[str, Points]:
    """Return readings as series; each is named by its device and its quantity."""
    rows: dict[str, tuple[list[int], list[float], list[int]]] = {}
    for reading in readings:
        at, value, quality = rows.setdefault(f"{reading.device}.{reading.quantity}", ([], [], []))
        at.append(at_us(reading.measured_at))
        value.append(reading.value)
        quality.append(QUALITIES.index(reading.quality))
    return {name: Points.of(*columns) for name, columns in rows.items()}
