"""A customer as package design sees it: metered load, and what is known of its site."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from models.errors import DataError
from models.findings import Finding, error
from models.tariffs.calendar import Intervals

Singles = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """What is known of a customer beside its meter; 0 (or None) is not known or not there, and keeps modules that need it out.

    ``heat_price`` and ``cold_price`` are what a kWh of heat or cold costs the customer now; ``outage_cost`` what a kWh not supplied to the
    ``critical_kw`` costs it, ``outage_hours`` how long that lasts in a year; ``flexible_kw`` may be shed for two hours on call. Vehicles
    come at ``arrive_h`` and leave at ``depart_h`` local time, on working days unless ``every_day``.
    """

    roof_m2: float = 0.0
    heat_kwh: float = 0.0
    heat_kw: float = 0.0
    heat_price: float = 0.0
    cold_kwh: float = 0.0
    cold_kw: float = 0.0
    cold_price: float = 0.0
    gas_price: float = 0.0
    vehicles: int = 0
    vehicle_kwh_per_day: float = 12.0
    arrive_h: float = 8.5
    depart_h: float = 17.5
    every_day: bool = False
    critical_kw: float = 0.0
    outage_hours: float = 4.0
    outage_cost: float = 30.0
    green_share: float = 0.0
    flexible_kw: float = 0.0

    def known(self, name: str) -> bool:
        """Return whether a fact that a module needs is there."""
        return bool(getattr(self, name, 0.0))


FACTS = tuple(f.name for f in fields(SiteFacts))
MOST: Mapping[str, float] = {"arrive_h": 24.0, "depart_h": 24.0, "outage_hours": 8760.0, "green_share": 1.0}
"""What a fact is at most, where it has an end."""


def facts_of(known: Mapping[str, float], place: str = "facts.") -> SiteFacts:
    """Return facts by their names; vehicles are whole, ``every_day`` is yes unless it is 0.

    Raises
    ------
    DataError
        With every fact that is unknown, below 0 or beyond what it can be; ``place`` stands before its name.
    """
    if wrong := list(_odd(known, place)):
        raise DataError(wrong)
    whole = {"vehicles": round(known.get("vehicles", 0)), "every_day": bool(known.get("every_day", 0))}
    return SiteFacts(**{**known, **whole})  # type: ignore[arg-type] # a mapping of its own fields


def _odd(known: Mapping[str, float], place: str) -> Iterator[Finding]:
    for name, value in known.items():
        most = MOST.get(name, math.inf)
        if name not in FACTS:
            yield error(f"{place}{name}", f"is no known fact; known are {', '.join(FACTS)}")
        elif not (math.isfinite(value) and 0 <= value <= most):
            span = "0 or more" if math.isinf(most) else f"0 to {most:g}"
            told = "no number" if math.isnan(value) else f"{value:g}"
            yield error(f"{place}{name}", f"is {told}; write a number of {span}, as in roof_m2=1200")


@dataclass(frozen=True, slots=True)
class PackageCustomer:
    """One customer: whole Wh of every interval (positive is bought), shape (interval,), and its site.

    ``heat_kw`` is its heat draw, shape (interval,), where it is metered; ``bus`` the bus of the network that it is connected to.
    """

    id: str
    name: str
    sector: str
    intervals: Intervals
    wh: Ints
    facts: SiteFacts = field(default_factory=SiteFacts)
    heat_kw: Singles | None = None
    bus: str = ""

    @property
    def load_kw(self) -> Singles:
        """Mean load of every interval."""
        return (self.wh * (60.0 / self.intervals.minutes) / 1e3).astype(np.float32)

    @property
    def peak_kw(self) -> float:
        """Highest mean load of an interval."""
        return float(self.wh.max()) * 60.0 / self.intervals.minutes / 1e3

    @property
    def yearly_kwh(self) -> float:
        """Energy of the metered run, brought to a year."""
        days = self.intervals.count * self.intervals.minutes / (24 * 60)
        return float(self.wh.sum()) / 1e3 * 365.0 / days
