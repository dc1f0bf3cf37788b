"""Equipment: parameters as datasheets give them, and the pure equations that the twin evaluates and the optimizer turns into constraints."""

from typing import Annotated

from pydantic import Field

from models.components.base import Asset
from models.components.converters import (
    AbsorptionChiller,
    ElectricBoiler,
    ElectricChiller,
    Electrolyser,
    GasBoiler,
    HeatPump,
)
from models.components.demand import Consumer, Demand, EvFleet, EvGroup, FlexibleLoad, Meter
from models.components.engines import Chp, Engine, ExtractionChp, HeatRegion, PartLoadMap, WarmStart
from models.components.renewables import Pv, Wind
from models.components.stores import Battery, ColdStore, HotTank, Store
from models.components.supply import GasSupply, GridConnection

AnyAsset = Annotated[
    GridConnection
    | GasSupply
    | Pv
    | Wind
    | Chp
    | ExtractionChp
    | GasBoiler
    | HeatPump
    | ElectricBoiler
    | ElectricChiller
    | AbsorptionChiller
    | Electrolyser
    | Battery
    | HotTank
    | ColdStore
    | Consumer
    | FlexibleLoad
    | EvFleet
    | Meter,
    Field(discriminator="kind"),
]
"""Every kind of asset that a site file may hold, told apart by ``kind``."""

__all__ = [
    "AbsorptionChiller",
    "AnyAsset",
    "Asset",
    "Battery",
    "Chp",
    "ColdStore",
    "Consumer",
    "Demand",
    "ElectricBoiler",
    "ElectricChiller",
    "Electrolyser",
    "Engine",
    "EvFleet",
    "EvGroup",
    "ExtractionChp",
    "FlexibleLoad",
    "GasBoiler",
    "GasSupply",
    "GridConnection",
    "HeatPump",
    "HeatRegion",
    "HotTank",
    "Meter",
    "PartLoadMap",
    "Pv",
    "Store",
    "WarmStart",
    "Wind",
]
