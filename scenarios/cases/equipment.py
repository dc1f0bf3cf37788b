"""Named changes to equipment and customers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from math import ceil
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import MinLen

from models.carriers import Carrier
from models.components import AnyAsset, Consumer, EvFleet
from models.site import Customer
from models.units import Id
from scenarios.cases.change import (
    Change,
    ChangeError,
    Factor,
    asset_of,
    checked,
    consumer_of,
    numbers_of,
    with_assets,
    with_nodes,
)
from scenarios.cases.setting import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAsset(Change):
    """Build something new."""

    kind: Literal["add_asset"] = "add_asset"
    asset: AnyAsset

    def touches(self) -> Iterator[str]:
        """Yield the new asset."""
        yield f"assets[{self.asset.id}]"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the asset at the end of the site's list."""
        site = setting.site
        if any(a.id == self.asset.id for a in site.assets):
            raise ChangeError(f"there is an asset {self.asset.id} already; resize it or take another id")
        return replace(setting, site=replace(site, assets=(*site.assets, self.asset)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAsset(Change):
    """Take something away, with its device and its meters; a customer goes with its consumer."""

    kind: Literal["remove_asset"] = "remove_asset"
    asset: Id

    def touches(self) -> Iterator[str]:
        """Yield the asset."""
        yield f"assets[{self.asset}]"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting without the asset."""
        site = setting.site
        asset_of(site, self.asset)
        gone = {self.asset} | {a.id for a in site.assets if getattr(a, "asset", None) == self.asset}
        kept = replace(
            site,
            assets=tuple(a for a in site.assets if a.id not in gone),
            devices=tuple(d for d in site.devices if d.asset not in gone),
            customers=tuple(c for c in site.customers if c.consumer not in gone),
        )
        return replace(setting, site=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize(Change):
    """Give an asset other parameters: ``to`` sets them, ``times`` multiplies them."""

    kind: Literal["resize"] = "resize"
    asset: Id
    to: Mapping[str, float] = field(default_factory=dict)
    times: Mapping[str, Factor] = field(default_factory=dict)

    def touches(self) -> Iterator[str]:
        """Yield every parameter."""
        yield from (f"assets[{self.asset}].{name}" for name in (*self.to, *self.times))

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the asset's new parameters, checked as the site file's are."""
        asset = asset_of(setting.site, self.asset)
        if not self.to and not self.times:
            raise ChangeError("names no parameter; give 'to' or 'times'")
        values = numbers_of(asset)
        unknown = [n for n in (*self.to, *self.times) if n not in values]
        if unknown:
            raise ChangeError(f"{asset.id} has no parameter {', '.join(unknown)}; it has {', '.join(values)}")
        new = {n: values[n] * f for n, f in self.times.items()} | dict(self.to)
        return with_assets(setting, [checked(asset, new)])


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveAsset(Change):
    """Connect an asset to other nodes; for a consumer, each carrier's demand by the carrier's name."""

    kind: Literal["move_asset"] = "move_asset"
    asset: Id
    nodes: Annotated[Mapping[str, Id], MinLen(1)]

    def touches(self) -> Iterator[str]:
        """Yield every connection."""
        yield from (f"assets[{self.asset}].{name}" for name in self.nodes)

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the asset at its new nodes."""
        asset = asset_of(setting.site, self.asset)
        if isinstance(asset, Consumer):
            here = {d.carrier.value for d in asset.demands}
            self._require(asset.id, here)
            demands = tuple(replace(d, node=self.nodes.get(d.carrier.value, d.node)) for d in asset.demands)
            return with_nodes(with_assets(setting, [replace(asset, demands=demands)]), self.nodes.values())
        self._require(asset.id, {f.name for f in fields(asset) if f.name.endswith("_node")})
        return with_nodes(with_assets(setting, [checked(asset, dict(self.nodes))]), self.nodes.values())

    def _require(self, asset: str, known: set[str]) -> None:
        unknown = sorted(set(self.nodes) - known)
        if unknown:
            raise ChangeError(f"{asset} is not connected by {', '.join(unknown)}, but by {', '.join(sorted(known))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGrowth(Change):
    """Let demand grow or shrink: all consumers or the named ones, on all carriers or one."""

    kind: Literal["load_growth"] = "load_growth"
    factor: Factor
    consumers: tuple[Id, ...] = ()
    carrier: Carrier | None = None

    scales: ClassVar[bool] = True

    def touches(self) -> Iterator[str]:
        """Yield the demands that grow."""
        yield from (f"demand[{c}]" for c in self.consumers or ("all",))

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the demand scaled."""
        names = self.consumers or tuple(c.id for c in setting.site.of_kind(Consumer))
        found = [consumer_of(setting.site, name) for name in names]
        grown = [replace(c, demands=tuple(self._scaled(d) for d in c.demands)) for c in found]
        if grown == found and self.factor != 1.0:
            raise ChangeError(
                f"nobody of {', '.join(names)} takes {self.carrier.value if self.carrier else 'anything'}"
            )
        return with_assets(setting, grown)

    def _scaled(self, demand: Any) -> Any:
        here = self.carrier is None or demand.carrier is self.carrier
        return replace(demand, scale=demand.scale * self.factor) if here else demand


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer(Change):
    """Connect a customer: who it is, and the consumer that stands for it."""

    kind: Literal["new_customer"] = "new_customer"
    customer: Customer
    consumer: Consumer

    def touches(self) -> Iterator[str]:
        """Yield the customer and its consumer."""
        yield from (f"customers[{self.customer.id}]", f"assets[{self.consumer.id}]")

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the customer."""
        if self.customer.consumer != self.consumer.id:
            raise ChangeError(
                f"customer {self.customer.id} names consumer {self.customer.consumer}, not {self.consumer.id}"
            )
        built = AddAsset(asset=self.consumer).applied(setting)
        site = built.site
        if any(c.id == self.customer.id for c in site.customers):
            raise ChangeError(f"there is a customer {self.customer.id} already; take another id")
        return replace(built, site=replace(site, customers=(*site.customers, self.customer)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EvUptake(Change):
    """More or fewer vehicles in the named fleets, or in all; numbers are rounded up."""

    kind: Literal["ev_uptake"] = "ev_uptake"
    factor: Factor
    fleets: tuple[Id, ...] = ()

    def touches(self) -> Iterator[str]:
        """Yield the fleets."""
        yield from (f"assets[{f}].groups" for f in self.fleets or ("all fleets",))

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the fleets' new numbers."""
        names = self.fleets or tuple(f.id for f in setting.site.of_kind(EvFleet))
        grown = []
        for fleet in (asset_of(setting.site, n) for n in names):
            if not isinstance(fleet, EvFleet):
                raise ChangeError(f"{fleet.id} is no vehicle fleet but of kind {fleet.kind}")
            groups = tuple(replace(g, vehicles=ceil(g.vehicles * self.factor - 1e-9)) for g in fleet.groups)
            grown.append(replace(fleet, groups=groups))
        if not grown:
            raise ChangeError("the site has no vehicle fleet")
        return with_assets(setting, grown)
