"""Named changes to contracts and networks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge

from models.components import HeatPump
from models.networks.data import ElectricNetwork, PipeNetwork
from models.site import ElectricityContract, GasContract
from models.tariffs.time_of_use import TimeOfUseTariff
from models.units import Id
from scenarios.cases.change import Change, ChangeError, Factor, contract_of, with_assets, with_contract
from scenarios.cases.setting import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange(Change):
    """Other prices under a contract, the tariff's hours as they are: energy, export and demand charge, or gas, each times a factor."""

    kind: Literal["price_change"] = "price_change"
    contract: Id
    energy_factor: Factor = 1.0
    export_factor: Factor = 1.0
    demand_factor: Factor = 1.0

    scales: ClassVar[bool] = True

    def touches(self) -> Iterator[str]:
        """Yield the contract's prices."""
        yield f"contracts[{self.contract}].prices"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the contract's new prices."""
        contract = contract_of(setting.site, self.contract)
        if isinstance(contract, GasContract):
            if self.export_factor != 1.0 or self.demand_factor != 1.0:
                raise ChangeError(f"{contract.id} is a gas contract; only energy_factor applies")
            return with_contract(setting, replace(contract, price_per_kwh=contract.price_per_kwh * self.energy_factor))
        if not isinstance(contract, ElectricityContract):
            raise ChangeError(
                f"{contract.id} is of kind {contract.kind}, which has no energy price; change its own terms"
            )
        tariff = contract.tariff
        bands = tuple(replace(b, price_per_kwh=b.price_per_kwh * self.energy_factor) for b in tariff.bands)
        new = replace(
            tariff,
            bands=bands,
            export_price_per_kwh=tariff.export_price_per_kwh * self.export_factor,
            demand_price_per_kw_month=tariff.demand_price_per_kw_month * self.demand_factor,
        )
        return with_contract(setting, replace(contract, tariff=new))


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffSwitch(Change):
    """Another tariff under an electricity contract."""

    kind: Literal["tariff_switch"] = "tariff_switch"
    contract: Id
    tariff: TimeOfUseTariff

    def touches(self) -> Iterator[str]:
        """Yield the contract's tariff and, with it, its prices."""
        yield from (f"contracts[{self.contract}].tariff", f"contracts[{self.contract}].prices")

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the tariff."""
        contract = contract_of(setting.site, self.contract)
        if not isinstance(contract, ElectricityContract):
            raise ChangeError(f"{contract.id} is no electricity contract; use price_change")
        return with_contract(setting, replace(contract, tariff=self.tariff))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinforce(Change):
    """Lay further circuits beside a line or set up further transformers: ``parallel`` of them in all."""

    kind: Literal["reinforce"] = "reinforce"
    element: Id
    parallel: Annotated[int, Ge(1)]

    def touches(self) -> Iterator[str]:
        """Yield the element."""
        yield f"networks.{self.element}"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the reinforced network."""
        networks = setting.site.networks
        known = [b.id for n in networks.electricity for b in n.lines]
        known += [b.id for n in networks.electricity for b in n.transformers]
        if self.element not in known:
            raise ChangeError(
                f"no electric network has a line or transformer {self.element}; there are {', '.join(known) or 'none'}"
            )
        grids = tuple(self._reinforced(n) for n in networks.electricity)
        return replace(setting, site=replace(setting.site, networks=replace(networks, electricity=grids)))

    def _reinforced(self, network: ElectricNetwork) -> ElectricNetwork:
        lines = (replace(e, parallel=self.parallel) if e.id == self.element else e for e in network.lines)
        transformers = (replace(e, parallel=self.parallel) if e.id == self.element else e for e in network.transformers)
        return replace(network, lines=tuple(lines), transformers=tuple(transformers))


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkTemperature(Change):
    """Run a heat or cold network warmer or colder: supply (and return) move by so many kelvin; heat pumps that feed it follow."""

    kind: Literal["network_temperature"] = "network_temperature"
    network: Id
    supply_k: float
    return_k: float = 0.0

    def touches(self) -> Iterator[str]:
        """Yield the network's temperatures."""
        yield f"networks.{self.network}.temperatures"

    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the network's new temperatures."""
        networks = setting.site.networks
        if not any(n.id == self.network for n in (*networks.heat, *networks.cold)):
            known = ", ".join(n.id for n in (*networks.heat, *networks.cold)) or "none"
            raise ChangeError(f"there is no heat or cold network {self.network}; there are: {known}")
        heat, cold = (tuple(self._moved(n) for n in some) for some in (networks.heat, networks.cold))
        site = replace(setting.site, networks=replace(networks, heat=heat, cold=cold))
        junctions = {n.id for n in site.nodes if n.network == self.network}
        pumps = [p for p in site.of_kind(HeatPump) if p.heat_node in junctions]
        warmer = [p.supplying(p.supply_degc + self.supply_k) for p in pumps]
        return with_assets(replace(setting, site=site), warmer)

    def _moved(self, network: PipeNetwork) -> PipeNetwork:
        if network.id != self.network:
            return network
        supply, back = network.supply_degc + self.supply_k, network.return_degc + self.return_k
        wrong = supply <= back if network.carrier == "heat" else supply >= back
        if wrong:
            raise ChangeError(f"{network.id}: a supply at {supply:g} °C cannot serve a return at {back:g} °C")
        return replace(network, supply_degc=supply, return_degc=back)
