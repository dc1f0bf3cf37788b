"""Endpoints of contracts beyond their record: signatures, an end before its time, and the settling of periods."""

from functools import partial
from typing import Any

from fastapi import Response

from customers.lifecycle.contract import Contract, Ending, Signature
from customers.lifecycle.settlement import NewSettlement, Settlement
from service.api.access import Backed, Known, guarded, only
from service.api.customers.records import Before, answered, known, paged, stepped
from service.api.customers.schemas import Kept, Page
from service.api.people.endpoints import Id, Limit
from service.api.problems import described
from service.api.repeats import Once
from service.api.versions import Read
from service.auth.roles import Deed
from service.customers import settling, steps
from service.customers.shelves import CONTRACTS, SETTLEMENTS

router = guarded(Deed.SEE, "/api/v1/contracts", "contracts", 404)


@router.post(
    "/{contract_id}/signatures", response_model=Kept[Contract], responses=described(409, 412, 428), **only(Deed.SELL)
)
async def sign(
    backing: Backed, once: Once, contract_id: Id, signature: Signature, read: Read, response: Response
) -> Any:
    """Write down that a side has signed; a contract holds when both have."""
    return await stepped(
        backing, once, CONTRACTS, contract_id, read, response, partial(steps.sign, signature=signature)
    )


@router.post("/{contract_id}/end", response_model=Kept[Contract], responses=described(409, 412, 428), **only(Deed.SELL))
async def end(backing: Backed, once: Once, contract_id: Id, ending: Ending, read: Read, response: Response) -> Any:
    """End a contract before its time."""
    return await stepped(backing, once, CONTRACTS, contract_id, read, response, partial(steps.end, ending=ending))


@router.post(
    "/{contract_id}/settlements",
    status_code=201,
    response_model=Kept[Settlement],
    responses=described(409),
    **only(Deed.SELL),
)
async def settle(backing: Backed, once: Once, contract_id: Id, wanted: NewSettlement, response: Response) -> Any:
    """Settle a period: the invoice is issued, partners' shares are booked; payments are taken at /api/v1/payments."""
    if (before := await once.answer()) is not None:
        return before
    async with backing.store.changing(once.who.tenant_id) as session:
        contract = await known(session, CONTRACTS, contract_id, changing=True)
        row = await settling.settle(session, backing.store.clock.now(), once.who, contract, wanted)
        return await answered(session, once, SETTLEMENTS, row, response, 201)


@router.get("/{contract_id}/settlements")
async def settlements(
    backing: Backed, who: Known, contract_id: Id, limit: Limit = 50, before: Before = None
) -> Page[Settlement]:
    """List the settled periods of a contract, newest first."""
    async with backing.store.reading(who.tenant_id) as session:
        await known(session, CONTRACTS, contract_id)
        return await paged(session, Page[Settlement], SETTLEMENTS, {"contract_id": contract_id}, before, limit)
