"""What a unit can run at, from its parameters: said once for plans, for set-points and for the bridge that refuses impossible ones."""

from math import inf

from models.components import (
    AbsorptionChiller,
    Asset,
    Battery,
    ElectricBoiler,
    ElectricChiller,
    Electrolyser,
    Engine,
    EvFleet,
    FlexibleLoad,
    GasBoiler,
    GasSupply,
    GridConnection,
    HeatPump,
    Pv,
    Store,
    Wind,
)

BRIGHTEST_SHARE = 1.5
"""Bright cold hours exceed the rated peak of a panel; no more than this."""


def power_range_kw(asset: Asset) -> tuple[float, float] | None:
    """Return the lowest and highest power of an asset on its control carrier, in kW; None where nothing limits it.

    0 is always possible: it is standing still. What a unit needs to run at all is :func:`smallest_kw`.
    """
    match asset:
        case GridConnection():
            return -asset.export_max_kw, asset.import_max_kw
        case GasSupply():
            return 0.0, asset.import_max_kw
        case Pv():
            return 0.0, BRIGHTEST_SHARE * asset.peak_kw
        case Wind():
            return 0.0, asset.rated_kw
        case Engine():
            return 0.0, asset.power_max_kw
        case GasBoiler() | HeatPump() | ElectricBoiler():
            return 0.0, asset.heat_max_kw
        case ElectricChiller() | AbsorptionChiller():
            return 0.0, asset.cold_max_kw
        case Electrolyser():
            return -asset.power_max_kw, 0.0
        case Store():
            return -asset.charge_max_kw, asset.discharge_max_kw
        case EvFleet():
            most = asset.charger_kw * sum(g.vehicles for g in asset.groups)
            return -most, most if asset.v2g_kwh else 0.0
        case FlexibleLoad():
            return -inf, 0.0
        case _:
            return None


def setpoint_range_kw(asset: Asset) -> tuple[float, float] | None:
    """Return the lowest and highest power that a set-point may name, in kW; None for assets that take no set-point."""
    match asset:
        case Pv():
            return 0.0, asset.peak_kw
        case GridConnection() | GasSupply():
            return None
        case Store() if not isinstance(asset, Battery):
            return None
        case _:
            return power_range_kw(asset)


def smallest_kw(asset: Asset) -> float:
    """Return the smallest power on the control carrier, other than 0, that an asset can run at; 0 where it can run at any."""
    match asset:
        case Engine():
            return asset.power_min_kw
        case GasBoiler():
            return asset.min_load_share * asset.heat_max_kw
        case ElectricChiller():
            return asset.min_load_share * asset.cold_max_kw
        case Electrolyser():
            return asset.min_load_share * asset.power_max_kw
        case _:
            return 0.0
