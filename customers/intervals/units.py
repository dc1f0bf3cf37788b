"""Units that meter data come in, and what they are in kWh (water: m3) per interval."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.carriers import Carrier
from models.findings import Finding, error, warning


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of energy or power: ``factor`` makes kWh or kW of it (water: m3); ``volume`` is converted by a calorific value for gas."""

    factor: float
    power: bool = False
    volume: bool = False


UNITS: Mapping[str, Unit] = {
    "wh": Unit(1e-3),
    "kwh": Unit(1.0),
    "mwh": Unit(1e3),
    "gj": Unit(1e3 / 3.6),
    "mj": Unit(1 / 3.6),
    "w": Unit(1e-3, power=True),
    "kw": Unit(1.0, power=True),
    "mw": Unit(1e3, power=True),
    "m3": Unit(1.0, volume=True),
    "m3/h": Unit(1.0, power=True, volume=True),
}
SPELLINGS = {"m³": "m3", "m³/h": "m3/h", "m3_per_h": "m3/h", "m^3": "m3", "nm3": "m3", "cbm": "m3"}
ENDINGS = ("_m3_per_h", "_kwh", "_mwh", "_kw", "_m3")
"""Units that a name may end in; the short ones (_w, _mw) end too many names of customers."""
GIGAWATT_KW = 1e6
NOTHING_KW = 1e-3


def unit_named(name: str) -> Unit | None:
    """Return a unit by the way people write it; None for one that is not known."""
    plain = name.strip().lower().replace(" ", "")
    return UNITS.get(SPELLINGS.get(plain, plain))


def split_unit(heading: str) -> tuple[str, str]:
    """Return a column's name and the unit that it carries, as ``office [kWh]``, ``office (kW)`` or ``office_kwh``; "" without one."""
    text = heading.strip()
    for left, right in (("[", "]"), ("(", ")")):
        if text.endswith(right) and left in text:
            name, _, unit = text[:-1].rpartition(left)
            if unit_named(unit):
                return name.strip(), unit.strip()
    for ending in ENDINGS:
        if text.lower().endswith(ending):
            return text[: -len(ending)], ending[1:]
    return text, ""


def check_unit(name: str, place: str, carrier: Carrier, kwh_per_m3: float | None) -> list[Finding]:
    """Return what is wrong with a unit for a carrier."""
    known = ", ".join(["kWh", "kW", "MWh", "MW", "Wh", "W", "GJ", "MJ", "m3", "m3/h"])
    if not name:
        return [error(place, f"the unit is not stated; say which it is: {known}")]
    unit = unit_named(name)
    if unit is None:
        return [error(place, f"{name!r} is no unit of energy or power; use one of {known}")]
    if unit.volume and carrier not in (Carrier.GAS, Carrier.WATER):
        return [error(place, f"{carrier.value} is not metered in {name}; is the carrier right?")]
    if not unit.volume and carrier is Carrier.WATER:
        return [error(place, f"water is metered in m3 or m3/h, not in {name}")]
    if unit.volume and carrier is Carrier.GAS and not kwh_per_m3:
        return [
            error(
                place,
                "gas in m3 needs its calorific value in kWh per m3 (about 10 for natural gas, by lower heating value)",
            )
        ]
    return []


def check_size(customer: str, mean_kw: float, carrier: Carrier) -> list[Finding]:
    """Return whether a mean power is beyond any customer, as it is when the unit is another than the stated one."""
    if carrier is Carrier.WATER or mean_kw != mean_kw:
        return []
    if abs(mean_kw) > GIGAWATT_KW:
        text = f"would draw {mean_kw / 1e6:,.0f} GW on average; is the unit stated right (Wh taken for kWh is a thousandfold)?"
        return [error(customer, text, customer, value=mean_kw, limit=GIGAWATT_KW)]
    if 0 < abs(mean_kw) < NOTHING_KW:
        text = f"would draw {mean_kw * 1e3:.2g} W on average; is the unit stated right (MWh taken for kWh is a thousandth)?"
        return [warning(customer, text, customer, value=mean_kw, limit=NOTHING_KW)]
    return []
