"""Screening of thousands of customers: years as sketches that know no price, then any number of tariffs on them.

A sketch says what a customer buys, sends out and needs at most in every cell: a calendar month, a kind of day (working day, weekend,
holiday) and an hour. Any tariff whose prices change on the hour bills it without looking at an interval again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from customers.packages.lanes import ENERGY, LANES, POWER_KW, PV_KW, side_by_side, sketch_years
from customers.packages.priced import PricedYear
from models.errors import DataError
from models.findings import error
from models.networks.jit import in_pieces
from models.tariffs.calendar import Calendar, Intervals

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]
KINDS, HOURS = 3, 24
CELLS_PER_MONTH = KINDS * HOURS
SHAVED_SHARE = 0.5
"""How far below the month's peak a battery aims in a screening, as a share of its power; a design finds the lowest cap that holds."""


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
    counts: Flags
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
    billed, bands = _Billed.under(tariffs, cells), _Bands(cells, pv_pu, mode, one_way_efficiency)

    def work(first: int, last: int) -> None:
        rows = np.empty((cells.intervals.count, LANES), dtype=np.float32)
        for start in range(first, last, LANES):
            part = slice(start, min(start + LANES, last))
            side_by_side(population.load_kw, start, part.stop - start, rows)
            block = _Block(rows, population.load_kw[part].max(axis=1), population.roof_kw[part], bands, {})
            for v in _bare_first(variants):
                out[part, v] = billed.cost(block.sketch(variants[v])).T[: part.stop - start]

    in_pieces(count, work, parallel_from=2 * LANES)
    return out


def _bare_first(variants: Sequence[SizedVariant]) -> list[int]:
    """Return the variants' places, those without a battery first: their monthly peaks are what batteries aim below."""
    return sorted(range(len(variants)), key=lambda v: variants[v].battery_share > 0)


@dataclass(frozen=True, slots=True)
class _Bands:
    """What is the same for all customers: cells, output of photovoltaics and what price bands ask, by interval."""

    cells: Cells
    pv_pu: Singles
    mode: Bytes
    one_way_efficiency: float


@dataclass(frozen=True, slots=True)
class _Block:
    """Customers side by side: their loads as lanes, peaks and roofs (customer,); ``bare`` collects monthly peaks (month, lane) without a battery."""

    rows: Singles
    peak_kw: Singles
    roof_kw: Floats
    bands: _Bands
    bare: dict[tuple[float, float], Singles]

    def sketch(self, variant: SizedVariant) -> Singles:
        """Return what the customers buy, send out and need at most; shape (cell, 3, lane)."""
        cells, bands, built = self.bands.cells, self.bands, (variant.pv_share, variant.saved_share)
        state, caps = self._state(variant), np.zeros((cells.months, LANES), dtype=np.float32)
        if variant.battery_share:
            if built not in self.bare:
                self.sketch(replace(variant, battery_share=0.0))
            caps = np.maximum(self.bare[built] - np.float32(SHAVED_SHARE) * state[POWER_KW : POWER_KW + LANES], 0.0)
        found = np.empty((cells.count, 3, LANES), dtype=np.float32)
        kept, into = np.float32(1.0 - variant.saved_share), np.float32(bands.one_way_efficiency)
        sketch_years(self.rows, bands.pv_pu, state, kept, bands.mode, cells.month, cells.cell, into, caps, found)
        if not variant.battery_share:
            self.bare[built] = found[:, 2].reshape(cells.months, -1, LANES).max(axis=1)
        return found

    def _state(self, variant: SizedVariant) -> Singles:
        """Return where every lane begins: nothing stored, and the sizes of what the variant builds; lanes without a customer have none."""
        state, count = np.zeros(ENERGY + LANES, dtype=np.float32), len(self.peak_kw)
        power = variant.battery_share * self.peak_kw
        state[PV_KW : PV_KW + count] = variant.pv_share * self.roof_kw
        state[POWER_KW : POWER_KW + count] = power
        # the loops count energy in kW times intervals
        state[ENERGY : ENERGY + count] = power * variant.battery_hours * 60 / self.bands.cells.intervals.minutes
        return state


@dataclass(frozen=True, slots=True)
class _Billed:
    """Many tariffs as tables (tariff, cell), ``fixed`` (tariff, 1); ``demand`` has the cells of every peak that is billed, with prices (tariff, month)."""

    bought: Singles
    sold: Singles
    fixed: Floats
    demand: Sequence[tuple[Flags, Floats]]
    months: int

    @classmethod
    def under(cls, tariffs: Sequence[CellPrices], cells: Cells) -> "_Billed":
        """Return tariffs as tables; tariffs that bill peaks over the same cells share the looking up."""
        hours, demand = cells.intervals.minutes / 60, dict[bytes, tuple[Flags, Floats]]()
        for t, tariff in enumerate(tariffs):
            for counts, price in zip(tariff.counts, tariff.demand_per_kw, strict=True):
                new = counts, np.zeros((len(tariffs), len(price)))
                demand.setdefault(counts.tobytes(), new)[1][t] += price
        bought = np.array([t.import_per_kwh for t in tariffs]) * hours
        sold = np.array([t.export_per_kwh for t in tariffs]) * hours
        fixed = np.array([[t.fixed] for t in tariffs])
        return cls(bought.astype(np.float32), sold.astype(np.float32), fixed, list(demand.values()), cells.months)

    def cost(self, sketch: Singles) -> Floats:
        """Return what sketches (cell, 3, lane) cost under every tariff; shape (tariff, lane)."""
        bought, sold, peak = sketch.transpose(1, 0, 2)
        total = self.fixed + (self.bought @ bought - self.sold @ sold)
        for counts, price in self.demand:
            highest = (peak * counts[:, np.newaxis]).reshape(self.months, -1, peak.shape[1]).max(axis=1)
            total += price @ highest
        return np.asarray(total)
