"""Connections to the outside: the electricity grid and the gas network."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from models.carriers import Carrier
from models.components.base import Asset
from models.units import Id, Kw


@dataclass(frozen=True, slots=True, kw_only=True)
class GridConnection(Asset):
    """The point of common coupling with the public electricity grid; import is positive."""

    kind: Literal["grid_connection"] = "grid_connection"
    electricity_node: Id
    import_max_kw: Kw
    export_max_kw: Kw
    contract: Id
    co2_kg_per_kwh: float = 0.0
    """Average emission of imported electricity."""

    control: ClassVar[Carrier] = Carrier.ELECTRICITY


@dataclass(frozen=True, slots=True, kw_only=True)
class GasSupply(Asset):
    """The city gate: gas bought from the public network, in kW of lower heating value; import is positive."""

    kind: Literal["gas_supply"] = "gas_supply"
    gas_node: Id
    import_max_kw: Kw
    contract: Id
    co2_kg_per_kwh: float = 0.202
    """Natural gas by lower heating value: 56.1 kg/GJ (IPCC 2006 Guidelines, volume 2, table 2.2)."""

    control: ClassVar[Carrier] = Carrier.GAS
