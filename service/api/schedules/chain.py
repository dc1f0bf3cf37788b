"""The chain from readings over plan, approval and command to the receipt, found from any of its links."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from service.api.people.schemas import AuditOut
from service.api.schedules.schemas import KeptCommandOut, KeptPlanOut, ScheduleOut, TracedReadingOut, TraceOut
from service.store.engine import Store
from service.store.operations import CommandRow, PlanRow, ScheduleRow
from service.store.people import AuditEntry
from service.telemetry.repository import Telemetry

COMMANDS_MOST = 500
DEVICES_MOST, POINTS_MOST = 20, 40
FRESH = timedelta(minutes=15)
"""What was read longer before a plan than this is not what it was made of."""
Row = TypeVar("Row", CommandRow, ScheduleRow, PlanRow)


async def chain(store: Store, telemetry: Telemetry, tenant_id: str, thing_id: str) -> TraceOut | None:
    """Return the chain around a plan, a schedule, a command or a reading (TAG@INSTANT); None where there is no such thing."""
    tag, _, instant = thing_id.rpartition("@")
    async with store.reading(tenant_id) as session:
        if not tag:
            found = await _around(session, thing_id)
        elif (at := _instant(instant)) is None or not await _was_read(telemetry, tenant_id, tag, at):
            return None
        else:
            found = await _around(session, await _plan_after(session, at))
    if found is None:
        return None
    readings = await _readings(telemetry, tenant_id, found)
    return found.model_copy(update={"asked_for": thing_id, "readings": readings})


async def _around(session: AsyncSession, thing_id: str) -> TraceOut | None:
    command = await _mine(session, CommandRow, thing_id)
    middle = command.plan_id if command is not None else thing_id
    schedule = await _mine(session, ScheduleRow, middle)
    plan_id = schedule.plan_id if schedule is not None else middle
    plan = await _mine(session, PlanRow, plan_id) if plan_id else None
    if command is None and schedule is None and plan is None:
        return None
    rows = [schedule] if schedule is not None else await _from_plan(session, plan_id)
    names = [plan_id, *(row.id for row in rows)] if schedule is None else [middle]
    wanted = select(CommandRow).where(CommandRow.plan_id.in_(names)).order_by(CommandRow.issued_at, CommandRow.id)
    acts = select(AuditEntry).where(AuditEntry.thing.in_([f"schedule/{row.id}" for row in rows]))
    return TraceOut(
        asked_for=thing_id,
        readings=[],
        plan=None if plan is None else KeptPlanOut.model_validate(plan),
        schedules=[ScheduleOut.of(row) for row in rows],
        record=[AuditOut.of(e) for e in await session.scalars(acts.order_by(AuditEntry.seq))],
        commands=[KeptCommandOut.of(c) for c in await session.scalars(wanted.limit(COMMANDS_MOST))],
    )


async def _mine(session: AsyncSession, kind: type[Row], name: str) -> Row | None:
    row = await session.get(kind, name)
    return row if row is not None and row.tenant_id == session.sync_session.info["tenant"] else None


async def _from_plan(session: AsyncSession, plan_id: str) -> list[ScheduleRow]:
    made = select(ScheduleRow).where(ScheduleRow.plan_id == plan_id).order_by(ScheduleRow.created_at)
    return list(await session.scalars(made))


def _instant(text: str) -> datetime | None:
    """Return an instant with a zone, None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None and 1970 < found.year < 2200 else None


async def _was_read(telemetry: Telemetry, tenant_id: str, tag: str, at: datetime) -> bool:
    found = await telemetry.read(tenant_id, tag, at, at + timedelta(microseconds=1))
    return found is not None and len(found) > 0


async def _plan_after(session: AsyncSession, at: datetime) -> str:
    """Return the id of the first plan that can have been made of what was read at an instant, "" where there is none."""
    made = select(PlanRow.id).where(PlanRow.made_at >= at, PlanRow.tenant_id == session.sync_session.info["tenant"])
    return await session.scalar(made.order_by(PlanRow.made_at).limit(1)) or ""


async def _readings(telemetry: Telemetry, tenant_id: str, found: TraceOut) -> list[TracedReadingOut]:
    """Return what the plan saw last of every device that was commanded."""
    if found.plan is None:
        return []
    devices = list(dict.fromkeys(c.device for c in found.commands))[:DEVICES_MOST]
    tags = [t for d in devices for t in await _points_of(telemetry, tenant_id, d)]
    end = found.plan.made_at + timedelta(microseconds=1)
    series = await telemetry.read_many(tenant_id, tags, end - FRESH, end) if tags else {}
    return [
        TracedReadingOut(
            reading=f"{tag}@{points.times()[-1]:%Y-%m-%dT%H:%M:%S.%fZ}",
            value=points.values()[-1],
            quality=points.qualities()[-1],
        )
        for tag, points in series.items()
        if len(points)
    ]


async def _points_of(telemetry: Telemetry, tenant_id: str, device: str) -> Sequence[str]:
    """Return the names of a device's series."""
    names = await telemetry.tags(tenant_id, f"{device}.", POINTS_MOST)
    return [n for n in names if n.startswith(f"{device}.")]
