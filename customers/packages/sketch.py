"""Screening of thousands of customers: years as sketches that know no price, then any number of tariffs on them.

A sketch says what a customer buys, sends out and needs at most in every cell: a calendar month, a kind of day (working day, weekend,
holiday) and an hour. Any tariff whose prices change on the hour bills it without looking at an interval again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from customers.packages.kernels import sketch_year
from customers.packages.priced import PricedYear
from models.errors import DataError
from models.findings import error
from models.networks.jit import in_pieces
from models.tariffs.calendar import Calendar, Intervals

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]
KINDS, HOURS = 3, 24
CELLS_PER_MONTH = KINDS * HOURS
SHAVED_SHARE = 0.5
"""How far below the month's peak a battery aims in a screening, as a share of its power; a design finds the lowest cap that holds."""
BATCH = 128


@dataclass(frozen=True, slots=True)
class Cells:
    """The cell of every interval, shape (interval,), and how many months there are."""

    intervals: Intervals
    cell: Ints
    month: Ints
    months: int

    @classmethod
    def over(cls, calendar: Calendar, intervals: Intervals) -> "Cells":
        """Return the cells of intervals in a tariff's calendar."""
        local = calendar.local(intervals.times)
        number = local.year.to_numpy() * 12 + local.month.to_numpy()
        month = (number - number.min()).astype(np.int64)
        cell = (month * KINDS + calendar.kinds(local)) * HOURS + local.hour.to_numpy()
        return cls(intervals, cell.astype(np.int64), month, int(month.max()) + 1)

    @property
    def count(self) -> int:
        """How many cells there are."""
        return self.months * CELLS_PER_MONTH


@dataclass(frozen=True, slots=True)
class SizedVariant:
    """One design relative to its customer: photovoltaics as a share of the roof, the battery as a share of the peak, two hours."""

    pv_share: float = 0.0
    battery_share: float = 0.0
    battery_hours: float = 2.0
    saved_share: float = 0.0
    """Share of the load that an efficiency programme takes away."""

    @property
    def modules(self) -> frozenset[str]:
        """The modules of the catalogue that it is made of."""
        sizes = {"pv": self.pv_share, "storage": self.battery_share, "efficiency": self.saved_share}
        return frozenset(m for m, size in sizes.items() if size)


@dataclass(frozen=True, slots=True)
class Population:
    """Customers by their load, shape (customer, interval) in kW, and the photovoltaics that their roofs carry, shape (customer,) in kW."""

    load_kw: Singles
    roof_kw: Floats


@dataclass(frozen=True, slots=True)
class CellPrices:
    """A tariff by cell: prices per kWh, shape (cell,), and what a kW of a month's peak over the counting cells costs."""

    import_per_kwh: Floats
    export_per_kwh: Floats
    counts: npt.NDArray[np.bool_]
    demand_per_kw: Floats
    fixed: float

    @classmethod
    def of(cls, year: PricedYear, cells: Cells) -> "CellPrices":
        """Return a tariff by cell.

        Raises
        ------
        DataError
            If a price changes inside a cell or a least demand is billed; such a tariff is simulated interval by interval.
        """
        columns = [year.import_per_kwh, year.export_per_kwh, *(c.astype(np.float64) for c in year.counts)]
        means = [_by_cell(c, cells) for c in columns]
        if any(np.abs(m[cells.cell] - c).max() > 1e-9 for m, c in zip(means, columns, strict=True)):
            raise DataError(
                [error(year.tariff.id, "changes inside an hour; it has no price per hour, month and kind of day")]
            )
        if year.floor_kw.any():
            raise DataError(
                [error(year.tariff.id, "bills a least demand; such a tariff is simulated interval by interval")]
            )
        counts = np.array(means[2:]).reshape(len(year.counts), cells.count) > 0.5
        return cls(means[0], means[1], counts, year.demand_per_kw * year.share, float(year.fixed.sum()))


def _by_cell(values: Floats, cells: Cells) -> Floats:
    count = np.maximum(np.bincount(cells.cell, minlength=cells.count), 1)
    return np.asarray(np.bincount(cells.cell, weights=values, minlength=cells.count) / count)


def costs(
    population: Population,
    variants: Sequence[SizedVariant],
    tariffs: Sequence[CellPrices],
    cells: Cells,
    pv_pu: Singles,
    mode: Bytes,
    one_way_efficiency: float,
) -> Floats:
    """Return what every customer would pay in every variant under every tariff, shape (customer, variant, tariff).

    ``pv_pu`` (output per kW) and ``mode`` (what price bands ask of a battery) have shape (interval,). Battery years are run by the bands of
    one tariff, whose shape the others are taken to share.
    """
    count = len(population.load_kw)
    out = np.empty((count, len(variants), len(tariffs)))
    bought_price = np.array([t.import_per_kwh for t in tariffs]).T
    sold_price = np.array([t.export_per_kwh for t in tariffs]).T

    def work(first: int, last: int) -> None:
        for start in range(first, last, BATCH):
            part = slice(start, min(start + BATCH, last))
            bare: dict[tuple[float, float], Floats] = {}
            for v in _bare_first(variants):
                sketch = _sketches(population, part, variants[v], cells, pv_pu, mode, one_way_efficiency, bare)
                bought, sold, peak = sketch
                energy = (bought @ bought_price - sold @ sold_price) * (cells.intervals.minutes / 60)
                out[part, v] = energy + _demand(peak, tariffs, cells)

    in_pieces(count, work)
    return out


def _bare_first(variants: Sequence[SizedVariant]) -> list[int]:
    """Return the variants' places, those without a battery first: their monthly peaks are what batteries aim below."""
    return sorted(range(len(variants)), key=lambda v: variants[v].battery_share > 0)


def _sketches(
    population: Population,
    part: slice,
    variant: SizedVariant,
    cells: Cells,
    pv_pu: Singles,
    mode: Bytes,
    one_way_efficiency: float,
    bare: dict[tuple[float, float], Floats],
) -> tuple[Floats, Floats, Floats]:
    """Return what customers buy, send out and need at most by cell; ``bare`` collects monthly peaks without a battery, by what is built."""
    loads = population.load_kw[part]
    bought, sold, peak = np.empty((3, len(loads), cells.count))
    built = variant.pv_share, variant.saved_share
    if variant.battery_share and built not in bare:
        alone = replace(variant, battery_share=0.0)
        _sketches(population, part, alone, cells, pv_pu, mode, one_way_efficiency, bare)
    for k, load in enumerate(loads):
        power = variant.battery_share * float(load.max())
        battery = np.array([power, power * variant.battery_hours, one_way_efficiency, one_way_efficiency, 0.0])
        battery[1] /= cells.intervals.minutes / 60  # the kernel counts energy in kW times intervals
        caps = np.maximum(bare[built][k] - SHAVED_SHARE * power, 0.0) if power else np.zeros(cells.months)
        pv_kw = variant.pv_share * float(population.roof_kw[part.start + k])
        kept = 1.0 - variant.saved_share
        sketch_year(load, pv_pu, pv_kw, kept, mode, cells.month, cells.cell, battery, caps, bought[k], sold[k], peak[k])
    if not variant.battery_share:
        bare[built] = peak.reshape(len(loads), cells.months, -1).max(axis=2)
    return bought, sold, peak


def _demand(peak: Floats, tariffs: Sequence[CellPrices], cells: Cells) -> Floats:
    """Return demand and fixed charges, shape (customer, tariff); peaks over the same cells are looked up once."""
    found = np.empty((len(peak), len(tariffs)))
    known: dict[bytes, Floats] = {}
    for t, tariff in enumerate(tariffs):
        total = np.full(len(peak), tariff.fixed)
        for counts, price in zip(tariff.counts, tariff.demand_per_kw, strict=True):
            key = counts.tobytes()
            if key not in known:
                known[key] = (peak * counts).reshape(len(peak), cells.months, -1).max(axis=2)
            total += known[key] @ price
        found[:, t] = total
    return found
