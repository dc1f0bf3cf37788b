"""``market bill``: what a site's customers would be billed for a month of its profile year."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table

from market.billing import BillingBook, Cycle, Prepared, SupplyContract
from market.billing_run import cycle_intervals, prepare
from market.meters import Delivery, MeterBook
from models.carriers import Carrier
from models.components.demand import Consumer
from models.errors import DataError
from models.findings import error
from models.site.file import load_site
from models.site.profiles import load_profiles
from models.site.site import ElectricityContract, Site
from models.tariffs.money import text
from service.commands.screen import console, progress_console
from service.reports.bill_document import bill_document, month_of
from service.reports.document import write_document


def bill_customers(path: Path, month: datetime, folder: Path | None, language: str) -> int:
    """Bill every customer's electricity, print the totals, and write one PDF each into a folder."""
    site, cycle = load_site(path), (month.year, month.month)
    contracts = _contracts(site)
    intervals = cycle_intervals(contracts[0].tariff, cycle, _minutes(site))
    meters = _read(site, contracts)
    with progress_console.status("billing") as status:
        made, wrong = prepare(
            contracts, meters, cycle, intervals.end, progress=lambda done, of: status.update(f"billed {done} of {of}")
        )
    book = BillingBook()
    bills = [book.issue(bill, intervals.end) for bill in made]
    console.print(_table(made, cycle))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for bill in bills:
            write_document(bill_document(bill, language, site.notice), folder / f"{bill.customer}.pdf")
        console.print(f"{len(made)} bills in {folder}", highlight=False)
    if wrong:
        raise DataError(wrong)
    return 0


def _minutes(site: Site) -> int:
    return 60 if site.profiles is None else site.profiles.step_s // 60


def _contracts(site: Site) -> list[SupplyContract]:
    """Return one contract per customer that takes electricity, at the site's own tariff; the meter is the demand's profile."""
    power = next((c for c in site.contracts if isinstance(c, ElectricityContract)), None)
    meters = {
        a.id: d.profile
        for a in site.assets
        if isinstance(a, Consumer)
        for d in a.demands
        if d.carrier is Carrier.ELECTRICITY
    }
    there = [c for c in site.customers if c.consumer in meters]
    if power is None or not there:
        raise DataError(
            [
                error(
                    "customers",
                    "nobody can be billed: an electricity contract and customers with electricity are needed",
                )
            ]
        )
    tariff = site.tariff(power.id)
    return [SupplyContract(f"{power.id}/{c.id}", c.id, meters[c.consumer], tariff) for c in there]


def _read(site: Site, contracts: list[SupplyContract]) -> MeterBook:
    """Return what the meters would have read over the site's year, in whole Wh per step of its profiles."""
    table, book = load_profiles(site), MeterBook(_minutes(site))
    start = table.index[0].to_pydatetime().replace(tzinfo=UTC)
    for c in contracts:
        wh = np.round(np.abs(table[c.meter].to_numpy()) * 1e3 * book.minutes / 60).astype(np.int64)
        book.add(Delivery(c.meter, start, tuple(wh.tolist()), start))
    return book


def _table(made: list[Prepared], cycle: Cycle) -> Table:
    table = Table(title=f"electricity bills of {month_of(cycle)}", title_justify="left", header_style="bold")
    for name in ("customer", "kWh", "lines", "total"):
        table.add_column(name, justify="left" if name == "customer" else "right")
    for bill in made:
        kwh = sum(line.quantity for line in bill.lines if line.unit == "Wh") / 1e3
        table.add_row(escape(bill.contract.customer), f"{kwh:,.0f}", str(len(bill.lines)), text(bill.total_micro))
    return table
