"""A site as its calibration found it: learned factors worked into its data, so that whoever reads the site reads them too."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from models.carriers import Carrier
from models.components import (
    AbsorptionChiller,
    AnyAsset,
    Chp,
    ElectricBoiler,
    ElectricChiller,
    GasBoiler,
    HeatPump,
)
from models.networks.data import PipeNetwork
from models.site import Site
from models.station import Port
from twin.calibrate import Calibration
from twin.estimate.pipelaw import friction_factors

EFFICIENCY_MAX = 1.0


def calibrated(site: Site, calibrations: Iterable[Calibration]) -> Site:
    """Return a site with the learned conversion, friction, heat-loss and volume factors; meter gains are no part of a site."""
    assets, networks = {a.id: a for a in site.assets}, site.networks
    for found in calibrations:
        if found.kind == "conversion":
            for name, factor in found.factors().items():
                asset, _, quantity = name.partition(".")
                assets[asset] = _converting(assets[asset], quantity, factor)
        change = PIPE_CHANGES.get(found.kind)
        if change is not None:
            heat, cold = (
                tuple(change(n, found.factors()) if n.id == found.subject else n for n in pipes)
                for pipes in (networks.heat, networks.cold)
            )
            networks = replace(networks, heat=heat, cold=cold)
    return replace(site, assets=tuple(assets.values()), networks=networks)


def gains_of(calibrations: Iterable[Calibration]) -> dict[Port, float]:
    """Return by what a meter's reading is to be multiplied, by (asset, carrier)."""
    return {
        (name.partition(".")[0], Carrier(found.subject)): factor
        for found in calibrations
        if found.kind == "meter_gains"
        for name, factor in found.factors().items()
    }


def _converting(asset: AnyAsset, quantity: str, factor: float) -> AnyAsset:
    """Return a unit whose characteristic ``quantity`` gives ``factor`` times what its sheet says."""
    match asset:
        case Chp() if quantity.startswith("gas"):
            return replace(asset, part_load=replace(asset.part_load, fuel_kw=_times(asset.part_load.fuel_kw, factor)))
        case Chp():
            return replace(asset, part_load=replace(asset.part_load, heat_kw=_times(asset.part_load.heat_kw, factor)))
        case GasBoiler() | ElectricBoiler():
            return replace(asset, efficiency=min(asset.efficiency / factor, max(EFFICIENCY_MAX, asset.efficiency)))
        case HeatPump() | ElectricChiller():
            return replace(asset, cop_rated=asset.cop_rated / factor)
        case AbsorptionChiller():
            return replace(asset, cop=asset.cop / factor)
    return asset


def _times(values: tuple[float, ...], factor: float) -> tuple[float, ...]:
    return tuple(v * factor for v in values)


def with_loss(network: PipeNetwork, factors: Mapping[str, float]) -> PipeNetwork:
    """Return a network whose pipes lose ``loss_factor`` times as much."""
    factor = factors["loss_factor"]
    pipes = tuple(replace(p, heat_loss_w_per_m_k=p.heat_loss_w_per_m_k * factor) for p in network.pipes)
    return replace(network, pipes=pipes)


def with_friction(network: PipeNetwork, factors: Mapping[str, float]) -> PipeNetwork:
    """Return a network whose pipes have constant friction factors: the usual one at design flow, times what was learned by pipe."""
    usual = friction_factors(network)
    pipes = tuple(
        replace(p, friction_factor=usual[p.id] * factors[p.id]) if p.id in factors else p for p in network.pipes
    )
    return replace(network, pipes=pipes)


def with_volume(network: PipeNetwork, factor: float) -> PipeNetwork:
    """Return a network whose tubes hold ``factor`` times as much; pressure losses stay, since they are learned apart."""
    usual = friction_factors(network)
    wider = float(np.sqrt(factor))
    pipes = tuple(
        replace(
            p,
            inner_diameter_mm=p.inner_diameter_mm * wider,
            friction_factor=usual[p.id] * wider**5 if p.id in usual else p.friction_factor,
        )
        for p in network.pipes
    )
    return replace(network, pipes=pipes)


PipeChange = Callable[[PipeNetwork, Mapping[str, float]], PipeNetwork]
PIPE_CHANGES: Mapping[str, PipeChange] = {
    "heat_loss": with_loss,
    "friction": with_friction,
    "pipe_volume": lambda network, factors: with_volume(network, factors["volume"]),
}
