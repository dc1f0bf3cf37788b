"""Premises of a party: service points on them, each with a carrier, and the meters behind those."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from annotated_types import MinLen
from pydantic import Field

from customers.fields import ROWS_MOST, STRICT, Day, Label, Name, Ref
from models.carriers import Carrier
from models.findings import Finding, error
from models.units import Id, NonNegative

FOREVER = date(9999, 12, 31)


class Register(StrEnum):
    """What a meter counts."""

    DRAWN = "drawn"
    FED_IN = "fed_in"
    GENERATED = "generated"
    REACTIVE = "reactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A meter by the number on its plate; its registers count energy of the service point's carrier."""

    __pydantic_config__ = STRICT

    number: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$", examples=["E-100200"])]
    registers: Annotated[tuple[Register, ...], MinLen(1), Field(max_length=4)] = (Register.DRAWN,)
    installed_on: Day
    removed_on: Day | None = None

    @property
    def until(self) -> date:
        """The first day without it."""
        return self.removed_on or FOREVER


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePoint:
    """Where a carrier is handed over."""

    __pydantic_config__ = STRICT

    name: Id
    carrier: Carrier
    capacity_kw: NonNegative = 0.0
    """What may be drawn at most; 0 where nobody has said."""
    node: Label = ""
    """The node of the twin's network that it hangs on."""
    meters: Annotated[tuple[Meter, ...], Field(max_length=ROWS_MOST)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """A place where a party uses or makes energy."""

    __pydantic_config__ = STRICT

    party_id: Ref
    name: Name
    address: Label = ""
    time_zone: Annotated[Label, Field(examples=["Asia/Shanghai"])] = "Asia/Shanghai"
    roof_m2: NonNegative = 0.0
    """Free for photovoltaics."""
    points: Annotated[tuple[ServicePoint, ...], Field(max_length=ROWS_MOST)] = ()

    @property
    def meters(self) -> tuple[Meter, ...]:
        """Every meter, in the order of the service points."""
        return tuple(m for p in self.points for m in p.meters)


def check_premises(premises: Premises) -> Iterator[Finding]:
    """Give everything that is wrong with premises."""
    try:
        ZoneInfo(premises.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield error("time_zone", f"{premises.time_zone!r} is no zone; write a name like Asia/Shanghai")
    points = [p.name for p in premises.points]
    numbers = [m.number for m in premises.meters]
    for at, point in enumerate(premises.points):
        place = f"points[{at}]"
        if points.index(point.name) < at:
            yield error(f"{place}.name", f"{point.name} stands twice")
        for number in sorted({m.number for m in point.meters if numbers.count(m.number) > 1}):
            yield error(f"{place}.meters", f"meter {number} stands twice on these premises")
        yield from _check_meters(place, point)


def _check_meters(place: str, point: ServicePoint) -> Iterator[Finding]:
    for at, meter in enumerate(point.meters):
        here = f"{place}.meters[{at}]"
        if meter.until <= meter.installed_on:
            yield error(f"{here}.removed_on", f"is not behind {meter.installed_on}, when it was installed")
        for other in point.meters[:at]:
            both = sorted(set(meter.registers) & set(other.registers))
            if both and meter.installed_on < other.until and other.installed_on < meter.until:
                yield error(
                    here, f"counts {both[0]} at the same time as meter {other.number}; say when one was removed"
                )
        if point.carrier is not Carrier.ELECTRICITY and Register.REACTIVE in meter.registers:
            yield error(f"{here}.registers", f"{point.carrier} has no reactive energy")
