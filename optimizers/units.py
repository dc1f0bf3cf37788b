"""From a count of equal engines back to engines: who starts, who stops, and what share each carries."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.state import UnitState

Floats = npt.NDArray[np.float64]
WHOLE = 1e-4


def split_count(count: Floats, states: Sequence[UnitState], in_service: Floats, start_h: Floats) -> Floats:
    """Return which engines run, shape (unit, step), so that the sum over units is ``count``.

    The engine that has stood longest starts first and the one that has run longest stops first, which keeps every minimum
    up and down time that the count keeps. Where a count is not whole (relaxed steps), all engines share it equally.
    ``in_service`` has shape (unit, step) and is 0..1.
    """
    running = np.array([s.running for s in states])
    since_h = np.array([-s.hours_in_state for s in states])
    found = np.zeros((len(states), len(count)))
    for t, wanted in enumerate(count.tolist()):
        if abs(wanted - round(wanted)) > WHOLE:
            found[:, t] = wanted / len(states)
            continue
        after = _switched(running, since_h, round(float(wanted)), in_service[:, t] > 0.5)
        since_h = np.where(after != running, start_h[t], since_h)
        running = after
        found[:, t] = running
    return found


def _switched(
    running: npt.NDArray[np.bool_], since_h: Floats, wanted: int, able: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Return who runs when ``wanted`` engines shall: as few switches as possible, longest in their state first."""
    after = running & able
    surplus = int(after.sum()) - wanted
    if not surplus:
        return after
    for unit in np.argsort(since_h, kind="stable"):
        if surplus > 0 and after[unit]:
            after[unit], surplus = False, surplus - 1
        elif surplus < 0 and not after[unit] and able[unit]:
            after[unit], surplus = True, surplus + 1
    return after


def shares(running: Floats) -> Floats:
    """Return each engine's share of the group's power, shape (unit, step); 0 where nothing runs."""
    total = running.sum(axis=0)
    share: Floats = np.divide(running, total, out=np.zeros_like(running), where=total > 0)
    return share
