"""Designs of many customers that the network can take together: where it cannot, the largest roofs are built less and designed anew."""

from collections.abc import Sequence
from dataclasses import replace

from customers.catalogue.modules import Catalogue
from customers.packages.deliverability import Delivery, check_delivery, fed_by
from customers.packages.design import PackageDesign, design_package
from customers.packages.variants import Bench
from models.site import Site

ROUNDS = 6
CUT = 0.75
"""What is left of a roof after a replay that went beyond a limit."""


def deliverable(
    site: Site, designs: Sequence[PackageDesign], catalogue: Catalogue, hours: int
) -> tuple[list[PackageDesign], Delivery]:
    """Return designs with their replay; those whose photovoltaics are at least half of the largest give way, six rounds at most."""
    made = list(designs)
    delivery = check_delivery(site, {d.bench.customer.bus: fed_by(d.bench, d.best.bundle, hours) for d in made})
    for _ in range(ROUNDS):
        largest = max(d.best.bundle.simulated.variant.pv_kw for d in made)
        if delivery.deliverable or largest == 0.0:
            break
        made = [
            design_package(with_less_roof(d.bench), catalogue)
            if d.best.bundle.simulated.variant.pv_kw >= 0.5 * largest
            else d
            for d in made
        ]
        delivery = check_delivery(site, {d.bench.customer.bus: fed_by(d.bench, d.best.bundle, hours) for d in made})
    return made, delivery


def with_less_roof(bench: Bench) -> Bench:
    """Return a bench whose customer's roof is used less."""
    facts = replace(bench.customer.facts, roof_m2=CUT * bench.customer.facts.roof_m2)
    return replace(bench, customer=replace(bench.customer, facts=facts))
