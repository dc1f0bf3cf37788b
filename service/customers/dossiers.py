"""Dossiers out of the store: a lead and all that hangs on it, as the guards of its moves see it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from customers.lifecycle.dossier import Dossier
from customers.lifecycle.settlement import Settlement
from service.customers.shelves import (
    ASSETS,
    CONTRACTS,
    CONVERSATIONS,
    LEADS,
    PARTIES,
    PREMISES,
    PROJECTS,
    PROPOSALS,
    SERVICE_CASES,
    SETTLEMENTS,
    WORK_ORDERS,
)
from service.store.customers import KeptRow
from service.store.trading import InvoiceRow


async def dossier_of(session: AsyncSession, row: KeptRow, today: date) -> Dossier:
    """Return the dossier of a lead's row on a day."""
    lead = LEADS.of(row)
    party = await PARTIES.content_of(session, lead.party_id)
    assert party is not None  # noqa: S101 # the lead's row refers to it
    premises = await PREMISES.all(session, party_id=lead.party_id)
    contracts = await CONTRACTS.all(session, lead_id=row.id)
    projects = await PROJECTS.all(session, contract_id=contracts.keys())
    assets = await ASSETS.all(session, premises_id=premises.keys(), project_id=projects.keys())
    settlements = tuple((await SETTLEMENTS.all(session, contract_id=contracts.keys())).values())
    cases = await SERVICE_CASES.all(session, party_id=lead.party_id)
    return Dossier(
        lead=lead,
        party=party,
        today=today,
        premises=tuple(premises.values()),
        conversations=tuple((await CONVERSATIONS.all(session, lead_id=row.id)).values()),
        proposals=await PROPOSALS.all(session, lead_id=row.id),
        contracts=contracts,
        projects=projects,
        assets=assets,
        work_orders=tuple((await WORK_ORDERS.all(session, asset_id=assets.keys())).values()),
        cases=tuple(c for c in cases.values() if not c.asset_id or c.asset_id in assets),
        settlements=settlements,
        left_micro=await left_to_pay(session, settlements),
    )


async def left_to_pay(session: AsyncSession, settlements: tuple[Settlement, ...]) -> Mapping[str, int]:
    """Return what is left to pay of the invoices of settlements, in micro-units by number."""
    numbers = {s.invoice for s in settlements}
    mine: Any = (InvoiceRow.tenant_id == session.sync_session.info["tenant"]) & InvoiceRow.number.in_(numbers)
    rows = await session.scalars(select(InvoiceRow).where(mine))
    return {r.number: 0 if r.written_off else r.amount_micro - r.paid_micro for r in rows}
