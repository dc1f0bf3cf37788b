"""What would change the decision: every figure of the cost library at both ends of its range, the design ranked anew."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from customers.catalogue.modules import Catalogue
from customers.costs.library import CostItem, Level
from customers.packages.design import Bundle, PackageDesign, best_bundle
from customers.packages.variants import Bench, variants

SIMULATED = ("roof_per_kw", "battery_round_trip", "efficiency_effect")
"""Figures that change what is simulated, not only what it costs."""


@dataclass(frozen=True, slots=True)
class Swing:
    """The most worthy bundle with one figure at its low and at its high end."""

    item: CostItem
    low: Bundle
    high: Bundle
    base: Bundle

    @property
    def changed(self) -> frozenset[str]:
        """Modules that come or go between the ends of the range."""
        return (self.low.modules ^ self.high.modules) | (self.low.modules ^ self.base.modules)

    @property
    def span(self) -> float:
        """How much the worth moves from end to end."""
        return abs(self.high.worth - self.low.worth)


def swings(design: PackageDesign, catalogue: Catalogue, *, simulate: bool = False) -> list[Swing]:
    """Return every figure that the design's modules read, the one that moves the worth most first.

    Figures that change what is simulated are left out unless ``simulate`` asks for it; each takes as long as a design.
    """
    found = list(_swings(design, catalogue, simulate=simulate))
    return sorted(found, key=lambda s: s.span, reverse=True)


def _swings(design: PackageDesign, catalogue: Catalogue, *, simulate: bool) -> Iterator[Swing]:
    read = {c for m in catalogue.modules.values() for c in m.costs} | {"discount_rate"}
    for name, item in design.bench.library.items.items():
        if name not in read or (name in SIMULATED and not simulate):
            continue
        low, high = _best(design, catalogue, name, "low"), _best(design, catalogue, name, "high")
        yield Swing(item, low, high, design.ranked[0])


def _best(design: PackageDesign, catalogue: Catalogue, name: str, level: Level) -> Bundle:
    old = design.bench
    bench: Bench = replace(old, library=old.library.with_level(name, level))
    if name in SIMULATED:
        years = [bench.simulate(v) for v in variants(bench)]
    else:
        bench.__dict__["before"] = old.before  # what the year costs now does not hang on this figure
        years = [b.simulated for b in design.ranked]
    return best_bundle(bench, years, catalogue, design.package)
