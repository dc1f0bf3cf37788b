"""What a record has to be before it is kept: whole in itself, and naming only what is there and fits."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from customers.catalogue.modules import load_catalogue
from customers.catalogue.offers import ModuleOffer, check_offer
from customers.lifecycle.contract import Contract, Proposal, ProposalState, check_contract, check_proposal
from customers.lifecycle.lead import Lead
from customers.lifecycle.operation import (
    Asset,
    ServiceCase,
    WorkOrder,
    check_asset,
    check_case,
    check_work,
)
from customers.lifecycle.partners import Agreement, check_agreement
from customers.lifecycle.project import Project, check_project
from customers.lifecycle.refusal import RefusedStepError
from customers.parties.party import Party, check_party
from customers.parties.premises import Premises, check_premises
from models.findings import Finding, error
from service.customers.shelf import Shelf
from service.customers.shelves import (
    AGREEMENTS,
    ASSETS,
    CONTRACTS,
    LEADS,
    PARTIES,
    PREMISES,
    PROJECTS,
    PROPOSALS,
    SERVICE_CASES,
)

Findings = AsyncIterator[Finding]


async def there(session: AsyncSession, shelf: Shelf[Any], place: str, thing_id: str) -> Findings:
    """Give a finding where something that a record names is not there."""
    if thing_id and await shelf.one(session, thing_id) is None:
        yield error(place, f"there is no {shelf.name} {thing_id}; /api/v1/{shelf.path} lists them")


async def of_party(_session: AsyncSession, party: Party, _before: Party | None) -> Findings:
    """Give what is wrong with a party."""
    for finding in check_party(party):
        yield finding


async def of_offer(session: AsyncSession, offer: ModuleOffer, _before: ModuleOffer | None) -> Findings:
    """Give what is wrong with a provider's offer."""
    provider = await PARTIES.content_of(session, offer.party_id)
    for finding in check_offer(offer, provider, load_catalogue()):
        yield finding
    async for finding in there(session, PARTIES, "party_id", offer.party_id):
        yield finding


async def of_premises(session: AsyncSession, premises: Premises, before: Premises | None) -> Findings:
    """Give what is wrong with premises; a meter is at one place at a time."""
    for finding in check_premises(premises):
        yield finding
    async for finding in there(session, PARTIES, "party_id", premises.party_id):
        yield finding
    known = set() if before is None else {m.number for m in before.meters}
    for meter in premises.meters:
        if meter.number in known:
            continue
        for other in (await PREMISES.all(session, points=meter.number)).values():
            for there_too in other.meters:
                same = there_too.number == meter.number
                if same and meter.installed_on < there_too.until and there_too.installed_on < meter.until:
                    yield error(
                        "points.meters", f"meter {meter.number} is at {other.name} then; say when it was removed"
                    )


async def of_lead(session: AsyncSession, lead: Lead, _before: Lead | None) -> Findings:
    """Give what is wrong with a lead."""
    async for finding in there(session, PARTIES, "party_id", lead.party_id):
        yield finding
    async for finding in there(session, PARTIES, "brought_by_party_id", lead.brought_by_party_id):
        yield finding


async def of_proposal(session: AsyncSession, proposal: Proposal, _before: Proposal | None) -> Findings:
    """Give what is wrong with a proposal."""
    for finding in check_proposal(proposal):
        yield finding
    async for finding in there(session, LEADS, "lead_id", proposal.lead_id):
        yield finding


async def of_contract(session: AsyncSession, contract: Contract, before: Contract | None) -> Findings:
    """Give what is wrong with a draft of a contract; what is signed is not redrafted."""
    if before is not None and before.signatures:
        words = f"{before.signatures[0].by} has signed it; withdraw the proposal, or end the contract"
        raise RefusedStepError("the contract cannot be redrafted", [error("signatures", words)])
    if before is not None and before.proposal_id != contract.proposal_id:
        yield error("proposal_id", "a contract stays with its proposal; draft a new one")
    for finding in check_contract(contract):
        yield finding
    proposal = await PROPOSALS.content_of(session, contract.proposal_id)
    if proposal is not None and proposal.state in (ProposalState.DECLINED, ProposalState.WITHDRAWN):
        yield error("proposal_id", f"the proposal is {proposal.state}; nobody signs a contract from it")


async def of_project(session: AsyncSession, project: Project, before: Project | None) -> Findings:
    """Give what is wrong with a project."""
    for finding in check_project(project):
        yield finding
    for finding in stays("contract_id", project.contract_id, None if before is None else before.contract_id):
        yield finding
    async for finding in there(session, CONTRACTS, "contract_id", project.contract_id):
        yield finding


async def of_asset(session: AsyncSession, asset: Asset, before: Asset | None) -> Findings:
    """Give what is wrong with an asset; a project builds on premises of its own customer."""
    for finding in check_asset(asset):
        yield finding
    for finding in stays("premises_id", asset.premises_id, None if before is None else before.premises_id):
        yield finding
    async for finding in there(session, PREMISES, "premises_id", asset.premises_id):
        yield finding
    async for finding in there(session, PROJECTS, "project_id", asset.project_id):
        yield finding
    premises = await PREMISES.content_of(session, asset.premises_id)
    project = await PROJECTS.content_of(session, asset.project_id) if asset.project_id else None
    contract = await CONTRACTS.content_of(session, project.contract_id) if project is not None else None
    if premises is not None and contract is not None and contract.party_id != premises.party_id:
        yield error("project_id", f"{contract.title!r} is a contract with somebody else than whose premises these are")


async def of_work(session: AsyncSession, order: WorkOrder, before: WorkOrder | None) -> Findings:
    """Give what is wrong with a work order."""
    for finding in check_work(order, before):
        yield finding
    for finding in stays("asset_id", order.asset_id, None if before is None else before.asset_id):
        yield finding
    async for finding in there(session, ASSETS, "asset_id", order.asset_id):
        yield finding
    async for finding in there(session, SERVICE_CASES, "case_id", order.case_id):
        yield finding


async def of_case(session: AsyncSession, case: ServiceCase, before: ServiceCase | None) -> Findings:
    """Give what is wrong with a service case."""
    for finding in check_case(case, before):
        yield finding
    async for finding in there(session, PARTIES, "party_id", case.party_id):
        yield finding
    async for finding in there(session, ASSETS, "asset_id", case.asset_id):
        yield finding


async def of_agreement(session: AsyncSession, agreement: Agreement, before: Agreement | None) -> Findings:
    """Give what is wrong with a partner's agreement beside the others on its contract."""
    for finding in stays("contract_id", agreement.contract_id, None if before is None else before.contract_id):
        yield finding
    async for finding in there(session, PARTIES, "party_id", agreement.party_id):
        yield finding
    contract = await CONTRACTS.content_of(session, agreement.contract_id)
    if contract is None:
        yield error("contract_id", f"there is no contract {agreement.contract_id}; /api/v1/contracts lists them")
        return
    others = list((await AGREEMENTS.all(session, contract_id=agreement.contract_id)).values())
    if before is not None:
        others.remove(before)
    for finding in check_agreement(agreement, contract, others):
        yield finding


def stays(place: str, now: str, before: str | None) -> Iterator[Finding]:
    """Give a finding where a record would belong to something else than before."""
    if before is not None and now != before:
        yield error(place, f"it belongs to {before}; make a new one for {now}")
