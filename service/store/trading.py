"""Tables of trading: journals that are only ever added to, and what changes until it is settled: auctions, orders, invoices."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.store.columns import NAME_LENGTH, Base, Edited, Instant, Owned, Plain, identifier

THING_LENGTH = 120


class JournalRow(Owned, Base):
    """One entry of a journal: transactions, bills, settlement runs, certificates, batches of an order book.

    Entries are numbered from 1 on and carry the digest of the one before; ``thing`` is what an entry is about, to find it again.
    """

    __tablename__ = "journal_entries"
    __table_args__ = (
        UniqueConstraint("tenant_id", "journal", "number"),
        Index("ix_journal_entries_thing", "tenant_id", "journal", "thing"),
    )

    id: Mapped[str] = identifier()
    journal: Mapped[str] = mapped_column(String(60))
    number: Mapped[int] = mapped_column(BigInteger)
    thing: Mapped[str] = mapped_column(String(THING_LENGTH))
    at: Mapped[datetime] = mapped_column(Instant)
    content: Mapped[dict[str, object]] = mapped_column(Plain)
    digest: Mapped[str] = mapped_column(String(64))


class JournalHead(Owned, Base):
    """Where a journal ends; held while something is added to it."""

    __tablename__ = "journal_heads"
    __table_args__ = (UniqueConstraint("tenant_id", "journal"),)

    id: Mapped[str] = identifier()
    journal: Mapped[str] = mapped_column(String(60))
    number: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class AccountRow(Owned, Base):
    """What an account stands at, debits less credits; it follows the ledger's journal."""

    __tablename__ = "accounts"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[str] = identifier()
    name: Mapped[str] = mapped_column(String(THING_LENGTH))
    balance_micro: Mapped[int] = mapped_column(BigInteger)


class AuctionRow(Owned, Edited, Base):
    """An auction: its product and participants as they were opened, and what came of it once it is cleared."""

    __tablename__ = "auctions"

    id: Mapped[str] = identifier()
    product: Mapped[dict[str, object]] = mapped_column(Plain)
    participants: Mapped[list[dict[str, object]]] = mapped_column(Plain)
    opened_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    created_at: Mapped[datetime] = mapped_column(Instant)
    cleared_at: Mapped[datetime | None] = mapped_column(Instant)
    result: Mapped[dict[str, object] | None] = mapped_column(Plain)


class OrderRow(Owned, Base):
    """An order of an auction, as it was sent."""

    __tablename__ = "orders"
    __table_args__ = (UniqueConstraint("auction_id", "name"),)

    id: Mapped[str] = identifier()
    auction_id: Mapped[str] = mapped_column(String(40), index=True)
    name: Mapped[str] = mapped_column(String(THING_LENGTH))
    participant: Mapped[str] = mapped_column(String(THING_LENGTH))
    document: Mapped[dict[str, object]] = mapped_column(Plain)
    arrived_at: Mapped[datetime] = mapped_column(Instant)


class TradeRow(Owned, Base):
    """Energy that an auction or a contract gave somebody in one period; positive was sold."""

    __tablename__ = "trades"
    __table_args__ = (Index("ix_trades_delivery", "tenant_id", "delivery", "participant"),)

    id: Mapped[str] = identifier()
    delivery: Mapped[str] = mapped_column(String(THING_LENGTH))
    participant: Mapped[str] = mapped_column(String(THING_LENGTH))
    period: Mapped[int] = mapped_column(Integer)
    quantity_wh: Mapped[int] = mapped_column(BigInteger)
    price_micro: Mapped[int] = mapped_column(BigInteger)
    trace: Mapped[str] = mapped_column(String(THING_LENGTH))


class OrderBookRow(Owned, Base):
    """A continuous book; what happened in it is its journal."""

    __tablename__ = "order_books"

    id: Mapped[str] = identifier()
    title: Mapped[str] = mapped_column(String(NAME_LENGTH))
    lowest: Mapped[int] = mapped_column(Integer)
    highest: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Instant)


class ReadingsRow(Owned, Base):
    """What one delivery of a meter brought: whole Wh on consecutive intervals."""

    __tablename__ = "meter_deliveries"
    __table_args__ = (Index("ix_meter_deliveries_meter", "tenant_id", "meter"),)

    id: Mapped[str] = identifier()
    meter: Mapped[str] = mapped_column(String(THING_LENGTH))
    minutes: Mapped[int] = mapped_column(Integer)
    start: Mapped[datetime] = mapped_column(Instant)
    wh: Mapped[bytes] = mapped_column(LargeBinary)
    quality: Mapped[int] = mapped_column(Integer)
    received_at: Mapped[datetime] = mapped_column(Instant)


class BillingRunRow(Owned, Base):
    """One run over the contracts of a month: what it issued and corrected, and why others have no bill."""

    __tablename__ = "billing_runs"

    id: Mapped[str] = identifier()
    year: Mapped[int] = mapped_column(Integer)
    month: Mapped[int] = mapped_column(Integer)
    contracts: Mapped[list[dict[str, object]]] = mapped_column(Plain)
    reason: Mapped[str] = mapped_column(Text)
    bills: Mapped[list[str]] = mapped_column(Plain)
    findings: Mapped[list[list[str]]] = mapped_column(Plain)
    asked_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    created_at: Mapped[datetime] = mapped_column(Instant)


class StandingBillRow(Owned, Base):
    """The bill that is in force for a contract and month."""

    __tablename__ = "standing_bills"
    __table_args__ = (UniqueConstraint("tenant_id", "contract", "year", "month"),)

    id: Mapped[str] = identifier()
    contract: Mapped[str] = mapped_column(String(THING_LENGTH))
    tariff: Mapped[str] = mapped_column(String(60), index=True)
    year: Mapped[int] = mapped_column(Integer)
    month: Mapped[int] = mapped_column(Integer)
    bill: Mapped[str] = mapped_column(String(THING_LENGTH))


class InvoiceRow(Owned, Edited, Base):
    """What somebody owes."""

    __tablename__ = "invoices"
    __table_args__ = (UniqueConstraint("tenant_id", "number"), Index("ix_invoices_party", "tenant_id", "party"))

    id: Mapped[str] = identifier()
    number: Mapped[str] = mapped_column(String(20))
    party: Mapped[str] = mapped_column(String(THING_LENGTH))
    amount_micro: Mapped[int] = mapped_column(BigInteger)
    issued_at: Mapped[datetime] = mapped_column(Instant)
    due: Mapped[str] = mapped_column(String(10))
    """A day, like 2026-07-31."""
    of: Mapped[str] = mapped_column(String(THING_LENGTH))
    paid_micro: Mapped[int] = mapped_column(BigInteger)
    written_off: Mapped[str] = mapped_column(Text)
