"""What every asset has in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar

from models.carriers import Carrier
from models.units import Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One piece of equipment as its datasheet describes it.

    A field named ``<carrier>_node`` connects the asset to that carrier's network. Powers are in kW and positive when they feed that network;
    ``control`` is the carrier whose power a set-point names.
    """

    id: Id
    title: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Field name → where its value comes from."""

    control: ClassVar[Carrier]

    def ports(self) -> dict[Carrier, str]:
        """Return the node that this asset touches on each carrier."""
        found: dict[Carrier, str] = {}
        for item in fields(self):
            carrier, suffix, rest = item.name.partition("_node")
            if suffix and not rest and getattr(self, item.name) is not None:
                found[Carrier(carrier)] = getattr(self, item.name)
        return found

    def series(self) -> tuple[str, ...]:
        """Return the names of the profiles and forecasts that this asset reads."""
        return ()
