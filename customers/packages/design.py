"""Package design: every physical variant simulated on the customer's own year, modules added, the best proven, priced and explained."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from customers.catalogue.modules import Catalogue
from customers.packages.between import ASSUMED, BetweenYears
from customers.packages.economics import Item, added_items, built_items, supply_item
from customers.packages.prices import Acceptance, Design, Offer, chosen, price_designs
from customers.packages.proof import Draws, SavingProof, prove
from customers.packages.variants import Bench, Simulated, Variant, variants
from models.tariffs.bill import Charges, bill
from models.tariffs.charges import Meters
from models.tariffs.compile import compile_tariff

Floats = npt.NDArray[np.float64]
SHORTLIST = 4
REPLICATES = 200
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
class PackageDesign:
    """The outcome for one customer: what was best, what else was looked at, and why modules were taken or left."""

    bench: Bench
    best: Proven
    alternatives: tuple[Proven, ...]
    simulated: int
    reasons: Mapping[str, str]
    before: Charges
    after: Charges
    findings: tuple[str, ...] = field(default=())

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
    allowed: Iterable[str] | None = None,
) -> PackageDesign:
    """Return the package that is worth most to customer and us together, proven and priced; ``allowed`` names the modules that may be used.

    Every variant that the facts allow is simulated; nothing is screened by adding up. The best of each kind of package, and the best few, are
    proven; the one with the highest expected margin among those is offered.
    """
    drawn = draws or Draws.of(REPLICATES, len(bench.sun.years))
    ranked = bundles(bench, catalogue, allowed)
    proven = [_proven(bench, b, between, drawn, acceptance) for b in shortlist(ranked)]
    best = max(proven, key=lambda p: p.offer.expected if p.offer else -np.inf)
    before, after = bills(bench, best.bundle.simulated)
    others = tuple(p for p in proven if p is not best)
    return PackageDesign(bench, best, others, len(ranked), reasons(bench, ranked, best.bundle), before, after)


def bundles(bench: Bench, catalogue: Catalogue, allowed: Iterable[str] | None = None) -> list[Bundle]:
    """Return a bundle for every variant, the most worth first; modules without simulation are taken where they bring more than they cost."""
    may = frozenset(catalogue.modules if allowed is None else allowed)
    added = tuple(i for i in added_items(bench) if i.module in may and (i.worth > 0 or i.module == "certificates"))
    found = [_bundle(bench, v, added, catalogue) for v in variants(bench) if v.modules <= may]
    return sorted(found, key=lambda b: b.worth, reverse=True)


def _bundle(bench: Bench, variant: Variant, added: tuple[Item, ...], catalogue: Catalogue) -> Bundle:
    simulated = bench.simulate(variant)
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


def reasons(bench: Bench, ranked: Sequence[Bundle], best: Bundle) -> dict[str, str]:
    """Return for every module why it is in the package or not, in one sentence each."""
    told: dict[str, str] = {}
    facts = bench.customer.facts
    added = {i.module: i for i in added_items(bench)}
    for name in ("pv", "storage", "efficiency", "chp", "charging"):
        told[name] = _built_reason(name, ranked, best)
    for name, need in (
        ("heat", "heat_kwh"),
        ("cold", "cold_kwh"),
        ("response", "flexible_kw"),
        ("backup", "critical_kw"),
    ):
        item = added.get(name)
        if item is None:
            told[name] = (
                "nothing is known that it could serve" if not facts.known(need) else "its present price is not known"
            )
        else:
            verb = "brings" if item.worth > 0 else "would lose"
            told[name] = f"{verb} {abs(item.worth):,.0f} a year after its cost of {item.yearly_cost:,.0f}"
    told["certificates"] = (
        f"asked for: {facts.green_share:.0%} of the energy" if facts.green_share else "not asked for, and it only costs"
    )
    return told


def _built_reason(name: str, ranked: Sequence[Bundle], best: Bundle) -> str:
    with_it = [b for b in ranked if name in b.simulated.variant.modules]
    without = [b for b in ranked if name not in b.simulated.variant.modules]
    if not with_it:
        return "its site gives no place or no use for it"
    if not without:
        return "is part of every variant"
    gain = with_it[0].worth - without[0].worth
    verb = "brings" if gain > 0 else "would lose"
    inside = name in best.simulated.variant.modules
    risk = "" if inside == (gain > 0) else "; the offer with the surer margin decides otherwise"
    return f"{verb} {abs(gain):,.0f} a year after its cost, the best with it beside the best without{risk}"
