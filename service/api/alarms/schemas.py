"""What the alarm endpoints take and answer."""

from datetime import datetime

from pydantic import BaseModel, Field

from twin.alarms import Alarm, AlarmState


class AlarmOut(BaseModel):
    """One alarm."""

    id: int
    source: str = Field(description="who noticed it: device, meter, follow, plan, command, loop, point")
    place: str
    priority: int = Field(description="1 high, 2 medium, 3 low")
    message: str
    state: AlarmState
    active: bool = Field(description="whether the cause is still there")
    raised_at: datetime
    changed_at: datetime
    times: int = Field(description="how often it was raised since it stands")
    by: str = Field(description="who acknowledged or shelved it")
    shelved_until: datetime | None
    quiet: bool = Field(description="of low priority and raised in a flood, so held back")

    @classmethod
    def of(cls, alarm: Alarm) -> "AlarmOut":
        """Return an alarm as the interface shows it."""
        return cls.model_validate(alarm, from_attributes=True)


class AlarmsOut(BaseModel):
    """Every alarm that stands, what waits for somebody first."""

    flooded: bool = Field(description="more than ten new alarms in ten minutes; low ones are held back")
    items: list[AlarmOut]
    next: int | None = Field(description="value for `after` that gives the next page; null on the last")


class Shelving(BaseModel):
    """For how long an alarm is put aside."""

    hours: float = Field(ge=0.05, le=12, examples=[2])
