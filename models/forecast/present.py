"""What a snapshot says about the series that forecasts are made of."""

from collections import defaultdict
from collections.abc import Mapping
from math import isfinite

from models.components import Consumer, Pv, Wind
from models.site import Site
from models.state import Snapshot

UNLIMITED_SHARE = 0.98
"""A field that feeds less than this share of its limit is taken to feed what it can."""


def measured_series(site: Site, snapshot: Snapshot, limits_kw: Mapping[str, float]) -> dict[str, float]:
    """Return the series that the snapshot's powers stand for, each in the unit of its name.

    ``limits_kw`` holds the upper limits in force by asset: a field at its limit says nothing about what it could feed, and is left out.
    Series that nothing measures (outdoor temperature, prices) are missing.
    """
    return {**_loads(site, snapshot), **_renewables(site, snapshot, limits_kw)}


def _power(snapshot: Snapshot, asset: str, carrier: str) -> float:
    known = snapshot.power_kw
    if asset not in known["asset"].values or carrier not in known["carrier"].values:
        return float("nan")
    return float(known.sel(asset=asset, carrier=carrier))


def _loads(site: Site, snapshot: Snapshot) -> dict[str, float]:
    found = {}
    for consumer in site.of_kind(Consumer):
        for demand in consumer.demands:
            drawn = -_power(snapshot, consumer.id, demand.carrier.value)
            if isfinite(drawn) and demand.scale > 0:
                found[demand.profile] = max(drawn / demand.scale, 0.0)
    return found


def _renewables(site: Site, snapshot: Snapshot, limits_kw: Mapping[str, float]) -> dict[str, float]:
    """Return per-unit outputs: what all uncurtailed fields of a series feed over what they are rated for."""
    fed: dict[str, float] = defaultdict(float)
    rated: dict[str, float] = defaultdict(float)
    fields: tuple[Pv | Wind, ...] = (*site.of_kind(Pv), *site.of_kind(Wind))
    for unit in fields:
        rating = unit.peak_kw if isinstance(unit, Pv) else unit.rated_kw
        power = _power(snapshot, unit.id, unit.control.value)
        if isfinite(power) and power < UNLIMITED_SHARE * limits_kw.get(unit.id, rating):
            fed[unit.profile] += max(power, 0.0)
            rated[unit.profile] += rating
    return {name: fed[name] / rated[name] for name in rated}
