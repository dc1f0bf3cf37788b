"""Designs of many customers that the network can take together: where it cannot, the largest roofs are built less and designed anew."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from customers.catalogue.modules import Catalogue
from customers.packages.deliverability import Delivery, check_delivery, fed_by
from customers.packages.design import PackageDesign, design_package
from customers.packages.variants import Bench
from models.site import Site

Floats = npt.NDArray[np.float64]
HALVINGS, ROUNDS = 6, 4
LESS = 0.8
"""What is left of the limit after designs made for it went beyond."""


def deliverable(
    site: Site, designs: Sequence[PackageDesign], catalogue: Catalogue, hours: int
) -> tuple[list[PackageDesign], Delivery]:
    """Return designs with their replay; photovoltaics beyond a limit in kW, the same for everybody, give way and are designed anew.

    The limit is found by halving, on the designs as they are with less photovoltaics; then who is above it is designed with a roof that
    holds no more. Hours that the rest of the packages brings, like a load that an efficiency programme takes off, no roof can mend.
    """
    made = list(designs)
    delivery = check_delivery(site, _fed(made, hours, np.inf))
    least = check_delivery(site, _fed(made, hours, 0.0)).after.beyond
    if delivery.deliverable or delivery.after.beyond <= least:
        return made, delivery
    limit_kw = _limit_kw(site, made, hours, least)
    for _ in range(ROUNDS):
        made = [
            design_package(with_less_roof(d.bench, limit_kw), catalogue) if _pv_kw(d) > limit_kw else d for d in made
        ]
        delivery = check_delivery(site, _fed(made, hours, np.inf))
        if delivery.after.beyond <= least:
            break
        limit_kw *= LESS
    return made, delivery


def _limit_kw(site: Site, made: Sequence[PackageDesign], hours: int, least: int) -> float:
    """Return the highest limit under which a replay has no more than ``least`` hours beyond a limit of the network."""
    low, high = 0.0, max(_pv_kw(d) for d in made)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if check_delivery(site, _fed(made, hours, middle)).after.beyond <= least:
            low = middle
        else:
            high = middle
    return low


def _fed(made: Sequence[PackageDesign], hours: int, limit_kw: float) -> Mapping[str, Floats]:
    """Return what is fed into each bus by everybody on it, photovoltaics cut to a limit."""
    found: dict[str, Floats] = {}
    for d in made:
        less_kw = max(_pv_kw(d) - limit_kw, 0.0)
        sun = d.bench.sun.typical[: hours * (len(d.bench.sun.typical) // hours)].reshape(hours, -1).mean(axis=1)
        fed = fed_by(d.bench, d.best.bundle, hours) - less_kw * sun
        found[d.bench.customer.bus] = found.get(d.bench.customer.bus, 0.0) + fed
    return found


def _pv_kw(design: PackageDesign) -> float:
    return design.best.bundle.simulated.variant.pv_kw


def with_less_roof(bench: Bench, most_kw: float) -> Bench:
    """Return a bench whose customer's roof holds no more than so much."""
    roof_m2 = min(bench.customer.facts.roof_m2, most_kw * bench.library["roof_per_kw"])
    return replace(bench, customer=replace(bench.customer, facts=replace(bench.customer.facts, roof_m2=roof_m2)))
