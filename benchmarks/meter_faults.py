"""Faults planted into made-up meter data, with the truth kept; and honest oddities that no rule may take for faults."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.intervals.clock import local_clock
from customers.intervals.rules import Fault
from customers.intervals.series import MeterTable
from customers.population import FIRST_YEAR, population

Floats = npt.NDArray[np.float32]
DAY = 96
DST_ZONE = "Europe/Berlin"


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """Meter data with faults; ``truth`` holds a ``Fault`` per interval, ``clean`` the customers that have none."""

    table: MeterTable
    truth: npt.NDArray[np.uint8]
    before: Floats
    """The same data without the faults."""

    @property
    def clean(self) -> npt.NDArray[np.bool_]:
        """Customers without a fault."""
        return np.asarray(~self.truth.any(axis=1))


def planted(count: int, seed: int, zone: str = DST_ZONE, shifted_share: float = 0.15) -> Planted:
    """Return customers of whom half have one to four faults each, some a clock that is off, and all of them odd days of their own."""
    people = population(count, seed, zone=zone)
    table = people.meters(FIRST_YEAR)
    rng = np.random.default_rng([seed, 991])
    energy, truth = table.energy_kwh, np.zeros(table.energy_kwh.shape, dtype=np.uint8)
    for row in energy:
        _oddities(rng, row)
    before = energy.copy()
    for c in np.flatnonzero(rng.random(count) < shifted_share).tolist():
        _off_clock(rng, energy, truth, c, table)
    for c in np.flatnonzero(rng.random(count) < 0.5).tolist():
        for _ in range(rng.integers(1, 5)):
            PLANTERS[rng.integers(len(PLANTERS))](rng, energy[c], truth[c])
    made = MeterTable.of(table.customers, table.intervals.start, table.intervals.minutes, energy, zone)
    return Planted(made, truth, before)


def _oddities(rng: np.random.Generator, row: Floats) -> None:
    """Shutdowns, overtime, short honest peaks, and a step: what businesses do."""
    days = row.reshape(-1, DAY)
    if rng.random() < 0.3:
        first = rng.integers(0, 350)
        days[first : first + rng.integers(2, 14)] *= 0.35
    for d in rng.integers(1, 364, rng.integers(0, 4)):
        days[d] = np.maximum(days[d], days[(d // 7) * 7 + 1 if (d // 7) * 7 + 1 < 365 else 1])
    for k in rng.integers(0, row.size - 4, rng.integers(0, 6)):
        row[k : k + rng.integers(1, 4)] *= rng.uniform(1.3, 2.2)
    if rng.random() < 0.1:
        row[rng.integers(0, row.size) :] *= rng.uniform(0.8, 1.25)
    row[:] = np.rint(row * 100) / 100


def _stretch(rng: np.random.Generator, truth: npt.NDArray[np.uint8], least: int, most: int) -> slice | None:
    """Return a stretch that no other fault has touched."""
    length = int(rng.integers(least, most))
    first = int(rng.integers(DAY, truth.size - length - DAY))
    part = slice(first, first + length)
    return None if (truth[max(first - 8, 0) : part.stop + 8] & 31).any() else part


def _gap(rng: np.random.Generator, row: Floats, truth: npt.NDArray[np.uint8]) -> None:
    if part := _stretch(rng, truth, 1, 3 * DAY):
        row[part], truth[part] = np.nan, truth[part] | int(Fault.GAP)


def _stuck(rng: np.random.Generator, row: Floats, truth: npt.NDArray[np.uint8]) -> None:
    if part := _stretch(rng, truth, 13, 2 * DAY):
        row[part], truth[part] = row[part.start], truth[part] | int(Fault.STUCK)


def _tenfold(rng: np.random.Generator, row: Floats, truth: npt.NDArray[np.uint8]) -> None:
    if part := _stretch(rng, truth, DAY // 2, 6 * DAY):
        row[part], truth[part] = row[part] * 10, truth[part] | int(Fault.SCALE)


def _sign(rng: np.random.Generator, row: Floats, truth: npt.NDArray[np.uint8]) -> None:
    if part := _stretch(rng, truth, 2, 4 * DAY):
        row[part], truth[part] = -row[part], truth[part] | int(Fault.SIGN)


def _spike(rng: np.random.Generator, row: Floats, truth: npt.NDArray[np.uint8]) -> None:
    if part := _stretch(rng, truth, 1, 3):
        row[part], truth[part] = row[part] * rng.uniform(3, 12), truth[part] | int(Fault.SPIKE)


PLANTERS: tuple[Callable[[np.random.Generator, Floats, npt.NDArray[np.uint8]], None], ...] = (
    _gap,
    _stuck,
    _tenfold,
    _sign,
    _spike,
)


def _off_clock(
    rng: np.random.Generator, energy: Floats, truth: npt.NDArray[np.uint8], c: int, table: MeterTable
) -> None:
    """Move a customer's data: by one to three hours for some weeks, or by one hour for the whole summer time."""
    if rng.random() < 0.5:
        clock = local_clock(table.intervals, table.zone)
        summer = np.flatnonzero(~clock.standard[clock.day])
        part, by = (slice(int(summer[0]), int(summer[-1]) + 1), 4) if summer.size else (slice(0, 0), 0)
    else:
        length = int(rng.integers(42, 150)) * DAY
        first = int(rng.integers(DAY, table.intervals.count - length - DAY))
        part, by = slice(first, first + length), int(rng.choice([-12, -8, -4, 4, 8, 12]))
    moved = np.roll(energy[c], by)[part]
    energy[c][part] = moved
    truth[c][part] |= int(Fault.SHIFT)


def scores(
    flags: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], fault: Fault, day: npt.NDArray[np.int32]
) -> tuple[float, float]:
    """Return precision and recall of one fault by customer and day."""
    said, is_so = (_by_day(x & np.uint8(fault), day) for x in (flags, truth))
    both = float((said & is_so).sum())
    return both / max(float(said.sum()), 1.0), both / max(float(is_so.sum()), 1.0)


def _by_day(marks: npt.NDArray[np.uint8], day: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    first = np.flatnonzero(np.diff(day, prepend=-1))
    return np.asarray(np.bitwise_or.reduceat(marks, first, axis=1) != 0)
