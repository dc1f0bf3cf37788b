"""What a named change is, and what changes share: finding what they change, and holding the new values to the file's limits."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, ClassVar, TypeVar

from annotated_types import Gt
from pydantic import TypeAdapter, ValidationError

from models.components import AnyAsset, Consumer
from models.networks.data import ElectricNetwork
from models.site import Node, Site
from models.site.site import AnyContract
from scenarios.cases.setting import Setting

Factor = Annotated[float, Gt(0)]
Thing = TypeVar("Thing")


class ChangeError(Exception):
    """A change that cannot be made to a site; the text says why and what would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(ABC):
    """A named change; ``note`` says why somebody wants to know."""

    note: str = ""

    scales: ClassVar[bool] = False
    """Whether the change multiplies, so that it may meet another of its kind in any order."""

    def told(self) -> str:
        """Return the change as its file states it, on one line, without what was left at its default."""
        stated = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("kind", "note")}
        left = {f.name: f.default for f in fields(self)}
        words = [f"{name} {_shown(value)}" for name, value in stated.items() if value and value != left[name]]
        note = f" ({self.note})" if self.note else ""
        return f"{getattr(self, 'kind', type(self).__name__)}: {', '.join(words)}{note}"

    @abstractmethod
    def touches(self) -> Iterator[str]:
        """Yield the places that the change sets."""

    @abstractmethod
    def applied(self, setting: Setting) -> Setting:
        """Return the setting with the change made; raises ChangeError when it cannot be."""


def _shown(value: object) -> str:
    """Return a stated value as people write it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(v)}" for name, v in value.items())
    if isinstance(value, tuple | list):
        return " ".join(_shown(v) for v in value)
    if is_dataclass(value):
        return str(getattr(value, "id", None) or ", ".join(f"{f.name} {getattr(value, f.name)}" for f in fields(value)))
    return f"{value:g}" if isinstance(value, float) else str(value)


def asset_of(site: Site, name: str) -> AnyAsset:
    """Return an asset; a ChangeError names those that exist."""
    try:
        return site.asset(name)
    except KeyError:
        raise ChangeError(f"there is no asset {name}; the site has {', '.join(a.id for a in site.assets)}") from None


def consumer_of(site: Site, name: str) -> Consumer:
    """Return a consumer; a ChangeError names those that exist."""
    found = asset_of(site, name)
    if not isinstance(found, Consumer):
        raise ChangeError(f"{name} is no consumer; there are {', '.join(c.id for c in site.of_kind(Consumer))}")
    return found


def contract_of(site: Site, name: str) -> AnyContract:
    """Return a contract; a ChangeError names those that exist."""
    try:
        return site.contract(name)
    except KeyError:
        raise ChangeError(
            f"there is no contract {name}; the site has {', '.join(c.id for c in site.contracts)}"
        ) from None


def with_assets(setting: Setting, changed: Iterable[AnyAsset]) -> Setting:
    """Return the setting with some assets replaced by those of the same id."""
    new = {a.id: a for a in changed}
    assets = tuple(new.get(a.id, a) for a in setting.site.assets)
    return replace(setting, site=replace(setting.site, assets=assets))


def with_nodes(setting: Setting, names: Iterable[str]) -> Setting:
    """Return the setting with a node for every bus or junction that somebody now connects to and nobody did before."""
    site = setting.site
    known, new = {n.id for n in site.nodes}, []
    for carrier, network in site.networks:
        places = network.buses if isinstance(network, ElectricNetwork) else network.junctions
        new += [Node(id=p.id, carrier=carrier, network=network.id) for p in places if p.id in set(names) - known]
    return replace(setting, site=replace(site, nodes=(*site.nodes, *new)))


def with_contract(setting: Setting, changed: AnyContract) -> Setting:
    """Return the setting with a contract replaced by that of the same id."""
    contracts = tuple(changed if c.id == changed.id else c for c in setting.site.contracts)
    return replace(setting, site=replace(setting.site, contracts=contracts))


def numbers_of(asset: AnyAsset) -> dict[str, float]:
    """Return an asset's parameters that are numbers."""
    values = {f.name: getattr(asset, f.name) for f in fields(asset)}
    return {n: float(v) for n, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)}


def checked(thing: Thing, new: Mapping[str, Any]) -> Thing:
    """Return a record with some fields replaced, held to the same limits as in a file; a ChangeError names what is out of range."""
    if not is_dataclass(thing):
        raise TypeError(f"{thing!r} is no record")
    values = {f.name: getattr(thing, f.name) for f in fields(thing)} | dict(new)
    try:
        made: Thing = TypeAdapter(type(thing)).validate_python(values)
    except ValidationError as fault:
        words = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in fault.errors(include_url=False))
        raise ChangeError(words) from fault
    return made
