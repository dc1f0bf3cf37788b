"""Matches on the network: what matched photovoltaics feed in is replayed with the batch power flow; feeders that cannot take it get less."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from customers.catalogue.offers import ProviderOffer
from customers.matching.match import Matching, Need, match
from customers.packages.deliverability import Delivery, Fed, check_delivery
from models.components import Pv
from models.site import Site
from models.site.profiles import load_profiles

Floats = npt.NDArray[np.float64]
ROUNDS = 6
CUT = 0.8
"""What is left of a feeder's room after a replay that went beyond a limit."""


def match_on_network(
    needs: Sequence[Need],
    offers: Sequence[ProviderOffer],
    on: date,
    site: Site,
    sun_pu: Floats,
    feeder_kw: Mapping[str, float],
) -> tuple[Matching, Delivery]:
    """Return a matching whose photovoltaics the network can take, and its replay; ``sun_pu`` (hour,) is the output per kW.

    Feeder rooms are a linear stand-in; where the replay goes beyond a limit they are cut on the buses that feed most, and needs are matched
    again, six times at most.
    """
    rooms = dict(feeder_kw)
    for round_ in range(ROUNDS):
        found = match(needs, offers, on, rooms)
        built = built_kw(found)
        fed = {bus: kw * sun_pu for bus, kw in built.items()}
        delivery = check_delivery(site, Fed(fed, fed))
        if delivery.deliverable or round_ == ROUNDS - 1:
            break
        worst = max(built.values())
        rooms |= {bus: CUT * kw for bus, kw in built.items() if kw >= 0.5 * worst}
    return found, delivery


def match_at_site(
    needs: Sequence[Need],
    offers: Sequence[ProviderOffer],
    on: date,
    site: Site | None,
    feeder_kw: Mapping[str, float] | None = None,
) -> tuple[Matching, Delivery | None]:
    """Return a matching, replayed on a site's network where needs name its buses; the delivery is None where nothing can be replayed.

    A feeder without a room in ``feeder_kw`` takes what is asked for there, until the replay says otherwise.
    """
    rooms = dict(feeder_kw or {})
    field = None if site is None else next(iter(site.of_kind(Pv)), None)
    placed = [n for n in needs if n.bus and n.module == "pv"]
    if site is None or field is None or not placed or not site.networks.electricity:
        return match(needs, offers, on, rooms), None
    for need in placed:
        asked = sum(n.size for n in placed if n.bus == need.bus)
        rooms.setdefault(need.bus, asked)
    sun_pu = load_profiles(site)[field.profile].to_numpy(dtype=np.float64)
    return match_on_network(needs, offers, on, site, sun_pu, rooms)


def built_kw(matching: Matching) -> dict[str, float]:
    """Return the photovoltaics that a matching builds, by bus."""
    built: dict[str, float] = {}
    for m in matching.matches:
        if m.need.module == "pv" and m.need.bus:
            built[m.need.bus] = built.get(m.need.bus, 0.0) + m.need.size
    return built
