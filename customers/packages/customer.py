"""A customer as package design sees it: metered load, and what is known of its site."""

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

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
