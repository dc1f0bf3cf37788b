"""Validation: the rules that find what is missing or wrong in meter data, one compiled loop each."""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import numpy.typing as npt

from customers.intervals.series import MeterTable
from customers.intervals.usual import Usual
from models.networks.jit import compiled, in_pieces

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.uint8]


class Fault(IntFlag):
    """What is wrong with an interval; several may hold."""

    GAP = 1
    """No figure came."""
    STUCK = 2
    """The same figure for hours, far longer than this meter repeats itself by chance."""
    SCALE = 4
    """A decimal point moved: ten, a hundred or a thousand times what is usual, for hours."""
    SIGN = 8
    """Sent out, where this customer draws about the same."""
    SPIKE = 16
    """One to three intervals far above what is usual and above their neighbours."""
    SHIFT = 32
    """The clock of the meter seems to be off; suspect only, never changed."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How far from usual is wrong; tuned on made-up customers whose faults were known."""

    stuck_hours: float = 3.0
    """Shortest run of equal figures that can be a stuck meter."""
    stuck_chance: float = 1e-4
    """A run that one customer's year holds by chance with at least this probability is none."""
    zero_share: float = 0.25
    """Zeros count as stuck where this share of the mean is usually drawn."""
    scale_hours: float = 2.0
    scale_from: float = 4.5
    """Times usual from which an interval can belong to a moved decimal point."""
    scale_within: float = 0.13
    """Farthest that the mean decimal logarithm of a run may be from a whole power of ten."""
    scale_peak: float = 1.3
    """Times the usual peak that the highest figure of such a run must reach."""
    sign_spreads: float = 2.0
    """So many spreads above zero is surely drawing."""
    sign_ratio: float = 3.0
    spike_spreads: float = 7.0
    spike_ratio: float = 2.6
    """Times usual, and times the neighbours, that a spike must reach."""
    spike_runs: int = 3
    spread_floor: float = 0.03
    """Least spread, as share of the usual figure."""
    level_floor: float = 0.01
    """Least spread, as share of the customer's mean."""


USUAL_THRESHOLDS = Thresholds()


def flag_faults(table: MeterTable, known: Usual, limits: Thresholds = USUAL_THRESHOLDS) -> Flags:
    """Return what is wrong with every interval by the rules gap, stuck, scale, sign and spike; shape (customer, interval)."""
    flags = np.zeros(table.energy_kwh.shape, dtype=np.uint8)
    clock = known.layout.clock
    cell, stuck, scale = known.layout.cell[clock.day], limits.stuck_hours, limits.scale_hours
    stuck_steps, scale_steps = max(round(stuck / table.step_h), 3), max(round(scale / table.step_h), 2)

    def work(first: int, last: int) -> None:
        usual, spread = np.empty((2, table.intervals.count), dtype=np.float32)
        for c in range(first, last):
            row, marks = table.energy_kwh[c], flags[c]
            level, peak = levels(known.median[c])
            lay_over(known.median[c], cell, clock.slot, usual)
            lay_over(known.spread[c], cell, clock.slot, spread)
            floor = limits.level_floor * level
            _mark_gaps(row, marks)
            _mark_stuck(row, marks, usual, spread, stuck_steps, limits.stuck_chance, limits.zero_share * level)
            _mark_sign(row, marks, usual, spread, limits.sign_spreads, limits.sign_ratio, floor)
            tenfold = (limits.scale_from, limits.scale_within, limits.scale_peak * peak)
            _mark_scale(row, marks, usual, scale_steps, *tenfold, 2.0 * floor)
            spike = (limits.spike_spreads, limits.spike_ratio, limits.spike_runs, limits.spread_floor)
            _mark_spikes(row, marks, usual, spread, *spike, floor)

    in_pieces(len(table.customers), work)
    return flags


@compiled
def levels(median: Floats) -> tuple[float, float]:
    """Return a customer's usual mean and usual peak; zero where nothing is known."""
    total, count, top = 0.0, 0, 0.0
    for cell in range(median.shape[0]):
        for slot in range(median.shape[1]):
            value = median[cell, slot]
            if not np.isnan(value):
                total += abs(value)
                count += 1
                top = max(top, value)
    return total / max(count, 1), top


@compiled
def lay_over(table: Floats, cell: Ints, slot: npt.NDArray[np.int16], out: Floats) -> None:
    """Write the figure of every interval's cell and time of day; ``table`` has shape (cell, slot), ``out`` (interval,)."""
    for k in range(len(out)):
        out[k] = table[cell[k], slot[k]]


@compiled
def _mark_gaps(row: Floats, marks: Flags) -> None:
    for k in range(len(row)):
        if np.isnan(row[k]):
            marks[k] |= 1


@compiled
def _mark_stuck(
    row: Floats, marks: Flags, usual: Floats, spread: Floats, shortest: int, chance: float, draws: float
) -> None:
    """Mark runs of equal figures that are too long for chance, by this meter's own habit of repeating a figure."""
    needed = max(shortest, int(np.log(chance / len(row)) / np.log(_repeats(row))) + 2)
    begin = 0
    for k in range(1, len(row) + 1):
        if k < len(row) and row[k] == row[begin]:
            continue
        moves = k - begin >= needed and _mostly_above(spread[begin:k], 0.0)  # other days differ at these times
        if moves and (row[begin] != 0.0 or _mostly_above(usual[begin:k], draws)):
            for i in range(begin, k):
                marks[i] |= 2
        begin = k


@compiled
def _repeats(row: Floats) -> float:
    """Return how likely this meter repeats a figure: at all, or once more after it did; each run counts once, so a stuck one hardly counts."""
    runs, twice, thrice, length = 0, 0, 0, 1
    for k in range(1, len(row) + 1):
        if k < len(row) and row[k] == row[k - 1]:
            length += 1
            continue
        runs += 1
        twice += length >= 2
        thrice += length >= 3
        length = 1
    again = (thrice + 1.0) / (twice + 20.0)  # with few runs the share of repeats alone speaks
    return min(max(twice / runs, again, 1e-3), 0.9999)


@compiled
def _mostly_above(usual: Floats, least: float) -> bool:
    """Return whether more than that is usual in most intervals of a run."""
    count = 0
    for value in usual:
        count += value > least
    return 2 * count > len(usual)


@compiled
def _mark_sign(
    row: Floats, marks: Flags, usual: Floats, spread: Floats, spreads: float, ratio: float, floor: float
) -> None:
    """Mark what is sent out where about as much is surely drawn otherwise."""
    for k in range(len(row)):
        sure = usual[k] > spreads * max(spread[k], floor)
        if row[k] < 0.0 and sure and usual[k] / ratio < -row[k] < ratio * usual[k]:
            marks[k] |= 8


@compiled
def _mark_scale(
    row: Floats, marks: Flags, usual: Floats, shortest: int, least: float, within: float, peak: float, floor: float
) -> None:
    """Mark runs whose mean ratio to usual is a power of ten, and that go beyond the usual peak."""
    begin, missed, logs, top = -1, 0, 0.0, 0.0
    for k in range(len(row) + 1):
        if k < len(row) and row[k] > least * usual[k] and usual[k] > floor:
            if begin < 0:
                begin, logs, top = k, 0.0, 0.0
            logs += np.log10(row[k] / usual[k])
            top = max(top, row[k])
            missed = 0
        elif begin >= 0:
            missed += 1  # an interval or two may fall below the limit by chance
            if missed > 2 or k >= len(row):
                end = k - missed + 1
                mean = logs / (end - begin)
                if end - begin >= shortest and top > peak and abs(mean - np.rint(mean)) < within:
                    for i in range(begin, end):
                        marks[i] |= 4
                begin, missed = -1, 0


@compiled
def _mark_spikes(
    row: Floats,
    marks: Flags,
    usual: Floats,
    spread: Floats,
    spreads: float,
    ratio: float,
    longest: int,
    share: float,
    floor: float,
) -> None:
    """Mark short runs that stand far above what is usual and above the intervals beside them."""
    begin = -1
    for k in range(len(row) + 1):
        high = False
        if k < len(row) and not marks[k] & 15:
            scale = max(spread[k], share * abs(usual[k]), floor)
            high = row[k] > usual[k] + spreads * scale and row[k] > ratio * usual[k]
        if high and begin < 0:
            begin = k
        if not high and begin >= 0:
            beside = max(_value(row, begin - 1), _value(row, k))
            if k - begin <= longest and row[begin:k].min() > ratio * beside:
                for i in range(begin, k):
                    marks[i] |= 16
            begin = -1


@compiled
def _value(row: Floats, k: int) -> float:
    """Return an interval's figure, 0 where there is none."""
    return 0.0 if k < 0 or k >= len(row) or np.isnan(row[k]) else abs(row[k])
