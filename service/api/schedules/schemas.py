"""What the endpoints of schedules take and answer."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat

from models.ports import Quality
from models.units import Id
from service.api.fields import Number
from service.api.people.schemas import AuditOut, Name
from service.schedules.book import ScheduleState
from service.store.operations import CommandRow, ScheduleRow

EXAMPLE = {"battery": [{"at": "2015-07-15T12:00:00+08:00", "kw": 300}, {"at": "2015-07-15T13:00:00+08:00", "kw": 0}]}


class StepIn(BaseModel):
    """A set-point from an instant on, until the next step or the schedule's end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: AwareDatetime = Field(examples=["2015-07-15T12:00:00+08:00"])
    kw: FiniteFloat = Field(
        description="power on the asset's control carrier, positive when it feeds the network", examples=[300]
    )


class NewSchedule(BaseModel):
    """A schedule to be drafted: set-points of one's own, or those that a plan has for some assets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Name = Field(examples=["Battery holds the noon peak"])
    start: AwareDatetime = Field(examples=["2015-07-15T12:00:00+08:00"])
    end: AwareDatetime = Field(examples=["2015-07-15T14:00:00+08:00"])
    setpoints_kw: dict[Id, list[StepIn]] = Field({}, max_length=100, examples=[EXAMPLE])
    plan_id: str = Field("", max_length=40, description="the plan that it comes from", examples=[""])
    assets: list[Id] = Field([], max_length=100, description="with a plan: the assets that follow it", examples=[[]])


class Lease(BaseModel):
    """For how long a schedule is put in force; it can be applied again before that to go on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lease_s: Annotated[float, Field(ge=60, le=86400, description="s of site time", examples=[1800])] = 3600.0


class ScheduleOut(BaseModel):
    """A schedule and how far it is."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    plan_id: str
    start: datetime
    end: datetime
    state: ScheduleState
    setpoints_kw: dict[str, list[StepIn]]
    drafted_by: str
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    applied_by: str | None
    applied_at: datetime | None
    lease_until: datetime | None = Field(
        description="on the site's clock; what it commands is the loop's again after it"
    )
    version: int

    @classmethod
    def of(cls, row: ScheduleRow) -> Self:
        """Return a schedule as the interface shows it."""
        steps = {a: [{"at": at, "kw": kw} for at, kw in rows] for a, rows in row.steps.items()}
        same = {name: getattr(row, name) for name in cls.model_fields if name != "setpoints_kw"}
        return cls.model_validate(same | {"setpoints_kw": steps})


class SchedulePage(BaseModel):
    """Schedules, newest first."""

    items: list[ScheduleOut]
    next: str | None = Field(description="value for `before` that gives the next page; null on the last")


class KeptCommandOut(BaseModel):
    """A command and what became of it, as the store has it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    device: str
    quantity: str
    value: float
    read_back: float | None
    issued_by: str
    issued_at: datetime
    plan_id: str
    outcome: str
    code: str
    message: str
    at: datetime

    @classmethod
    def of(cls, row: CommandRow) -> Self:
        """Return a command as the interface shows it."""
        return cls.model_validate(row)


class KeptPlanOut(BaseModel):
    """A plan in one line; the whole of it is at /api/v1/plans/ID."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    made_at: datetime = Field(description="the instant of the snapshot that it was made from")
    source: str
    check_ok: bool | None = Field(description="what the twin said of it")


class TracedReadingOut(BaseModel):
    """What a device said last before the plan was made."""

    reading: str = Field(
        description="TAG@INSTANT; the chain can be asked for by it",
        examples=["chp1.electricity_kw@2015-07-15T04:00:00Z"],
    )
    value: Number
    quality: Quality


class TraceOut(BaseModel):
    """The chain around one thing: readings, the plan made of them, its schedules, who did what about them, commands and receipts."""

    asked_for: str
    readings: list[TracedReadingOut] = Field(description="of the devices that were commanded, as the plan saw them")
    plan: KeptPlanOut | None
    schedules: list[ScheduleOut]
    record: list[AuditOut]
    commands: list[KeptCommandOut] = Field(description="with their receipts, in the order in which they were given")
