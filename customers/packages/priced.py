"""A tariff as plain arrays over meter intervals, for simulations that price millions of intervals; the bill engine bills what is offered."""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import Finding, error
from models.horizon import Horizon
from models.tariffs.calendar import Intervals
from models.tariffs.compile import Segment, compile_tariff
from models.tariffs.tariff import Tariff
from models.tariffs.terms import Terms, optimizer_terms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PricedYear:
    """Prices of every interval and the demand charges of every billing month.

    ``import_per_kwh``, ``export_per_kwh`` and ``month`` have shape (interval,), ``counts`` (term, interval), ``demand_per_kw`` and
    ``floor_kw`` (term, month), ``share`` and ``fixed`` (month,). Currency is the tariff's; ``share`` is how much of a month is covered.
    """

    tariff: Tariff
    intervals: Intervals
    import_per_kwh: Floats
    export_per_kwh: Floats
    month: Ints
    counts: Flags
    demand_per_kw: Floats
    floor_kw: Floats
    share: Floats
    fixed: Floats

    @property
    def step_h(self) -> float:
        """Length of an interval in hours."""
        return self.intervals.minutes / 60

    def cost(self, net_kw: Floats) -> float:
        """Return what a net import (negative where power is sent out) costs, in currency; shape (interval,)."""
        bought, sold = np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0)
        energy = float((self.import_per_kwh @ bought - self.export_per_kwh @ sold) * self.step_h)
        return energy + self.demand_cost(bought) + float(self.fixed.sum())

    def demand_cost(self, bought_kw: Floats) -> float:
        """Return what the months' highest imports cost; shape (interval,)."""
        total = 0.0
        for counts, price, floor in zip(self.counts, self.demand_per_kw, self.floor_kw, strict=True):
            peak = np.zeros(len(self.share))
            np.maximum.at(peak, self.month, bought_kw * counts)
            total += float((price * self.share) @ np.maximum(peak, floor))
        return total


@dataclass(slots=True)
class _Months:
    """Months read one after the other."""

    bought: list[Floats] = field(default_factory=list)
    sold: list[Floats] = field(default_factory=list)
    counts: list[dict[str, Flags]] = field(default_factory=list)
    price: list[dict[str, float]] = field(default_factory=list)
    floor: list[dict[str, float]] = field(default_factory=list)
    fixed: list[float] = field(default_factory=list)

    def add(self, terms: Terms, share: float) -> None:
        """Add a month."""
        self.bought.append(terms.import_per_kwh)
        self.sold.append(terms.export_per_kwh)
        names = [f"{d.name}/{k}" for k, d in enumerate(terms.demand)]
        self.counts.append({n: d.counts.astype(np.uint8) for n, d in zip(names, terms.demand, strict=True)})
        self.price.append({n: d.price_per_kw for n, d in zip(names, terms.demand, strict=True)})
        self.floor.append({n: d.floor_kw for n, d in zip(names, terms.demand, strict=True)})
        self.fixed.append(terms.fixed_per_month * share)


def priced(tariff: Tariff, intervals: Intervals) -> PricedYear:
    """Lay a tariff over meter intervals as arrays.

    Raises
    ------
    DataError
        If the tariff has errors, changes inside a month, or has blocks of energy, netting or other parts that have no price per interval.
    """
    compiled = compile_tariff(tariff, intervals)
    if found := _unfit(compiled.segments):
        raise DataError(found)
    months = _Months()
    for segment in compiled.segments:
        terms = optimizer_terms(tariff, _horizon(intervals, segment))
        if terms.blocks or terms.netted:
            what = "blocks of energy" if terms.blocks else "net metering"
            raise DataError(
                [error(tariff.id, f"has {what}, whose price hangs on the whole month; design under a tariff without")]
            )
        months.add(terms, segment.days / segment.month_days)
    return _joined(tariff, intervals, compiled.segments, months)


def _unfit(segments: tuple[Segment, ...]) -> list[Finding]:
    """Return an error for every month that two versions of a tariff share."""
    return [
        error(f"{b.year}-{b.month:02d}", "two versions of the tariff hold in this month; design over whole versions")
        for a, b in pairwise(segments)
        if a.cycle == b.cycle
    ]


def _horizon(intervals: Intervals, segment: Segment) -> Horizon:
    step = timedelta(minutes=intervals.minutes)
    return Horizon.uniform(intervals.instant(segment.first), intervals.instant(segment.last), step)


def _joined(tariff: Tariff, intervals: Intervals, segments: tuple[Segment, ...], m: _Months) -> PricedYear:
    names = sorted({n for month in m.counts for n in month})
    lengths = [s.last - s.first for s in segments]
    none = [np.zeros(n, dtype=np.uint8) for n in lengths]
    counts = [np.concatenate([c.get(n, z) for c, z in zip(m.counts, none, strict=True)]) for n in names]
    return PricedYear(
        tariff,
        intervals,
        np.concatenate(m.bought),
        np.concatenate(m.sold),
        np.repeat(np.arange(len(segments)), lengths),
        np.array(counts, dtype=np.uint8).reshape(len(names), intervals.count),
        np.array([[p.get(n, 0.0) for p in m.price] for n in names]).reshape(len(names), len(segments)),
        np.array([[f.get(n, 0.0) for f in m.floor] for n in names]).reshape(len(names), len(segments)),
        np.array([s.days / s.month_days for s in segments]),
        np.array(m.fixed),
    )
