"""The four endpoints that every kind of record has: a list, a new one, one by its id, and another version of it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from service.api.access import Backed, Known, guarded, only
from service.api.customers.schemas import Content, Kept, Page, kept_of, page_of
from service.api.people.endpoints import Limit
from service.api.problems import described
from service.api.repeats import Once, Repeat
from service.api.versions import Read, require, tagged
from service.auth.roles import Deed, Principal
from service.backing import Backing
from service.customers.records import Records
from service.customers.shelf import Shelf
from service.store.customers import KeptRow

REF = r"^[A-Za-z0-9_-]{0,40}$"
Before = Annotated[str | None, Query(pattern=REF, description="id of the last item of the page before")]
Of = Annotated[str, Query(pattern=REF, description="only those that belong to what has this id")]
State = Annotated[str, Query(pattern=r"^[a-z_]{0,24}$", description="only those that stand here")]
Step = Callable[[AsyncSession, datetime, Principal, KeptRow], Awaitable[None]]


def router_of(kind: Records) -> APIRouter:
    """Return the endpoints of a kind of record."""
    named = kind.shelf.name.replace("_", " ")
    router = guarded(Deed.SEE, f"/api/v1/{kind.shelf.path}", kind.shelf.path)
    _lists(router, kind.shelf, named)
    _makes(router, kind, named)
    if kind.replaced:
        _replaces(router, kind, named)
    return router


def _lists(router: APIRouter, shelf: Shelf[Any], named: str) -> None:
    """Add the list and the single record."""
    page, kept = page_of(shelf), kept_of(shelf)

    @router.get("", response_model=page, description=f"List every {named}, newest first.", responses=described(404))
    async def listed(
        backing: Backed, who: Known, limit: Limit = 50, before: Before = None, of: Of = "", state: State = ""
    ) -> Any:
        wanted = {n: v for n, v in ((shelf.parent, of), (shelf.state, state)) if n and v}
        async with backing.store.reading(who.tenant_id) as session:
            return await paged(session, page, shelf, wanted, before, limit)

    @router.get(
        f"/{{{shelf.name}_id}}",
        response_model=kept,
        description=f"Return one {named}; its ETag is needed to change it.",
        responses=described(404),
    )
    async def one(backing: Backed, who: Known, thing_id: id_of(shelf), response: Response) -> Any:  # type: ignore[valid-type] # its name stands in the path
        async with backing.store.reading(who.tenant_id) as session:
            row = await known(session, shelf, thing_id)
        tagged(response, row.version)
        return kept.of(shelf, row)


def _makes(router: APIRouter, kind: Records, named: str) -> None:
    """Add the endpoint for a new record."""
    shelf = kind.shelf

    @router.post(
        "",
        status_code=201,
        response_model=kept_of(shelf),
        description=f"Keep a new {named}; everything that is wrong with it is told at once.",
        responses=described(409),
        **only(kind.deed),
    )
    async def make(backing: Backed, once: Once, wanted: kind.new, response: Response) -> Any:  # type: ignore[name-defined] # a type that is known when the service starts
        if (before := await once.answer()) is not None:
            return before
        async with backing.store.changing(once.who.tenant_id) as session:
            row = await kind.make(session, backing.store.clock.now(), once.who, wanted)
            response.headers["Location"] = f"/api/v1/{shelf.path}/{row.id}"
            return await answered(session, once, shelf, row, response, 201)


def _replaces(router: APIRouter, kind: Records, named: str) -> None:
    """Add the endpoint for another version of a record."""
    shelf = kind.shelf

    @router.put(
        f"/{{{shelf.name}_id}}",
        response_model=kept_of(shelf),
        description=f"Keep another version of a {named} in place of the one that was read.",
        responses=described(404, 409, 412, 428),
        **only(kind.deed),
    )
    async def replace(
        backing: Backed,
        once: Once,
        thing_id: id_of(shelf),  # type: ignore[valid-type] # as above
        wanted: kind.new,  # type: ignore[name-defined] # as above
        read: Read,
        response: Response,
    ) -> Any:
        return await stepped(backing, once, shelf, thing_id, read, response, partial(kind.replace, new=wanted))


def id_of(shelf: Shelf[Any]) -> Any:
    """Return the parameter of a record's id, named as it stands in the path."""
    named = shelf.name.replace("_", " ")
    return Annotated[str, Path(alias=f"{shelf.name}_id", max_length=40, description=f"id of the {named}")]


async def known(session: AsyncSession, shelf: Shelf[Any], thing_id: str, *, changing: bool = False) -> KeptRow:
    """Return a row of the transaction's tenant, held while it is changed; 404 where there is none."""
    row = await shelf.one(session, thing_id, changing=changing)
    if row is None:
        named = shelf.name.replace("_", " ")
        raise HTTPException(404, f"There is no {named} {thing_id}; /api/v1/{shelf.path} lists them.")
    return row


async def paged(
    session: AsyncSession,
    page: type[Page[Content]],
    shelf: Shelf[Any],
    wanted: Mapping[str, str],
    before: str | None,
    limit: int,
) -> Page[Content]:
    """Return a page of records, newest first, behind the one whose id is ``before``."""
    last = None if before is None else await known(session, shelf, before)
    rows = await shelf.page(session, wanted, last, limit + 1)
    items = [kept_of(shelf).of(shelf, row) for row in rows[:limit]]
    return page(items=items, next=items[-1].id if len(rows) > limit else None)


async def stepped(
    backing: Backing, once: Repeat, shelf: Shelf[Any], thing_id: str, read: int, response: Response, step: Step
) -> Any:
    """Take a step with a record as it was read, once however often it is sent, and return what the record is then."""
    if (before := await once.answer()) is not None:
        return before
    async with backing.store.changing(once.who.tenant_id) as session:
        row = await known(session, shelf, thing_id, changing=True)
        require(row.version, read)
        await step(session, backing.store.clock.now(), once.who, row)
        return await answered(session, once, shelf, row, response)


async def answered(
    session: AsyncSession, once: Repeat, shelf: Shelf[Any], row: KeptRow, response: Response, status: int = 200
) -> Kept[Any]:
    """Return a record, and keep the answer for a request that is sent again."""
    await session.flush()
    tagged(response, row.version)
    answer = kept_of(shelf).of(shelf, row)
    await once.keep(session, status, answer, response)
    return answer
