"""What a provider can hold ready: how much more it could feed or draw from where it is, how soon, and for how long."""

from dataclasses import dataclass

from models.components import Asset, ElectricBoiler, Electrolyser, Engine, EvFleet, FlexibleLoad, Pv, Store, Wind
from models.limits import power_range_kw

PROVIDERS = (Engine, Store, FlexibleLoad, EvFleet, ElectricBoiler, Electrolyser, Pv, Wind)
"""Kinds that may hold capacity ready on the electricity network."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a provider is over one step: its electric power (positive feeds), and what it holds before and after.

    ``running`` is 1 while an engine runs. ``range_kw`` is what the world outside allows now: sun and wind, vehicles plugged in, the room
    around a baseline; None where the datasheet alone limits.
    """

    power_kw: float
    stored_kwh: tuple[float, float] = (0.0, 0.0)
    running: float = 1.0
    range_kw: tuple[float, float] | None = None


def held_kw(
    asset: Asset, now: Standing, *, response_min: float, sustain_h: float, called_share: float = 0.0
) -> tuple[float, float]:
    """Return how much less and how much more an asset could feed, both at least 0, within ``response_min`` and for ``sustain_h``.

    The energy for it comes on top of what the asset does anyway: a store must hold it before and after the step. ``called_share`` of what
    is held is in the power already, as its expected calls.
    """
    lowest, highest = _range_kw(asset, now, response_min)
    below, above = _energy_kw(asset, now, sustain_h)
    rest = 1.0 - called_share
    return max(min((now.power_kw - lowest) / rest, below), 0.0), max(min((highest - now.power_kw) / rest, above), 0.0)


def _range_kw(asset: Asset, now: Standing, response_min: float) -> tuple[float, float]:
    """Return the lowest and highest power that can be reached in time."""
    if isinstance(asset, Engine):
        reach = asset.ramp_kw_per_min * response_min * now.running
        low, high = asset.power_min_kw * now.running, asset.power_max_kw * now.running
        return max(low, now.power_kw - reach), min(high, now.power_kw + reach)
    return now.range_kw or power_range_kw(asset) or (now.power_kw, now.power_kw)


def _energy_kw(asset: Asset, now: Standing, sustain_h: float) -> tuple[float, float]:
    """Return the power that what is stored can take and give on top for ``sustain_h``."""
    least, most = min(now.stored_kwh), max(now.stored_kwh)
    match asset:
        case Store():
            # what is fed less stays in the store with the losses of feeding, more than the same drawn would bring
            taken = (asset.stored_max_kwh - most) * asset.discharge_efficiency
            return taken / sustain_h, (least - asset.stored_min_kwh) * asset.discharge_efficiency / sustain_h
        case FlexibleLoad():
            return (asset.shiftable_kwh - most) / sustain_h, (asset.shiftable_kwh + least) / sustain_h
        case _:
            return float("inf"), float("inf")
