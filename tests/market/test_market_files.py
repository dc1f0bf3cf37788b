"""Files of markets: the shipped examples run, what is wrong is told whole, and a journal that was changed is not replayed."""

import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from market.billing import BillingBook, Prepared, SupplyContract
from market.book import OrderBook
from market.book_journal import events_of, replay_journal, write_journal
from market.documents import read_auction, read_delivery
from market.products import MarketError
from models.tariffs.bill import Line
from models.tariffs.calendar import Calendar
from models.tariffs.tariff import Tariff, Version
from service.cli import app
from service.reports.bill_document import bill_document

DOCS = Path(__file__).parents[2] / "docs"


def said(*arguments):
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, ["market", *map(str, arguments)])


def test_the_example_of_an_auction_is_cleared_with_a_reason_for_everybody(tmp_path):
    out = tmp_path / "result.json"
    found = said("clear", DOCS / "auction.yaml", "--out", out)
    assert found.exit_code == 0
    assert "the optimum" in found.output
    result = json.loads(out.read_text())
    assert result["gap_share"] == 0
    assert {o["order"]: o["reason"] for o in result["outcomes"]}["engine"] == "block taken"
    for t in range(3):
        assert sum(o["accepted_wh"][t] for o in result["outcomes"]) == 0


def test_the_example_of_a_delivery_is_settled_and_its_journal_balances(tmp_path):
    out = tmp_path / "ledger.csv"
    found = said("settle", DOCS / "settlement.yaml", "--out", out)
    assert found.exit_code == 0
    assert "all accounts together 0.00" in found.output
    rows = list(csv.DictReader(out.open()))
    assert sum(Decimal(r["debit"] or 0) for r in rows) == sum(Decimal(r["credit"] or 0) for r in rows) > 0


def test_the_example_of_a_book_replays_to_the_same_trades(tmp_path):
    journal = tmp_path / "book.jsonl"
    found = said("book", DOCS / "events.csv", "--journal", journal)
    again = said("replay", journal)
    assert (found.exit_code, again.exit_code) == (0, 0)
    assert "events.csv:5: refused fok" in found.output
    assert again.output in found.output


def test_a_journal_that_was_changed_is_not_replayed(tmp_path):
    path = tmp_path / "book.jsonl"
    book = OrderBook(0, 100_000)
    book.apply(events_of(DOCS / "events.csv"))
    head = write_journal(book, path, batch=3)
    assert np.array_equal(replay_journal(path).trade_table(), book.trade_table())
    assert head in path.read_text().splitlines()[-1]
    lines = path.read_text().splitlines()
    for broken, words in (
        ([*lines[:1], *lines[2:]], ":2: was changed"),
        ([lines[0], lines[1].replace("310", "311"), *lines[2:]], ":2: was changed"),
        ([lines[0], lines[1][:50]], ":2: is no line"),
        (["{}"], ":1: is no line"),
        ([], "is no journal"),
    ):
        path.write_text("\n".join(broken))
        with pytest.raises(MarketError, match=words):
            replay_journal(path)


def test_events_that_are_no_events_are_told_cell_by_cell(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("act,tick,colour\nbuy,1.5,red\nnew,nan,\n")
    with pytest.raises(MarketError) as told:
        events_of(path)
    assert [f.place.rsplit("/", 1)[-1] for f in told.value.findings] == [
        "events.csv", "events.csv:2.act", "events.csv:2.tick", "events.csv:3.tick",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("mwh: -10,", "mwh: .nan,"), "orders"),
        (("mwh: -10, price: 500", "mwh: -10"), "is of no kind"),
        (("mwh: -10,", "mwh: -10.0000001,"), "more than six decimals"),
        (("area: park", "zone: park"), "unknown field"),
        (("arrived: 2026-07-01T11:40+08:00", "arrived: 2026-07-01T11:40"), "arrived"),
        (("id: town-19", "id: town-18"), "is the id of 2 orders"),
        (("arrived: 2026-07-01T11:40", "arrived: 2026-07-01T12:00"), "took orders from"),
        (("credit: 30000", "credit: 900"), "the credit is"),
        (("mwh: -10,", "mwh: -10.0005,"), "whole lots"),
    ],
)
def test_an_auction_with_mistakes_is_refused_in_words(tmp_path, change, words):
    path = tmp_path / "auction.yaml"
    path.write_text((DOCS / "auction.yaml").read_text().replace(*change, 1))
    found = said("clear", path)
    assert found.exit_code == 1
    assert words in found.output


def test_zones_have_prices_of_their_own_where_a_link_is_full(tmp_path):
    found = said("places", DOCS / "zones.yaml")
    assert found.exit_code == 0
    assert "480.00" in found.output
    assert "120.00" in found.output
    assert "line 5.000 MWh; rent of the links 1800.00 CNY" in found.output
    path = tmp_path / "zones.yaml"
    path.write_text((DOCS / "zones.yaml").read_text().replace("place: west, ", ""))
    found = said("places", path)
    assert found.exit_code == 1
    assert "needs a place" in found.output


def test_files_that_cannot_be_read_are_told(tmp_path):
    for read in (read_auction, read_delivery):
        with pytest.raises(MarketError, match="cannot be read"):
            read(tmp_path / "none.yaml")
    path = tmp_path / "delivery.yaml"
    path.write_text((DOCS / "settlement.yaml").read_text().replace("[310, 450, 280]", "[310, 450]"))
    assert "has 2 values" in said("settle", path).output or "for 2 periods" in said("settle", path).output


def test_customers_of_the_park_are_billed_with_a_page_each(tmp_path):
    found = said("bill", "--month", "2015-07", "--pdf", tmp_path / "bills", "--language", "zh")
    assert found.exit_code == 0
    assert "10 bills" in found.output
    pages = sorted((tmp_path / "bills").iterdir())
    assert len(pages) == 10
    assert all(p.read_bytes().startswith(b"%PDF") for p in pages)


@pytest.mark.parametrize(("language", "words"), [("en", "were not measured"), ("zh", "估算值")])
def test_a_bill_says_where_its_lines_come_from_and_what_was_not_measured(language, words):
    tariff = Tariff("flat", "CNY", Calendar("Asia/Shanghai"), (Version("7", date(2020, 1, 1), ()),))
    start, end = (datetime(2026, 6, d, tzinfo=UTC) for d in (1, 30))
    line = Line("energy", "period 0, tier 1", 1_500_000, "Wh", 500_000, 750_000_000, "7", start, end, 720, "ab" * 32)
    made = Prepared(SupplyContract("c1", "rose", "m1", tariff), (2026, 6), (line,), 3)
    bill = BillingBook().issue(made, end)
    page = bill_document(bill, language, "made up")
    grid, sources = (s.content for s in page.sections)
    assert "rose" in page.title
    assert grid.rows[0].cells[2:] == ("1,500.000", "kWh", "0.500000", "750.00")
    assert grid.rows[-1].cells[-1] == "750.00 CNY"
    assert "720" in sources.lines[0]
    assert "abababab" in sources.lines[0]
    assert words in sources.lines[-1]
