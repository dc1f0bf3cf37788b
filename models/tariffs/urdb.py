"""Rates of the U.S. Utility Rate Database (URDB) as tariffs.

Fields read: rate structures and schedules of energy and demand, flat demand by month, hours-of-use rows (kWh/kW), fixed and minimum
charges, look-backs, sell prices and net metering. What changes the bill and is not read becomes a finding.

Source: OpenEI, International Utility Rate Database, API version 8, field descriptions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from models.errors import DataError
from models.findings import Finding, error, warning
from models.tariffs.calendar import Calendar, Schedule, always, by_month
from models.tariffs.components import (
    ALL_MONTHS,
    Component,
    Demand,
    DemandRule,
    Energy,
    Fixed,
    HoursBlock,
    HoursUse,
    Minimum,
    NetBilling,
    NetMetering,
    Per,
    Tier,
)
from models.tariffs.money import PPM, micro
from models.tariffs.tariff import Tariff, Version

UNITS = {
    "kwh": Per.KWH,
    "kwh daily": Per.KWH_PER_DAY,
    "kwh/kw": Per.KWH_PER_KW,
    "kwh/kw daily": Per.KWH_PER_KW_DAY,
}
NO_LIMIT = Decimal("1e30")
NOT_READ = ("energycomments", "demandreactivepowercharge", "coincidentratestructure", "annualmincharge", "energyattrs")
"""Fields that may change a bill and are only reported."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UrdbTariff:
    """A tariff read from URDB and what a reader should know about it."""

    tariff: Tariff
    findings: tuple[Finding, ...]


def read_urdb(rate: Mapping[str, Any], time_zone: str, *, line_unit_micro: int = 10_000) -> UrdbTariff:
    """Return a URDB rate (one item of the API's ``items``) as a tariff of one version, valid from its start date.

    Raises
    ------
    DataError
        If a schedule or a structure cannot be understood.
    """
    components: list[Component] = []
    try:
        components += _energy(rate) + _demand(rate) + _fixed(rate) + _export(rate)
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError) as broken:
        place = str(rate.get("label", "urdb"))
        raise DataError(
            [error(place, f"the rate cannot be read ({broken}); check its structures and schedules")]
        ) from broken
    if least := _amount(rate.get("mincharge")):
        components.append(Minimum("minimum", least, tuple(c.name for c in components)))
    name = str(rate.get("label") or rate.get("name") or "urdb")
    version = Version(str(rate.get("revision", "1")), _day(rate.get("startdate")), tuple(components), _end(rate))
    unread = [f for f in NOT_READ if rate.get(f)]
    found = tuple(warning(f"{name}.{f}", "is not read; the bill leaves it out") for f in unread)
    tariff = Tariff(name, "USD", Calendar(time_zone), (version,), line_unit_micro=line_unit_micro)
    return UrdbTariff(tariff, found + _cut_prices(rate, name))


def _day(seconds: float | None) -> date:
    return date(1970, 1, 1) if seconds is None else datetime.fromtimestamp(seconds, UTC).date()


def _end(rate: Mapping[str, Any]) -> date | None:
    return None if rate.get("enddate") is None else _day(rate["enddate"])


def _amount(value: float | None) -> int:
    return 0 if value is None else micro(value)


def _price(row: Row) -> int:
    """Return rate plus adjustment; both are stated to the micro-unit or finer."""
    return micro(Decimal(str(row.get("rate", 0))) + Decimal(str(row.get("adj", 0))))


def _limit(row: Row) -> int | None:
    """Return a limit in Wh or W, None where it is open."""
    most = Decimal(str(row["max"])) if row.get("max") is not None else NO_LIMIT
    return None if most >= NO_LIMIT else int((most * 1000).to_integral_value())


def _tiers(rows: Sequence[Row]) -> tuple[Tier, ...]:
    return tuple(Tier(_price(r), _limit(r), UNITS[str(r.get("unit", "kWh")).lower()]) for r in rows)


def _schedule(rate: Mapping[str, Any], kind: str) -> Schedule:
    tables = (rate[f"{kind}weekdayschedule"], rate[f"{kind}weekendschedule"])
    weekday, weekend = (tuple(tuple(int(p) for p in row) for row in table) for table in tables)
    return Schedule(weekday, weekend)


def _energy(rate: Mapping[str, Any]) -> list[Component]:
    """Return the energy component and, for periods with hours-of-use rows around kWh rows, one component each."""
    structure = rate.get("energyratestructure")
    if not structure:
        return []
    schedule, rule = _schedule(rate, "energy"), _rule(rate)
    mixed = {p: rows for p, rows in enumerate(structure) if _is_mixed(rows)}
    tiers = {p: (Tier(0),) if p in mixed else _tiers(rows) for p, rows in enumerate(structure)}
    found: list[Component] = []
    taken: set[int] = set()
    for p, rows in mixed.items():
        months = tuple(m for m in ALL_MONTHS if all(p in rows_of[m - 1] for rows_of in schedule.tables))
        if any(set(table[m - 1]) != {p} for m in months for table in schedule.tables):
            raise ValueError(f"hours-of-use period {p} shares a month with other periods")
        found.append(HoursUse(f"hours_use_{p}", _blocks(rows), rule, months))
        taken |= set(months)
    rest = tuple(m for m in ALL_MONTHS if m not in taken)
    return [Energy("energy", tiers, schedule, demand=rule, months=rest), *found] if rest else found


def _is_mixed(rows: Sequence[Row]) -> bool:
    return len({str(r.get("unit", "kWh")).lower() for r in rows}) > 1


def _blocks(rows: Sequence[Row]) -> tuple[HoursBlock, ...]:
    """Return hours-of-use blocks: kWh rows behind a kWh/kW row price the energy inside it, in place of that row's own price."""
    groups: list[tuple[Row, list[Row]]] = []
    for row in rows:
        if str(row.get("unit", "kWh")).lower() == "kwh/kw":
            groups.append((row, []))
        else:
            groups[-1][1].append(row)
    return tuple(_hours_block(head, inside) for head, inside in groups)


def _hours_block(head: Row, inside: Sequence[Row]) -> HoursBlock:
    limit = _limit(head)
    tiers = _tiers(inside) if inside else (Tier(_price(head)),)
    return HoursBlock(tiers, None if limit is None else limit // 1000)


def _rule(rate: Mapping[str, Any]) -> DemandRule:
    """Return how billing demand follows from past peaks: one look-back share for the months of its range, and a ratchet by month."""
    ratchet = [int(Decimal(str(x)) * PPM) for x in rate.get("demandratchetpercentage") or []]
    share = int(Decimal(str(rate.get("lookbackpercent") or 0)) * PPM)
    ranged = rate.get("lookbackrange") or ALL_MONTHS
    shares = tuple(ratchet) or tuple(share if m in ranged else 0 for m in ALL_MONTHS)
    months = int(rate.get("lookbackmonths") or (11 if ratchet else 0))
    least = int(Decimal(str(rate.get("billingdemandminimum") or 0)) * 1000)
    return DemandRule(months, shares, least, tuple(rate.get("lookbackonlymonths") or ()))


def _demand(rate: Mapping[str, Any]) -> list[Component]:
    found: list[Component] = []
    if structure := rate.get("demandratestructure"):
        found.append(Demand("demand_tou", _by_period(structure), _schedule(rate, "demand"), _rule(rate)))
    if structure := rate.get("flatdemandstructure"):
        months = rate.get("flatdemandmonths") or [0] * 12
        found.append(Demand("demand_flat", _by_period(structure), by_month([int(m) for m in months]), _rule(rate)))
    return found


def _by_period(structure: Sequence[Sequence[Row]]) -> dict[int, tuple[Tier, ...]]:
    return {p: tuple(Tier(_price(r), _limit(r)) for r in rows) for p, rows in enumerate(structure)}


def _fixed(rate: Mapping[str, Any]) -> list[Component]:
    amount = _amount(rate.get("fixedchargefirstmeter"))
    if not amount:
        return []
    units = str(rate.get("fixedchargeunits", "$/month")).lower()
    if units not in ("$/month", "$/day"):
        raise ValueError(f"fixed charge in {units}; $/month and $/day are known")
    return [Fixed("fixed", amount, daily=units == "$/day")]


def _export(rate: Mapping[str, Any]) -> list[Component]:
    rules = str(rate.get("dgrules", "")).lower()
    if rules == "net metering":
        return [NetMetering("net_metering", _amount(rate.get("yearendsell")))]
    structure = rate.get("energyratestructure") or []
    sells = {p: _amount(rows[0].get("sell")) for p, rows in enumerate(structure)}
    if not any(sells.values()):
        return []
    schedule = _schedule(rate, "energy") if structure else always()
    return [NetBilling("export", sells, schedule)]


def _cut_prices(rate: Mapping[str, Any], place: str) -> tuple[Finding, ...]:
    """Tell of prices that have more than six decimals."""
    rows = [
        r
        for s in ("energyratestructure", "demandratestructure", "flatdemandstructure")
        for p in rate.get(s) or []
        for r in p
    ]
    fine = [r for r in rows if _price(r) != (Decimal(str(r.get("rate", 0))) + Decimal(str(r.get("adj", 0)))) * PPM]
    return (
        (warning(place, f"{len(fine)} prices have more than six decimals and were rounded to a micro-unit"),)
        if fine
        else ()
    )
