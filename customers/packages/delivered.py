"""Designs of many customers that the network can take together: where it cannot, the largest roofs are built less and designed anew."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from customers.catalogue.modules import Catalogue
from customers.packages.deliverability import Delivery, Fed, check_delivery
from customers.packages.design import PackageDesign, design_package
from customers.packages.variants import Bench
from models.site import Site

HALVINGS, ROUNDS = 6, 4
LESS = 0.8
"""What is left of the limit after designs made for it went beyond."""


def deliverable(
    site: Site, designs: Sequence[PackageDesign], catalogue: Catalogue, hours: int
) -> tuple[list[PackageDesign], Delivery]:
    """Return designs with their replay; photovoltaics beyond a limit in kW, the same for everybody, give way and are designed anew.

    The limit is found by halving, on the designs as they are with less photovoltaics; then who is above it is designed with a roof that
    holds no more. Where no limit ends all hours that packages bring, as a load that a programme takes off brings some too, it is the one
    that leaves no more of them than without any photovoltaics.
    """
    made = list(designs)
    delivery = check_delivery(site, _fed(made, hours))
    if delivery.deliverable:
        return made, delivery
    least = check_delivery(site, _fed(made, hours, 0.0)).after.beyond
    limit_kw, bring = _limit_kw(site, made, hours, delivery.before.beyond), delivery.before.beyond
    if not limit_kw:
        limit_kw, bring = _limit_kw(site, made, hours, least), least
    for _ in range(ROUNDS):
        made = [
            design_package(with_less_roof(d.bench, limit_kw), catalogue) if _pv_kw(d) > limit_kw else d for d in made
        ]
        delivery = check_delivery(site, _fed(made, hours))
        if delivery.after.beyond <= bring:
            break
        limit_kw *= LESS
    return made, delivery


def _limit_kw(site: Site, made: Sequence[PackageDesign], hours: int, most: int) -> float:
    """Return the highest limit found under which a replay has no more than ``most`` hours beyond a limit of the network; 0 where there is none."""
    low, high = 0.0, max(_pv_kw(d) for d in made)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if check_delivery(site, _fed(made, hours, middle)).after.beyond <= most:
            low = middle
        else:
            high = middle
    return low


def _fed(made: Sequence[PackageDesign], hours: int, limit_kw: float = np.inf) -> Fed:
    """Return what everybody's package feeds in, photovoltaics cut to a limit."""
    return Fed.of(((d.bench, d.best.bundle) for d in made), hours, limit_kw)


def _pv_kw(design: PackageDesign) -> float:
    return design.best.bundle.simulated.variant.pv_kw


def with_less_roof(bench: Bench, most_kw: float) -> Bench:
    """Return a bench whose customer's roof holds no more than so much."""
    roof_m2 = min(bench.customer.facts.roof_m2, most_kw * bench.library["roof_per_kw"])
    return replace(bench, customer=replace(bench.customer, facts=replace(bench.customer.facts, roof_m2=roof_m2)))
