"""Many customers together: which proven bundle each is offered, under the capital and the feeders that all share, and what it risks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from customers.packages.design import PackageDesign, Proven
from customers.packages.prices import together
from optimizers.packages import Choice, Columns, choose
from optimizers.packing import NOBODY

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The bundle of every customer (None for supply alone as it is) and our margin over all in each drawn year, shape (replicate,)."""

    chosen: Mapping[str, Proven | None]
    choice: Choice
    margin: Floats
    capital: float

    @property
    def bad_year(self) -> float:
        """Our margin in a year that nine of ten exceed; weather and common shocks hit all customers in the same year."""
        return float(np.quantile(self.margin, 0.1))


def portfolio(
    designs: Sequence[PackageDesign],
    capital: float = np.inf,
    feeder_kw: Mapping[str, float] | None = None,
    *,
    least_acceptance: float = 0.3,
) -> Portfolio:
    """Return the bundles with the largest expected margin; photovoltaics on one bus stay within its ``feeder_kw``.

    Offers that are signed less often than ``least_acceptance`` are not made.
    """
    feeders = dict(feeder_kw or {})
    rooms = np.array([min(capital, 1e15), *feeders.values()])
    proven, owner = _candidates(designs, least_acceptance)
    uses = np.array(
        [
            [p.bundle.capital, *(_feeds(designs[k], p, bus) for bus in feeders)]
            for p, k in zip(proven, owner, strict=True)
        ]
    )
    value = np.array([p.offer.expected if p.offer else 0.0 for p in proven])
    columns = Columns(np.array(owner, dtype=np.int64), value, sparse.csr_array(uses.reshape(len(proven), -1).T), rooms)
    choice = choose(columns)
    picked = {
        d.bench.customer.id: None if k >= len(choice.column) or choice.column[k] == NOBODY else proven[choice.column[k]]
        for k, d in enumerate(designs)
    }
    offers = [p.offer for p in picked.values() if p is not None and p.offer is not None]
    spent = sum(p.bundle.capital for p in picked.values() if p is not None)
    return Portfolio(picked, choice, together(offers), spent)


def _candidates(designs: Sequence[PackageDesign], least_acceptance: float) -> tuple[list[Proven], list[int]]:
    found = [
        (p, k)
        for k, d in enumerate(designs)
        for p in (d.best, *d.alternatives)
        if p.offer is not None and p.offer.acceptance >= least_acceptance
    ]
    return [p for p, _ in found], [k for _, k in found]


def _feeds(design: PackageDesign, proven: Proven, bus: str) -> float:
    return proven.bundle.simulated.variant.pv_kw if design.bench.customer.bus == bus else 0.0
