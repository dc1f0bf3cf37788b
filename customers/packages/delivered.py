"""Designs of many customers that the network can take together: where it cannot, the largest roofs are built less and designed anew."""

from collections.abc import Iterable, Mapping, Sequence
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

    The limit is found by halving on the designs as they are, each with its feed-in cut in proportion; then who is above it is designed
    with a roof that holds no more. What is left beyond a limit of the network without any photovoltaics, no roof can mend.
    """
    made = list(designs)
    delivery = check_delivery(site, _fed(made, hours))
    if delivery.deliverable:
        return made, delivery
    limit_kw = _limit_kw(site, made, hours)
    for _ in range(ROUNDS):
        made = [
            design_package(with_less_roof(d.bench, limit_kw), catalogue) if _pv_kw(d) > limit_kw else d for d in made
        ]
        delivery = check_delivery(site, _fed(made, hours))
        if delivery.deliverable:
            break
        limit_kw *= LESS
    return made, delivery


def _limit_kw(site: Site, made: Sequence[PackageDesign], hours: int) -> float:
    """Return the highest limit under which a replay stays within the network's, 0 where none does."""
    fed = {d.bench.customer.id: fed_by(d.bench, d.best.bundle, hours) for d in made}
    low, high = 0.0, max(_pv_kw(d) for d in made)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        cut = [(d, min(middle / max(_pv_kw(d), 1e-9), 1.0)) for d in made]
        if check_delivery(
            site, _by_bus((d.bench.customer.bus, k * fed[d.bench.customer.id]) for d, k in cut)
        ).deliverable:
            low = middle
        else:
            high = middle
    return low


def _fed(made: Sequence[PackageDesign], hours: int) -> Mapping[str, Floats]:
    return _by_bus((d.bench.customer.bus, fed_by(d.bench, d.best.bundle, hours)) for d in made)


def _by_bus(parts: Iterable[tuple[str, Floats]]) -> Mapping[str, Floats]:
    """Return what is fed into each bus by everybody on it."""
    found: dict[str, Floats] = {}
    for bus, kw in parts:
        found[bus] = found.get(bus, 0.0) + kw
    return found


def _pv_kw(design: PackageDesign) -> float:
    return design.best.bundle.simulated.variant.pv_kw


def with_less_roof(bench: Bench, most_kw: float) -> Bench:
    """Return a bench whose customer's roof holds no more than so much."""
    roof_m2 = min(bench.customer.facts.roof_m2, most_kw * bench.library["roof_per_kw"])
    return replace(bench, customer=replace(bench.customer, facts=replace(bench.customer.facts, roof_m2=roof_m2)))
