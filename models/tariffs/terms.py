"""What an optimizer needs of a tariff: a price per step and demand charges, equal to the bill for what a linear objective can say."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import Finding, error
from models.horizon import Horizon
from models.tariffs.calendar import Calendar, Ints, Schedule, from_windows
from models.tariffs.components import (
    Capacity,
    Component,
    Demand,
    Energy,
    Fixed,
    NetBilling,
    Percentage,
    Tier,
)
from models.tariffs.money import MICRO, PPM, micro
from models.tariffs.tariff import Tariff, Version
from models.tariffs.time_of_use import TimeOfUseTariff, minute_index

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
BEGINNING = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class DemandTerm:
    """``price_per_kw`` for the highest mean import over the steps where ``counts`` holds, above what is owed already.

    ``floor_kw`` is billed in any case; ``counts`` has shape (step,).
    """

    name: str
    price_per_kw: float
    floor_kw: float
    counts: Mask

    def cost(self, import_kw: Array, peak_so_far_kw: float = 0.0) -> float:
        """Return the charge of the month: the highest of this run, the peak so far and the floor."""
        here = float(import_kw[self.counts].max()) if self.counts.any() else 0.0
        return self.price_per_kw * max(here, peak_so_far_kw, self.floor_kw)


@dataclass(frozen=True, slots=True)
class Terms:
    """Prices per kWh of every step (shape (step,), currency), demand charges of the month, and what is owed whatever is done."""

    import_per_kwh: Array
    export_per_kwh: Array
    demand: tuple[DemandTerm, ...]
    fixed_per_month: float

    def cost(self, import_kw: Array, export_kw: Array, step_h: Array) -> float:
        """Return the objective's value for powers over a whole month, in currency; both powers are >= 0."""
        bought = float(np.sum(self.import_per_kwh * import_kw * step_h))
        sold = float(np.sum(self.export_per_kwh * export_kw * step_h))
        return bought - sold + sum(d.cost(import_kw) for d in self.demand) + self.fixed_per_month


def optimizer_terms(tariff: Tariff, horizon: Horizon) -> Terms:
    """Return the tariff as terms of a linear objective over the horizon, under the version that holds on its first day.

    A step that crosses periods gets the mean price by minutes. Demand is the mean over one step, as the meter's interval in the bill.

    Raises
    ------
    DataError
        If no single version holds over the horizon, or it has components that a linear objective cannot say; each is named.
    """
    minutes, step = minute_index(horizon)
    local = tariff.calendar.local(minutes)
    version = tariff.on(local[0].date())
    if version is None or version is not tariff.on(local[-1].date()):
        raise DataError(
            [error(tariff.id, f"no single version holds from {local[0]} to {local[-1]}; plan up to the change")]
        )
    if found := _unsaid(version):
        raise DataError(found)
    kinds, parts = tariff.calendar.kinds(local), version.components

    def by_step(schedule: Schedule, price: dict[int, float]) -> Array:
        each = np.array([price[p] for p in schedule.periods(local, kinds).tolist()])
        return np.bincount(step, weights=each) / np.bincount(step)

    bought, sold = np.zeros(len(horizon)), np.zeros(len(horizon))
    for c in parts:
        factor = _with_taxes(c.name, parts) / MICRO
        if isinstance(c, Energy):
            months = np.bincount(step, weights=np.isin(local.month, c.months)) / np.bincount(step)
            bought += factor * months * by_step(c.schedule, {p: float(t[0].price_micro) for p, t in c.tiers.items()})
        if isinstance(c, NetBilling):
            sold += factor * by_step(c.schedule, {p: float(price) for p, price in c.prices_micro.items()})
    first = np.concatenate([[0], np.flatnonzero(np.diff(step)) + 1])
    demand = tuple(
        t for c in parts if isinstance(c, Demand) for t in _demand(c, parts, c.schedule.periods(local, kinds)[first])
    )
    return Terms(bought, sold, demand, _fixed(parts, local[0].days_in_month))


def _unsaid(version: Version) -> list[Finding]:
    """Name the components that a linear objective cannot say."""
    return [
        error(
            f"{version.id}.{c.name}",
            f"a {type(c).__name__} of this form is no linear term; plan with a tariff without it",
            c.name,
        )
        for c in version.components
        if not _is_linear(c)
    ]


def _is_linear(c: Component) -> bool:
    if isinstance(c, Energy | Demand):
        return all(len(t) == 1 for t in c.tiers.values()) and not (isinstance(c, Demand) and c.rule.lookback_months)
    return isinstance(c, Fixed | Capacity | NetBilling | Percentage)


def _with_taxes(name: str, parts: tuple[Component, ...]) -> float:
    """Return 1 plus the shares of all taxes and surcharges on a component."""
    return 1.0 + sum(c.share_ppm for c in parts if isinstance(c, Percentage) and name in c.on) / PPM


def _demand(c: Demand, parts: tuple[Component, ...], period: Ints) -> list[DemandTerm]:
    factor, floor_kw = _with_taxes(c.name, parts) / MICRO, c.rule.minimum_w / 1e3
    return [DemandTerm(c.name, factor * t[0].price_micro, floor_kw, period == p) for p, t in sorted(c.tiers.items())]


def _fixed(parts: tuple[Component, ...], days: int) -> float:
    total = 0.0
    for c in parts:
        if isinstance(c, Fixed):
            total += _with_taxes(c.name, parts) * c.amount_micro * (days if c.daily else 1) / MICRO
        if isinstance(c, Capacity):
            total += _with_taxes(c.name, parts) * c.price_micro * c.contracted_va / 1e3 / MICRO
    return total


def from_time_of_use(
    tariff: TimeOfUseTariff, time_zone: str, name: str = "electricity", currency: str = "CNY"
) -> Tariff:
    """Return a site file's two-part tariff as a tariff that bills: ``energy`` per band, ``export``, ``demand``."""
    windows = [(k, w) for k, band in enumerate(tariff.bands) for w in band.windows]
    slots = 96 if all((h * 4).is_integer() for _, w in windows for h in (float(w.start_h), float(w.end_h))) else 1440
    bands = {k: (Tier(micro(b.price_per_kwh)),) for k, b in enumerate(tariff.bands)}
    parts: list[Component] = [Energy("energy", bands, from_windows(windows, slots))]
    if tariff.export_price_per_kwh:
        parts.append(NetBilling("export", {0: micro(tariff.export_price_per_kwh)}))
    if tariff.demand_price_per_kw_month:
        parts.append(Demand("demand", {0: (Tier(micro(tariff.demand_price_per_kw_month)),)}))
    return Tariff(name, currency, Calendar(time_zone), (Version("1", BEGINNING, tuple(parts)),))
