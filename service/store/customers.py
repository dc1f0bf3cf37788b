"""Tables of customers: parties and premises, leads with their moves, contracts, projects, what is operated, and what is settled.

A column is named like the field of the record that it keeps; lists inside a record are plain values.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from service.store.columns import ID_LENGTH, NAME_LENGTH, Base, Edited, Instant, Owned, Plain, identifier

STATE_LENGTH = 24


class Day(TypeDecorator[date]):
    """A day, as text like 2026-07-31, which sorts as days do."""

    impl = String(10)
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:
        """Return what is kept of a day."""
        del dialect
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:
        """Return the day that was kept."""
        del dialect
        return None if value is None else date.fromisoformat(value)


def named(length: int = NAME_LENGTH) -> Mapped[str]:
    """Return the column of a name."""
    return mapped_column(String(length))


def state() -> Mapped[str]:
    """Return the column of how far something is."""
    return mapped_column(String(STATE_LENGTH), index=True)


def micro() -> Mapped[int]:
    """Return the column of an amount in micro-units."""
    return mapped_column(BigInteger)


def of(table: str) -> Mapped[str]:
    """Return the column of what a row belongs to."""
    return mapped_column(String(ID_LENGTH), ForeignKey(f"{table}.id"), index=True)


class KeptRow(Owned, Edited):
    """A row that tells when it was made and who has changed it last."""

    @declared_attr
    def id(cls) -> Mapped[str]:  # noqa: N805 # SQLAlchemy calls it with the class
        """Return the column of the id."""
        return identifier()

    made_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[str] = mapped_column(String(NAME_LENGTH))


class PartyRow(KeptRow, Base):
    """A party with its roles and contacts."""

    __tablename__ = "parties"

    name: Mapped[str] = named()
    roles: Mapped[list[str]] = mapped_column(Plain)
    registration: Mapped[str] = named()
    sector: Mapped[str] = named()
    language: Mapped[str] = named(8)
    participant: Mapped[str] = named()
    tenant: Mapped[str] = named()
    contacts: Mapped[list[dict[str, Any]]] = mapped_column(Plain)
    note: Mapped[str] = mapped_column(Text)


class PremisesRow(KeptRow, Base):
    """Premises with their service points and meters."""

    __tablename__ = "premises"

    party_id: Mapped[str] = of("parties")
    name: Mapped[str] = named()
    address: Mapped[str] = named()
    time_zone: Mapped[str] = named()
    roof_m2: Mapped[float] = mapped_column(Float)
    points: Mapped[list[dict[str, Any]]] = mapped_column(Plain)


class MeterDataRow(KeptRow, Base):
    """Meter data of a party in one carrier as they were brought; ``body`` is the file, which was judged whole, ``edits`` what people set since."""

    __tablename__ = "customer_meter_data"
    __table_args__ = (UniqueConstraint("tenant_id", "party_id", "carrier"),)

    party_id: Mapped[str] = of("parties")
    carrier: Mapped[str] = named(STATE_LENGTH)
    kwh_per_m3: Mapped[float | None] = mapped_column(Float)
    edits: Mapped[list[dict[str, Any]]] = mapped_column(Plain)
    zone: Mapped[str] = named()
    unit: Mapped[str] = named(8)
    columns: Mapped[list[str]] = mapped_column(Plain)
    start: Mapped[datetime] = mapped_column(Instant)
    end: Mapped[datetime] = mapped_column(Instant)
    minutes: Mapped[int] = mapped_column(Integer)
    findings: Mapped[list[list[str]]] = mapped_column(Plain)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class LeadRow(KeptRow, Base):
    """A lead and its stage."""

    __tablename__ = "leads"

    party_id: Mapped[str] = of("parties")
    title: Mapped[str] = named()
    owner: Mapped[str] = named()
    channel: Mapped[str] = named(STATE_LENGTH)
    brought_by_party_id: Mapped[str] = named(ID_LENGTH)
    expected_micro: Mapped[int] = micro()
    stage: Mapped[str] = state()
    suspended_from: Mapped[str | None] = mapped_column(String(STATE_LENGTH))
    since: Mapped[datetime] = mapped_column(Instant)


class LeadMoveRow(Owned, Base):
    """One move of a lead, as it was made."""

    __tablename__ = "lead_moves"

    id: Mapped[str] = identifier()
    lead_id: Mapped[str] = of("leads")
    number: Mapped[int] = mapped_column(Integer)
    move: Mapped[str] = named(STATE_LENGTH)
    before: Mapped[str] = named(STATE_LENGTH)
    after: Mapped[str] = named(STATE_LENGTH)
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str] = named()
    reason: Mapped[str] = mapped_column(Text)


class ConversationRow(KeptRow, Base):
    """What was said about a lead."""

    __tablename__ = "conversations"

    lead_id: Mapped[str] = of("leads")
    at: Mapped[datetime] = mapped_column(Instant)
    with_whom: Mapped[str] = named()
    words: Mapped[str] = mapped_column(Text)
    next_on: Mapped[date | None] = mapped_column(Day)


class ProposalRow(KeptRow, Base):
    """A proposal and the answer to it."""

    __tablename__ = "proposals"

    lead_id: Mapped[str] = of("leads")
    title: Mapped[str] = named()
    modules: Mapped[list[str]] = mapped_column(Plain)
    fee_micro: Mapped[int] = micro()
    saving_low_micro: Mapped[int] = micro()
    saving_high_micro: Mapped[int] = micro()
    valid_until: Mapped[date] = mapped_column(Day)
    job_id: Mapped[str] = named()
    state: Mapped[str] = state()
    answered_on: Mapped[date | None] = mapped_column(Day)
    answered_by: Mapped[str] = named()
    answer: Mapped[str] = mapped_column(Text)


class ContractRow(KeptRow, Base):
    """A contract and its signatures."""

    __tablename__ = "contracts"

    proposal_id: Mapped[str] = of("proposals")
    title: Mapped[str] = named()
    starts_on: Mapped[date] = mapped_column(Day)
    ends_on: Mapped[date] = mapped_column(Day)
    tariff: Mapped[str] = named()
    payment_days: Mapped[int] = mapped_column(Integer)
    lead_id: Mapped[str] = of("leads")
    party_id: Mapped[str] = of("parties")
    fee_micro: Mapped[int] = micro()
    signatures: Mapped[list[dict[str, Any]]] = mapped_column(Plain)
    ended_on: Mapped[date | None] = mapped_column(Day)
    end_reason: Mapped[str] = mapped_column(Text)


class ProjectRow(KeptRow, Base):
    """A project with its budget, milestones and tasks."""

    __tablename__ = "projects"

    contract_id: Mapped[str] = of("contracts")
    title: Mapped[str] = named()
    manager: Mapped[str] = named()
    starts_on: Mapped[date] = mapped_column(Day)
    budget: Mapped[list[dict[str, Any]]] = mapped_column(Plain)
    milestones: Mapped[list[dict[str, Any]]] = mapped_column(Plain)
    tasks: Mapped[list[dict[str, Any]]] = mapped_column(Plain)


class CustomerAssetRow(KeptRow, Base):
    """Equipment on a customer's premises."""

    __tablename__ = "customer_assets"

    premises_id: Mapped[str] = of("premises")
    project_id: Mapped[str] = named(ID_LENGTH)
    name: Mapped[str] = named()
    kind: Mapped[str] = named()
    element: Mapped[str] = named()
    serial: Mapped[str] = named()
    power_kw: Mapped[float] = mapped_column(Float)
    ours: Mapped[bool] = mapped_column(Boolean)
    commissioned_on: Mapped[date | None] = mapped_column(Day)
    retired_on: Mapped[date | None] = mapped_column(Day)


class WorkOrderRow(KeptRow, Base):
    """Work on an asset."""

    __tablename__ = "work_orders"

    asset_id: Mapped[str] = of("customer_assets")
    title: Mapped[str] = named()
    kind: Mapped[str] = named(STATE_LENGTH)
    state: Mapped[str] = state()
    planned_on: Mapped[date | None] = mapped_column(Day)
    done_on: Mapped[date | None] = mapped_column(Day)
    who: Mapped[str] = named()
    case_id: Mapped[str] = named(ID_LENGTH)
    down_from: Mapped[datetime | None] = mapped_column(Instant)
    down_to: Mapped[datetime | None] = mapped_column(Instant)
    cost_micro: Mapped[int] = micro()
    result: Mapped[str] = mapped_column(Text)


class ServiceCaseRow(KeptRow, Base):
    """What a customer asks for."""

    __tablename__ = "service_cases"

    party_id: Mapped[str] = of("parties")
    asset_id: Mapped[str] = named(ID_LENGTH)
    title: Mapped[str] = named()
    kind: Mapped[str] = named(STATE_LENGTH)
    urgent: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = state()
    opened_at: Mapped[datetime] = mapped_column(Instant)
    answer_by: Mapped[datetime | None] = mapped_column(Instant)
    who: Mapped[str] = named()
    answer: Mapped[str] = mapped_column(Text)


class AgreementRow(KeptRow, Base):
    """A partner's share of what a contract brings."""

    __tablename__ = "partner_agreements"

    contract_id: Mapped[str] = of("contracts")
    party_id: Mapped[str] = of("parties")
    title: Mapped[str] = named()
    share_ppm: Mapped[int] = mapped_column(Integer)
    starts_on: Mapped[date] = mapped_column(Day)
    ends_on: Mapped[date | None] = mapped_column(Day)


class ModuleOfferRow(KeptRow, Base):
    """What a provider offers for a module."""

    __tablename__ = "module_offers"

    party_id: Mapped[str] = of("parties")
    module: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    price_factor: Mapped[float] = mapped_column(Float)
    capacity: Mapped[float] = mapped_column(Float)
    valid_until: Mapped[date] = mapped_column(Day)
    guarantee_share: Mapped[float] = mapped_column(Float)
    rating: Mapped[float] = mapped_column(Float)
    note: Mapped[str] = mapped_column(Text)


class SettlementRow(KeptRow, Base):
    """A settled period of a contract."""

    __tablename__ = "settlements"

    contract_id: Mapped[str] = of("contracts")
    start: Mapped[date] = mapped_column(Day)
    end: Mapped[date] = mapped_column(Day)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(Plain)
    cost_micro: Mapped[int] = micro()
    amount_micro: Mapped[int] = micro()
    shares_micro: Mapped[dict[str, int]] = mapped_column(Plain)
    invoice: Mapped[str] = named(20)
    issued_at: Mapped[datetime] = mapped_column(Instant)
    due_on: Mapped[date] = mapped_column(Day)
