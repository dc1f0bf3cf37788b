"""Tariffs as documents: whole ones with dated versions of every kind of component, rates of URDB, and the words of a site file.

A whole tariff (``jouletwin-tariff/1``) names the kind of each component and writes its fields as :mod:`models.tariffs.components` has them,
in whole micro-units, Wh, W and VA, so that nothing is rounded on the way in.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from models.carriers import Carrier
from models.errors import DataError
from models.findings import Finding, error, errors_in
from models.tariffs.calendar import Calendar
from models.tariffs.check import check_tariff
from models.tariffs.components import (
    BuyAllSellAll,
    Capacity,
    CoincidentPeak,
    Component,
    Demand,
    Energy,
    Fixed,
    HoursUse,
    Minimum,
    NetBilling,
    NetMetering,
    Percentage,
    PowerFactor,
    SharedSavings,
    Spot,
)
from models.tariffs.money import CENT_MICRO
from models.tariffs.tariff import Tariff, Version
from models.tariffs.time_of_use import TimeOfUseTariff
from models.tariffs.urdb import read_urdb
from models.tariffs.written import from_time_of_use

FORMAT = "jouletwin-tariff/1"
KINDS: Mapping[str, type[Any]] = {
    "fixed": Fixed,
    "energy": Energy,
    "hours_use": HoursUse,
    "spot": Spot,
    "demand": Demand,
    "coincident_peak": CoincidentPeak,
    "capacity": Capacity,
    "power_factor": PowerFactor,
    "net_metering": NetMetering,
    "net_billing": NetBilling,
    "buy_all_sell_all": BuyAllSellAll,
    "shared_savings": SharedSavings,
    "minimum": Minimum,
    "percentage": Percentage,
}
URDB_MARKS = ("energyratestructure", "flatdemandstructure", "demandratestructure", "fixedchargefirstmeter")


class _Versions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal["jouletwin-tariff/1"]
    currency: str = "CNY"
    carrier: Carrier = Carrier.ELECTRICITY
    calendar: dict[str, Any]
    line_unit_micro: int = CENT_MICRO
    versions: list[dict[str, Any]]


def read_tariff(
    document: Mapping[str, Any], name: str, time_zone: str, currency: str = "CNY"
) -> tuple[Tariff | None, list[Finding]]:
    """Return the tariff in a document and everything that is wrong with it; None where it cannot be understood.

    Parameters
    ----------
    document
        A whole tariff (``jouletwin-tariff/1``), a rate of URDB, or bands and blocks as a site file has them.
    name
        What the tariff is called from here on.
    time_zone, currency
        Of documents that name none.
    """
    try:
        if document.get("format") == FORMAT:
            tariff, told = _whole(document, name), list[Finding]()
        elif any(mark in document for mark in URDB_MARKS):
            rate = read_urdb({**document, "label": name}, time_zone)
            tariff, told = rate.tariff, list(rate.findings)
        else:
            tariff, told = _in_words(document, name, time_zone, currency), []
    except DataError as wrong:
        return None, list(wrong.findings)
    except ValidationError as fault:
        return None, [error(_place(e["loc"]) or name, str(e["msg"])) for e in fault.errors()]
    except (ValueError, KeyError, OverflowError, TypeError) as fault:  # a zone that is not known among them
        return None, [error(name, str(fault).strip("'\""))]
    return tariff, [*told, *check_tariff(tariff)]


def require_tariff(document: Mapping[str, Any], name: str, time_zone: str, currency: str = "CNY") -> Tariff:
    """Return the tariff in a document; raises DataError with every finding when one of them is an error."""
    tariff, found = read_tariff(document, name, time_zone, currency)
    if tariff is None or errors_in(found):
        raise DataError(found)
    return tariff


def _place(loc: tuple[int | str, ...], inside: str = "") -> str:
    return ".".join([*([inside] if inside else []), *map(str, loc)])


def _in_words(document: Mapping[str, Any], name: str, time_zone: str, currency: str) -> Tariff:
    words = TypeAdapter(TimeOfUseTariff).validate_python(document)
    if bare := words.uncovered():
        raise DataError([error("bands", f"no band holds in {len(bare)} quarter-hours, first {bare[0]}")])
    return from_time_of_use(words, time_zone, name, currency)


def _whole(document: Mapping[str, Any], name: str) -> Tariff:
    d = _Versions.model_validate(document)
    findings: list[Finding] = []
    versions = tuple(v for k, given in enumerate(d.versions) if (v := _version(given, f"versions.{k}", findings)))
    calendar = TypeAdapter(Calendar).validate_python(d.calendar)
    calendar.midnight(date(2000, 1, 1))  # an unknown time zone is told here
    if findings:
        raise DataError(findings)
    return Tariff(name, d.currency, calendar, versions, d.carrier, d.line_unit_micro)


def _version(given: Mapping[str, Any], place: str, findings: list[Finding]) -> Version | None:
    """Return a version, None where a component is wrong; what is wrong is told component by component."""
    rest = {k: v for k, v in given.items() if k != "components"}
    components = [
        _component(c, f"{place}.components.{k}", findings) for k, c in enumerate(given.get("components") or ())
    ]
    known = tuple(c for c in components if c is not None)
    if len(known) < len(components):
        return None
    return replace(TypeAdapter(Version).validate_python({**rest, "components": ()}), components=known)


def _component(given: object, place: str, findings: list[Finding]) -> Component | None:
    kind = str(given.get("kind")) if isinstance(given, Mapping) else ""
    if not isinstance(given, Mapping) or kind not in KINDS:
        findings.append(error(place, f"is of the kind {kind[:40]!r}; known are {', '.join(KINDS)}"))
        return None
    own = {k: v for k, v in given.items() if k != "kind"}
    known = [f.name for f in fields(KINDS[kind])]
    findings += [
        error(f"{place}.{k}", f"is no field of {kind}; it has {', '.join(known)}") for k in set(own) - set(known)
    ]
    try:
        made: Component = TypeAdapter(KINDS[kind]).validate_python(own)
    except ValidationError as fault:
        findings += [error(_place(e["loc"], place), str(e["msg"])) for e in fault.errors()]
        return None
    return made
