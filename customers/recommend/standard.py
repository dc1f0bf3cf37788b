"""The standard packages that are recommended to many customers, and what each is worth to each of them, by simulation."""

import math
from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from customers.costs.library import CostLibrary
from customers.intervals.series import MeterTable
from customers.packages.bands import battery_mode
from customers.packages.economics import annuity
from customers.packages.priced import priced
from customers.packages.sketch import CellPrices, Cells, Population, SizedVariant, costs
from customers.packages.sun import generated_archive
from models.tariffs.tariff import Tariff

Floats = npt.NDArray[np.float64]
PACKAGES: Mapping[str, SizedVariant] = {
    "supply": SizedVariant(),
    "pv half": SizedVariant(0.5),
    "pv": SizedVariant(1.0),
    "storage small": SizedVariant(0.0, 0.1),
    "storage": SizedVariant(0.0, 0.2),
    "pv half, storage": SizedVariant(0.5, 0.2),
    "pv, storage small": SizedVariant(1.0, 0.1),
    "pv, storage": SizedVariant(1.0, 0.2),
    "efficiency": SizedVariant(saved_share=0.06),
    "pv, efficiency": SizedVariant(1.0, saved_share=0.06),
    "pv, storage, efficiency": SizedVariant(1.0, 0.2, saved_share=0.06),
}
"""The packages that are recommended, relative to roof and peak."""


def worth_of(table: MeterTable, tariff: Tariff, roofs_m2: Floats, library: CostLibrary) -> Floats:
    """Return every standard package's worth for every customer in a year: the bill it takes away less what it costs.

    ``roofs_m2`` has shape (customer,), the result (customer, package) in the order of :data:`PACKAGES`.

    Raises
    ------
    DataError
        If the tariff has no price by the hour.
    """
    year, cells = priced(tariff, table.intervals), Cells.over(tariff.calendar, table.intervals)
    load = (table.energy_kwh / table.step_h).astype(np.float32)
    sun = generated_archive(table.intervals, [2000]).typical
    wear = library["battery_capex"] / library["battery_cycles"]
    mode = battery_mode(year, library["battery_round_trip"], wear)
    roof_kw, peak = roofs_m2 / library["roof_per_kw"], load.max(axis=1).astype(np.float64)
    one_way = math.sqrt(library["battery_round_trip"])
    found = costs(
        Population(load, roof_kw), list(PACKAGES.values()), [CellPrices.of(year, cells)], cells, sun, mode, one_way
    )[:, :, 0]
    runs = 8760.0 / (table.intervals.count * table.step_h)
    saved = (found[:, :1] - found) * runs
    yearly = np.array(
        [
            [cost_of(v, r, p, b, library) for v in PACKAGES.values()]
            for r, p, b in zip(roof_kw, peak, found[:, 0] * runs, strict=True)
        ]
    )
    return np.asarray(saved - yearly)


def closed(roofs_m2: Floats) -> npt.NDArray[np.bool_]:
    """Return which packages a customer cannot have, shape (customer, package): those with photovoltaics where there is no roof."""
    asks = np.array([v.pv_share > 0 for v in PACKAGES.values()])
    return np.asarray((roofs_m2 <= 0)[:, np.newaxis] & asks)


def package_of(modules: Collection[str]) -> str | None:
    """Return the largest standard package that is built of a set of modules; None where there is none."""
    built = {"pv", "storage", "efficiency"} & set(modules)
    fits = [n for n, v in PACKAGES.items() if v.modules == built]
    return max(fits, key=lambda n: PACKAGES[n].pv_share + PACKAGES[n].battery_share, default=None)


def cost_of(v: SizedVariant, roof_kw: float, peak_kw: float, bill: float, library: CostLibrary) -> float:
    """Return what a package costs us in a year, capital included."""
    kw, kwh, total = v.pv_share * roof_kw, v.battery_share * v.battery_hours * peak_kw, 0.0
    if kw:
        total += annuity(library, kw * library["pv_capex"] + library["pv_site"], "pv_life") + kw * library["pv_om"]
    if kwh:
        total += (
            annuity(library, kwh * library["battery_capex"] + library["battery_site"], "battery_life")
            + kwh * library["battery_om"]
        )
    if v.saved_share:
        capital = v.saved_share * bill * library["efficiency_payback"] + library["efficiency_audit"]
        total += annuity(library, capital, "efficiency_life") + library["efficiency_follow_up"]
    return total
