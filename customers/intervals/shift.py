"""Whether the clock of a meter is off: each week's day against the customer's own day, moved by half hours to and fro.

The own day is that of the months in which the zone keeps its standard time: with whole years a meter that does not follow summer time
would spoil its own reference. What is found is a suspicion; nothing is moved.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.intervals.series import MeterTable
from customers.intervals.usual import Layout, Usual
from models.networks.jit import compiled, in_pieces

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.uint8]
Shifts = npt.NDArray[np.int8]
HALF_HOURS = 48
SUSPECT = 32
"""``Fault.SHIFT`` of the rules."""


@dataclass(frozen=True, slots=True)
class ShiftRule:
    """When a week's day is a moved one."""

    most_half_hours: int = 6
    alike: float = 0.5
    """Least correlation of the moved day's edges with the own day's."""
    better: float = 0.15
    """So much more alike than without moving."""
    weeks: int = 3
    """Shortest run of weeks."""


USUAL_RULE = ShiftRule()


def clock_shifts(table: MeterTable, known: Usual, flags: Flags, rule: ShiftRule = USUAL_RULE) -> Shifts:
    """Return by how many half hours each day seems late, 0 where the clock seems right; shape (customer, day).

    Also marks the intervals of those days in ``flags``. Days of ``flags`` that hold other faults do not speak.
    """
    layout = known.layout
    found = np.zeros((len(table.customers), layout.clock.days), dtype=np.int8)
    step = max(HALF_HOURS // table.per_day, 1)
    if table.per_day % HALF_HOURS and HALF_HOURS % table.per_day:
        return found
    week = np.arange(layout.clock.days) // 7
    normal = _weeks_of(layout, week)

    def work(first: int, last: int) -> None:
        for c in range(first, last):
            days = np.zeros((normal.size, 2, HALF_HOURS))
            _week_days(table.energy_kwh[c], flags[c], layout.place, layout.clock.kind, week, days)
            lags = _lags(days, normal, rule.most_half_hours, rule.alike, rule.better, step)
            _runs(lags, rule.weeks)
            found[c] = lags[week]
            _mark(found[c], layout.clock.day, flags[c])

    in_pieces(len(table.customers), work)
    return found


def _weeks_of(layout: Layout, week: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which weeks lie in standard time; all of them where the data have none."""
    normal = np.bincount(week, weights=~layout.clock.standard) == 0
    return normal if normal.any() else np.ones_like(normal)


@compiled
def _week_days(
    row: Floats,
    marks: Flags,
    place: npt.NDArray[np.int32],
    kind: npt.NDArray[np.int8],
    week: npt.NDArray[np.int64],
    days: npt.NDArray[np.float64],
) -> None:
    """Write the edges (change from one half hour to the next) of every week's mean working day and mean other day."""
    slots = place.shape[1]
    count = np.zeros((days.shape[0], 2))
    for d in range(place.shape[0]):
        sound = True
        for s in range(slots):
            k = place[d, s]
            if k < 0 or marks[k]:
                sound = False
                break
        if not sound:
            continue
        which = 1 if kind[d] > 0 else 0
        count[week[d], which] += 1
        for h in range(HALF_HOURS):
            days[week[d], which, h] += row[place[d, h * slots // HALF_HOURS]]
    for w in range(days.shape[0]):
        for which in range(2):
            own = days[w, which]
            before = own[HALF_HOURS - 1]
            for h in range(HALF_HOURS):
                now = own[h]
                own[h] = (now - before) / max(count[w, which], 1.0)
                before = now


@compiled
def _lags(
    days: npt.NDArray[np.float64], normal: npt.NDArray[np.bool_], most: int, alike: float, better: float, step: int
) -> Shifts:
    """Return by how many half hours each week's edges are late against the median edges of the normal weeks."""
    weeks = days.shape[0]
    own = np.zeros((2, HALF_HOURS))
    values = np.empty(weeks)
    for which in range(2):
        for h in range(HALF_HOURS):
            count = 0
            for w in range(weeks):
                if normal[w]:
                    values[count] = days[w, which, h]
                    count += 1
            own[which, h] = np.median(values[:count])
    found = np.zeros(weeks, dtype=np.int8)
    for w in range(weeks):
        still = _alike(days[w], own, 0)
        best, at = still, 0
        for lag in range(-most, most + 1, step):
            score = _alike(days[w], own, lag)
            if score > best:
                best, at = score, lag
        if at != 0 and best > alike and best > still + better:
            found[w] = at
    return found


@compiled
def _alike(days: npt.NDArray[np.float64], own: npt.NDArray[np.float64], lag: int) -> float:
    """Return the correlation of edges with the own edges made ``lag`` half hours late."""
    both, a, b = 0.0, 0.0, 0.0
    for which in range(2):
        for h in range(HALF_HOURS):
            x, y = days[which, h], own[which, (h - lag) % HALF_HOURS]
            both += x * y
            a += x * x
            b += y * y
    return float(both / np.sqrt(a * b + 1e-30))


@compiled
def _runs(lags: Shifts, shortest: int) -> None:
    """Keep runs of weeks that are off the same way, over single weeks that do not speak; drop the rest."""
    for w in range(1, len(lags) - 1):
        if lags[w] == 0 and lags[w - 1] * lags[w + 1] > 0:
            lags[w] = lags[w - 1]
    begin = 0
    for w in range(1, len(lags) + 1):
        if w < len(lags) and lags[w] * lags[begin] > 0:
            continue
        if w - begin < shortest:
            lags[begin:w] = 0
        begin = w


@compiled
def _mark(late: Shifts, day: npt.NDArray[np.int32], marks: Flags) -> None:
    for k in range(len(day)):
        if late[day[k]] != 0:
            marks[k] |= SUSPECT
