"""How often somebody may ask: a bucket that fills evenly, for everybody their own."""

from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic

KEPT = 10_000
"""So many askers are remembered; the one not seen for longest is forgotten."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class Limit:
    """``per_s`` requests a second in the long run, and ``burst`` at once."""

    def __init__(self, per_s: float, burst: float) -> None:
        self.per_s, self.burst = per_s, burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, who: str) -> float:
        """Take one request from somebody's bucket; return 0, or how long to wait when it is empty."""
        now = monotonic()
        bucket = self._buckets.pop(who, None) or _Bucket(self.burst, now)
        bucket.left = min(self.burst, bucket.left + (now - bucket.at_s) * self.per_s)
        bucket.at_s = now
        self._buckets[who] = bucket
        if len(self._buckets) > KEPT:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return (1 - bucket.left) / self.per_s
        bucket.left -= 1
        return 0.0
