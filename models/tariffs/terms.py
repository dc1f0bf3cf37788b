"""What an optimizer needs of a tariff: prices per step, blocks, netting and demand charges, equal to the bill for what a program can say."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.errors import DataError
from models.findings import Finding, error
from models.horizon import Horizon
from models.tariffs.calendar import Calendar, Ints, Schedule
from models.tariffs.components import (
    ALL_MONTHS,
    Capacity,
    Component,
    Demand,
    Energy,
    Fixed,
    NetBilling,
    NetMetering,
    Per,
    Percentage,
    Scope,
    Tier,
)
from models.tariffs.money import KILO, MICRO, PPM
from models.tariffs.tariff import Tariff, Version

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
QUARTER_MINUTES = 15
DAY_MINUTES = 24 * 60


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
class BlockTerm:
    """Part of a month's energy, from the end of the block before up to ``up_to_kwh``, at ``adder_per_kwh`` on top of every step's price."""

    adder_per_kwh: float
    up_to_kwh: float


@dataclass(frozen=True, slots=True)
class NetTerm:
    """Energy bought less energy sent out in the steps of one period, paid at ``price_per_kwh`` where it is above 0.

    ``counts`` is the share of each step that lies in the period, shape (step,); what is left over is worth ``left_per_kwh``.
    """

    name: str
    price_per_kwh: float
    left_per_kwh: float
    counts: Array

    def cost(self, net_kwh: float) -> float:
        """Return what the month pays for a net energy; what is left over rolls on and costs nothing."""
        return self.price_per_kwh * max(net_kwh, 0.0)


@dataclass(frozen=True, slots=True)
class BilledSoFar:
    """What the billing month has seen before a horizon, and what it expects behind it.

    ``bought_kwh`` with ``rest_kwh`` say which block a kWh falls into; ``net_kwh`` is bought less sent out by net term, negative for credit.
    """

    bought_kwh: float = 0.0
    rest_kwh: float = 0.0
    net_kwh: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    """Prices per kWh of every step (shape (step,), currency), blocks, netting and demand of the month, and what is owed whatever is done.

    ``blocks`` is empty where all energy of a step costs the same; ``netted`` where nothing is set off.
    """

    import_per_kwh: Array
    export_per_kwh: Array
    blocks: tuple[BlockTerm, ...]
    netted: tuple[NetTerm, ...]
    demand: tuple[DemandTerm, ...]
    fixed_per_month: float

    def marginal_per_kwh(self) -> tuple[Array, Array]:
        """Return what one more kWh bought costs and one more sent out earns in every step, in the first block, under net purchase."""
        netting = np.sum([n.price_per_kwh * n.counts for n in self.netted], axis=0) if self.netted else 0.0
        return self.import_per_kwh + netting, self.export_per_kwh + netting

    def energy_cost(
        self, import_kw: Array, export_kw: Array, step_h: Array, billed: BilledSoFar | None = None
    ) -> tuple[float, float]:
        """Return what is paid for energy and what is earned by export, without demand; both powers are >= 0."""
        billed = billed or BilledSoFar()
        bought_kwh = import_kw * step_h
        paid = float(self.import_per_kwh @ bought_kwh) + self._adders(float(bought_kwh.sum()), billed)
        net_kwh = (import_kw - export_kw) * step_h
        for term in self.netted:
            before = billed.net_kwh.get(term.name, 0.0)
            paid += term.cost(before + float(term.counts @ net_kwh)) - term.cost(before)
        return paid, float(self.export_per_kwh @ (export_kw * step_h))

    def _adders(self, bought_kwh: float, billed: BilledSoFar) -> float:
        """Return what the blocks add to the price of the energy bought on top of what the month has otherwise."""
        before = billed.bought_kwh + billed.rest_kwh
        return self._block_cost(before + bought_kwh) - self._block_cost(before)

    def _block_cost(self, kwh: float) -> float:
        cost, below = 0.0, 0.0
        for block in self.blocks:
            cost += block.adder_per_kwh * max(min(kwh, block.up_to_kwh) - below, 0.0)
            below = block.up_to_kwh
        return cost

    def cost(self, import_kw: Array, export_kw: Array, step_h: Array) -> float:
        """Return the objective's value for powers over a whole month, in currency; both powers are >= 0."""
        paid, earned = self.energy_cost(import_kw, export_kw, step_h)
        return paid - earned + sum(d.cost(import_kw) for d in self.demand) + self.fixed_per_month


class _Same:
    """A tariff as a key: the very object, whose contents need no look."""

    def __init__(self, tariff: Tariff) -> None:
        self.tariff = tariff

    def __hash__(self) -> int:
        return id(self.tariff)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.tariff is self.tariff


def optimizer_terms(tariff: Tariff, horizon: Horizon) -> Terms:
    """Return the tariff as terms of a program over the horizon, under the version that holds on its first day.

    A step that crosses periods gets the mean price by minutes. Demand is the mean over one step, as the meter's interval in the bill.

    Raises
    ------
    DataError
        If no single version holds over the horizon, or it has components that a program cannot say; each is named.
    """
    return _read(_Same(tariff), horizon)


@lru_cache(maxsize=8)  # structure, numbers and proof of one plan ask for the same
def _read(same: _Same, horizon: Horizon) -> Terms:
    tariff = same.tariff
    ends = tariff.calendar.local(pd.DatetimeIndex([horizon.times[0], horizon.times[-1]]))
    version = tariff.on(ends[0].date())
    if version is None or version is not tariff.on(ends[1].date()):
        raise DataError(
            [error(tariff.id, f"no single version holds from {ends[0]} to {ends[1]}; plan up to the change")]
        )
    if found := _unsaid(version):
        raise DataError(found)
    return _Reading(tariff.calendar, version.components, horizon).terms()


class _Reading:
    """One version of a tariff read over one horizon, at instants between which no period changes."""

    def __init__(self, calendar: Calendar, parts: tuple[Component, ...], horizon: Horizon) -> None:
        self.parts, self.calendar = parts, calendar
        schedules = {c.schedule for c in parts if isinstance(c, Energy | Demand | NetBilling)}
        self.every = _spacing(schedules, horizon)
        self.step = np.repeat(np.arange(len(horizon)), np.round(horizon.step_h * 60 / self.every).astype(int))
        midnight = horizon.start.replace(hour=0, minute=0)
        skipped, odd = divmod(horizon.start - midnight, timedelta(minutes=self.every))
        self.first_day = horizon.start if odd else midnight
        self.here = slice(0 if odd else skipped, (0 if odd else skipped) + len(self.step))
        self.days_in_month = int(calendar.local(pd.DatetimeIndex([horizon.times[0]]))[0].days_in_month)
        self.count = np.bincount(self.step)
        self.first = np.concatenate([[0], np.flatnonzero(np.diff(self.step)) + 1])

    def terms(self) -> Terms:
        """Return the version's terms."""
        bought, sold = np.zeros(len(self.count)), np.zeros(len(self.count))
        energy = [c for c in self.parts if isinstance(c, Energy)]
        net = next((c for c in self.parts if isinstance(c, NetMetering)), None)
        for c in energy if net is None else ():
            bought += self.factor(c.name) * self.in_months(c) * self.by_step(c.schedule, _first_prices(c))
        for b in (c for c in self.parts if isinstance(c, NetBilling)):
            sold += self.factor(b.name) * self.by_step(b.schedule, dict(b.prices_micro))
        return Terms(
            bought,
            sold,
            tuple(t for c in energy if net is None for t in self.blocks(c)),
            tuple(t for c in energy if net is not None for t in self.netted(c, net)),
            tuple(t for c in self.parts if isinstance(c, Demand) for t in self.demand(c)),
            self.fixed(),
        )

    def factor(self, name: str) -> float:
        """Return currency per micro-unit of a component, with all taxes and surcharges on it."""
        return (1.0 + sum(c.share_ppm for c in self.parts if isinstance(c, Percentage) and name in c.on) / PPM) / MICRO

    def by_step(self, schedule: Schedule, price: Mapping[int, float]) -> Array:
        """Return the mean of a price by period over every step."""
        if len(price) == 1:
            return np.full(len(self.count), next(iter(price.values())))
        each = np.array([price[p] for p in self.periods(schedule).tolist()], float)
        return np.bincount(self.step, weights=each) / self.count

    def periods(self, schedule: Schedule) -> Ints:
        """Return the period at every instant."""
        return self.by_day(lambda day: _periods_of_day(schedule, self.calendar, day, self.every))

    def by_day(self, of_day: Callable[[datetime], Ints]) -> Ints:
        """Return what holds at every instant, from what holds in the days that the horizon touches."""
        days = range(-(-self.here.stop * self.every // DAY_MINUTES))
        return np.concatenate([of_day(self.first_day + timedelta(days=k)) for k in days])[self.here]

    def in_months(self, c: Energy) -> Array:
        """Return the share of every step that lies in the component's months."""
        if len(c.months) == len(ALL_MONTHS):
            return np.ones(len(self.count))
        months = self.by_day(lambda day: _local_day(self.calendar, day, self.every)[0].month.to_numpy())
        return np.bincount(self.step, weights=np.isin(months, c.months)) / self.count

    def blocks(self, c: Energy) -> list[BlockTerm]:
        """Return the blocks of a component with tiers; every period has the same, which was asked before."""
        tiers = next(iter(c.tiers.values()))
        if len(tiers) == 1:
            return []
        days = self.days_in_month
        first = tiers[0].price_micro
        return [BlockTerm(self.factor(c.name) * (t.price_micro - first), _limit_kwh(t, days)) for t in tiers]

    def netted(self, c: Energy, net: NetMetering) -> list[NetTerm]:
        """Return one term per period of a component under net metering."""
        period, found = self.periods(c.schedule), []
        left, here = net.year_end_price_micro / MICRO, self.in_months(c)
        for p, price in sorted(_first_prices(c).items()):
            counts = here * np.bincount(self.step, weights=period == p) / self.count
            if counts.any():
                found.append(NetTerm(f"{c.name}_{p}", self.factor(c.name) * price, left, counts))
        return found

    def demand(self, c: Demand) -> list[DemandTerm]:
        """Return one term per period of a demand component that costs anything."""
        floor_kw = c.rule.minimum_w / KILO
        priced = [(p, t[0].price_micro) for p, t in sorted(c.tiers.items()) if t[0].price_micro]
        period = (
            self.periods(c.schedule)[self.first] if len(c.tiers) > 1 else np.full(len(self.count), next(iter(c.tiers)))
        )
        return [DemandTerm(c.name, self.factor(c.name) * price, floor_kw, period == p) for p, price in priced]

    def fixed(self) -> float:
        """Return what the month of the first step costs whatever is done."""
        total, days = 0.0, self.days_in_month
        for c in self.parts:
            if isinstance(c, Fixed):
                total += self.factor(c.name) * c.amount_micro * (days if c.daily else 1)
            if isinstance(c, Capacity):
                total += self.factor(c.name) * c.price_micro * c.contracted_va / KILO
        return total


@lru_cache(maxsize=128)  # a plan that rolls on by an hour touches the same days again
def _local_day(calendar: Calendar, first: datetime, every: int) -> tuple[pd.DatetimeIndex, Ints]:
    """Return local times and kinds of day every so many minutes of the 24 hours from ``first`` (UTC) on."""
    count = DAY_MINUTES // every
    local = calendar.local(pd.date_range(first.replace(tzinfo=None), periods=count, freq=f"{every}min"))
    return local, calendar.kinds(local)


@lru_cache(maxsize=512)
def _periods_of_day(schedule: Schedule, calendar: Calendar, first: datetime, every: int) -> Ints:
    return schedule.periods(*_local_day(calendar, first, every))


def _spacing(schedules: set[Schedule], horizon: Horizon) -> int:
    """Return the longest spacing in minutes, up to a quarter-hour, at which neither steps nor periods change in between."""
    slots = {24 * 60 // len(row) for s in schedules for rows in s.tables for row in rows}
    offsets = {(edge.hour * 60 + edge.minute) if not edge.second else 1 for edge in horizon.edges}
    return math.gcd(QUARTER_MINUTES, *slots, *offsets)


def _first_prices(c: Energy) -> dict[int, float]:
    return {p: float(t[0].price_micro) for p, t in c.tiers.items()}


def _limit_kwh(tier: Tier, days: int) -> float:
    if tier.up_to is None:
        return math.inf
    return tier.up_to * (days if tier.per is Per.KWH_PER_DAY else 1) / KILO


def _unsaid(version: Version) -> list[Finding]:
    """Name the components that a program over one horizon cannot say."""
    netted = any(isinstance(c, NetMetering) for c in version.components)
    return [
        error(
            f"{version.id}.{c.name}",
            f"a {type(c).__name__} of this form is no term of a plan; plan with a tariff without it",
            c.name,
        )
        for c in version.components
        if not _is_said(c, netted=netted)
    ]


def _is_said(c: Component, *, netted: bool) -> bool:
    if isinstance(c, Energy):
        return all(len(t) == 1 for t in c.tiers.values()) or (not netted and _has_plain_blocks(c))
    if isinstance(c, Demand):
        return all(len(t) == 1 for t in c.tiers.values()) and not c.rule.lookback_months
    return isinstance(c, Fixed | Capacity | NetBilling | NetMetering | Percentage)


def _has_plain_blocks(c: Energy) -> bool:
    """Return whether tiers are the same steps of price and energy in every period, so that the month's total says which one holds."""
    shapes = {
        tuple((t.price_micro - tiers[0].price_micro, t.up_to, t.per) for t in tiers) for tiers in c.tiers.values()
    }
    alone = c.scope is Scope.TOTAL or len(c.tiers) == 1
    plain = all(t.per in (Per.KWH, Per.KWH_PER_DAY) for tiers in c.tiers.values() for t in tiers)
    return len(shapes) == 1 and alone and plain and len(c.months) == 12
