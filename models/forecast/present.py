"""What measurements say about the series that forecasts are made of."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import isfinite, nan

from models.components import Consumer, HeatPump, Pv, Wind
from models.ports import Quality, Reading
from models.site import Site
from models.station import Port

UNLIMITED_SHARE = 0.98
"""A field that feeds less than this share of its limit is taken to feed what it can."""


def measured_series(
    site: Site, powers_kw: Mapping[Port, float], limits_kw: Mapping[str, float], readings: Iterable[Reading] = ()
) -> dict[str, float]:
    """Return the series that measurements stand for, each in the unit of its name.

    ``powers_kw`` are measured powers by (asset, carrier). ``limits_kw`` holds the upper limits in force by asset: a field at its limit
    says nothing about what it could feed, and is left out.
    ``readings`` add the outdoor temperature where a heat pump measures it. Series that nothing measures (prices) are missing.
    """
    return {**_loads(site, powers_kw), **_renewables(site, powers_kw, limits_kw), **_air(site, readings)}


def _air(site: Site, readings: Iterable[Reading]) -> dict[str, float]:
    """Return the outdoor temperature that heat pumps measure."""
    profile = {d.id: p.air_profile for p in site.of_kind(HeatPump) if (d := site.device_of(p.id)) is not None}
    good = (r for r in readings if r.quantity == "air_degc" and r.quality is Quality.GOOD and r.device in profile)
    return {profile[r.device]: r.value for r in good}


def _loads(site: Site, powers_kw: Mapping[Port, float]) -> dict[str, float]:
    found = {}
    for consumer in site.of_kind(Consumer):
        for demand in consumer.demands:
            drawn = -powers_kw.get((consumer.id, demand.carrier), nan)
            if isfinite(drawn) and demand.scale > 0:
                found[demand.profile] = max(drawn / demand.scale, 0.0)
    return found


def _renewables(site: Site, powers_kw: Mapping[Port, float], limits_kw: Mapping[str, float]) -> dict[str, float]:
    """Return per-unit outputs: what all uncurtailed fields of a series feed over what they are rated for."""
    fed: dict[str, float] = defaultdict(float)
    rated: dict[str, float] = defaultdict(float)
    fields: tuple[Pv | Wind, ...] = (*site.of_kind(Pv), *site.of_kind(Wind))
    for unit in fields:
        rating = unit.peak_kw if isinstance(unit, Pv) else unit.rated_kw
        power = powers_kw.get((unit.id, unit.control), nan)
        if isfinite(power) and power < UNLIMITED_SHARE * limits_kw.get(unit.id, rating):
            fed[unit.profile] += max(power, 0.0)
            rated[unit.profile] += rating
    return {name: fed[name] / rated[name] for name in rated}
