"""Readings laid on one grid of intervals: repeats, overlaps, gaps, and readings longer than an hour."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from customers.intervals.instants import DAY_S, HOUR_S, step_of, written
from customers.intervals.series import MeterTable
from market.meters import Quality
from models.carriers import Carrier
from models.errors import DataError
from models.findings import Finding, error, warning
from models.tariffs.calendar import Intervals

LONGEST_S = 32 * DAY_S
TOLD_ROWS = 5
OWN_STEP_SHARE, OWN_STEP_FEWEST = 0.9, 24


@dataclass(frozen=True, slots=True)
class Series:
    """One customer's readings as a file gave them: seconds since 1970, kWh per interval (kW where ``power``), rows of the file.

    ``table_step_s`` is the step of the rows, also of those in which this customer has no figure; where ``ends_stated`` it is how long the
    file says that intervals last.
    """

    customer: str
    power: bool
    stamped_at_end: bool
    seconds: Sequence[int]
    values: Sequence[float]
    rows: Sequence[int]
    table_step_s: int
    ends_stated: bool = False

    @property
    def step_s(self) -> int:
        """How long a reading lasts: the table's step, or the customer's own where nearly all its readings keep a longer one.

        Meters read by parts of an hour, by hours or by days; figures that stand 25 h apart in a table of quarter-hours are gaps.
        """
        own = step_of(self.seconds)
        if self.table_step_s and (self.ends_stated or (own > HOUR_S and own % DAY_S)):
            return self.table_step_s
        kept = sum(b - a == own for a, b in pairwise(self.seconds))
        regular = kept >= OWN_STEP_SHARE * (len(self.seconds) - 1) and kept >= OWN_STEP_FEWEST
        return own if regular or not self.table_step_s else self.table_step_s


def lay(series: Sequence[Series], zone: str, carrier: Carrier) -> tuple[MeterTable, list[Finding]]:
    """Return readings of several customers on one grid, from the first to the last instant that any of them covers.

    The finest step of the customers is the grid's; a customer with a coarser one is spread evenly and marked as estimated, as are readings
    longer than an hour.

    Raises
    ------
    DataError
        If a customer has no readings, intervals overlap, a step fits no grid, or one instant has two different values.
    """
    findings: list[Finding] = []
    cleaned = [_clean(one, findings) for one in series]
    findings += [error(one.customer, "has no readings") for one in cleaned if not one.seconds]
    steps = {one.customer: one.step_s for one in cleaned if one.seconds}
    for one in cleaned:
        findings += _step(one, steps.get(one.customer, 0))
    if any(f.severity == "error" for f in findings) or not cleaned:
        raise DataError(findings or [error("file", "names no customers")])
    grid_s = min(min(steps.values()), HOUR_S)
    begin = min(_begin(one, 0, steps[one.customer]) for one in cleaned) // grid_s * grid_s
    end = max(_begin(one, len(one.seconds), steps[one.customer]) for one in cleaned)
    count = -(-(end - begin) // grid_s)
    energy = np.full((len(cleaned), count), np.nan, dtype=np.float32)
    quality = np.full(energy.shape, Quality.MISSING, dtype=np.int8)
    for row, one in enumerate(cleaned):
        findings += _put(one, steps[one.customer], begin, grid_s, energy[row], quality[row])
    intervals = Intervals(datetime.fromtimestamp(begin, UTC), count, grid_s // 60)
    names = tuple(one.customer for one in cleaned)
    if wrong := [f for f in findings if f.severity == "error"]:
        raise DataError(wrong)
    return MeterTable(names, intervals, energy, quality, zone, carrier), findings


def _begin(one: Series, k: int, step_s: int) -> int:
    """Return when reading ``k`` begins; for the one behind the last, when the last ends."""
    if k < len(one.seconds):
        return one.seconds[k] - (step_s if one.stamped_at_end else 0)
    return one.seconds[-1] + (0 if one.stamped_at_end else step_s)


def _clean(one: Series, findings: list[Finding]) -> Series:
    """Return readings in the order of time, each instant once; repeats with the same value are told, with another refused."""
    order = sorted(range(len(one.seconds)), key=lambda k: (one.seconds[k], one.rows[k]))
    kept: list[int] = []
    same: list[int] = []
    for k in order:
        if kept and one.seconds[kept[-1]] == one.seconds[k]:
            if one.values[kept[-1]] == one.values[k]:
                same.append(one.rows[k])
                continue
            pair = f"rows {one.rows[kept[-1]]} and {one.rows[k]}"
            text = f"{pair} give {one.values[kept[-1]]:g} and {one.values[k]:g} for {written(one.seconds[k])}; keep one of them"
            findings.append(error(one.customer, text, one.customer))
            continue
        kept.append(k)
    if same:
        text = f"{len(same)} readings stand twice with the same value, the first in row {same[0]}; taken once"
        findings.append(warning(one.customer, text, one.customer))
    seconds, values, rows = [one.seconds[k] for k in kept], [one.values[k] for k in kept], [one.rows[k] for k in kept]
    return replace(one, seconds=seconds, values=values, rows=rows)


def _step(one: Series, step_s: int) -> Iterator[Finding]:
    """Yield readings closer than the step, and a step that no grid of intervals has."""
    if not one.seconds:
        return
    if step_s == 0 or step_s % 60 or (step_s < HOUR_S and HOUR_S % step_s) or step_s > LONGEST_S:
        text = f"is read every {step_s} s; intervals of whole minutes that divide an hour, or of hours up to a month, are taken"
        yield error(one.customer, text, one.customer)
        return
    close = [k for k in range(1, len(one.seconds)) if one.seconds[k] - one.seconds[k - 1] < step_s]
    if step_s > HOUR_S:
        close = [
            k
            for k in close
            if one.seconds[k] - one.seconds[k - 1] < step_s - 3 * DAY_S * (step_s > 27 * DAY_S) - HOUR_S
        ]
    if close:
        rows = ", ".join(str(one.rows[k]) for k in close[:TOLD_ROWS])
        text = f"{len(close)} readings begin before the interval of {step_s // 60} min before them has ended (rows {rows}); intervals may not overlap"
        yield error(one.customer, text, one.customer)


def _put(
    one: Series, step_s: int, begin: int, grid_s: int, energy: npt.NDArray[np.float32], quality: npt.NDArray[np.int8]
) -> Iterator[Finding]:
    """Write a customer's energies, each reading spread evenly over the grid's intervals that it covers."""
    starts = np.array([_begin(one, k, step_s) for k in range(len(one.seconds))], dtype=np.int64)
    odd = np.flatnonzero((starts - begin) % grid_s)
    if odd.size:
        text = f"{odd.size} readings begin between two intervals of {grid_s // 60} min, the first in row {one.rows[int(odd[0])]}"
        yield error(one.customer, text, one.customer)
        return
    lengths = np.full(len(starts), step_s, dtype=np.int64)
    if step_s > HOUR_S:  # local days have 23 or 25 hours, months 28 to 31 days
        lengths[:-1] = np.where(np.diff(starts) < 1.2 * step_s, np.diff(starts), step_s)
    values = np.asarray(one.values, dtype=np.float64) * (lengths / HOUR_S if one.power else 1.0)
    parts = lengths // grid_s
    place = np.repeat((starts - begin) // grid_s, parts) + _steps(parts)
    energy[place] = np.repeat(values / parts, parts)
    quality[place] = Quality.MEASURED if step_s == grid_s else Quality.ESTIMATED
    if step_s > grid_s:
        text = f"is read every {step_s / HOUR_S:g} h; spread evenly over intervals of {grid_s // 60} min and marked as estimated"
        yield warning(one.customer, text, one.customer)


def _steps(parts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return 0, 1, .. for every reading's parts, one after the other."""
    return np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
