"""Key figures of a tenant out of its store: what the management asks, over the days of a period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from customers.lifecycle.contract import Contract
from customers.lifecycle.lead import Lead, Stage
from customers.lifecycle.operation import Asset, CaseKind, ServiceCase, WorkOrder
from customers.lifecycle.project import Project
from customers.lifecycle.settlement import Settlement
from customers.management.availability import Service
from customers.management.funnel import History
from customers.management.money import Margin, Owed, margin, worn_micro
from customers.management.risk import Standing
from customers.parties.party import Party
from service.customers.shelves import (
    ASSETS,
    CONTRACTS,
    LEADS,
    PARTIES,
    PROJECTS,
    SERVICE_CASES,
    SETTLEMENTS,
    WORK_ORDERS,
)
from service.store.customers import ConversationRow, LeadMoveRow, LeadRow
from service.store.trading import InvoiceRow

YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Books:
    """Everything of a tenant that key figures are made of, by id, on the day ``today``."""

    now: datetime
    parties: Mapping[str, Party]
    leads: Mapping[str, Lead]
    stages: Mapping[str, Sequence[tuple[datetime, Stage]]]
    spoken: Mapping[str, date]
    """By lead, when somebody spoke about it last."""
    contracts: Mapping[str, Contract]
    projects: Mapping[str, Project]
    assets: Mapping[str, Asset]
    work: Mapping[str, WorkOrder]
    cases: Mapping[str, ServiceCase]
    settlements: Sequence[Settlement]
    owed: Sequence[Owed]

    @property
    def today(self) -> date:
        """The day of it."""
        return self.now.date()


async def books(session: AsyncSession, now: datetime) -> Books:
    """Return the books of the transaction's tenant."""
    return Books(
        now=now,
        parties=await PARTIES.all(session),
        leads=await LEADS.all(session),
        stages=await _stages(session),
        spoken=await _spoken(session),
        contracts=await CONTRACTS.all(session),
        projects=await PROJECTS.all(session),
        assets=await ASSETS.all(session),
        work=await WORK_ORDERS.all(session),
        cases=await SERVICE_CASES.all(session),
        settlements=tuple((await SETTLEMENTS.all(session)).values()),
        owed=await _owed(session),
    )


async def _mine(session: AsyncSession, kind: type[Any], *order: Any) -> Any:
    tenant = session.sync_session.info["tenant"]
    return await session.scalars(select(kind).where(kind.tenant_id == tenant).order_by(*order))


async def _stages(session: AsyncSession) -> dict[str, list[tuple[datetime, Stage]]]:
    """Return when each lead came to each stage."""
    found = {row.id: [(row.made_at, Stage.LEAD)] for row in await _mine(session, LeadRow)}
    for row in await _mine(session, LeadMoveRow, LeadMoveRow.lead_id, LeadMoveRow.number):
        found[row.lead_id].append((row.at, Stage(row.after)))
    return found


async def _spoken(session: AsyncSession) -> dict[str, date]:
    """Return the last day on which somebody spoke about each lead."""
    rows = await _mine(session, ConversationRow, ConversationRow.at)
    return {row.lead_id: row.at.date() for row in rows}


async def _owed(session: AsyncSession) -> list[Owed]:
    """Return what is left of every invoice."""
    rows = await _mine(session, InvoiceRow)
    return [Owed(r.party, r.amount_micro - r.paid_micro, date.fromisoformat(r.due)) for r in rows if not r.written_off]


def histories(b: Books) -> list[History]:
    """Return how every lead came to where it stands."""
    return [History(lead, tuple(b.stages[i])) for i, lead in b.leads.items()]


def standings(b: Books) -> list[Standing]:
    """Return what is known of every customer with a contract that holds today."""
    until: dict[str, date] = {}
    for c in b.contracts.values():
        if c.in_force(b.today):
            until[c.party_id] = max(c.until, until.get(c.party_id, c.until))
    return [_standing(b, party_id, end) for party_id, end in until.items()]


def _standing(b: Books, party_id: str, until: date) -> Standing:
    cases = [c for c in b.cases.values() if c.party_id == party_id]
    recent = [c for c in cases if b.now - c.opened_at <= YEAR]
    late = [c for c in recent if c.open and c.answer_by is not None and c.answer_by < b.now]
    spoken = [b.spoken[i] for i, lead in b.leads.items() if lead.party_id == party_id and i in b.spoken]
    return Standing(
        party_id=party_id,
        name=b.parties[party_id].name,
        until=until,
        overdue_micro=sum(o.left_micro for o in b.owed if o.party_id == party_id and o.due_on < b.today),
        complaints=sum(c.kind is CaseKind.COMPLAINT for c in recent),
        late_answers=len(late),
        last_spoken=max(spoken, default=None),
    )


def margins(b: Books, start: date, end: date) -> list[Margin]:
    """Return what every contract with settled periods that begin between two days has earned."""
    found = []
    for i, contract in b.contracts.items():
        mine = [s for s in b.settlements if s.contract_id == i and start <= s.start < end]
        if mine:
            found.append(_margin(b, i, contract, mine, start, end))
    return found


def _margin(b: Books, i: str, contract: Contract, mine: Sequence[Settlement], start: date, end: date) -> Margin:
    projects = {k: p for k, p in b.projects.items() if p.contract_id == i}
    assets = {k for k, a in b.assets.items() if a.project_id in projects}
    work = [w for w in b.work.values() if w.asset_id in assets and w.done_on is not None and start <= w.done_on < end]
    days = sum((s.end - s.start).days for s in mine)
    spent = sum(p.spent_micro for p in projects.values())
    worn = worn_micro(spent, contract.starts_on, contract.ends_on, days)
    return margin(i, contract.title, mine, work_micro=sum(w.cost_micro for w in work), built_micro=worn)


def services(b: Books, start: date, end: date) -> list[Service]:
    """Return every asset that was to be in service between two days, and when it was not."""
    first, last = instant(start), min(instant(end), b.now)
    found = []
    for i, a in b.assets.items():
        if a.commissioned_on is None:
            continue
        begins = max(first, instant(a.commissioned_on))
        ends = last if a.retired_on is None else min(last, instant(a.retired_on))
        if ends > begins:
            outages = [(w.down_from, w.down_to) for w in b.work.values() if w.asset_id == i and w.down_from is not None]
            found.append(Service(i, a.name, a.power_kw, begins, ends, tuple(outages)))
    return found


def instant(day: date) -> datetime:
    """Return the instant with which a day begins, in UTC."""
    return datetime.combine(day, time(), UTC)
