"""What one figure of an asset says about its others, by the component equations."""

from collections.abc import Callable, Mapping
from datetime import datetime

import numpy as np

from models.carriers import Carrier
from models.components import (
    AbsorptionChiller,
    AnyAsset,
    Chp,
    ElectricBoiler,
    ElectricChiller,
    Electrolyser,
    EvFleet,
    ExtractionChp,
    FlexibleLoad,
    GasBoiler,
    HeatPump,
    Store,
)
from models.fleets import need_after

E, H, G, C, H2 = Carrier.ELECTRICITY, Carrier.HEAT, Carrier.GAS, Carrier.COLD, Carrier.HYDROGEN


def implied_kw(asset: AnyAsset, control_kw: float, air_degc: float | None) -> dict[Carrier, float]:
    """Return the powers at a converter's other ports, from its power on the control carrier; empty for everything else.

    Without an air temperature a heat pump is taken at its rated point.
    """
    size = np.array(max(control_kw, 0.0))
    match asset:
        case Chp():
            return {H: float(asset.heat_kw(size)), G: -float(asset.fuel_kw(size))}
        case ExtractionChp():
            # power alone leaves the heat open: the middle of what the region allows is the least wrong
            least, most = asset.heat_range_kw(float(size))
            heat = (least + most) / 2.0
            return {H: heat, G: -float(asset.fuel_kw(size, np.array(heat)))}
        case GasBoiler():
            return {G: -float(asset.gas_kw(size))}
        case HeatPump():
            air = np.array(asset.rated_air_degc if air_degc is None else air_degc)
            return {E: -float(asset.electricity_kw(size, air))}
        case ElectricBoiler():
            return {E: -float(asset.electricity_kw(size))}
        case ElectricChiller():
            return {E: -float(asset.electricity_kw(size))}
        case AbsorptionChiller():
            return {H: -float(asset.heat_kw(size))}
        case Electrolyser():
            return {H2: float(asset.hydrogen_kw(np.array(max(-control_kw, 0.0))))}
    return {}


def kept_kwh(
    asset: AnyAsset,
    before_kwh: float,
    power_kw: float,
    span: tuple[datetime, datetime],
    baseline_kw: float,
    time_zone: str,
) -> float:
    """Return what a store, flexible load or fleet holds at the end of a time span, from what it held and did.

    ``power_kw`` is the mean power on its control carrier; a store stays within its size.
    """
    start, end = span
    hours = (end - start).total_seconds() / 3600.0
    if hours <= 0:
        return before_kwh
    match asset:
        case Store():
            return min(max(asset.stored_after(before_kwh, power_kw, hours), 0.0), asset.energy_kwh)
        case FlexibleLoad():
            ahead = asset.ahead_after(before_kwh, power_kw, baseline_kw, hours)
            return min(max(ahead, -asset.shiftable_kwh), asset.shiftable_kwh)
        case EvFleet():
            return need_after(asset, asset.needed_after(before_kwh, power_kw, hours), start, end, time_zone)
    return before_kwh


def missing_by_balance(
    carrier: Carrier, power_kw: Mapping[tuple[str, Carrier], float], lost: Callable[[tuple[str, Carrier]], bool]
) -> tuple[tuple[str, Carrier], float] | None:
    """Return the one port of a carrier that is lost, and the power with which the others would balance; None otherwise."""
    ports = [p for p in power_kw if p[1] is carrier]
    gone = [p for p in ports if lost(p)]
    if len(gone) != 1:
        return None
    return gone[0], -sum(power_kw[p] for p in ports if p != gone[0])
