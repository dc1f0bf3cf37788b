"""``package recommend`` and ``package match``: what to offer whom first, and who builds it."""

import csv
import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.markup import escape
from rich.table import Table

from customers.catalogue.modules import load_catalogue
from customers.catalogue.offers import load_offers
from customers.costs.library import load_costs
from customers.features.table import features_of
from customers.intervals.reading import Asked as Read
from customers.intervals.reading import read_meters
from customers.intervals.series import MeterTable
from customers.intervals.vee import validate
from customers.matching.match import Matching
from customers.matching.needs import needs_of
from customers.matching.network import match_at_site
from customers.packages.design import design_package
from customers.packages.park import park_customers, park_sun
from customers.packages.priced import priced
from customers.packages.variants import Bench
from customers.recommend.ranking import Evidence, Recommendations, recommend
from customers.recommend.standard import PACKAGES, closed, worth_of
from models.errors import DataError
from models.findings import Finding, error
from models.site.file import load_site
from service.commands.files import require_writable
from service.commands.package import site_tariff
from service.commands.package_inputs import read_tariff_file
from service.commands.screen import console, progress_console

Floats = npt.NDArray[np.float64]
SHOWN = 3


def show_recommendations(
    meters: Path, tariff: Path, facts: Path, history: Path | None, zone: str, out: Path | None
) -> int:
    """Recommend packages to every customer of a file, money exact, taste by what others took, weights and shares shown."""
    require_writable(out, (".csv",))
    library = load_costs()
    table = _read(meters, zone)
    roofs, attributes = _facts(facts, table.customers)
    with progress_console.status("simulating"):
        money = worth_of(table, read_tariff_file(tariff, zone), roofs, library)
        described = features_of(table).values
    seen = _history(history, table.customers)
    made = recommend(Evidence(money, seen, described, attributes, closed(roofs)))
    source = "learnt from what was taken" if made.learnt else "usual ones, as too little was taken to learn from"
    weights = ", ".join(f"{k} {v:.0%}" for k, v in made.weights.items())
    console.print(_table(made, table.customers, money))
    console.print(f"weights, {source}: {weights}", highlight=False)
    if out is not None:
        _write(out, made, table.customers, money)
    return 0


def _read(path: Path, zone: str) -> MeterTable:
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise DataError([error(str(path), f"cannot be read ({fault.strerror})")]) from None
    return validate(read_meters(content, Read(zone=zone, feeds_in=True))[0]).best


def _rows(path: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as text:
            table = csv.DictReader(text)
            missing = [c for c in wanted if c not in (table.fieldnames or ())]
            rows = list(table)
    except OSError as fault:
        raise DataError([error(str(path), f"cannot be read ({fault.strerror})")]) from None
    if missing:
        raise DataError([error(path.name, f"lacks the columns {', '.join(missing)}")])
    return rows


def _facts(path: Path, customers: Sequence[str]) -> tuple[Floats, list[list[str]]]:
    """Return every customer's roof in m2 and its classes, from a file with a row per customer."""
    rows, found = {}, list[Finding]()
    for k, row in enumerate(_rows(path, ("customer", "roof_m2", "sector")), start=2):
        try:
            roof = float(row["roof_m2"])
        except ValueError:
            roof = math.nan
        if not (math.isfinite(roof) and roof >= 0):
            found.append(error(f"{path.name} row {k}", f"roof_m2 is {row['roof_m2']!r}; write a number of 0 or more"))
        rows[row["customer"]] = (roof, [f"sector={row['sector']}"] if row["sector"] else [])
    found += [error(path.name, f"has no row for {c}; give its roof, 0 for none") for c in customers if c not in rows]
    if found:
        raise DataError(found)
    return np.array([rows[c][0] for c in customers]), [rows[c][1] for c in customers]


def _history(path: Path | None, customers: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return what was taken, from a file with the columns customer and package."""
    seen = np.zeros((len(customers), len(PACKAGES)), dtype=bool)
    names, found = list(PACKAGES), list[Finding]()
    for k, row in enumerate(_rows(path, ("customer", "package")) if path else [], start=2):
        if row["package"] not in names:
            found.append(error(f"row {k}", f"{row['package']!r} is no package; known are {'; '.join(names)}"))
        elif row["customer"] not in customers:
            found.append(error(f"row {k}", f"{row['customer']!r} has no meter data"))
        else:
            seen[list(customers).index(row["customer"]), names.index(row["package"])] = True
    if found:
        raise DataError(found)
    return seen


def _table(made: Recommendations, customers: Sequence[str], money: Floats) -> Table:
    table = Table(title="recommended packages", title_justify="left", header_style="bold")
    for name in ("customer", "package", "worth a year", "score", "because of"):
        table.add_column(name, justify="right" if name in ("worth a year", "score") else "left", overflow="fold")
    names = list(PACKAGES)
    for c, customer in enumerate(customers):
        for k, best in enumerate(made.best(c, SHOWN)):
            why = ", ".join(f"{n} {s:.0%}" for n, s in sorted(best.shares.items(), key=lambda x: -x[1]) if s >= 0.01)
            cells = (
                customer if k == 0 else "",
                names[best.package],
                f"{money[c, best.package]:,.0f}",
                f"{best.score:.2f}",
                why,
            )
            table.add_row(*(escape(t) for t in cells))
    return table


def _write(out: Path, made: Recommendations, customers: Sequence[str], money: Floats) -> None:
    with out.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow(("customer", "rank", "package", "worth_per_year", "score", *made.weights))
        names = list(PACKAGES)
        for c, customer in enumerate(customers):
            for k, best in enumerate(made.best(c), start=1):
                shares = [f"{s:.4f}" for s in best.shares.values()]
                writer.writerow(
                    (customer, k, names[best.package], f"{money[c, best.package]:.2f}", f"{best.score:.4f}", *shares)
                )


def show_matching(path: Path, offers: Path, on: date, out: Path | None) -> int:
    """Match what the packages of a site's customers need with providers' offers, and replay it on the network."""
    require_writable(out, (".csv",))
    site, library = load_site(path), load_costs()
    catalogue = load_catalogue(known_costs=library.items)
    held = load_offers(offers, catalogue)
    people = park_customers(site)
    year = priced(site_tariff(site), people[0].intervals)
    sun = park_sun(site, people[0].intervals, library["weather_year_sd"])
    made = []
    with progress_console.status("designing") as status:
        for k, person in enumerate(people):
            status.update(f"designing {person.id} ({k + 1} of {len(people)})")
            made.append(design_package(Bench(person, year, sun, library), catalogue))
    found, delivery = match_at_site([n for d in made for n in needs_of(d)], held, on, site)
    _print(found, out)
    if delivery is None:
        return 0
    words = "deliverable" if delivery.deliverable else "NOT deliverable"
    after = delivery.after
    console.print(
        f"{words}: {after.beyond} of {after.hours} hours beyond a limit, highest loading {after.highest_loading:.0%}",
        highlight=False,
    )
    return 0 if delivery.deliverable else 1


def _print(found: Matching, out: Path | None) -> None:
    table = Table(title="matched", title_justify="left", header_style="bold")
    for name in ("customer", "module", "size", "provider", "gain a year", "why"):
        table.add_column(name, justify="right" if name in ("size", "gain a year") else "left", overflow="fold")
    for m in found.matches:
        cells = (m.need.customer, m.need.module, f"{m.need.size:,.0f}", m.offer.provider, f"{m.gain:,.0f}", m.sentence)
        table.add_row(*(escape(c) for c in cells))
    console.print(table)
    for place, why in found.left.items():
        console.print(f"- {escape(place)}: {escape(why)}", highlight=False)
    shares = ", ".join(f"{p} {s:.0%}" for p, s in found.shares.items())
    console.print(
        f"gain {found.gain:,.0f} a year, first come {found.greedy_gain:,.0f}, at most {found.bound:,.0f}; shares: {shares}",
        highlight=False,
    )
    if out is not None:
        with out.open("w", newline="", encoding="utf-8") as text:
            writer = csv.writer(text)
            writer.writerow(("customer", "module", "size", "provider", "gain_per_year", "why"))
            writer.writerows(
                (m.need.customer, m.need.module, m.need.size, m.offer.provider, f"{m.gain:.2f}", m.sentence)
                for m in found.matches
            )
