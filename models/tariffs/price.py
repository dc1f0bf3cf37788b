"""What each kind of component charges: energy, demand, capacity, export, and what is taken of other lines."""

from collections.abc import Iterator
from functools import singledispatch

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import error
from models.tariffs.calendar import Schedule
from models.tariffs.charges import Charge, Usage
from models.tariffs.components import (
    BuyAllSellAll,
    Capacity,
    CoincidentPeak,
    Demand,
    Energy,
    Fixed,
    HoursUse,
    NetBilling,
    NetMetering,
    Scope,
    SharedSavings,
    Spot,
    Tier,
)
from models.tariffs.money import KILO, PPM, proportion, rounded, scaled
from models.tariffs.sums import weighed

Ints = npt.NDArray[np.int64]
PROBE_HOURS = (0, 6, 12, 18)
"""Local hours that tell which period of a month follows a period of the month before."""


@singledispatch
def charges(component: object, usage: Usage) -> Iterator[Charge]:  # noqa: ARG001 - kinds registered below read both
    """Give the charges of one component on one segment; components that are taken of other lines give none here."""
    yield from ()


@charges.register
def _fixed(component: Fixed, usage: Usage) -> Iterator[Charge]:
    daily, one = component.daily, usage.nobody + 1
    quantity, unit = (one * usage.segment.days, "day") if daily else (one, "month")
    yield from usage.priced(component.name, "fixed", quantity, unit, component.amount_micro, per=1, of_month=not daily)


@charges.register
def _energy(component: Energy, usage: Usage) -> Iterator[Charge]:
    if usage.segment.month not in component.months:
        return
    schedule = component.schedule
    energy = _billed_wh(component, usage)
    demand = usage.demand_w(component.demand)
    total = sum(energy.values(), usage.nobody)
    for period, wh in energy.items():
        yield from _tiered(component, usage, schedule, period, wh, total, demand)


def _tiered(
    c: Energy, usage: Usage, schedule: Schedule, period: int, wh: Ints, total: Ints, demand: Ints
) -> Iterator[Charge]:
    before = usage.nobody
    for k, tier in enumerate(c.tiers[period]):
        below = wh if tier.up_to is None else _cut(wh, total, usage.cap_wh(tier.up_to, tier.per, demand), c.scope)
        what = f"period {period}, tier {k + 1}"
        yield from usage.priced(
            c.name, what, below - before, "Wh", tier.price_micro, schedule=schedule, period=period, tier=k
        )
        before = below


def _cut(wh: Ints, total: Ints, cap: Ints, scope: Scope) -> Ints:
    """Return how much of a period's energy lies below a limit."""
    if scope is Scope.PERIOD:
        return np.minimum(wh, cap)
    return np.where(total <= cap, wh, proportion(wh, total, cap))


def _billed_wh(component: Energy, usage: Usage) -> dict[int, Ints]:
    """Return the energy that is billed by period: what was bought, less what net metering sets against it."""
    schedule = component.schedule
    here = [p for p in sorted(component.tiers) if usage.compiled.cells(usage.number, schedule, p)]
    bought = {p: usage.bought_wh(schedule, p) for p in here}
    if not any(isinstance(c, NetMetering) for c in usage.segment.version.components):
        return bought
    credit = _moved_credit(component, usage)
    net = {p: bought[p] - usage.sold_wh(schedule, p) - credit.get(p, usage.nobody) for p in here}
    usage.kept[component.name] = {p: np.maximum(-n, 0) for p, n in net.items()}
    return {p: np.maximum(n, 0) for p, n in net.items()}


def _moved_credit(component: Energy, usage: Usage) -> dict[int, Ints]:
    """Return last segment's credits under this month's periods; a new year begins without any."""
    before = usage.kept.pop(component.name, {})
    if not before or usage.compiled.segments[usage.number - 1].year != usage.segment.year:
        return {}
    last, now = usage.compiled.segments[usage.number - 1], usage.segment
    earlier = next(
        (c for c in last.version.components if isinstance(c, Energy) and c.name == component.name), component
    )
    moved: dict[int, Ints] = {}
    for hour in PROBE_HOURS:
        source = earlier.schedule.at(last.month, hour)
        target = component.schedule.at(now.month, hour)
        if source in before:
            moved[target] = moved.get(target, usage.nobody) + before.pop(source)
    for period, rest in before.items():
        moved[period] = moved.get(period, usage.nobody) + rest
    return moved


@charges.register
def _hours_use(component: HoursUse, usage: Usage) -> Iterator[Charge]:
    if usage.segment.month not in component.months:
        return
    wh, demand, before = usage.bought_wh(), usage.demand_w(component.demand), usage.nobody
    s = usage.segment
    for k, block in enumerate(component.blocks):
        cap = wh if block.up_to_hours is None else demand * block.up_to_hours * s.days // s.month_days
        below = np.minimum(wh, cap)
        yield from _block(component.name, usage, k, block.tiers, below - before)
        before = below


def _block(name: str, usage: Usage, number: int, tiers: tuple[Tier, ...], wh: Ints) -> Iterator[Charge]:
    before = usage.nobody
    for k, tier in enumerate(tiers):
        below = wh if tier.up_to is None else np.minimum(wh, usage.cap_wh(tier.up_to, tier.per, usage.nobody))
        what = f"hours block {number + 1}, tier {k + 1}"
        yield from usage.priced(name, what, below - before, "Wh", tier.price_micro, tier=k)
        before = below


@charges.register
def _spot(component: Spot, usage: Usage) -> Iterator[Charge]:
    c, s, minutes = component, usage.segment, usage.compiled.intervals.minutes
    index = usage.meters.index_micro.get(c.index)
    if index is None or len(index) != usage.compiled.intervals.count:
        raise DataError([error(c.name, f"the index {c.index} has no price for every meter interval; bring the series")])
    block_wh = c.block_w * minutes // 60
    price = rounded(index[s.first : s.last] * c.multiplier_ppm, PPM) + c.adder_micro
    wh = usage.meters.net_wh[:, s.first : s.last]
    step = usage.compiled.tariff.line_unit_micro
    amount = rounded(weighed(wh, price, block_wh), KILO * step) * step
    contracted = usage.nobody + block_wh * (s.last - s.first)
    quantity = wh.sum(axis=1, dtype=np.int64) - contracted
    yield Charge(usage.number, c.name, f"index {c.index}", quantity, "Wh", None, amount)
    yield from usage.priced(c.name, "block", contracted, "Wh", c.block_price_micro)


@charges.register
def _demand(component: Demand, usage: Usage) -> Iterator[Charge]:
    c = component
    for period in sorted(c.tiers):
        if not usage.compiled.cells(usage.number, c.schedule, period):
            continue
        demand, before = usage.demand_w(c.rule, c.schedule, period), usage.nobody
        for k, tier in enumerate(c.tiers[period]):
            below = demand if tier.up_to is None else np.minimum(demand, tier.up_to)
            what, quantity = f"period {period}, tier {k + 1}", below - before
            yield from usage.priced(
                c.name, what, quantity, "W", tier.price_micro, schedule=c.schedule, period=period, tier=k, of_month=True
            )
            before = below


@charges.register
def _coincident(component: CoincidentPeak, usage: Usage) -> Iterator[Charge]:
    s, grid = usage.segment, usage.compiled.intervals
    for instant in component.instants:
        k = grid.index(instant)
        k -= k == grid.count or grid.instant(k) > instant
        if grid.start <= instant < grid.end and s.first <= k < s.last:
            wh = np.maximum(usage.meters.net_wh[:, k].astype(np.int64), 0)
            what = f"system peak {instant:%Y-%m-%d %H:%M %Z}"
            yield from usage.priced(component.name, what, wh * 60 // grid.minutes, "W", component.price_micro)


@charges.register
def _capacity(component: Capacity, usage: Usage) -> Iterator[Charge]:
    contracted = usage.nobody + component.contracted_va
    yield from usage.priced(component.name, "contracted", contracted, "VA", component.price_micro, of_month=True)


@charges.register
def _net_metering(component: NetMetering, usage: Usage) -> Iterator[Charge]:
    """Pay what a calendar year sent out beyond what it bought, when its last segment is billed."""
    c, s, k = component, usage.segment, usage.number
    year = usage.kept.setdefault(c.name, {})
    year[s.year] = year.get(s.year, usage.nobody) + usage.sold_wh() - usage.bought_wh()
    after = usage.compiled.segments[k + 1 : k + 2]
    if s.month == 12 and not (after and after[0].year == s.year):
        surplus = np.maximum(year[s.year], 0)
        yield from usage.priced(c.name, f"surplus of {s.year}", surplus, "Wh", c.year_end_price_micro, sign=-1)


@charges.register
def _net_billing(component: NetBilling, usage: Usage) -> Iterator[Charge]:
    c = component
    for period, price in sorted(c.prices_micro.items()):
        sold = usage.sold_wh(c.schedule, period)
        yield from usage.priced(
            c.name, f"sold in period {period}", sold, "Wh", price, sign=-1, schedule=c.schedule, period=period
        )


@charges.register
def _sell_all(component: BuyAllSellAll, usage: Usage) -> Iterator[Charge]:
    c = component
    for period, price in sorted(c.prices_micro.items()):
        wh = usage.generated_wh(c.schedule, period)
        yield from usage.priced(
            c.name, f"generated in period {period}", wh, "Wh", price, sign=-1, schedule=c.schedule, period=period
        )


@charges.register
def _shared_savings(component: SharedSavings, usage: Usage) -> Iterator[Charge]:
    c, step = component, usage.compiled.tariff.line_unit_micro
    saved, worth = usage.nobody, usage.nobody.astype(object)
    for period, price in sorted(c.prices_micro.items()):
        wh = usage.baseline_wh(c.schedule, period) - usage.bought_wh(c.schedule, period)
        saved = saved + wh
        worth = worth + wh.astype(object) * price
    gained = np.array([max(int(w) // KILO, 0) for w in worth], dtype=np.int64)
    yield Charge(
        usage.number, c.name, "share of savings", saved, "Wh", None, scaled(gained, c.share_ppm, PPM * step) * step
    )
