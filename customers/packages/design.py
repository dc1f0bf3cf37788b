"""Package design: every physical variant simulated on the customer's own year, modules added, the best proven, priced and explained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customers.catalogue.modules import Catalogue
from customers.packages.between import ASSUMED, BetweenYears
from customers.packages.economics import Item, added_items, built_items, supply_item
from customers.packages.prices import Acceptance, Design, Offer, chosen, price_designs
from customers.packages.proof import Draws, SavingProof, prove
from customers.packages.variants import Bench, Simulated, Variant, variants
from models.errors import DataError
from models.findings import error
from models.tariffs.bill import Charges, bill
from models.tariffs.charges import Meters
from models.tariffs.compile import compile_tariff

Floats = npt.NDArray[np.float64]
SHORTLIST = 4
REPLICATES = 200
ABOUT_AS_GOOD = 0.005
"""So much of the bill may be given up of a package's worth for one that is likelier to be signed."""
CO2_KG_PER_KWH = 0.5366
"""China, 2022 national average: Ministry of Ecology and Environment, announcement of 20 December 2024."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A simulated variant with the modules that come with it; money per year.

    ``saving`` is what the metered year's bill would have been lower, ``worth`` the customer's and our gain together.
    """

    simulated: Simulated
    items: tuple[Item, ...]
    modules: frozenset[str]
    package: str
    saving: float

    @property
    def capital(self) -> float:
        """What is spent on the first day."""
        return sum(i.capital for i in self.items)

    @property
    def yearly_cost(self) -> float:
        """What it costs us in a year, capital included."""
        return sum(i.yearly_cost for i in self.items)

    @property
    def yearly_gain(self) -> float:
        """What the customer gains beside its electricity bill."""
        return sum(i.yearly_gain for i in self.items)

    @property
    def worth(self) -> float:
        """What there is to share between the customer and us."""
        return self.saving + self.yearly_gain - self.yearly_cost


@dataclass(frozen=True, slots=True)
class Proven:
    """A bundle with its proof and every price design; ``offer`` is the one chosen, None where nobody would earn."""

    bundle: Bundle
    proof: SavingProof
    offers: Mapping[Design, Offer]
    offer: Offer | None

    @property
    def total_saving(self) -> Floats:
        """What the customer saves in each drawn year with everything that the package brings, shape (replicate,)."""
        return self.proof.saving + self.bundle.yearly_gain


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a module is in a package or not: a word for the case, what it brings in a year (negative loses), and its cost."""

    case: str
    amount: float = 0.0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class PackageDesign:
    """The outcome for one customer: what was best, what else was looked at, and why modules were taken or left."""

    bench: Bench
    best: Proven
    alternatives: tuple[Proven, ...]
    ranked: tuple[Bundle, ...]
    """A bundle for every variant, the most worth first."""
    reasons: Mapping[str, Reason]
    before: Charges
    after: Charges
    package: str = ""
    """The base package that was asked for; "" where the best of all was."""

    @property
    def co2_kg(self) -> float:
        """Emission avoided in a year, by what the grid's mean kWh emits."""
        end, b = self.best.bundle.simulated, self.bench
        less_kwh = (b.load_kw.sum() - end.net_kw.sum()) * b.year.step_h * b.runs_per_year
        return float(less_kwh) * CO2_KG_PER_KWH


def design_package(
    bench: Bench,
    catalogue: Catalogue,
    *,
    between: BetweenYears = ASSUMED,
    draws: Draws | None = None,
    acceptance: Acceptance | None = None,
    package: str = "",
) -> PackageDesign:
    """Return the package that is worth most to customer and us together, proven and priced; ``package`` names a base package that it has to be.

    Every variant that the facts allow is simulated; nothing is screened by adding up. The best of each kind of package, and the best few, are
    proven. Offered is the one with the highest expected margin among those that are worth about as much as the best; what sells well and is
    worth clearly less is an alternative.

    Raises
    ------
    DataError
        If the base package is unknown, or cannot be built with what is known of the customer.
    """
    drawn = draws or Draws.of(REPLICATES)
    years = [bench.simulate(v) for v in variants(bench)]
    ranked = bundles(bench, years, catalogue, package)
    proven = [_proven(bench, b, between, drawn, acceptance) for b in shortlist(ranked)]
    best = _offered(bench, proven)
    before, after = bills(bench, best.bundle.simulated)
    others = tuple(p for p in proven if p is not best)
    told = reasons(bench, ranked, best.bundle)
    return PackageDesign(bench, best, others, tuple(ranked), told, before, after, package)


def _offered(bench: Bench, proven: Sequence[Proven]) -> Proven:
    """Return the bundle with the highest expected margin, among those near the most worth as far as both sides gain there."""
    least = max(p.bundle.worth for p in proven) - ABOUT_AS_GOOD * bench.before * bench.runs_per_year
    near = [p for p in proven if p.bundle.worth >= least and p.offer is not None]
    return max(near or proven, key=lambda p: p.offer.expected if p.offer else -np.inf)


def with_offer(design: PackageDesign, proven: Proven) -> PackageDesign:
    """Return a design whose offer is another of its proven bundles, as a choice over many customers may ask for."""
    if proven is design.best:
        return design
    before, after = bills(design.bench, proven.bundle.simulated)
    others = tuple(p for p in (design.best, *design.alternatives) if p is not proven)
    told = reasons(design.bench, design.ranked, proven.bundle)
    return PackageDesign(design.bench, proven, others, design.ranked, told, before, after, design.package)


def bundles(bench: Bench, years: Sequence[Simulated], catalogue: Catalogue, package: str = "") -> list[Bundle]:
    """Return a bundle for every simulated variant, the most worth first; modules without simulation are taken where they pay.

    With a base package those that are this one, and what it always holds is taken whether it pays or not.

    Raises
    ------
    DataError
        If there is no such package, or nothing of it can be built.
    """
    may, must = _parts(catalogue, package)
    added = tuple(i for i in _that_pay(bench, must) if i.module in may)
    found = [_bundle(bench, y, added, catalogue) for y in years if y.variant.modules <= may]
    if package:
        found = [b for b in found if b.package == package]
    if not found:
        needs = ", ".join(sorted({n for m in must for n in catalogue.modules[m].needs})) or "no facts"
        raise DataError([error("package", f"{package} cannot be built here; it rests on {needs}")])
    return sorted(found, key=lambda b: b.worth, reverse=True)


def _parts(catalogue: Catalogue, package: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the modules that a package may hold, and those that it always holds beside supply."""
    if not package:
        return frozenset(catalogue.modules), frozenset()
    if package not in catalogue.packages:
        raise DataError([error("package", f"{package!r} is none; there are {', '.join(catalogue.packages)}")])
    base = catalogue.packages[package]
    return frozenset((*base.all, *base.any)), frozenset(base.all) - {"supply"}


def best_bundle(bench: Bench, years: Sequence[Simulated], catalogue: Catalogue, package: str = "") -> Bundle:
    """Return the bundle of the most worth alone."""
    if package:
        return bundles(bench, years, catalogue, package)[0]

    def worth(year: Simulated) -> float:
        return (bench.before - year.cost) * bench.runs_per_year + sum(i.worth for i in built_items(bench, year))

    return _bundle(bench, max(years, key=worth), _that_pay(bench), catalogue)


def _that_pay(bench: Bench, must: frozenset[str] = frozenset()) -> tuple[Item, ...]:
    """Return the modules without simulation that pay or must be; certificates only cost and are taken where they were asked for."""
    wanted = must | {"certificates"}
    return tuple(i for i in added_items(bench) if i.worth > 0 or i.module in wanted)


def _bundle(bench: Bench, simulated: Simulated, added: tuple[Item, ...], catalogue: Catalogue) -> Bundle:
    items = (supply_item(bench), *built_items(bench, simulated), *added)
    modules = catalogue.composed(i.module for i in items)
    saving = (bench.before - simulated.cost) * bench.runs_per_year
    return Bundle(simulated, items, modules, catalogue.package_of(modules), saving)


def shortlist(ranked: Sequence[Bundle]) -> list[Bundle]:
    """Return the best few bundles and the best of every set of modules that is worth something, supply alone among them."""
    found = list(ranked[:SHORTLIST])
    seen = {b.modules for b in found}
    for bundle in ranked[SHORTLIST:]:
        alone = bundle.simulated.variant == Variant()
        if alone or (bundle.modules not in seen and bundle.worth > 0 and len(seen) < 2 * SHORTLIST):
            found.append(bundle)
            seen.add(bundle.modules)
    return found


def _proven(bench: Bench, bundle: Bundle, between: BetweenYears, draws: Draws, acceptance: Acceptance | None) -> Proven:
    proof = prove(bench, bundle.simulated, between, draws)
    saving = proof.saving + bundle.yearly_gain
    offers = price_designs(saving, bundle.yearly_cost, float(proof.before.mean()), acceptance)
    return Proven(bundle, proof, offers, chosen(offers))


def bills(bench: Bench, simulated: Simulated) -> tuple[Charges, Charges]:
    """Return the exact bills of the metered run without and with a variant: the bill engine's own, to the cent."""
    compiled = compile_tariff(bench.year.tariff, bench.customer.intervals)
    before = bill(compiled, Meters(bench.customer.wh[np.newaxis]))
    return before, bill(compiled, Meters(bench.net_wh(simulated)))


NEEDS = {"heat": "heat_kwh", "cold": "cold_kwh", "response": "flexible_kw", "backup": "critical_kw"}
"""The fact without which a module has nothing to serve."""


def reasons(bench: Bench, ranked: Sequence[Bundle], best: Bundle) -> dict[str, Reason]:
    """Return for every module why it is in the package or not."""
    facts, added = bench.customer.facts, {i.module: i for i in added_items(bench)}
    told = {name: _built_reason(name, ranked, best) for name in ("pv", "storage", "efficiency", "chp", "charging")}
    for name, need in NEEDS.items():
        if name in added:
            item = added[name]
            told[name] = Reason("brings" if item.worth > 0 else "loses", abs(item.worth), item.yearly_cost)
        else:
            told[name] = Reason("no_price" if facts.known(need) else "no_use")
    told["certificates"] = Reason("asked", facts.green_share) if facts.green_share else Reason("not_asked")
    return told


def _built_reason(name: str, ranked: Sequence[Bundle], best: Bundle) -> Reason:
    """Compare the best bundle with a module with the best one without it."""
    with_it = next((b for b in ranked if name in b.simulated.variant.modules), None)
    without = next((b for b in ranked if name not in b.simulated.variant.modules), None)
    if with_it is None or without is None:
        return Reason("no_place")
    gain = with_it.worth - without.worth
    cost = sum(i.yearly_cost for i in with_it.items if i.module == name)
    case = "brings" if gain > 0 else "loses"
    if (name in best.simulated.variant.modules) != (gain > 0):
        case = f"{case}_but"
    return Reason(case, abs(gain), cost)
