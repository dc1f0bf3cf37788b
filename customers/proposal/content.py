"""The content of a proposal: sentences and tables in one language, each figure from the design, the proof or the bill engine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from customers.catalogue.modules import Catalogue
from customers.packages.deliverability import Delivery
from customers.packages.design import PackageDesign, Reason
from customers.packages.economics import Item
from customers.packages.prices import Offer
from customers.packages.sensitivity import Swing
from customers.packages.sun import GENERATED
from customers.proposal.words import UNITS, words
from models.tariffs.money import text

Row = tuple[str, ...]
SHOWN_SWINGS = 8
COUNTED = ("brings", "loses", "brings_but", "loses_but")
"""Reasons that tell what a module costs us and brings."""


def money(micro: int) -> str:
    """Return micro-units as people read large amounts, to the cent."""
    return f"{Decimal(text(micro)):,}"


@dataclass(frozen=True)
class Proposal:
    """Everything that a proposal says of one design; ``delivery`` is None where no network was given."""

    design: PackageDesign
    catalogue: Catalogue
    language: str
    delivery: Delivery | None = None
    swings: Sequence[Swing] = ()
    warnings: Sequence[str] = ()
    note: str = ""
    internal: bool = False
    """Whether it also says what we earn; not for the customer."""

    def word(self, name: str, /, **values: object) -> str:
        """Return a sentence or a heading in the proposal's language."""
        return words()[self.language][name].format(**values)

    def heads(self, name: str) -> Row:
        """Return the head of a table."""
        return tuple(self.word(name).split("|"))

    def module(self, name: str) -> str:
        """Return a module's title."""
        return self.catalogue.modules[name].title[self.language]

    @property
    def currency(self) -> str:
        """The tariff's currency."""
        return self.design.bench.year.tariff.currency

    @property
    def title(self) -> str:
        """The heading of the whole."""
        return self.word("title", name=self.design.bench.customer.name)

    @property
    def notice(self) -> str:
        """From what the proposal was made."""
        bench = self.design.bench
        local = bench.year.tariff.calendar.local(bench.customer.intervals.times[[0, -1]])
        package = self.catalogue.packages[self.design.best.bundle.package].title[self.language]
        made = self.word(
            "notice",
            package=package,
            start=local[0].date(),
            end=local[1].date(),
            costs=bench.library.version,
            catalogue=self.catalogue.version,
            tariff=bench.year.tariff.id,
            currency=self.currency,
        )
        return f"{made} {self.note}".strip()

    def summary(self) -> Iterator[str]:
        """Yield what has to be read if nothing else is."""
        before, after = self.totals()
        share = (before - after) / before if before else 0.0
        yield self.word(
            "saves",
            before=money(before),
            after=money(after),
            currency=self.currency,
            difference=money(before - after),
            percent=f"{share:.1%}",
        )
        proof = self.design.best.proof
        gain = self.design.best.bundle.yearly_gain
        low, high = (v + gain for v in proof.interval)
        beside = self.word("beside", gain=f"{gain:,.0f}") if gain else ""
        yield self.word(
            "interval", low=f"{low:,.0f}", high=f"{high:,.0f}", mean=f"{proof.mean + gain:,.0f}", beside=beside
        )
        yield self.word("loss", loss=f"{proof.loss_probability:.1%}")
        yield self._offered()
        if self.design.best.offer is not None and self.design.best.bundle.capital:
            yield self.word("invested", capital=f"{self.design.best.bundle.capital:,.0f}", currency=self.currency)
        yield self.word("co2", tonnes=f"{self.design.co2_kg / 1e3:,.0f}")

    def _offered(self) -> str:
        offer = self.design.best.offer
        if offer is None:
            return self.word("no_offer")
        return self.word(
            "offer",
            design=self.word(offer.design.value),
            terms=self.terms(offer),
            kept=f"{offer.customer_mean:,.0f}",
            kept_p10=f"{offer.customer_p10:,.0f}",
            loss=f"{offer.loss_probability:.1%}",
        )

    def terms(self, offer: Offer) -> str:
        """Return the terms of a price design in words."""
        values = {"amount": f"{offer.amount:,.0f}", "share": f"{offer.share:.0%}", "floor": f"{offer.floor:,.0f}"}
        return self.word(f"terms_{offer.design.value}", **values)

    def totals(self) -> tuple[int, int]:
        """Return the bills of the whole metered run, before and after, in micro-units: the sum of the bill engine's lines."""
        return tuple(int(c.total_micro.sum()) for c in (self.design.before, self.design.after))  # type: ignore[return-value] # two

    def item_heads(self) -> Row:
        """Return the head of the table of modules."""
        heads = self.heads("head_items")
        return heads if self.internal else (*heads[:3], heads[4])

    def items(self) -> Iterator[Row]:
        """Yield the modules with size and money, and their sum; our cost only where it is internal."""
        bundle = self.design.best.bundle
        rows = [(self.module(i.module), self._size(i), i.capital, i.yearly_cost, i.yearly_gain) for i in bundle.items]
        rows.append((self.word("total"), "", bundle.capital, bundle.yearly_cost, bundle.yearly_gain))
        for title, size, capital, cost, gain in rows:
            yield title, size, f"{capital:,.0f}", *((f"{cost:,.0f}",) if self.internal else ()), f"{gain:,.0f}"

    def _size(self, item: Item) -> str:
        if item.module == "efficiency":
            return self.word("share_of_load", share=f"{item.size:.0%}")
        return f"{item.size:,.0f} {UNITS[self.language].get(item.unit, item.unit)}"

    def bills(self) -> Iterator[Row]:
        """Yield every billing month before and after, and the sum."""
        before, after = self.design.before, self.design.after
        for k, (year, month) in enumerate(before.cycles):
            old, new = int(before.total_micro[0, k]), int(after.total_micro[0, k])
            yield f"{year}-{month:02d}", money(old), money(new), money(new - old)
        old, new = self.totals()
        yield self.word("total"), money(old), money(new), money(new - old)

    def price_heads(self) -> Row:
        """Return the head of the table of price designs."""
        heads = self.heads("head_prices")
        return heads if self.internal else heads[:5]

    def prices(self) -> Iterator[Row]:
        """Yield the price designs; the one offered is named, and what we earn is told where it is internal."""
        best = self.design.best
        for offer in best.offers.values():
            chosen = f" ({self.word('chosen')})" if offer is best.offer else ""
            kept = f"{offer.customer_mean:,.0f}", f"{offer.customer_p10:,.0f}", f"{offer.loss_probability:.1%}"
            ours = f"{offer.margin_mean:,.0f}", f"{offer.margin_p10:,.0f}", f"{offer.acceptance:.0%}"
            yield self.word(offer.design.value) + chosen, self.terms(offer), *kept, *(ours if self.internal else ())

    def reasons(self) -> Iterator[str]:
        """Yield why each module is in the package or not."""
        for name, reason in self.design.reasons.items():
            yield f"{self.module(name)}: {self.reason(reason)}"

    def reason(self, reason: Reason) -> str:
        """Return a reason in words; what we count is told only where it is internal."""
        values = {"amount": f"{reason.amount:,.0f}", "cost": f"{reason.cost:,.0f}", "share": f"{reason.amount:.0%}"}
        counted = reason.case in COUNTED and not self.internal
        return self.word(f"{reason.case}_plain" if counted else reason.case, **values)

    def next_steps(self) -> Iterator[str]:
        """Yield what happens after a yes."""
        for name in ("visit", "contract", "build", "verify"):
            yield self.word(f"next_{name}")

    def sensitivities(self) -> Iterator[Row]:
        """Yield the figures that move the worth most, and the modules that come or go with them."""
        for s in self.swings[:SHOWN_SWINGS]:
            changed = ", ".join(self.module(m) for m in sorted(s.changed)) or self.word("swing_none")
            span = f"{s.item.low:g} – {s.item.high:g} {s.item.unit}"
            yield s.item.id.replace("_", " "), span, f"{s.low.worth:,.0f}", f"{s.high.worth:,.0f}", changed

    def delivered(self) -> Iterator[str]:
        """Yield what the replay on the network says."""
        if self.delivery is None:
            yield self.word("no_network")
            return
        after, before = self.delivery.after, self.delivery.before
        if not self.delivery.deliverable:
            yield self.word("not_deliverable")
        yield self.word(
            "deliverable",
            hours=after.hours,
            beyond=after.beyond,
            before=before.beyond,
            low=f"{after.lowest_vm_pu:.3f}",
            high=f"{after.highest_vm_pu:.3f}",
            loading=f"{after.highest_loading:.0%}",
            branch=after.loaded_branch,
        )
        if self.delivery.held:
            yield self.word("voltage_held", hours=self.delivery.held)

    def sources(self) -> Iterator[str]:
        """Yield where the figures come from: simulation, the readings behind the bill, and where it is internal the cost library by module."""
        design, library = self.design, self.design.bench.library
        between = design.best.proof.between
        origin = design.bench.sun.origin
        learnt = self.word("from_others", count=between.customers, pairs=between.pairs)
        yield self.word(
            "made",
            count=len(design.ranked),
            intervals=design.bench.customer.intervals.count,
            sun=self.word("generated_sun") if origin == GENERATED else origin,
            between=learnt if between.customers else self.word("assumed"),
        )
        first = design.before.lines(design.before.cycles[0])
        if first:
            yield self.word("reading_digest", digest=first[0].readings_sha256[:16])
        if self.warnings:
            yield self.word("data", warnings="; ".join(self.warnings))
        if not self.internal:
            yield self.word("library", version=library.version)
            return
        for i in design.best.bundle.items:
            for name in self.catalogue.modules[i.module].costs:
                item = library.items[name]
                basis = "; ".join(f"[{s.basis}] {s.text}" for s in item.sources)
                yield f"{name.replace('_', ' ')} {library[name]:g} {item.unit} ({item.low:g} – {item.high:g}): {basis}"

    def day_shape(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean day before and after by hour in kW; shape (24,) each."""
        bench = self.design.bench
        hour = bench.year.tariff.calendar.local(bench.customer.intervals.times).hour.to_numpy()
        count = np.maximum(np.bincount(hour, minlength=24), 1)
        after = self.design.best.bundle.simulated.net_kw
        return tuple(np.bincount(hour, weights=v, minlength=24) / count for v in (bench.load_kw, after))  # type: ignore[return-value] # two
