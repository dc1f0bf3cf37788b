"""``market``: clear auctions, run order books, settle deliveries."""

import json
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from market.auction import Curtail
from market.book import OrderBook, Outcome, Side
from market.book_journal import events_of, replay_journal, write_journal
from market.capacity_documents import called_w
from market.clearing import clear_auction
from market.documents import items_of, read_auction, read_delivery, read_places
from market.journal_export import journal_csv
from market.ledger import Ledger, check_chain
from market.network_auction import clear_grid, clear_zones
from market.order_check import require_orders
from market.outcomes import AuctionResult, recheck
from market.products import MarketError, Product
from market.settlement_runs import SettlementBook
from market.written import Whole
from models.site.file import load_site
from models.tariffs.money import text
from service.commands.files import require_writable
from service.commands.screen import console, count

DONE = range(Outcome.REFUSED_FOK, Outcome.STOPPED_SELF)
SHOWN_TRADES = 20


def clear_file(path: Path, out: Path | None, *, first_come: bool, deadline_s: float) -> int:
    """Clear the auction of a file, look at the result a second time and print it."""
    require_writable(out, (".json",))
    product, people, orders, arrived = read_auction(path)
    require_orders(product, people, orders, arrived)
    curtail = Curtail.FIRST_COME if first_come else Curtail.PRO_RATA
    result = clear_auction(product, orders, curtail=curtail, deadline_s=deadline_s)
    if found := list(recheck(product, orders, result)):
        raise MarketError(found)
    console.print(_prices(product, result), _outcomes(result))
    console.print(_words(product, result), highlight=False)
    if out is not None:
        out.write_text(json.dumps({**asdict(result), "gap_share": result.gap_share}, indent=1), encoding="utf-8")
    return 0


def _words(product: Product, result: AuctionResult) -> str:
    sure = "the optimum" if result.gap_share == 0 else f"at most {result.gap_share:.3%} from the optimum"
    money = f"welfare {text(result.welfare_micro)} {product.currency}"
    return f"{money}, {sure} ({count(result.cuts, 'cut')}); balanced to the lot, nobody taken at a loss: checked in whole numbers"


def _prices(product: Product, result: AuctionResult) -> Table:
    table = Table(title=f"{product.id}: prices", title_justify="left", header_style="bold")
    for name in ("begins", f"price {product.currency}/MWh", "traded MWh"):
        table.add_column(name, justify="left" if name == "begins" else "right")
    for t, (price, wh) in enumerate(zip(result.price_micro, result.volume_wh, strict=True)):
        table.add_row(product.begins(t).isoformat(timespec="minutes"), text(price), text(wh, 3))
    return table


def _outcomes(result: AuctionResult) -> Table:
    table = Table(title="orders", title_justify="left", header_style="bold")
    for name in ("order", "of", "MWh", "gains", "why"):
        table.add_column(name, justify="right" if name in ("MWh", "gains") else "left", overflow="fold")
    for o in result.outcomes:
        why = o.reason.value + (f" (misses {text(o.missed_micro)})" if o.missed_micro else "")
        table.add_row(escape(o.order), escape(o.participant), text(sum(o.accepted_wh), 3), text(o.surplus_micro), why)
    return table


def clear_places(path: Path, site_file: Path | None) -> int:
    """Clear an auction over its zones, or over the buses of a site's first grid, and print prices, net sales and flows."""
    d = read_places(path)
    require_orders(d.product, d.people, [o for own in d.orders.values() for o in own], d.arrived)
    if site_file is None:
        results = [clear_zones(d.product, k, d.orders, d.transfers) for k in range(d.product.periods)]
    else:
        network = load_site(site_file).networks.electricity[0]
        results = [clear_grid(d.product, k, d.orders, network) for k in range(d.product.periods)]
    for k, result in enumerate(results):
        table = Table(
            title=f"{d.product.begins(k).isoformat(timespec='minutes')}", title_justify="left", header_style="bold"
        )
        for name in ("place", f"price {d.product.currency}/MWh", "net sale MWh"):
            table.add_column(name, justify="left" if name == "place" else "right")
        for place, price in result.price_micro.items():
            if site_file is None or place in d.orders:
                table.add_row(escape(place), text(price), text(result.net_wh[place], 3))
        console.print(table)
        flows = ", ".join(f"{name} {text(wh, 3)} MWh" for name, wh in result.flow_wh.items() if wh)
        rent = f"rent of the links {text(result.rent_micro)} {d.product.currency}"
        console.print(f"carried: {flows or 'nothing'}; {rent}", highlight=False)
    return 0


def run_book(path: Path, lowest: int, highest: int, journal: Path | None) -> int:
    """Run a file of events through a new book and print what came of it."""
    require_writable(journal, option="--journal")
    events, book = events_of(path), OrderBook(lowest, highest)
    outcomes = book.apply(events)
    for line, outcome in enumerate(outcomes.tolist(), start=2):
        if outcome in DONE or outcome in (Outcome.STOPPED_SELF, Outcome.BAD_EVENT, Outcome.EXPIRED):
            console.print(f"{path.name}:{line}: {Outcome(outcome).name.lower().replace('_', ' ')}", highlight=False)
    _show(book)
    if journal is not None:
        console.print(f"journal {journal}, last digest {write_journal(book, journal)}", highlight=False)
    return 0


def replay_book(journal: Path) -> int:
    """Run a journal once more and print what came of it."""
    _show(replay_journal(journal))
    return 0


def _show(book: OrderBook) -> None:
    trades = list(book.trades())
    table = Table(title=count(len(trades), "trade"), title_justify="left", header_style="bold")
    for name in ("event", "resting", "incoming", "tick", "lots"):
        table.add_column(name, justify="right")
    for t in trades[-SHOWN_TRADES:]:
        table.add_row(*map(str, (t.event, t.resting, t.incoming, t.tick, t.lots)))
    console.print(table)
    best = [book.depth(side)[:1] for side in (Side.BUY, Side.SELL)]
    words = [f"{lots} lots at {tick}" for ((tick, lots),) in (b for b in best if b)]
    console.print(f"best on each side: {', '.join(words) or 'nobody'}", highlight=False)


def settle_file(path: Path, out: Path | None) -> int:
    """Settle the delivery of a file, book it in a new ledger, and print what everybody is due."""
    require_writable(out, (".csv",))
    document = read_delivery(path)
    items, ledger = items_of(document), Ledger()
    run = SettlementBook(ledger).settle(document.delivery, items, document.settled_at)
    if found := list(check_chain(ledger.transactions)):
        raise MarketError(found)
    parts = list(dict.fromkeys(i.part for i in items))
    table = Table(title=f"{document.delivery}: what everybody is due", title_justify="left", header_style="bold")
    for name in ("who", *(p.value for p in parts), "due"):
        table.add_column(name, justify="left" if name == "who" else "right")
    for name, due in (run.due_micro() if run else {}).items():
        own = [sum(i.amount_micro for i in items if i.participant == name and i.part is p) for p in parts]
        table.add_row(escape(name), *map(text, own), text(due))
    console.print(table)
    for c in document.capacity:
        for offer, held, called in called_w(c, Whole()):
            words = f"period {c.period}: {offer} holds {text(held, 3)} MW and is called for {text(called, 3)} MW"
            console.print(words, highlight=False)
    left = sum(a for name, a in ledger.balances.items() if name.startswith("market:"))
    booked = (
        f"{count(len(ledger.transactions), 'transaction')}; all accounts together {text(sum(ledger.balances.values()))}"
    )
    console.print(f"{booked}; left with the market {text(-left)}; last digest {ledger.head[:16]}", highlight=False)
    if out is not None:
        out.write_text(journal_csv(ledger.transactions, ledger.currency), encoding="utf-8")
    return 0
