"""Assets of one kind stand together in pictures; every kind has a place in the order of a plant's diagram."""

from collections.abc import Mapping

from models.carriers import Carrier
from models.components import AnyAsset
from models.site import Site

ORDER = (
    "grid_connection",
    "gas_supply",
    "pv",
    "wind",
    "chp",
    "heat_pump",
    "gas_boiler",
    "electric_boiler",
    "electric_chiller",
    "absorption_chiller",
    "electrolyser",
    "battery",
    "hot_tank",
    "cold_store",
    "ev_fleet",
    "flexible_load",
    "consumer",
)
"""Kinds from where energy enters to where it is used; meters move no energy and are left out."""

STORES = frozenset({"battery", "hot_tank", "cold_store"})
CONNECTIONS = frozenset({"grid_connection", "gas_supply"})
TWO_WAY = STORES | CONNECTIONS
"""Kinds that both give and take; in pictures giving and taking are two things."""
GIVES: Mapping[str, frozenset[Carrier]] = {
    "pv": frozenset({Carrier.ELECTRICITY}),
    "wind": frozenset({Carrier.ELECTRICITY}),
    "chp": frozenset({Carrier.ELECTRICITY, Carrier.HEAT}),
    "heat_pump": frozenset({Carrier.HEAT}),
    "gas_boiler": frozenset({Carrier.HEAT}),
    "electric_boiler": frozenset({Carrier.HEAT}),
    "electric_chiller": frozenset({Carrier.COLD}),
    "absorption_chiller": frozenset({Carrier.COLD}),
    "electrolyser": frozenset({Carrier.HYDROGEN}),
}
"""What a one-way kind can give; on every other carrier it can only take."""
CONVERTERS = frozenset(GIVES) - {"pv", "wind"}
USES = frozenset({"consumer", "ev_fleet", "flexible_load"})


def by_kind(site: Site) -> Mapping[str, tuple[AnyAsset, ...]]:
    """Return the site's assets by kind, in the order of pictures; kinds that the site lacks are left out."""
    found = {kind: tuple(a for a in site.assets if a.kind == kind) for kind in ORDER}
    return {kind: assets for kind, assets in found.items() if assets}
