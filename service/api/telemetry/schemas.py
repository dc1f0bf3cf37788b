"""What the telemetry endpoints take and answer."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from models.ports import Quality

TAG = r"^[A-Za-z0-9_.:-]{1,120}$"
POINTS_MOST = 100_000
SERIES_MOST = 1000
TagName = Annotated[str, StringConstraints(pattern=TAG)]


class SeriesIn(BaseModel):
    """Points of one series; of two at the same instant the later one counts, also against what is kept already."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tag: TagName = Field(
        description="name with its unit; devices of a site are DEVICE.QUANTITY", examples=["meter.electricity_kw"]
    )
    at: list[AwareDatetime] = Field(max_length=POINTS_MOST, examples=[["2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z"]])
    value: list[FiniteFloat | None] = Field(max_length=POINTS_MOST, examples=[[812.4, None]])
    quality: list[Quality] | None = Field(None, max_length=POINTS_MOST, description="all good where left out")


class PointsIn(BaseModel):
    """A batch of points: all of it is kept or nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    series: list[SeriesIn] = Field(
        min_length=1,
        max_length=SERIES_MOST,
        examples=[[{"tag": "meter.electricity_kw", "at": ["2026-01-01T00:00:00Z"], "value": [812.4]}]],
    )


class KeptOut(BaseModel):
    """What was kept of a batch."""

    series: int
    points: int = Field(description="several at one instant count once")


class TagPage(BaseModel):
    """Series by name."""

    items: list[str]
    next: str | None = Field(description="value for `after` that gives the next page; null on the last")


class PointsOut(BaseModel):
    """Points of one series, in order of time."""

    tag: str
    at: list[datetime] = Field(description="UTC")
    value: list[float | None] = Field(description="in the unit of the name; null where there is none")
    quality: list[Quality]
    next: datetime | None = Field(description="value for `start` that gives the next page; null on the last")


class MeanOut(BaseModel):
    """Means of one series."""

    tag: str
    value: list[float | None] = Field(description="null for an interval without points")
    count: list[int] = Field(
        description="points that each mean is made of; what stands still or is unknown is left out"
    )


class MeansOut(BaseModel):
    """Means of several series over equal intervals."""

    start: datetime
    every_s: int
    series: list[MeanOut]
