"""Endpoints of leads beyond their record: moves from stage to stage, and what was said."""

from functools import partial
from typing import Any

from fastapi import Response

from customers.lifecycle.contract import Answer, Proposal
from customers.lifecycle.lead import Conversation, Lead
from customers.lifecycle.moves import ways
from service.api.access import Backed, Known, guarded, only
from service.api.customers.records import Before, answered, known, paged, stepped
from service.api.customers.schemas import HistoryOut, Kept, MoveIn, MoveOut, Page, WayOut
from service.api.people.endpoints import Id, Limit
from service.api.problems import described
from service.api.repeats import Once
from service.api.versions import Read
from service.auth.roles import Deed
from service.customers import steps
from service.customers.dossiers import dossier_of
from service.customers.shelves import CONVERSATIONS, LEADS, PROPOSALS

router = guarded(Deed.SEE, "/api/v1", "leads", 404)


@router.post("/leads/{lead_id}/moves", response_model=Kept[Lead], responses=described(409, 412, 428), **only(Deed.SELL))
async def move(backing: Backed, once: Once, lead_id: Id, wanted: MoveIn, read: Read, response: Response) -> Any:
    """Move a lead to another stage; a refusal (409) names everything that is missing."""
    return await stepped(
        backing, once, LEADS, lead_id, read, response, partial(steps.move, wanted=wanted.move, reason=wanted.reason)
    )


@router.get("/leads/{lead_id}/moves")
async def history(backing: Backed, who: Known, lead_id: Id) -> HistoryOut:
    """Return how a lead came to where it stands, and for each way on what it still lacks."""
    async with backing.store.reading(who.tenant_id) as session:
        row = await known(session, LEADS, lead_id)
        dossier = await dossier_of(session, row, backing.store.clock.now().date())
        made = [MoveOut.of(m) for m in await steps.moves_of(session, lead_id)]
    found = [WayOut.of(m, missing) for m, missing in ways(dossier).items()]
    return HistoryOut(stage=dossier.lead.stage, moves=made, ways=found)


@router.post(
    "/leads/{lead_id}/conversations",
    status_code=201,
    response_model=Kept[Conversation],
    responses=described(409),
    **only(Deed.SELL),
)
async def converse(backing: Backed, once: Once, lead_id: Id, said: Conversation, response: Response) -> Any:
    """Write down what was said about a lead."""
    if (before := await once.answer()) is not None:
        return before
    async with backing.store.changing(once.who.tenant_id) as session:
        await known(session, LEADS, lead_id)
        row = await steps.converse(session, backing.store.clock.now(), once.who, lead_id, said)
        return await answered(session, once, CONVERSATIONS, row, response, 201)


@router.get("/leads/{lead_id}/conversations")
async def conversations(
    backing: Backed, who: Known, lead_id: Id, limit: Limit = 50, before: Before = None
) -> Page[Conversation]:
    """List what was said about a lead, newest first."""
    async with backing.store.reading(who.tenant_id) as session:
        await known(session, LEADS, lead_id)
        return await paged(session, Page[Conversation], CONVERSATIONS, {"lead_id": lead_id}, before, limit)


@router.post(
    "/proposals/{proposal_id}/answer",
    response_model=Kept[Proposal],
    responses=described(409, 412, 428),
    **only(Deed.SELL),
)
async def answer(backing: Backed, once: Once, proposal_id: Id, told: Answer, read: Read, response: Response) -> Any:
    """Write down what the customer says to a proposal, or that it is withdrawn."""
    return await stepped(backing, once, PROPOSALS, proposal_id, read, response, partial(steps.answer, told=told))
