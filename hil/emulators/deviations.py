"""How an emulated plant differs from its data sheets: seeded, bounded, and stated.

A plant that obeys the twin's own parameters proves nothing about synchronising, calibrating or closing the loop. So every emulated
plant draws its own: efficiencies and COP, insulation, volumes, friction. What was drawn is part of the plant and can be read.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from models.components import AnyAsset, Chp, PartLoadMap
from models.networks.data import ElectricNetwork, Pipe, PipeNetwork
from models.site import Site

Thing = TypeVar("Thing", bound=object)


@dataclass(frozen=True, slots=True)
class Deviation:
    """One parameter of the emulated plant: what the site file says, and what the plant really has."""

    place: str
    parameter: str
    stated: float
    actual: float

    @property
    def share(self) -> float:
        """How far the plant is off, relative to what is stated."""
        return self.actual / self.stated - 1.0


@dataclass(frozen=True, slots=True)
class Spread:
    """The range that a parameter's relative deviation is drawn from, and the highest value it may take."""

    low: float
    high: float
    highest: float = float("inf")


EFFICIENCY = Spread(-0.05, 0.05, highest=0.995)
COP = Spread(-0.05, 0.05)
INSULATION = Spread(0.10, 0.20)
VOLUME = Spread(-0.10, 0.10)
AGEING = Spread(-0.06, 0.0)
FRICTION = Spread(-0.25, 0.25)

SPREADS: dict[tuple[str, str], Spread] = {
    ("pv", "peak_kw"): Spread(-0.05, 0.0),
    ("gas_boiler", "efficiency"): EFFICIENCY,
    ("electric_boiler", "efficiency"): EFFICIENCY,
    ("electrolyser", "efficiency"): EFFICIENCY,
    ("ev_fleet", "efficiency"): EFFICIENCY,
    ("heat_pump", "cop_rated"): COP,
    ("electric_chiller", "cop_rated"): COP,
    ("absorption_chiller", "cop"): COP,
    ("battery", "charge_efficiency"): Spread(-0.03, 0.01, highest=0.995),
    ("battery", "discharge_efficiency"): Spread(-0.03, 0.01, highest=0.995),
    ("battery", "energy_kwh"): AGEING,
    ("hot_tank", "energy_kwh"): VOLUME,
    ("hot_tank", "loss_share_per_h"): INSULATION,
    ("cold_store", "energy_kwh"): VOLUME,
    ("cold_store", "loss_share_per_h"): INSULATION,
    ("pipe", "heat_loss_w_per_m_k"): INSULATION,
    ("pipe", "roughness_mm"): FRICTION,
}
"""(kind, parameter) → how far a plant may be off. Pipes share one draw per network: they were laid by the same crew."""
FUEL = Spread(-0.05, 0.05)
HEAT = Spread(-0.05, 0.05)


class Draw:
    """Draws the factor of each parameter by its name, so that one more asset changes nobody else's."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.found: list[Deviation] = []

    def factor(self, key: str, spread: Spread) -> float:
        """Return the factor for ``key``, the same for the same seed."""
        digest = hashlib.blake2b(f"{self.seed}/{key}".encode(), digest_size=8).digest()
        unit = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big"))).uniform()
        return 1.0 + spread.low + (spread.high - spread.low) * unit

    def deviate(self, place: str, parameter: str, stated: float, spread: Spread, *, key: str | None = None) -> float:
        """Return the plant's own value of a parameter and note it."""
        factor = self.factor(key or f"{place}.{parameter}", spread)
        actual = min(stated * factor, max(spread.highest, stated))
        if actual != stated:
            self.found.append(Deviation(place, parameter, stated, actual))
        return actual


def deviated(site: Site, seed: int) -> tuple[Site, tuple[Deviation, ...]]:
    """Return the site as the emulated plant really is, and every difference to the stated one; a function of the seed alone."""
    draw = Draw(seed)
    assets = tuple(_asset(draw, a) for a in site.assets)
    networks = replace(
        site.networks,
        heat=tuple(_pipes(draw, n) for n in site.networks.heat),
        cold=tuple(_pipes(draw, n) for n in site.networks.cold),
        electricity=tuple(_lines(draw, n) for n in site.networks.electricity),
    )
    return replace(site, assets=assets, networks=networks), tuple(draw.found)


def _asset(draw: Draw, asset: AnyAsset) -> AnyAsset:
    if isinstance(asset, Chp):
        return replace(asset, part_load=_engine(draw, asset.id, asset.part_load))
    return _with_spreads(draw, asset, asset.kind, f"assets.{asset.id}")


def _engine(draw: Draw, asset_id: str, stated: PartLoadMap) -> PartLoadMap:
    """Return the engine's own map: fuel and heat each off by one factor, never more out than in."""
    place = f"assets.{asset_id}.part_load"
    fuel, heat = draw.factor(f"{place}.fuel_kw", FUEL), draw.factor(f"{place}.heat_kw", HEAT)
    most = min(
        (f * fuel * 0.98 - p) / h for f, p, h in zip(stated.fuel_kw, stated.power_kw, stated.heat_kw, strict=True)
    )
    heat = min(heat, most)
    draw.found.append(Deviation(place, "fuel_kw", stated.fuel_kw[-1], stated.fuel_kw[-1] * fuel))
    draw.found.append(Deviation(place, "heat_kw", stated.heat_kw[-1], stated.heat_kw[-1] * heat))
    return replace(
        stated, fuel_kw=tuple(f * fuel for f in stated.fuel_kw), heat_kw=tuple(h * heat for h in stated.heat_kw)
    )


def _pipes(draw: Draw, network: PipeNetwork) -> PipeNetwork:
    def same_crew(parameter: str) -> str:
        return f"networks.{network.id}.{parameter}"

    def own(pipe: Pipe) -> Pipe:
        return _with_spreads(draw, pipe, "pipe", f"networks.{network.id}.pipes.{pipe.id}", same_crew)

    return replace(network, pipes=tuple(own(p) for p in network.pipes))


def _lines(draw: Draw, network: ElectricNetwork) -> ElectricNetwork:
    """Return the network with conductors at their working temperature instead of the catalogue's 20 degC."""
    warm = Spread(0.02, 0.10)
    lines = tuple(
        replace(
            line,
            r_ohm_per_km=draw.deviate(
                f"networks.{network.id}.lines.{line.id}",
                "r_ohm_per_km",
                line.r_ohm_per_km,
                warm,
                key=f"networks.{network.id}.r_ohm_per_km",
            ),
        )
        for line in network.lines
    )
    return replace(network, lines=lines)


def _with_spreads(draw: Draw, thing: Thing, kind: str, place: str, key: Callable[[str], str] | None = None) -> Thing:
    """Return ``thing`` with every parameter drawn that has a spread for its kind."""
    changed: dict[str, float] = {}
    for name in _names(thing):
        if spread := SPREADS.get((kind, name)):
            changed[name] = draw.deviate(place, name, getattr(thing, name), spread, key=key and key(name))
    return replace(thing, **changed) if changed else thing  # type: ignore[type-var] # every asset and pipe is a dataclass


def _names(thing: object) -> Iterable[str]:
    return (f.name for f in fields(thing))  # type: ignore[arg-type] # every asset and pipe is a dataclass
