"""Alarm endpoints: what stands, and acknowledging, shelving and bringing back (ANSI/ISA-18.2)."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import HTTPException, Path, Query

from service.api.access import Known, guarded, only
from service.api.alarms.schemas import AlarmOut, AlarmsOut, Shelving
from service.api.fields import Running
from service.api.operations.endpoints import paged
from service.auth.roles import Deed
from service.runtime import Runtime
from twin.alarms import Alarm

router = guarded(Deed.SEE, "/api/v1/alarms", "alarms", 404)
AlarmId = Annotated[int, Path(ge=1, description="the alarm's number")]


class AlarmDeed(StrEnum):
    """What can be done about an alarm."""

    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"


@router.get("")
async def alarms(
    runtime: Running,
    limit: Annotated[int, Query(ge=1, le=200, description="how many at most")] = 200,
    after: Annotated[int | None, Query(ge=1, description="number of the last alarm of the page before")] = None,
) -> AlarmsOut:
    """List every alarm that stands: what nobody has seen yet first, shelved ones last."""
    book = runtime.memory.alarms
    standing = book.standing()
    page, following = paged(standing, [str(a.id) for a in standing], limit, None if after is None else str(after))
    following_id = None if following is None else int(following)
    return AlarmsOut(flooded=book.flooded, items=[AlarmOut.of(a) for a in page], next=following_id)


@router.post("/{alarm_id}/acknowledge", **only(Deed.OPERATE))
async def acknowledge(runtime: Running, alarm_id: AlarmId, who: Known) -> AlarmOut:
    """Say that an alarm has been seen; one whose cause is gone leaves the list."""
    return AlarmOut.of(done(runtime, alarm_id, AlarmDeed.ACKNOWLEDGE, who.name))


@router.post("/{alarm_id}/shelve", **only(Deed.OPERATE))
async def shelve(runtime: Running, alarm_id: AlarmId, who: Known, shelving: Shelving) -> AlarmOut:
    """Put an alarm aside for some hours, a shift at most; then it comes back if its cause is still there."""
    return AlarmOut.of(done(runtime, alarm_id, AlarmDeed.SHELVE, who.name, timedelta(hours=shelving.hours)))


@router.post("/{alarm_id}/unshelve", **only(Deed.OPERATE))
async def unshelve(runtime: Running, alarm_id: AlarmId, who: Known) -> AlarmOut:
    """Bring a shelved alarm back before its time."""
    return AlarmOut.of(done(runtime, alarm_id, AlarmDeed.UNSHELVE, who.name))


def done(runtime: Runtime, alarm_id: int, deed: AlarmDeed, by: str, span: timedelta = timedelta(hours=1)) -> Alarm:
    """Do something about an alarm; 404 where none has that number."""
    book, now = runtime.memory.alarms, runtime.clock.now()
    try:
        match deed:
            case AlarmDeed.ACKNOWLEDGE:
                return book.acknowledge(alarm_id, by, now)
            case AlarmDeed.SHELVE:
                return book.shelve(alarm_id, by, now + span, now)
            case AlarmDeed.UNSHELVE:
                return book.unshelve(alarm_id, by, now)
    except KeyError:
        raise HTTPException(404, f"No alarm {alarm_id} stands; /api/v1/alarms lists those that do.") from None
