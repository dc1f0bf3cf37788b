"""Customers: parties, premises, leads with their moves, contracts, projects, assets, work, cases, partners' shares, settlements."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from service.store.migrations.guards import append_only, drop_append_only, guard

revision = "0010"
down_revision = "0009"
ADDED_TO = ("lead_moves", "settlements")
"""What was moved and what was settled stands as it was written."""
TABLES = (
    "parties", "premises", "customer_meter_data", "leads", "lead_moves", "conversations", "proposals", "contracts", "partner_agreements", "settlements",
    "projects", "customer_assets", "work_orders", "service_cases",
)  # fmt: skip
"""In the order in which they are made."""


def words(name: str, most: int = 120, *, index: bool = False, nullable: bool = False) -> sa.Column[str]:
    """Return a column of a name, a state or a day."""
    return sa.Column(name, sa.String(most), nullable=nullable, index=index)


def state(name: str = "state") -> sa.Column[str]:
    """Return the column of how far something is."""
    return words(name, 24, index=True)


def day(name: str, *, nullable: bool = False) -> sa.Column[str]:
    """Return a column of a day."""
    return words(name, 10, nullable=nullable)


def long(name: str) -> sa.Column[str]:
    """Return a column of text or of plain values."""
    return sa.Column(name, sa.Text, nullable=False)


def whole(name: str, *, nullable: bool = False) -> sa.Column[int]:
    """Return a column of an amount or an instant."""
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def of(name: str, table: str) -> sa.Column[str]:
    """Return the column of what a row belongs to."""
    return sa.Column(name, sa.String(40), sa.ForeignKey(f"{table}.id"), nullable=False, index=True)


def make(table: str, *parts: Any, edited: bool = True) -> None:
    """Make a table of rows that belong to tenants; an ``edited`` one tells who has changed a row last, and how often it was."""
    owner = sa.Column("tenant_id", sa.String(40), sa.ForeignKey("tenants.id"), nullable=False, index=True)
    last = (
        whole("made_at"),
        whole("changed_at"),
        words("changed_by"),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(table, sa.Column("id", sa.String(40), primary_key=True), *parts, *(last if edited else ()), owner)


def upgrade() -> None:
    """Make the tables."""
    people()
    leads()
    contracts()
    operation()
    for table in TABLES:
        guard(table)
    for table in ADDED_TO:
        append_only(table)


def people() -> None:
    """Make parties and premises."""
    make(
        "parties",
        words("name"), long("roles"), words("registration"), words("sector"), words("language", 8), words("participant"), words("tenant"),
        long("contacts"), long("note"),
    )  # fmt: skip
    make(
        "premises",
        of("party_id", "parties"), words("name"), words("address"), words("time_zone"), sa.Column("roof_m2", sa.Float, nullable=False),
        long("points"),
    )  # fmt: skip
    make(
        "customer_meter_data",
        of("party_id", "parties"), words("zone"), words("unit", 8), long("columns"), whole("start"), whole("end"),
        sa.Column("minutes", sa.Integer, nullable=False), long("findings"), sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("tenant_id", "party_id"),
    )  # fmt: skip


def leads() -> None:
    """Make leads, their moves and what was said about them."""
    make(
        "leads",
        of("party_id", "parties"), words("title"), words("owner"), words("channel", 24), words("brought_by_party_id", 40),
        whole("expected_micro"), state("stage"), words("suspended_from", 24, nullable=True), whole("since"),
    )  # fmt: skip
    make(
        "lead_moves",
        of("lead_id", "leads"), sa.Column("number", sa.Integer, nullable=False), words("move", 24), words("before", 24),
        words("after", 24), whole("at"), words("by"), long("reason"), edited=False,
    )  # fmt: skip
    make(
        "conversations", of("lead_id", "leads"), whole("at"), words("with_whom"), long("words"), day("next_on", nullable=True)
    )  # fmt: skip


def contracts() -> None:
    """Make proposals, contracts, partners' shares and settlements."""
    make(
        "proposals",
        of("lead_id", "leads"), words("title"), long("modules"), whole("fee_micro"), whole("saving_low_micro"),
        whole("saving_high_micro"), day("valid_until"), words("job_id"), state(), day("answered_on", nullable=True),
        words("answered_by"), long("answer"),
    )  # fmt: skip
    make(
        "contracts",
        of("proposal_id", "proposals"), words("title"), day("starts_on"), day("ends_on"), words("tariff"),
        sa.Column("payment_days", sa.Integer, nullable=False), of("lead_id", "leads"), of("party_id", "parties"), whole("fee_micro"),
        long("signatures"), day("ended_on", nullable=True), long("end_reason"),
    )  # fmt: skip
    make(
        "partner_agreements",
        of("contract_id", "contracts"), of("party_id", "parties"), words("title"), sa.Column("share_ppm", sa.Integer, nullable=False),
        day("starts_on"), day("ends_on", nullable=True),
    )  # fmt: skip
    make(
        "settlements",
        of("contract_id", "contracts"), day("start"), day("end"), long("lines"), whole("cost_micro"), whole("amount_micro"),
        long("shares_micro"), words("invoice", 20), whole("issued_at"), day("due_on"),
    )  # fmt: skip


def operation() -> None:
    """Make projects, assets, work orders and service cases."""
    make(
        "projects",
        of("contract_id", "contracts"), words("title"), words("manager"), day("starts_on"), long("budget"), long("milestones"),
        long("tasks"),
    )  # fmt: skip
    make(
        "customer_assets",
        of("premises_id", "premises"), words("project_id", 40), words("name"), words("kind"), words("element"), words("serial"),
        sa.Column("power_kw", sa.Float, nullable=False), sa.Column("ours", sa.Boolean, nullable=False),
        day("commissioned_on", nullable=True), day("retired_on", nullable=True),
    )  # fmt: skip
    make(
        "work_orders",
        of("asset_id", "customer_assets"), words("title"), words("kind", 24), state(), day("planned_on", nullable=True),
        day("done_on", nullable=True), words("who"), words("case_id", 40), whole("down_from", nullable=True),
        whole("down_to", nullable=True), whole("cost_micro"), long("result"),
    )  # fmt: skip
    make(
        "service_cases",
        of("party_id", "parties"), words("asset_id", 40), words("title"), words("kind", 24),
        sa.Column("urgent", sa.Boolean, nullable=False), state(), whole("opened_at"), whole("answer_by", nullable=True), words("who"),
        long("answer"),
    )  # fmt: skip


def downgrade() -> None:
    """Take the tables away, with everything in them."""
    for table in ADDED_TO:
        drop_append_only(table)
    for table in reversed(TABLES):
        op.drop_table(table)
