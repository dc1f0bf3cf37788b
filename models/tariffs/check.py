"""What is wrong with a tariff, in words: every problem at once, each with its place."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import pairwise

from models.findings import Finding, error, warning
from models.tariffs.calendar import GAP, MONTHS, Schedule
from models.tariffs.components import (
    BuyAllSellAll,
    Component,
    Demand,
    DemandRule,
    Energy,
    HoursUse,
    Minimum,
    NetBilling,
    NetMetering,
    Percentage,
    PowerFactor,
    SharedSavings,
    Tier,
)
from models.tariffs.tariff import Tariff, Version

EXPORT = (NetMetering, NetBilling, BuyAllSellAll)
MAY_BE_NEGATIVE = frozenset(
    {"share_ppm", "adder_micro", "amount_micro", "price_micro", "multiplier_ppm", "block_price_micro", "prices_micro"}
)


def check_tariff(tariff: Tariff) -> list[Finding]:
    """Return every problem of a tariff: versions that overlap or leave days out, gaps in calendars, tiers out of order, bad numbers."""
    found = list(_versions(tariff))
    for version in tariff.versions:
        found += _version(f"{tariff.id}.{version.id}", version)
    if tariff.line_unit_micro < 1:
        found.append(
            error(tariff.id, f"lines cannot be rounded to {tariff.line_unit_micro} micro-units; use 1 or more")
        )
    return found


def _versions(tariff: Tariff) -> Iterator[Finding]:
    if not tariff.versions:
        yield error(tariff.id, "there is no version; a tariff needs at least one")
    for v in tariff.versions:
        if v.valid_to is not None and v.valid_to <= v.valid_from:
            yield error(f"{tariff.id}.{v.id}", f"ends on {v.valid_to}, not after its first day {v.valid_from}")
    for a, b in pairwise(sorted(tariff.versions, key=lambda v: v.valid_from)):
        if a.valid_to is None or a.valid_to > b.valid_from:
            yield error(
                f"{tariff.id}.{b.id}",
                f"begins on {b.valid_from} while {a.id} still holds; end {a.id} on that day",
                a.id,
                b.id,
            )
        elif a.valid_to < b.valid_from:
            yield warning(f"{tariff.id}.{b.id}", f"no version holds from {a.valid_to} to {b.valid_from}", a.id, b.id)


def _version(place: str, version: Version) -> Iterator[Finding]:
    names = [c.name for c in version.components]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield error(
            f"{place}.{name}", "two components have this name; lines, taxes and minimums could not tell them apart"
        )
    if len(schemes := [c.name for c in version.components if isinstance(c, EXPORT)]) > 1:
        yield error(place, f"{', '.join(schemes)} all say how energy sent out is paid; keep one", *schemes)
    for c in version.components:
        here = f"{place}.{c.name}"
        yield from _numbers(here, c)
        yield from _structure(here, c)
        yield from _references(here, c, version.components)


def _numbers(place: str, part: object) -> Iterator[Finding]:
    """Every number of a component is an integer, and negative only where that means something."""
    for f in fields(part):  # type: ignore[arg-type]
        value, here = getattr(part, f.name), f"{place}.{f.name}"
        if isinstance(value, DemandRule):
            yield from _rule(here, value)
        inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else (value,)
        for number in inside:
            if isinstance(number, float):
                yield error(here, f"is {number}; quantities and prices are whole micro-units, Wh, W or VA")
            elif isinstance(number, int) and number < 0 and f.name not in MAY_BE_NEGATIVE:
                yield error(here, f"is {number}; it cannot be negative", value=number, limit=0)


def _rule(place: str, rule: DemandRule) -> Iterator[Finding]:
    yield from _numbers(place, rule)
    if len(rule.lookback_share_ppm) != MONTHS:
        yield error(place, f"has {len(rule.lookback_share_ppm)} look-back shares; a year needs 12")


def _structure(place: str, c: Component) -> Iterator[Finding]:
    match c:
        case Energy() | Demand():
            yield from _schedule(place, c.schedule, c.tiers)
            for period, tiers in c.tiers.items():
                yield from _tiers(f"{place}.period_{period}", tiers)
        case NetBilling() | BuyAllSellAll() | SharedSavings():
            yield from _schedule(place, c.schedule, c.prices_micro)
        case HoursUse():
            yield from _rising(place, [b.up_to_hours for b in c.blocks], "h")
            for k, block in enumerate(c.blocks):
                yield from _tiers(f"{place}.block_{k + 1}", block.tiers)
        case PowerFactor():
            limits = [limit for limit, _ in c.table]
            if limits[:1] != [0] or any(b <= a for a, b in pairwise(limits)):
                yield error(place, f"the table's limits {limits} must begin at 0 and rise")


def _schedule(place: str, schedule: Schedule, priced: Iterable[int]) -> Iterator[Finding]:
    known = set(priced)
    for kind, rows in zip(("working days", "weekends", "holidays"), schedule.tables, strict=True):
        if len(rows) != MONTHS or any(not row or 1440 % len(row) for row in rows):
            yield error(place, f"the calendar of {kind} needs 12 rows of equal slots that divide the day")
            continue
        for month, row in enumerate(rows, start=1):
            if GAP in row:
                yield error(
                    place,
                    f"the calendar of {kind} has a gap in month {month} at {_clock(row.index(GAP), len(row))}; no period holds",
                )
            if unpriced := sorted(set(row) - known - {GAP}):
                yield error(place, f"period {unpriced[0]} of the calendar of {kind}, month {month}, has no price")


def _clock(slot: int, slots: int) -> str:
    minute = slot * 1440 // slots
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _tiers(place: str, tiers: tuple[Tier, ...]) -> Iterator[Finding]:
    if any(isinstance(t.price_micro, float) or isinstance(t.up_to, float) for t in tiers):
        yield error(place, "prices and limits of tiers are whole micro-units, Wh or W")
    elif len({t.per for t in tiers if t.up_to is not None}) > 1:
        yield error(place, "limits of one list count different things; use one measure, or hours-of-use blocks")
    else:
        yield from _rising(place, [t.up_to for t in tiers], "Wh or W")


def _rising(place: str, limits: list[int | None], unit: str) -> Iterator[Finding]:
    """Limits rise strictly from above 0, and only the last is open."""
    if not limits or limits[-1] is not None:
        yield error(place, "the last tier must be open (no limit), or high use would have no price")
    known = [x for x in limits[:-1] if x is not None]
    if len(known) < len(limits) - 1:
        yield error(place, "a tier before the last has no limit; the tiers behind it can never be reached")
    if any(x <= 0 for x in known[:1]):
        yield error(place, f"the first limit is {known[0]} {unit}; it must be above 0")
    for a, b in pairwise(known):
        if b <= a:
            yield error(place, f"tiers overlap: a limit of {b} {unit} follows one of {a} {unit}", value=b, limit=a)


def _references(place: str, c: Component, all_of: tuple[Component, ...]) -> Iterator[Finding]:
    if not isinstance(c, PowerFactor | Minimum | Percentage):
        return
    allowed = {x.name for x in all_of if not isinstance(x, Percentage)} - {c.name}
    if isinstance(c, PowerFactor):
        allowed -= {x.name for x in all_of if isinstance(x, PowerFactor | Minimum)}
    if isinstance(c, Minimum):
        allowed -= {x.name for x in all_of if isinstance(x, Minimum)}
    for name in c.on:
        if name not in allowed:
            yield error(place, f"refers to {name}, which is not among the components it may be taken of", name)
