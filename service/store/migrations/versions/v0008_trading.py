"""Trading: journals with their heads, accounts, auctions and orders, trades, order books, readings, billing runs, invoices."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from service.store.migrations.guards import append_only, drop_append_only, guard

revision = "0008"
down_revision = "0007"
ADDED_TO = ("journal_entries", "meter_deliveries")
TABLES = (
    "journal_entries", "journal_heads", "accounts", "auctions", "orders", "trades", "order_books", "meter_deliveries", "billing_runs",
    "standing_bills", "invoices",
)  # fmt: skip


def whole(name: str, *, nullable: bool = False) -> sa.Column[int]:
    """Return a column of whole numbers, which instants are too."""
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def small(name: str) -> sa.Column[int]:
    """Return a column of small whole numbers."""
    return sa.Column(name, sa.Integer, nullable=False)


def words(name: str, most: int = 120, *, index: bool = False) -> sa.Column[str]:
    """Return a column of text."""
    return sa.Column(name, sa.String(most), nullable=False, index=index)


def plain(name: str, *, nullable: bool = False) -> sa.Column[str]:
    """Return a column of plain values, or of long text."""
    return sa.Column(name, sa.Text, nullable=nullable)


def make(table: str, *parts: Any) -> None:
    """Make a table of rows that belong to tenants."""
    owner = sa.Column("tenant_id", sa.String(40), sa.ForeignKey("tenants.id"), nullable=False, index=True)
    op.create_table(table, sa.Column("id", sa.String(40), primary_key=True), *parts, owner)


def upgrade() -> None:
    """Make the tables."""
    journals()
    markets()
    billing()
    for table in TABLES:
        guard(table)
    for table in ADDED_TO:
        append_only(table)


def journals() -> None:
    """Make what is only added to, and where it stands."""
    make(
        "journal_entries",
        words("journal", 60), whole("number"), words("thing"), whole("at"), plain("content"), words("digest", 64),
        sa.UniqueConstraint("tenant_id", "journal", "number"),
        sa.Index("ix_journal_entries_thing", "tenant_id", "journal", "thing"),
    )  # fmt: skip
    unique = sa.UniqueConstraint("tenant_id", "journal")
    make("journal_heads", words("journal", 60), whole("number"), words("digest", 64), unique)
    make("accounts", words("name"), whole("balance_micro"), sa.UniqueConstraint("tenant_id", "name"))


def markets() -> None:
    """Make auctions, orders, trades and order books."""
    make(
        "auctions",
        plain("product"), plain("participants"), words("opened_by"), whole("created_at"), whole("cleared_at", nullable=True),
        plain("result", nullable=True), small("version"),
    )  # fmt: skip
    make(
        "orders",
        words("auction_id", 40, index=True), words("name"), words("participant"), plain("document"), whole("arrived_at"),
        sa.UniqueConstraint("auction_id", "name"),
    )  # fmt: skip
    make(
        "trades",
        words("delivery"), words("participant"), small("period"), whole("quantity_wh"), whole("price_micro"), words("trace"),
        sa.Index("ix_trades_delivery", "tenant_id", "delivery", "participant"),
    )  # fmt: skip
    make("order_books", words("title"), small("lowest"), small("highest"), whole("created_at"))


def billing() -> None:
    """Make readings, billing runs, the bills in force, and invoices."""
    wh = sa.Column("wh", sa.LargeBinary, nullable=False)
    make(
        "meter_deliveries",
        words("meter"), small("minutes"), whole("start"), wh, small("quality"), whole("received_at"),
        sa.Index("ix_meter_deliveries_meter", "tenant_id", "meter"),
    )  # fmt: skip
    make(
        "billing_runs",
        small("year"), small("month"), plain("contracts"), plain("reason"), plain("bills"), plain("findings"), words("asked_by"),
        whole("created_at"),
    )  # fmt: skip
    make(
        "standing_bills",
        words("contract"), words("tariff", 60, index=True), small("year"), small("month"), words("bill"),
        sa.UniqueConstraint("tenant_id", "contract", "year", "month"),
    )  # fmt: skip
    make(
        "invoices",
        words("number", 20), words("party"), whole("amount_micro"), whole("issued_at"), words("due", 10), words("of"),
        whole("paid_micro"), plain("written_off"), small("version"),
        sa.UniqueConstraint("tenant_id", "number"), sa.Index("ix_invoices_party", "tenant_id", "party"),
    )  # fmt: skip


def downgrade() -> None:
    """Take the tables away, with everything in them."""
    for table in ADDED_TO:
        drop_append_only(table)
    for table in reversed(TABLES):
        op.drop_table(table)
