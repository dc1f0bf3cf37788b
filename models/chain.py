"""Records that are only added to: each carries the digest of the one before, so that a change or a loss shows."""

import json
from collections.abc import Sequence
from hashlib import sha256

FIRST = "0" * 64
"""What the first record of a chain carries in place of a digest before it."""


def canonical(value: object) -> str:
    """Return plain values as the one JSON text that they have: sorted, without spaces, without NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def chained(told: Sequence[object], previous: str) -> str:
    """Return the digest of what a record tells, as plain values, and of the record before it."""
    return sha256(canonical([*told, previous]).encode()).hexdigest()
