"""Endpoints of contracts beyond their record: signatures, and an end before its time."""

from functools import partial
from typing import Any

from fastapi import Response

from customers.lifecycle.contract import Contract, Ending, Signature
from service.api.access import Backed, guarded, only
from service.api.customers.records import stepped
from service.api.customers.schemas import Kept
from service.api.people.endpoints import Id
from service.api.problems import described
from service.api.repeats import Once
from service.api.versions import Read
from service.auth.roles import Deed
from service.customers import steps
from service.customers.shelves import CONTRACTS

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
