"""Endpoints of schedules: draft, approve, apply, cancel; and the trace from any of its ends."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import HTTPException, Path, Query, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.dispatch import Plan
from models.errors import DataError
from models.findings import error
from service.api.access import Backed, Known, guarded, only
from service.api.fields import Running
from service.api.operations.endpoints import Limit
from service.api.problems import described
from service.api.repeats import Once, Repeat
from service.api.schedules.chain import chain
from service.api.schedules.schemas import (
    Lease,
    NewSchedule,
    ScheduleOut,
    SchedulePage,
    TraceOut,
)
from service.api.versions import Read, require, tagged
from service.auth.roles import Deed, Principal
from service.backing import Backing
from service.runtime import Runtime
from service.schedules import book
from service.schedules.checks import schedule_findings, steps_of_plan
from service.schedules.orders import Order, Steps
from service.store.operations import ScheduleRow

router = guarded(Deed.SEE, "/api/v1", "schedules", 404)
Id = Annotated[str, Path(max_length=40, description="the schedule's id")]


@router.post("/schedules", status_code=201, response_model=ScheduleOut, responses=described(409), **only(Deed.DRAFT))
async def draft(
    runtime: Running, backing: Backed, once: Once, wanted: NewSchedule, response: Response
) -> ScheduleOut | Response:
    """Draft a schedule; everything that is wrong with it is told at once. It does nothing before it is applied."""
    if (before := await once.answer()) is not None:
        return before
    steps = _steps(runtime, wanted)
    if findings := schedule_findings(runtime.site, wanted.start, wanted.end, steps):
        raise DataError(findings)
    now, store = backing.store.clock.now(), backing.store
    async with store.changing(once.who.tenant_id) as session:
        row = await book.draft(session, now, once.who, wanted.title, wanted.plan_id, wanted.start, wanted.end, steps)
        response.headers["Location"] = f"/api/v1/schedules/{row.id}"
        return await _answered(session, once, row, response, 201)


async def _answered(
    session: AsyncSession, once: Once, row: ScheduleRow, response: Response, status: int = 200
) -> ScheduleOut:
    """Return a schedule, and keep the answer for a request that is sent again."""
    tagged(response, row.version)
    answer = ScheduleOut.of(row)
    await once.keep(session, status, answer, response)
    return answer


def _steps(runtime: Runtime, wanted: NewSchedule) -> Steps:
    """Return what a schedule orders: its own set-points before those of its plan."""
    own = {asset: [(s.at, s.kw) for s in rows] for asset, rows in wanted.setpoints_kw.items()}
    if not wanted.plan_id:
        if wanted.assets:
            raise DataError([error("assets", "follow a plan; name it in plan_id")])
        return own
    return {
        **steps_of_plan(runtime.site, _plan(runtime, wanted.plan_id), wanted.assets, wanted.start, wanted.end),
        **own,
    }


def _plan(runtime: Runtime, plan_id: str) -> Plan:
    made = runtime.memory.plan_by_id(plan_id)
    if made is None:
        raise DataError([error("plan_id", f"no plan {plan_id} is kept; /api/v1/plans lists those that are")])
    return made.plan


@router.get("/schedules")
async def schedules(
    backing: Backed,
    who: Known,
    _runtime: Running,
    limit: Limit = 20,
    before: Annotated[str | None, Query(max_length=40, description="id of the last item of the page before")] = None,
) -> SchedulePage:
    """List schedules, newest first."""
    async with backing.store.reading(who.tenant_id) as session:
        wanted = select(ScheduleRow).order_by(ScheduleRow.created_at.desc(), ScheduleRow.id.desc())
        if before is not None:
            last = await known(session, before)
            older = ScheduleRow.created_at < last.created_at
            same = (ScheduleRow.created_at == last.created_at) & (ScheduleRow.id < last.id)
            wanted = wanted.where(older | same)
        found = (await session.scalars(wanted.limit(limit + 1))).all()
    page = [ScheduleOut.of(row) for row in found[:limit]]
    return SchedulePage(items=page, next=page[-1].id if len(found) > limit else None)


@router.get("/schedules/{schedule_id}")
async def schedule(backing: Backed, who: Known, _runtime: Running, schedule_id: Id, response: Response) -> ScheduleOut:
    """Return a schedule; its ETag is needed to approve, apply or cancel it."""
    async with backing.store.reading(who.tenant_id) as session:
        row = await known(session, schedule_id)
    tagged(response, row.version)
    return ScheduleOut.of(row)


Deciding = Callable[[AsyncSession, datetime, Principal, ScheduleRow], Awaitable[object]]


async def _decided(
    backing: Backing, once: Repeat, schedule_id: str, read: int, response: Response, deed: Deciding
) -> ScheduleOut | Response:
    """Do something about the schedule that was read, once, however often it is asked for."""
    if (before := await once.answer()) is not None:
        return before
    async with backing.store.changing(once.who.tenant_id) as session:
        row = await known(session, schedule_id, changing=True)
        require(row.version, read)
        await deed(session, backing.store.clock.now(), once.who, row)
        return await _answered(session, once, row, response)


DECISION: dict[str, Any] = {"response_model": ScheduleOut, "responses": described(409, 412, 428), **only(Deed.OPERATE)}


@router.post("/schedules/{schedule_id}/approve", **DECISION)
async def approve(
    _runtime: Running, backing: Backed, once: Once, schedule_id: Id, read: Read, response: Response
) -> ScheduleOut | Response:
    """Approve a draft."""
    return await _decided(backing, once, schedule_id, read, response, book.approve)


@router.post("/schedules/{schedule_id}/apply", **DECISION)
async def apply(
    runtime: Running, backing: Backed, once: Once, schedule_id: Id, read: Read, lease: Lease, response: Response
) -> ScheduleOut | Response:
    """Put an approved schedule in force until the lease ends, or renew an applied one; its devices obey it alone meanwhile."""
    orders: list[Order] = []

    async def put_in_force(session: AsyncSession, now: datetime, who: Principal, row: ScheduleRow) -> None:
        orders.append(await book.apply(session, now, runtime.clock.now(), who, row, timedelta(seconds=lease.lease_s)))

    answer = await _decided(backing, once, schedule_id, read, response, put_in_force)
    for order in orders:  # none where the answer is that of the first time
        runtime.orders.put(order)
    return answer


@router.post("/schedules/{schedule_id}/cancel", **DECISION)
async def cancel(
    runtime: Running, backing: Backed, once: Once, schedule_id: Id, read: Read, response: Response
) -> ScheduleOut | Response:
    """Cancel a schedule for good; what it commanded is the loop's again within a second."""
    answer = await _decided(backing, once, schedule_id, read, response, book.cancel)
    runtime.orders.drop(schedule_id)
    return answer


async def known(session: AsyncSession, schedule_id: str, *, changing: bool = False) -> ScheduleRow:
    """Return a schedule of the transaction's tenant, held while it is changed; 404 where there is none."""
    row = await session.get(ScheduleRow, schedule_id, with_for_update=changing or None)
    if row is None or row.tenant_id != session.sync_session.info["tenant"]:
        raise HTTPException(404, f"There is no schedule {schedule_id}; /api/v1/schedules lists them.")
    return row


@router.get("/trace/{thing_id}")
async def trace(
    backing: Backed,
    who: Known,
    _runtime: Running,
    thing_id: Annotated[
        str, Path(max_length=200, description="id of a plan, a schedule or a command, or a reading as TAG@INSTANT")
    ],
) -> TraceOut:
    """Return the whole chain around one of its links: what was read, the plan made of it, who decided, what was sent and what came back."""
    found = await chain(backing.store, backing.telemetry, who.tenant_id, thing_id)
    if found is None:
        raise HTTPException(404, f"No plan, schedule, command or reading {thing_id} is kept.")
    return found
