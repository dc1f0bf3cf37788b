"""Job endpoints: ask for a study, follow it, cancel it, fetch what came of it."""

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Body, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from models.errors import DataError
from service.api.access import guarded
from service.api.fields import Running
from service.api.jobs.schemas import JobOut, JobPage
from service.api.operations.endpoints import Before, Limit, paged
from service.api.problems import ProblemFinding, described, problem_response
from service.auth.roles import Deed
from service.jobs.job import Job, JobState
from service.jobs.jobs import QueueFullError
from service.jobs.requests import Asked, checked
from service.runtime import Runtime

router = guarded(Deed.STUDY, "/api/v1/jobs", "jobs", 404)
JobId = Annotated[str, Path(description="the job's id")]
LOOK_EVERY_S = 0.1


class Format(StrEnum):
    """How a result can be fetched."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    NETCDF = "nc"
    EXCEL = "xlsx"


MEDIA = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.NETCDF: "application/x-netcdf",
    Format.EXCEL: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The result",
        "content": {
            m: {"schema": {"type": "object"} if m == MEDIA[Format.JSON] else {"type": "string", "format": "binary"}}
            for m in MEDIA.values()
        },
    }
}
EXAMPLES: Any = {
    "dispatch": {"value": {"kind": "dispatch", "day": "2015-07-15"}},
    "n1": {"value": {"kind": "n1", "at": "2015-07-15T12:00:00+08:00", "site": "park"}},
    "scenario": {"value": {"kind": "scenario", "case": "heat_wave", "step": "hour"}},
}


@router.post("", status_code=202, response_model=JobOut, responses=described(429))
def ask(
    request: Request, response: Response, runtime: Running, asked: Annotated[Asked, Body(openapi_examples=EXAMPLES)]
) -> JobOut | JSONResponse:
    """Ask for a study; its documents are checked whole before anything is kept. Follow it at the address in Location."""
    try:
        job = runtime.jobs.submit(asked, checked(asked, runtime.site))
    except DataError as fault:
        found = [ProblemFinding(place=f.place, message=f.message) for f in fault.findings]
        return problem_response(request, 422, f"The {asked.kind} job cannot be taken: {fault}", found)
    except QueueFullError as fault:
        raise HTTPException(429, f"{fault}.", {"Retry-After": "10"}) from None
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return JobOut.of(job)


@router.get("", responses=described(404))
async def jobs(runtime: Running, limit: Limit = 20, before: Before = None) -> JobPage:
    """List jobs, newest first."""
    kept = runtime.jobs.register.newest_first()
    page, following = paged(kept, [j.id for j in kept], limit, before)
    return JobPage(items=[JobOut.of(j) for j in page], next=following)


@router.get("/{job_id}", responses=described(404))
async def job(runtime: Running, job_id: JobId) -> JobOut:
    """Return how far a job is."""
    return JobOut.of(known(runtime, job_id))


@router.delete("/{job_id}", responses=described(404, 409))
def cancel(runtime: Running, job_id: JobId) -> JobOut:
    """Cancel a job, within a second, also in the middle of a search; cancelling twice is no error."""
    if known(runtime, job_id).state.final:
        ended = known(runtime, job_id)
    else:
        ended = runtime.jobs.cancel(job_id)
    if ended.state is not JobState.CANCELLED:
        raise HTTPException(409, f"Job {job_id} has ended already: {ended.state.value}. There is nothing to cancel.")
    return JobOut.of(ended)


@router.get("/{job_id}/result", response_class=FileResponse, responses={**FILES, **described(404, 406, 409)})
async def result(
    runtime: Running,
    job_id: JobId,
    form: Annotated[Format | None, Query(alias="format", description="in place of Accept")] = None,
    accept: Annotated[str, Header(description="media types, the first that the result has wins")] = "*/*",
) -> FileResponse:
    """Return what came of a job, as JSON or as a file in the format asked for."""
    found = known(runtime, job_id)
    if found.state is not JobState.DONE:
        raise HTTPException(409, f"Job {job_id} has no result; it is {found.state.value}: {found.words}")
    folder = runtime.jobs.register.folder(job_id)
    there = [f for f in Format if (folder / f"result.{f.value}").exists()]
    chosen = form or accepted(accept, there)
    if chosen not in there:
        raise HTTPException(406, f"A {found.kind} result comes as {', '.join(there)}; ask with ?format=")
    return sent(folder / f"result.{chosen.value}", chosen, f"{found.kind}-{job_id}.{chosen.value}")


@router.get("/{job_id}/events", response_class=EventSourceResponse, responses=described(404))
async def events(runtime: Running, job_id: JobId) -> AsyncIterator[ServerSentEvent]:
    """Stream a job's progress as ``job`` events with its state, share and words; the stream ends with the job."""
    told: Job | None = None
    while not runtime.closing:
        current = runtime.jobs.register.get(job_id)
        if current is None:
            return
        if current != told:
            told = current
            yield ServerSentEvent(event="job", data=JobOut.of(current).model_dump(mode="json"))
        if current.state.final:
            return
        await asyncio.sleep(LOOK_EVERY_S)


def accepted(accept: str, there: list[Format]) -> Format | None:
    """Return the first format that an Accept header names and the result has; JSON for anything."""
    for media in (part.partition(";")[0].strip() for part in accept.split(",")):
        if media in ("*/*", "application/*") and there:
            return there[0]
        for form in there:
            if MEDIA[form] == media:
                return form
    return None


def sent(path: FilePath, form: Format, name: str) -> FileResponse:
    """Return a result's file; JSON is shown, everything else is saved."""
    return FileResponse(path, media_type=MEDIA[form], filename=None if form is Format.JSON else name)


def known(runtime: Runtime, job_id: str) -> Job:
    """Return a job, or tell that there is none."""
    found = runtime.jobs.register.get(job_id)
    if found is None:
        raise HTTPException(404, f"No job {job_id} is kept; /api/v1/jobs lists those that are.")
    return found
