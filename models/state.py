"""The state of the site at one instant, as everybody outside the twin sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import xarray as xr

from models.ports import Quality


@dataclass(frozen=True, slots=True)
class UnitState:
    """Whether a unit with commitment runs, and for how many hours it has been in that state."""

    running: bool
    hours_in_state: float


@dataclass(frozen=True, slots=True)
class TagState:
    """How far one value of the snapshot may be trusted; ``age_s`` counts from the measurement, ``residual`` is measured minus model."""

    quality: Quality
    age_s: float
    residual: float | None = None


@dataclass(frozen=True, slots=True)
class ImportSoFar:
    """The running quarter-hour of a billing meter: since when, how much of it has been seen, and the energy imported in that time."""

    start: datetime
    covered_h: float
    energy_kwh: float

    @property
    def mean_kw(self) -> float:
        """Mean import of the part that has been seen; 0 before anything has."""
        return self.energy_kwh / self.covered_h if self.covered_h else 0.0


@dataclass(frozen=True, slots=True)
class MonthSoFar:
    """What a running billing period has seen beyond its highest import, as its tariff counts it.

    ``bought_kwh`` fills blocks; ``net_kwh`` is bought less sent out by net term, negative for credit; ``peaks_kw`` is the highest
    15-min mean import by peak window.
    """

    bought_kwh: float = 0.0
    net_kwh: Mapping[str, float] = field(default_factory=dict)
    peaks_kw: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the site does and holds at ``at``.

    ``power_kw`` has dims (asset, carrier), positive feeds the network, NaN where an asset has no port.
    ``stored_kwh`` has dim (asset,) over stores, flexible loads (energy drawn ahead) and fleets (energy still needed).
    ``peak_import_kw`` is the highest 15-min mean import of the running billing period, None before the first interval ended;
    ``import_so_far`` is the quarter-hour in progress, None where nobody follows it; ``month`` is what blocks, netting and windows of
    the tariff have counted, None where it has none of them.
    ``networks`` holds, by network id, what the flow solution says (``vm_pu`` over bus, ``loading_share`` over branch, ``supply_degc``
    and ``pressure_kpa`` over junction). ``tags`` gives quality and age by (asset, quantity).
    """

    at: datetime
    power_kw: xr.DataArray
    stored_kwh: xr.DataArray
    units: Mapping[str, UnitState] = field(default_factory=dict)
    peak_import_kw: float | None = None
    networks: Mapping[str, xr.Dataset] = field(default_factory=dict)
    tags: Mapping[tuple[str, str], TagState] = field(default_factory=dict)
    import_so_far: ImportSoFar | None = None
    month: MonthSoFar | None = None
