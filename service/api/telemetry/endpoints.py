"""Telemetry endpoints: points in, points and means out."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import HTTPException, Path, Query, Request, Response
from pydantic import AwareDatetime, ValidationError

from models.errors import DataError
from models.findings import Finding, error
from service.api.access import Backed, Known, guarded
from service.api.people.endpoints import Limit
from service.api.problems import described
from service.api.tables import CSV, JSON, PARQUET, TABLES, Chosen, TableForm, table
from service.api.telemetry.schemas import (
    POINTS_MOST,
    TAG,
    KeptOut,
    MeanOut,
    MeansOut,
    PointsIn,
    PointsOut,
    TagPage,
)
from service.auth.roles import Deed
from service.telemetry.batches import from_csv, from_parquet
from service.telemetry.points import QUALITIES, Points, at_us, joined
from service.telemetry.repository import Means

router = guarded(Deed.SEE, "/api/v1/telemetry", "telemetry")
feed = guarded(Deed.FEED, "/api/v1/telemetry", "telemetry")
Tag = Annotated[str, Path(pattern=TAG, description="the series' name")]
Tags = Annotated[
    list[str],
    Query(
        alias="tag",
        min_length=1,
        max_length=200,
        description="names of series; repeat it",
        examples=[["battery.electricity_kw"]],
    ),
]
Start = Annotated[AwareDatetime, Query(description="first instant", examples=["2026-01-01T00:00:00Z"])]
End = Annotated[AwareDatetime, Query(description="behind the last instant", examples=["2026-01-02T00:00:00Z"])]
TAKEN: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "columns in CSV and Parquet: tag, at, value, quality",
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/PointsIn"}},
            CSV: {
                "schema": {"type": "string"},
                "example": "tag,at,value\nmeter.electricity_kw,2026-01-01T00:00:00Z,812.4\n",
            },
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@feed.post("", responses=described(413, 415), openapi_extra=TAKEN)
async def put(request: Request, backing: Backed, who: Known) -> KeptOut:
    """Keep a batch of points, all or nothing; sending it again changes nothing. Late and corrected points are welcome."""
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    readers = {JSON: from_json, CSV: from_csv, PARQUET: from_parquet}
    if kind not in readers:
        raise HTTPException(415, f"Points are taken as {', '.join(readers)}, not as {kind[:60]!r}.")
    series = await asyncio.to_thread(readers[kind], await request.body())
    return KeptOut(series=len(series), points=await backing.telemetry.write(who.tenant_id, series))


def from_json(content: bytes) -> dict[str, Points]:
    """Return the series of a JSON batch; DataError with everything that is wrong with it."""
    try:
        batch = PointsIn.model_validate_json(content)
    except ValidationError as fault:
        raise DataError(
            [error(".".join(str(p) for p in e["loc"]) or "body", str(e["msg"])) for e in fault.errors()]
        ) from None
    findings: list[Finding] = []
    count = sum(len(s.at) for s in batch.series)
    if count > POINTS_MOST:
        findings.append(error("series", f"has {count} points; {POINTS_MOST} are possible at once, so send it in parts"))
    for k, one in enumerate(batch.series):
        columns = {"value": one.value, "quality": one.at if one.quality is None else one.quality}
        for name, column in columns.items():
            if len(column) != len(one.at):
                words = f"has {len(column)} entries for {len(one.at)} instants"
                findings.append(error(f"series.{k}.{name}", words))
        far = [n for n, at in enumerate(one.at) if not 1970 <= at.year < 2200]
        findings += [error(f"series.{k}.at.{n}", "lies outside 1970 to 2200") for n in far[:20]]
    if findings:
        raise DataError(findings)
    found: dict[str, Points] = {}
    for one in batch.series:
        marks = None if one.quality is None else [QUALITIES.index(q) for q in one.quality]
        points = Points.of([at_us(at) for at in one.at], one.value, marks)
        found[one.tag] = joined((found[one.tag], points)) if one.tag in found else points
    return found


@router.get("/tags")
async def tags(
    backing: Backed,
    who: Known,
    limit: Limit = 100,
    after: Annotated[str, Query(max_length=120, description="where the page before ended")] = "",
) -> TagPage:
    """List series by name."""
    found = await backing.telemetry.tags(who.tenant_id, after, limit + 1)
    return TagPage(items=list(found[:limit]), next=found[limit - 1] if len(found) > limit else None)


@router.get("/means", response_model=MeansOut, responses={**described(406), **TABLES})
async def means(
    backing: Backed,
    who: Known,
    wanted: Tags,
    start: Start,
    end: End,
    form: Chosen,
    every_s: Annotated[int, Query(ge=1, le=31 * 86400, description="s")] = 900,
) -> MeansOut | Response:
    """Return means of several series over equal intervals from ``start`` on; series that are not there have none."""
    bounded(start, end)
    if ((end - start) // timedelta(seconds=every_s)) * len(wanted) > POINTS_MOST:
        words = f"would be more than {POINTS_MOST} means; take longer intervals, fewer series or a shorter time"
        raise DataError([error("every_s", words)])
    found = await backing.telemetry.means(who.tenant_id, wanted, start, end, timedelta(seconds=every_s))
    if form is not TableForm.JSON:
        return table(form, mean_columns(found), "means")
    rows = [Points.of(range(v.size), v).values() for v in found.value]
    series = [MeanOut(tag=t, value=v, count=c.tolist()) for t, v, c in zip(found.tags, rows, found.count, strict=True)]
    return MeansOut(start=start, every_s=every_s, series=series)


def mean_columns(found: Means) -> dict[str, list[object]]:
    """Return means as columns: instant, then one per series."""
    steps = range(found.value.shape[1])
    starts: list[object] = [(found.start + k * found.every).isoformat() for k in steps]
    values = [Points.of(range(v.size), v).values() for v in found.value]
    return {"start": starts} | {tag: list(v) for tag, v in zip(found.tags, values, strict=True)}


@router.get("/points/{tag}", response_model=PointsOut, responses={**described(404, 406), **TABLES})
async def points(
    backing: Backed,
    who: Known,
    tag: Tag,
    start: Start,
    end: End,
    form: Chosen,
    limit: Annotated[int, Query(ge=1, le=POINTS_MOST, description="how many at most")] = 10_000,
) -> PointsOut | Response:
    """Return the points of a series in ``start <= t < end``; where they were too old to be kept, their 15-minute means."""
    bounded(start, end)
    found = await backing.telemetry.read(who.tenant_id, tag, start, end)
    if found is None:
        raise HTTPException(404, f"There is no series {tag}; /api/v1/telemetry/tags lists them.")
    page = Points(found.at_us[:limit], found.value[:limit], found.quality[:limit])
    following = found.times()[limit] if len(found) > limit else None
    if form is not TableForm.JSON:
        columns: dict[str, list[Any]] = {
            "at": [t.isoformat() for t in page.times()],
            "value": page.values(),
            "quality": page.qualities(),
        }
        answer = table(form, columns, tag)
        if following is not None:
            answer.headers["Link"] = f'<{following.isoformat()}>; rel="next"'
        return answer
    return PointsOut(tag=tag, at=page.times(), value=page.values(), quality=page.qualities(), next=following)


def bounded(start: datetime, end: datetime) -> None:
    """Refuse a time that is none or that the calendar does not have."""
    findings = [
        error(name, "lies outside 1970 to 2200")
        for name, at in (("start", start), ("end", end))
        if not 1970 <= at.year < 2200
    ]
    if not findings and end <= start:
        findings.append(error("end", "is not behind the start"))
    if findings:
        raise DataError(findings)
