"""Bills: meter data and a tariff give lines whose sum is the bill, for one customer or thousands."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import Finding, error
from models.tariffs.charges import Charge, Meters, Usage
from models.tariffs.compile import Compiled
from models.tariffs.components import BuyAllSellAll, Component, Minimum, Percentage, PowerFactor, SharedSavings
from models.tariffs.money import PPM, scaled
from models.tariffs.price import charges
from models.tariffs.sums import Readings, Sums, sums

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill and where it comes from: ``intervals`` meter intervals of ``start <= t < end``, under one tariff version."""

    component: str
    what: str
    quantity: int
    unit: str
    price_micro: int | None
    amount_micro: int
    version: str
    start: datetime
    end: datetime
    intervals: int
    readings_sha256: str
    """Digest of the readings of those intervals, on every metered channel."""


@dataclass(frozen=True, slots=True)
class Charges:
    """Every charge of every customer; ``total_micro`` has shape (customer, cycle), cycles as (year, month) in ``cycles``."""

    compiled: Compiled
    meters: Meters
    charges: tuple[Charge, ...]
    cycles: tuple[tuple[int, int], ...]
    total_micro: Ints

    def part_micro(self, component: str, cycle: tuple[int, int], customer: int = 0) -> int:
        """Return what one component costs one customer in one cycle."""
        return sum(line.amount_micro for line in self.lines(cycle, customer) if line.component == component)

    def lines(self, cycle: tuple[int, int], customer: int = 0) -> tuple[Line, ...]:
        """Return one customer's lines of one cycle, each with the readings it comes from; their sum is the total."""
        segments = self.compiled.segments
        mine = [c for c in self.charges if segments[c.segment].cycle == cycle]
        return tuple(self._line(c, customer) for c in mine if c.amount_micro[customer] or c.quantity[customer])

    def _line(self, c: Charge, customer: int) -> Line:
        s, grid = self.compiled.segments[c.segment], self.compiled.intervals
        behind = self.compiled.intervals_of(c.segment, c.schedule, c.period)
        digest = hashlib.sha256()
        m = self.meters
        for channel in (m.net_wh, m.generation_wh, m.reactive_varh, m.baseline_wh):
            if channel is not None:
                digest.update(np.ascontiguousarray(channel[customer, behind], dtype="<i8").tobytes())
        amount, quantity = int(c.amount_micro[customer]), int(c.quantity[customer])
        start, end = grid.instant(s.first), grid.instant(s.last)
        found = digest.hexdigest()
        return Line(
            c.component, c.what, quantity, c.unit, c.price_micro, amount, s.version.id, start, end, len(behind), found
        )


def bill(compiled: Compiled, meters: Meters, *, plain: bool = False) -> Charges:
    """Return the charges of every customer on the compiled tariff, in exact integers.

    ``plain`` sums by array operations in place of compiled loops; the answer is the same to the bit.

    Raises
    ------
    DataError
        If the meter data do not fit the intervals, hold floats, or lack a channel that the tariff needs.
    """
    if found := check_meters(compiled, meters):
        raise DataError(found)
    billed = _as_billed(compiled, meters)
    load, generation, reactive, baseline = _channels(compiled, billed, plain)
    kept: dict[str, dict[int, Ints]] = {}
    made: list[Charge] = []
    for k in range(len(compiled.segments)):
        made += _segment(Usage(compiled, billed, load, generation, reactive, k, kept, baseline))
    cycles = tuple(dict.fromkeys(s.cycle for s in compiled.segments))
    total = np.zeros((len(meters.net_wh), len(cycles)), dtype=np.int64)
    for c in made:
        total[:, cycles.index(compiled.segments[c.segment].cycle)] += c.amount_micro
    return Charges(compiled, meters, tuple(made), cycles, total)


def check_meters(compiled: Compiled, meters: Meters) -> list[Finding]:
    """Return what is wrong with meter data: shape, floats, negative counters, channels that the tariff needs."""
    channels = {
        "generation_wh": meters.generation_wh,
        "reactive_varh": meters.reactive_varh,
        "baseline_wh": meters.baseline_wh,
    }
    count = compiled.intervals.count
    found = [f for n, v in {"net_wh": meters.net_wh, **channels}.items() if v is not None for f in _array(n, v, count)]
    found += [error(n, "holds negative values; this counter only rises") for n, v in channels.items() if _falls(v)]
    parts = [c for s in compiled.segments for c in s.version.components]
    if meters.generation_wh is None and (sells := [c.name for c in parts if isinstance(c, BuyAllSellAll)]):
        found.append(error(sells[0], "sells all generation, but the generation is not metered; bring generation_wh"))
    if meters.reactive_varh is None and (needs := [c.name for c in parts if isinstance(c, PowerFactor)]):
        found.append(error(needs[0], "needs reactive energy; bring reactive_varh"))
    if meters.baseline_wh is None and (shares := [c.name for c in parts if isinstance(c, SharedSavings)]):
        found.append(error(shares[0], "shares savings beside a baseline; bring baseline_wh"))
    return found


def _array(name: str, values: Readings, count: int) -> Iterator[Finding]:
    if values.ndim != 2 or values.shape[1] != count:
        yield error(name, f"has shape {values.shape}; expected (customer, {count})")
    if values.dtype.kind != "i":
        yield error(name, f"holds {values.dtype}; readings are whole Wh as integers, NaN has no place in a bill")


def _falls(values: Readings | None) -> bool:
    return values is not None and values.size > 0 and bool(values.min() < 0)


def _channels(compiled: Compiled, meters: Meters, plain: bool) -> tuple[Sums, Sums | None, Sums | None, Sums | None]:
    """Return the sums of the load, of the generation, of reactive energy and of the baseline."""
    load, generation, reactive, baseline = (
        None if values is None else sums(values, compiled.runs, plain=plain)
        for values in (meters.net_wh, meters.generation_wh, meters.reactive_varh, meters.baseline_wh)
    )
    assert load is not None  # noqa: S101 - net_wh is never absent
    return load, generation, reactive, baseline


def _as_billed(compiled: Compiled, meters: Meters) -> Meters:
    """Return the channels that the tariff reads; where all generation is sold, the load is what is used behind the meter too."""
    parts = [c for s in compiled.segments for c in s.version.components]
    sells_all = any(isinstance(c, BuyAllSellAll) for c in parts)
    generation = meters.generation_wh if sells_all else None
    reactive = meters.reactive_varh if any(isinstance(c, PowerFactor) for c in parts) else None
    baseline = meters.baseline_wh if any(isinstance(c, SharedSavings) for c in parts) else None
    net = meters.net_wh if generation is None else meters.net_wh.astype(np.int64) + generation
    return replace(meters, net_wh=net, generation_wh=generation, reactive_varh=reactive, baseline_wh=baseline)


def _segment(usage: Usage) -> list[Charge]:
    """Return a segment's charges: first what is measured, then power factor, minimum, taxes, each taken of those before."""
    parts = sorted(usage.segment.version.components, key=lambda c: c.name)
    made = [c for part in parts for c in charges(part, usage)]
    for kind in (PowerFactor, Minimum, Percentage):
        made += [_taken(part, usage, made) for part in parts if isinstance(part, kind)]
    return made


def _taken(part: Component, usage: Usage, made: list[Charge]) -> Charge:
    """Return a charge that is made of other charges of the same segment."""
    step = usage.compiled.tariff.line_unit_micro
    assert isinstance(part, PowerFactor | Minimum | Percentage)  # noqa: S101 - the caller asks for these alone
    base = sum((c.amount_micro for c in made if c.component in part.on), usage.nobody)
    if isinstance(part, Minimum):
        s = usage.segment
        least = scaled(usage.nobody + part.amount_micro, s.days, s.month_days * step) * step
        return Charge(usage.number, part.name, "up to the minimum", base, "micro", None, np.maximum(least - base, 0))
    share = part.share_ppm if isinstance(part, Percentage) else _adjustment_ppm(part, usage)
    amount = scaled(base, share, PPM * step) * step
    return Charge(usage.number, part.name, f"of {', '.join(part.on)}", base, "micro", None, amount)


def _adjustment_ppm(part: PowerFactor, usage: Usage) -> Ints:
    """Return each customer's adjustment by power factor; exact: P^2 * 10^6 is compared with limit^2 * (P^2 + Q^2)."""
    active = usage.bought_wh().astype(object)
    assert usage.reactive is not None  # noqa: S101 - check_meters has asked for it
    cells = usage.compiled.cells(usage.number)
    reactive = usage.reactive.bought_wh[:, cells].sum(axis=1).astype(object)
    found = usage.nobody
    for limit, ppm in part.table:
        reached = active**2 * 10**6 >= limit**2 * (active**2 + reactive**2)
        found = np.where(reached.astype(bool), ppm, found)
    return found
