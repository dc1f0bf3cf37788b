"""The book of schedules: drafted, approved, applied under a lease, cancelled; each step one transaction with its entry in the record."""

from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_hex

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.errors import JouletwinError
from service.auth.roles import Principal
from service.schedules.orders import Order, Steps
from service.store.audit import record
from service.store.engine import Store
from service.store.operations import ScheduleRow
from service.store.people import Tenant


class ScheduleState(StrEnum):
    """How far a schedule is."""

    DRAFT = "draft"
    APPROVED = "approved"
    APPLIED = "applied"
    """Carried out until its lease ends; applied again it is renewed."""
    CANCELLED = "cancelled"


class WrongStateError(JouletwinError):
    """The schedule is not where this step begins, or somebody else has to take it."""


async def draft(
    session: AsyncSession,
    now: datetime,
    who: Principal,
    title: str,
    plan_id: str,
    start: datetime,
    end: datetime,
    steps: Steps,
) -> ScheduleRow:
    """Write a schedule down; it does nothing before it is approved and applied."""
    row = ScheduleRow(
        id=token_hex(8),
        title=title,
        plan_id=plan_id,
        start=start,
        end=end,
        steps={asset: [[at.isoformat(), kw] for at, kw in rows] for asset, rows in steps.items()},
        state=ScheduleState.DRAFT.value,
        drafted_by=who.name,
        created_at=now,
        version=1,
    )
    session.add(row)
    details = {"title": title, "plan": plan_id, "assets": sorted(steps)}
    await record(session, now, who.name, "schedule.drafted", f"schedule/{row.id}", details)
    return row


async def approve(session: AsyncSession, now: datetime, who: Principal, row: ScheduleRow) -> None:
    """Say yes to a draft; where four eyes are asked for, not to one's own."""
    if row.state != ScheduleState.DRAFT:
        raise WrongStateError(f"schedule {row.id} is {row.state}; only a draft is approved")
    if row.drafted_by == who.name and await four_eyes(session):
        raise WrongStateError("four eyes are asked for here: somebody else has to approve what you have drafted")
    row.state, row.approved_by, row.approved_at = ScheduleState.APPROVED.value, who.name, now
    row.version += 1
    await record(session, now, who.name, "schedule.approved", f"schedule/{row.id}")


async def four_eyes(session: AsyncSession) -> bool:
    """Return whether the transaction's tenant asks for two people."""
    tenant = await session.get(Tenant, session.sync_session.info["tenant"])
    return tenant is not None and tenant.four_eyes


async def apply(
    session: AsyncSession, now: datetime, site_now: datetime, who: Principal, row: ScheduleRow, lease: timedelta
) -> Order:
    """Put an approved schedule in force until its lease ends, or make the lease of an applied one longer; return what it orders.

    Raises
    ------
    WrongStateError
        If it is not approved, is over, needs somebody else, or another one in force commands one of its assets.
    """
    if row.state not in (ScheduleState.APPROVED, ScheduleState.APPLIED):
        raise WrongStateError(f"schedule {row.id} is {row.state}; it has to be approved first")
    if row.end <= site_now:
        raise WrongStateError(f"schedule {row.id} ended at {row.end.isoformat()}; draft a new one")
    if row.approved_by == who.name and await four_eyes(session):
        raise WrongStateError("four eyes are asked for here: who has approved it cannot apply it as well")
    await _require_free(session, site_now, row)
    again = row.state == ScheduleState.APPLIED
    row.state, row.applied_by, row.applied_at = ScheduleState.APPLIED.value, who.name, now
    row.lease_until = min(site_now + lease, row.end)
    row.version += 1
    action = "schedule.renewed" if again else "schedule.applied"
    await record(session, now, who.name, action, f"schedule/{row.id}", {"until": row.lease_until.isoformat()})
    return order_of(row)


async def _require_free(session: AsyncSession, site_now: datetime, row: ScheduleRow) -> None:
    for other in await in_force(session, site_now):
        shared = sorted(other.steps.keys() & row.steps.keys())
        if other.id != row.id and shared:
            words = f"schedule {other.id} is in force for {', '.join(shared)} until {other.lease_until}"
            raise WrongStateError(f"{words}; cancel it first")


async def in_force(session: AsyncSession, site_now: datetime) -> list[ScheduleRow]:
    """Return the applied schedules whose lease lasts."""
    applied = select(ScheduleRow).where(
        ScheduleRow.state == ScheduleState.APPLIED.value, ScheduleRow.lease_until > site_now
    )
    return list(await session.scalars(applied))


async def cancel(session: AsyncSession, now: datetime, who: Principal, row: ScheduleRow) -> None:
    """End a schedule for good; what it commanded is the loop's again. Cancelling twice is no error."""
    if row.state == ScheduleState.CANCELLED:
        return
    row.state = ScheduleState.CANCELLED.value
    row.version += 1
    await record(session, now, who.name, "schedule.cancelled", f"schedule/{row.id}")


def order_of(row: ScheduleRow) -> Order:
    """Return what an applied schedule orders."""
    steps = {
        asset: tuple((datetime.fromisoformat(str(at)), float(str(kw))) for at, kw in rows)
        for asset, rows in row.steps.items()
    }
    return Order(row.id, row.start, row.lease_until or row.start, steps)


async def orders_in_force(store: Store, tenant_id: str, site_now: datetime) -> list[Order]:
    """Return what applied schedules order, for a service that has just started."""
    async with store.reading(tenant_id) as session:
        return [order_of(row) for row in await in_force(session, site_now)]
