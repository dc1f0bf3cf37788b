"""The site: everything that is fixed about a park, one frozen value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import Field

from models.carriers import Carrier
from models.components import AnyAsset, Asset, Chp, ExtractionChp
from models.networks.data import ElectricNetwork, GasNetwork, PipeNetwork
from models.tariffs.tariff import Tariff
from models.tariffs.time_of_use import TimeOfUseTariff
from models.tariffs.written import from_time_of_use
from models.units import Id, Kw, NonNegative, PositiveKw, Price, Share

FORMAT = "jouletwin-site/1"
Kind = TypeVar("Kind", bound=Asset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where the site stands, for the sun, the calendar and the pressure of the air."""

    latitude_deg: Annotated[float, Ge(-90), Le(90)]
    longitude_deg: Annotated[float, Ge(-180), Le(180)]
    elevation_m: Annotated[float, Gt(-500), Lt(9000)] = 0.0
    time_zone: str = "Asia/Shanghai"
    """IANA name; local hours in tariffs and fleets are read in it."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A place where assets meet a carrier; with ``network`` it is the bus or junction of that id there, without it all nodes of the carrier are one."""

    id: Id
    carrier: Carrier
    network: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectricityContract:
    """Purchase and sale of electricity at the grid connection."""

    kind: Literal["electricity"] = "electricity"
    id: Id
    party: str
    tariff: TimeOfUseTariff


@dataclass(frozen=True, slots=True, kw_only=True)
class GasContract:
    """Purchase of gas at a flat price by lower heating value."""

    kind: Literal["gas"] = "gas"
    id: Id
    party: str
    price_per_kwh: NonNegative
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveContract:
    """Capacity held ready for a grid operator: reserve in one direction, or regulation in both.

    What is held must be there within ``response_min`` and last for ``sustain_h``. Expected calls on a reserve move the mean power of its
    providers by ``activation_share`` of what is held; regulation goes both ways alike and moves no energy on average.
    """

    kind: Literal["reserve"] = "reserve"
    id: Id
    party: str
    providers: Annotated[tuple[Id, ...], MinLen(1)]
    direction: Literal["up", "down", "both"] = "up"
    """Up feeds more or draws less."""
    spinning: bool = True
    """Only units that run may hold it."""
    response_min: Annotated[float, Gt(0), Le(1440)] = 15.0
    sustain_h: Annotated[float, Gt(0), Le(24)] = 1.0
    price_per_kw_h: NonNegative = 0.0
    """What a kW held for an hour earns."""
    activation_share: Share = 0.0
    energy_price_per_kwh: Price = 0.0
    """What a called kWh earns."""
    mileage_per_h: NonNegative = 0.0
    """kW of movement asked per kW held and hour."""
    mileage_price_per_kw: NonNegative = 0.0
    required_kw: Kw = 0.0
    """What has been awarded and must be held, where a plan is not told otherwise."""
    most_kw: PositiveKw | None = None
    """What the operator takes at most."""
    short_price_per_kw_h: NonNegative = 100.0
    """What a missing kW costs per hour."""
    recovers: bool = False
    """Whether stores are filled or emptied again after a call; where they are not, what a call moves must not be missed for the rest of
    the plan."""

    @property
    def up(self) -> bool:
        """Whether it asks for more feeding or less drawing."""
        return self.direction != "down"

    @property
    def down(self) -> bool:
        """Whether it asks for less feeding or more drawing."""
        return self.direction != "up"

    @property
    def called_share(self) -> float:
        """Share of what is held that is called on average, net of both directions."""
        return 0.0 if self.direction == "both" else self.activation_share

    @property
    def income_per_kw_h(self) -> float:
        """What a kW held for an hour brings with expected calls and movement."""
        calls = self.activation_share * self.energy_price_per_kwh if self.direction != "both" else 0.0
        return self.price_per_kw_h + calls + self.mileage_per_h * self.mileage_price_per_kw


AnyContract = Annotated[ElectricityContract | GasContract | ReserveContract, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a device is reached over Modbus/TLS: PEM files, relative to the site file."""

    authority: str
    """Who signed the other side's certificate."""
    certificate: str
    """What the bridge shows to the device."""
    key: str
    server_name: str = ""
    """The name in the device's certificate where it is not the device's host."""
    device_certificate: str = ""
    """What an emulator of the device shows; a real one has its own."""
    device_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One Modbus device: which asset it serves, which register map describes it, and where it answers.

    ``map`` is the name of a shipped map or a path beside the site file. ``port`` 0 lets an emulator choose.
    """

    id: Id
    asset: Id
    map: str
    host: str = "127.0.0.1"
    port: Annotated[int, Ge(0), Le(65535)] = 502
    unit_id: Annotated[int, Ge(0), Le(255)] = 1
    framer: Literal["socket", "rtu"] = "socket"
    poll_s: Annotated[float, Gt(0), Le(3600)] = 10.0
    tls: Tls | None = None
    """None: plain Modbus TCP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Somebody who takes energy on the site, and the consumer asset that stands for it."""

    id: Id
    name: str
    sector: str
    consumer: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFile:
    """Time series of a typical year: a CSV (optionally .gz) with a ``start_utc`` column and one column per series.

    A series' name ends in its unit: ``_kw``, ``_pu`` (per unit of rated power), ``_degc``, ``_w_per_m2``, ``_m3_per_h``, ``_per_kwh``.
    """

    file: str
    step_s: Annotated[int, Gt(0)] = 3600
    note: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The site's networks by what flows in them."""

    electricity: tuple[ElectricNetwork, ...] = ()
    heat: tuple[PipeNetwork, ...] = ()
    cold: tuple[PipeNetwork, ...] = ()
    gas: tuple[GasNetwork, ...] = ()
    water: tuple[PipeNetwork, ...] = ()

    def __iter__(self) -> Iterator[tuple[Carrier, ElectricNetwork | PipeNetwork | GasNetwork]]:
        """Yield every network with its carrier."""
        for carrier in (Carrier.ELECTRICITY, Carrier.HEAT, Carrier.COLD, Carrier.GAS, Carrier.WATER):
            for network in getattr(self, carrier.value):
                yield carrier, network


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A multi-energy site as its file describes it; every reference in it has been checked."""

    name: str
    title: str
    notice: str
    currency: str
    location: Location
    nodes: tuple[Node, ...]
    assets: tuple[AnyAsset, ...]
    networks: Networks
    contracts: tuple[AnyContract, ...]
    customers: tuple[Customer, ...]
    devices: tuple[Device, ...]
    profiles: ProfileFile | None
    folder: Path
    """Where the site file lies; relative paths in it start here."""

    def asset(self, asset_id: str) -> AnyAsset:
        """Return the asset named ``asset_id``; KeyError if there is none."""
        for asset in self.assets:
            if asset.id == asset_id:
                return asset
        raise KeyError(asset_id)

    def network_of(self, node_id: str) -> str | None:
        """Return the id of the network that a node is part of, None for a node without one."""
        return next((n.network for n in self.nodes if n.id == node_id), None)

    def of_kind(self, kind: type[Kind]) -> tuple[Kind, ...]:
        """Return the assets of one class, in file order."""
        return tuple(a for a in self.assets if isinstance(a, kind))

    @property
    def reserves(self) -> tuple[ReserveContract, ...]:
        """The contracts on capacity held ready, in file order."""
        return tuple(c for c in self.contracts if isinstance(c, ReserveContract))

    @property
    def engines(self) -> tuple[Chp | ExtractionChp, ...]:
        """Everything that burns gas for electricity and heat, in file order."""
        return tuple(a for a in self.assets if isinstance(a, Chp | ExtractionChp))

    def contract(self, contract_id: str) -> AnyContract:
        """Return the contract named ``contract_id``; KeyError if there is none."""
        for contract in self.contracts:
            if contract.id == contract_id:
                return contract
        raise KeyError(contract_id)

    def tariff(self, contract_id: str) -> Tariff:
        """Return the tariff that an electricity contract is billed by and planned with.

        Raises
        ------
        TypeError
            If the contract is not for electricity.
        """
        contract = self.contract(contract_id)
        if not isinstance(contract, ElectricityContract):
            raise TypeError(f"contract {contract_id} is no electricity contract")
        return from_time_of_use(contract.tariff, self.location.time_zone, contract.id, self.currency)

    def device_of(self, asset: str) -> Device | None:
        """Return the device that serves an asset, None where nobody measures it."""
        return next((d for d in self.devices if d.asset == asset), None)

    @property
    def carriers(self) -> tuple[Carrier, ...]:
        """The carriers that the site has nodes for, in the order of :class:`Carrier`."""
        present = {n.carrier for n in self.nodes}
        return tuple(c for c in Carrier if c in present)

    def series(self) -> tuple[str, ...]:
        """Return every profile name that an asset reads, sorted."""
        return tuple(sorted({s for a in self.assets for s in a.series()}))
