"""The kinds of records that people write: what they send, what is kept of it, who may, and what is looked at before."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from customers.catalogue.offers import ModuleOffer
from customers.lifecycle.contract import Contract, NewContract, NewProposal, Proposal
from customers.lifecycle.lead import Lead, NewLead
from customers.lifecycle.operation import Asset, ServiceCase, WorkOrder
from customers.lifecycle.partners import Agreement
from customers.lifecycle.project import Project
from customers.parties.party import Party
from customers.parties.premises import Premises
from models.errors import DataError
from models.findings import Finding, error, errors_in
from service.auth.roles import Deed, Principal
from service.customers import checks
from service.customers.shelf import Shelf, taken_over
from service.customers.shelves import (
    AGREEMENTS,
    ASSETS,
    CONTRACTS,
    LEADS,
    MODULE_OFFERS,
    PARTIES,
    PREMISES,
    PROJECTS,
    PROPOSALS,
    SERVICE_CASES,
    WORK_ORDERS,
)
from service.store.customers import KeptRow

Begun = Callable[[AsyncSession, Any, datetime], Awaitable[Any]]
Check = Callable[[AsyncSession, Any, Any], AsyncIterator[Finding]]


async def as_written(_session: AsyncSession, new: object, _now: datetime) -> object:
    """Return a record that is kept as it was written."""
    return new


async def lead_begun(_session: AsyncSession, new: NewLead, now: datetime) -> Lead:
    """Return a lead at its first stage."""
    return Lead(**shallow(new), since=now)


async def proposal_made(_session: AsyncSession, new: NewProposal, _now: datetime) -> Proposal:
    """Return a proposal that waits for its answer."""
    return Proposal(**shallow(new))


async def contract_drafted(session: AsyncSession, new: NewContract, _now: datetime) -> Contract:
    """Return a contract that nobody has signed; whose it is and what it costs are its proposal's."""
    proposal = await PROPOSALS.content_of(session, new.proposal_id)
    lead = None if proposal is None else await LEADS.content_of(session, proposal.lead_id)
    if proposal is None or lead is None:
        words = f"there is no proposal {new.proposal_id}; /api/v1/proposals lists them"
        raise DataError([error("proposal_id", words)])
    return Contract(**shallow(new), lead_id=proposal.lead_id, party_id=lead.party_id, fee_micro=proposal.fee_micro)


def shallow(new: object) -> dict[str, Any]:
    """Return the fields of a record by name."""
    return {f.name: getattr(new, f.name) for f in fields(new)}  # type: ignore[arg-type] # every record is a dataclass


@dataclass(frozen=True, slots=True)
class Records:
    """A kind of record: ``new`` is what people send, ``begun`` makes the record of it, ``check`` gives what is wrong with one."""

    shelf: Shelf[Any]
    new: type[Any]
    check: Check
    begun: Begun = as_written
    deed: Deed = Deed.SELL
    replaced: bool = True
    """Whether another version may be written in its place."""

    async def make(self, session: AsyncSession, now: datetime, who: Principal, new: object) -> KeptRow:
        """Keep a new record; DataError with everything that is wrong with it."""
        content = await self.begun(session, new, now)
        await self._require(session, content, None)
        return await self.shelf.add(session, now, who, content)

    async def replace(self, session: AsyncSession, now: datetime, who: Principal, row: KeptRow, new: object) -> None:
        """Keep another version of a record; DataError with everything that is wrong with it."""
        before = self.shelf.of(row)
        content = taken_over(before, new)
        await self._require(session, content, before)
        await self.shelf.put(session, now, who, row, content)

    async def _require(self, session: AsyncSession, content: object, before: object) -> None:
        findings = [finding async for finding in self.check(session, content, before)]
        if wrong := errors_in(findings):
            raise DataError(wrong)


ALL = (
    Records(PARTIES, Party, checks.of_party),
    Records(PREMISES, Premises, checks.of_premises),
    Records(LEADS, NewLead, checks.of_lead, lead_begun),
    Records(PROPOSALS, NewProposal, checks.of_proposal, proposal_made, replaced=False),
    Records(CONTRACTS, NewContract, checks.of_contract, contract_drafted),
    Records(AGREEMENTS, Agreement, checks.of_agreement),
    Records(PROJECTS, Project, checks.of_project),
    Records(ASSETS, Asset, checks.of_asset),
    Records(WORK_ORDERS, WorkOrder, checks.of_work, deed=Deed.SERVE),
    Records(MODULE_OFFERS, ModuleOffer, checks.of_offer),
    Records(SERVICE_CASES, ServiceCase, checks.of_case, deed=Deed.SERVE),
)
