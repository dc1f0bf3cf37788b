"""Whole decisions from a relaxed program: round, round up, or dive, each a warm linear program with a proven distance to the best.

The relaxation of a dispatch problem is tight, so one of the three is usually within a few hundredths of a percent of its bound, and
no tree search is needed.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from optimizers.session import HighsSession, Solution, Status

Floats = npt.NDArray[np.float64]
Ints32 = npt.NDArray[np.int32]
WHOLE = 1e-6
UP_FROM = 0.15
"""From this fraction on a dive rounds up: an engine that is wanted a little is wanted; the other way leaves demand to dearer units."""
AT_ONCE_SHARE = 0.125
"""Share of the open decisions that a dive settles before it solves again."""
DIVE_SHARE = 0.1
"""A dive is made where rounding misses this share of the allowed distance."""


def near_whole(
    session: HighsSession, relaxed: Solution, columns: Ints32, allowed: float, end_s: float
) -> Solution | None:
    """Return the best solution with whole ``columns`` that is at most ``allowed`` above the relaxation, None if there is none.

    ``session`` holds the program without integrality, ``relaxed`` is its solution, ``end_s`` is on ``time.monotonic``'s scale.
    """
    assert relaxed.x is not None  # noqa: S101 - asked only for solved relaxations
    start = relaxed.x[columns]
    if np.abs(start - np.round(start)).max() <= WHOLE:
        return replace(relaxed, bound=relaxed.objective)
    best: Solution | None = None
    for found in _attempts(session, columns, start, end_s):
        if found is not None and (best is None or found.objective < best.objective):
            best = found
        if best is not None and best.objective <= relaxed.objective + DIVE_SHARE * allowed:
            break
    if best is None or best.objective > relaxed.objective + allowed:
        return None
    return replace(best, bound=relaxed.objective)


def _attempts(session: HighsSession, columns: Ints32, start: Floats, end_s: float) -> Iterator[Solution | None]:
    for values in (np.ceil(start - WHOLE), np.round(start)):
        yield _solved(session, columns, values, values, end_s)
    yield _dive(session, columns, start, end_s)


def _dive(session: HighsSession, columns: Ints32, start: Floats, end_s: float) -> Solution | None:
    """Settle the most decided columns, solve, and go on until all are whole."""
    lower, upper = session.program.column_lower[columns].copy(), session.program.column_upper[columns].copy()
    now = start
    while True:
        distance = np.abs(now - np.floor(now) - 0.5)
        open_ones = np.flatnonzero(np.abs(now - np.round(now)) > WHOLE)
        count = max(1, int(len(open_ones) * AT_ONCE_SHARE))
        settled = open_ones[np.argsort(-distance[open_ones], kind="stable")[:count]]
        lower[settled] = upper[settled] = np.where(
            now[settled] - np.floor(now[settled]) >= UP_FROM, np.ceil(now[settled]), np.floor(now[settled])
        )
        found = _solved(session, columns, lower, upper, end_s)
        if found is None or found.x is None:
            return None
        now = found.x[columns]
        if np.abs(now - np.round(now)).max() <= WHOLE:
            return found


def _solved(session: HighsSession, columns: Ints32, lower: Floats, upper: Floats, end_s: float) -> Solution | None:
    left_s = end_s - time.monotonic()
    if left_s <= 0:
        return None
    found = session.run_within(columns, lower, upper, time_limit_s=left_s)
    return found if found.status is Status.OPTIMAL else None
