"""``package``: design, prove and propose; the catalogue and the costs behind it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from customers.catalogue.modules import Catalogue, load_catalogue
from customers.costs.library import CostLibrary, load_costs, unsourced
from customers.packages.customer import PackageCustomer
from customers.packages.deliverability import Delivery, Fed, check_delivery
from customers.packages.delivered import deliverable
from customers.packages.design import PackageDesign, Proven, design_package, with_offer
from customers.packages.economics import Item
from customers.packages.park import park_customers, park_sun
from customers.packages.portfolio import Portfolio, portfolio
from customers.packages.priced import priced
from customers.packages.sensitivity import swings
from customers.packages.sun import generated_archive, read_archive
from customers.packages.variants import Bench
from customers.proposal.content import Proposal
from models.errors import DataError
from models.findings import Severity, error
from models.site.file import load_site
from models.site.site import ElectricityContract, Site
from models.tariffs.tariff import Tariff
from service.commands.files import require_writable
from service.commands.package_inputs import Asked, read_customer, read_facts, read_others, read_tariff_file
from service.commands.screen import console, count, findings_table, progress_console
from service.reports.document import ENDINGS, write_document
from service.reports.proposal_document import proposal_document

SUN_YEARS = range(2000, 2020)


def design_one(asked: Asked, out: Path | None, language: str, costs: Path | None, sun: Path | None) -> int:
    """Design one customer's package from a file of meter data and write its proposal."""
    require_writable(out, ENDINGS)
    proposal = proposed(asked, language, costs, sun)
    _print(proposal)
    if out is not None:
        write_document(proposal_document(proposal), out)
        console.print(f"proposal in {out}", highlight=False)
    return 0 if proposal.delivery is None or proposal.delivery.deliverable else 1


def proposed(asked: Asked, language: str, costs: Path | None, sun: Path | None, site: Site | None = None) -> Proposal:
    """Return the proposal of one customer, designed and proven on a file of its meter data.

    Where a bus is named it is replayed on the network of the site's file, or of ``site``.
    """
    library, facts = load_costs(costs), read_facts(asked.facts, asked.roof_m2)
    catalogue, tariff = load_catalogue(known_costs=library.items), read_tariff_file(asked.tariff, asked.zone)
    between = read_others(asked.others, tariff, library)
    with progress_console.status("reading meter data"):
        table, told = read_customer(asked)
    if told:
        console.print(findings_table(told))
    row, network = table.customers[0], site if asked.site is None else load_site(asked.site)
    customer = PackageCustomer(
        row,
        asked.name or row,
        asked.sector,
        table.intervals,
        table.whole_wh()[0].astype(np.int64),
        facts,
        None,
        asked.bus,
    )
    archive = generated_archive(table.intervals, SUN_YEARS) if sun is None else read_archive(sun, table.intervals)
    bench = Bench(customer, priced(tariff, table.intervals), archive, library)
    with progress_console.status("designing"):
        made = design_package(bench, catalogue, between=between, package=asked.package)
        replayed = network is not None and bool(asked.bus or asked.site)
        delivery = check_delivery(network, _whole_year(made)) if replayed and network else None
    warnings = [f.message for f in told if f.severity is not Severity.INFO]
    return Proposal(made, catalogue, language, delivery, swings(made, catalogue), warnings, internal=asked.internal)


def _whole_year(made: PackageDesign) -> Fed:
    """Return what a design feeds in by hour of a year; a run that is no year is laid over it again and again."""
    hours = made.bench.customer.intervals.count * made.bench.customer.intervals.minutes // 60
    return Fed.of([(made.bench, made.best.bundle)], hours).repeated(365 * 24)


def design_park(path: Path, folder: Path | None, language: str, costs: Path | None, capital: float | None) -> int:
    """Design every customer of a site, replay all packages together and write the proposals."""
    site, library = load_site(path), load_costs(costs)
    catalogue, people = load_catalogue(known_costs=library.items), park_customers(site)
    year = priced(site_tariff(site), people[0].intervals)
    sun = park_sun(site, people[0].intervals, library["weather_year_sd"])
    made = []
    with progress_console.status("designing") as status:
        for k, customer in enumerate(people):
            status.update(f"designing {customer.id} ({k + 1} of {len(people)})")
            made.append(design_package(Bench(customer, year, sun, library), catalogue))
    hours = people[0].intervals.count * people[0].intervals.minutes // 60
    roofs = {d.bench.customer.id: d.bench.customer.facts.roof_m2 for d in made}
    made, _ = deliverable(site, made, catalogue, hours)
    less = [d.bench.customer.id for d in made if d.bench.customer.facts.roof_m2 < roofs[d.bench.customer.id]]
    plan = portfolio(made, np.inf if capital is None else capital)
    offered = [(d, p) for d in made if (p := plan.chosen[d.bench.customer.id]) is not None]
    together = check_delivery(site, Fed.of(((d.bench, p.bundle) for d, p in offered), hours))
    console.print(_park_table(made, plan))
    for line in _package_lines(made, plan, catalogue, language):
        console.print(f"- {escape(line)}", highlight=False)
    console.print(_plan_words(plan, library.currency), _network_words(together), sep="\n", highlight=False)
    if less:
        console.print(f"the network takes less than the roofs could carry at {', '.join(less)}", highlight=False)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for d, p in offered:
            alone = check_delivery(site, Fed.of([(d.bench, p.bundle)], hours))
            proposal = Proposal(with_offer(d, p), catalogue, language, alone, swings(d, catalogue), note=site.notice)
            write_document(proposal_document(proposal), folder / f"{d.bench.customer.id}.pdf")
        console.print(f"{count(len(offered), 'proposal')} in {folder}", highlight=False)
    return 0 if together.deliverable else 1


def _plan_words(plan: Portfolio, currency: str) -> str:
    sure = "the optimum" if plan.choice.gap_share <= 1e-9 else f"at most {plan.choice.gap_share:.2%} from the optimum"
    risk = f"{plan.margin.mean():,.0f} {currency} a year expected if all sign, {plan.bad_year:,.0f} in a bad year"
    return f"{plan.capital:,.0f} {currency} invested; our margin {risk}; choice is {sure}"


def site_tariff(site: Site) -> Tariff:
    """Return what a site's customers pay for electricity.

    Raises
    ------
    DataError
        If the site has no electricity contract.
    """
    power = next((c for c in site.contracts if isinstance(c, ElectricityContract)), None)
    if power is None:
        raise DataError([error("contracts", "no electricity contract, so nothing is known of what customers pay")])
    return site.tariff(power.id)


def _park_table(made: Sequence[PackageDesign], plan: Portfolio) -> Table:
    """Return what everybody is offered in thousands, narrow enough for a terminal of eighty columns."""
    title = "packages of the site's customers, thousands of money per year"
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("customer", overflow="fold")
    for name in ("bill", "saving 90 %", "invested"):
        table.add_column(name, justify="right")
    table.add_column("offer")
    for name in ("it keeps", "we earn", "signs"):
        table.add_column(name, justify="right")
    for d in made:
        proven = plan.chosen[d.bench.customer.id]
        bill = f"{d.bench.before * d.bench.runs_per_year / 1e3:,.0f}"
        table.add_row(escape(d.bench.customer.id), bill, *_money_cells(proven))
    return table


def _money_cells(proven: Proven | None) -> tuple[str, ...]:
    if proven is None or proven.offer is None:
        return "", "", "nothing", "", "", ""
    offer, gain = proven.offer, proven.bundle.yearly_gain
    low, high = ((v + gain) / 1e3 for v in proven.proof.interval)
    money = f"{low:,.0f}..{high:,.0f}", f"{proven.bundle.capital / 1e3:,.0f}", offer.design.value.replace("_", " ")
    return (*money, f"{offer.customer_mean / 1e3:,.0f}", f"{offer.margin_mean / 1e3:,.0f}", f"{offer.acceptance:.0%}")


def _package_lines(
    made: Sequence[PackageDesign], plan: Portfolio, catalogue: Catalogue, language: str
) -> Iterator[str]:
    """Yield what every customer's package is made of."""
    for d in made:
        proven = plan.chosen[d.bench.customer.id]
        if proven is not None:
            package = catalogue.packages[proven.bundle.package].title[language]
            parts = ", ".join(_sized(i, catalogue, language) for i in proven.bundle.items if i.module != "supply")
            yield f"{d.bench.customer.id}: {package}: {parts or catalogue.modules['supply'].title[language]}"


def _sized(item: Item, catalogue: Catalogue, language: str) -> str:
    title = catalogue.modules[item.module].title[language]
    return f"{title} {item.size:,.0f} {item.unit}" if item.unit in ("kW", "kWh", "points") else title


def _network_words(d: Delivery) -> str:
    a, b = d.after, d.before
    words = "deliverable together" if d.deliverable else "NOT deliverable together"
    hours = f"{a.beyond} of {a.hours} hours beyond a limit with the packages, {b.beyond} without"
    if d.held:
        hours += f"; in {count(d.held, 'hour')} their inverters absorb reactive power (power factor 0.95) to hold the voltage"
    worst = f"voltage {a.lowest_vm_pu:.3f} .. {a.highest_vm_pu:.3f} pu, highest loading {a.highest_loading:.0%} ({a.loaded_branch})"
    return f"{words}: {hours}; {worst}"


def _print(p: Proposal) -> None:
    console.print(f"[bold]{escape(p.title)}[/]\n{escape(p.notice)}", highlight=False)
    for line in (*p.summary(), *p.delivered()):
        console.print(f"- {escape(line)}", highlight=False)
    table = Table(title=p.word("package"), title_justify="left", header_style="bold")
    for k, name in enumerate(p.item_heads()):
        table.add_column(name, justify="left" if k == 0 else "right")
    for row in p.items():
        table.add_row(*(escape(c) for c in row))
    console.print(table)
    for line in p.reasons():
        console.print(f"- {escape(line)}", highlight=False)


def show_catalogue() -> None:
    """Print the catalogue."""
    catalogue = load_catalogue(known_costs=load_costs().items)
    table = Table(title=f"service modules, version {catalogue.version}", title_justify="left", header_style="bold")
    for name in ("module", "", "carrier", "kind", "needs to know", "counted with"):
        table.add_column(name, overflow="fold")
    for m in catalogue.modules.values():
        table.add_row(
            m.id, f"{m.title['en']} {m.title['zh']}", m.carrier.value, m.kind, ", ".join(m.needs), ", ".join(m.costs)
        )
    console.print(table)
    packages = Table(title="base packages", title_justify="left", header_style="bold")
    for name in ("package", "", "always", "may hold", "at least"):
        packages.add_column(name, overflow="fold")
    for p in catalogue.packages.values():
        packages.add_row(p.id, f"{p.title['en']} {p.title['zh']}", ", ".join(p.all), ", ".join(p.any), str(p.least))
    console.print(packages)


def show_costs(path: Path | None, *, sources: bool) -> None:
    """Print the cost library."""
    library: CostLibrary = load_costs(path)
    table = Table(title=f"costs, version {library.version}", title_justify="left", header_style="bold")
    for name in ("figure", "low", "central", "high", "unit", "basis"):
        table.add_column(name, justify="right" if name in ("low", "central", "high") else "left", overflow="fold")
    for i in library.items.values():
        basis = (
            "\n".join(f"{s.basis}: {s.text}" for s in i.sources)
            if sources
            else ", ".join(sorted({s.basis for s in i.sources}))
        )
        table.add_row(i.id, f"{i.low:g}", f"{i.central:g}", f"{i.high:g}", i.unit, escape(basis))
    console.print(table)
    console.print(
        f"{len(unsourced(library))} of {len(library.items)} figures are assumed or examples: bring your own before an offer"
    )
