"""Job endpoints: ask for a study, follow it, cancel it, fetch what came of it."""

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Body, Depends, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from models.errors import DataError
from service.api.access import Backed, Known, guarded
from service.api.fields import Running
from service.api.jobs.schemas import JobOut, JobPage
from service.api.operations.endpoints import Before, Limit
from service.api.problems import ProblemFinding, described, problem_response
from service.api.repeats import Once
from service.api.versions import tagged
from service.auth.roles import Deed, Principal
from service.backing import Backing
from service.documents.shelf import site_file
from service.jobs import queue
from service.jobs.job import Job, JobState
from service.jobs.requests import Asked, checked, own_site

router = guarded(Deed.STUDY, "/api/v1/jobs", "jobs", 404)
JobId = Annotated[str, Path(description="the job's id")]
LOOK_EVERY_S = 0.25


class Format(StrEnum):
    """How a result can be fetched."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    NETCDF = "nc"
    EXCEL = "xlsx"
    PDF = "pdf"


MEDIA = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.NETCDF: "application/x-netcdf",
    Format.EXCEL: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.PDF: "application/pdf",
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


@router.post("", status_code=202, response_model=JobOut, responses=described(409))
async def ask(
    request: Request,
    response: Response,
    runtime: Running,
    backing: Backed,
    once: Once,
    asked: Annotated[Asked, Body(openapi_examples=EXAMPLES)],
) -> JobOut | Response:
    """Ask for a study; its documents are checked whole before anything is kept. Follow it at the address in Location."""
    if asked.urgent and not once.who.may(Deed.OPERATE):
        raise HTTPException(403, "Only who operates puts a job before the others; leave out `urgent`.")
    if (before := await once.answer()) is not None:
        return before
    try:
        named = own_site(asked)
        file = None if named is None else await site_file(backing.store, once.who.tenant_id, named, backing.results)
        site = await asyncio.to_thread(checked, asked, runtime.site, file)
    except DataError as fault:
        found = [ProblemFinding(place=f.place, message=f.message) for f in fault.findings]
        return problem_response(request, 422, f"The {asked.kind} job cannot be taken: {fault}", found)
    try:
        async with backing.store.changing(once.who.tenant_id) as session:
            job = await queue.enqueue(session, backing.store, backing.results, once.who, asked, site)
            response.headers["Location"] = f"/api/v1/jobs/{job.id}"
            await once.keep(session, 202, JobOut.of(job), response)
    except queue.QueueFullError as fault:
        raise HTTPException(429, f"{fault}.", {"Retry-After": "10"}) from None
    return JobOut.of(job)


@router.get("")
async def jobs(backing: Backed, who: Known, limit: Limit = 20, before: Before = None) -> JobPage:
    """List jobs, newest first."""
    last = None if before is None else await known(backing, who, before)
    found = await queue.newest_first(backing.store, who.tenant_id, last, limit + 1)
    page = [JobOut.of(j) for j in found[:limit]]
    return JobPage(items=page, next=page[-1].id if len(found) > limit else None)


@router.get("/{job_id}")
async def job(backing: Backed, who: Known, job_id: JobId, response: Response) -> JobOut:
    """Return how far a job is."""
    found = await known(backing, who, job_id)
    tagged(response, found.version)
    return JobOut.of(found)


@router.delete("/{job_id}", responses=described(409))
async def cancel(backing: Backed, who: Known, job_id: JobId) -> JobOut:
    """Cancel a job; its process is gone within a second, also in the middle of a search. Cancelling twice is no error."""
    ended = await queue.cancel(backing.store, who, job_id) or await known(backing, who, job_id)
    if ended.state is not JobState.CANCELLED:
        raise HTTPException(409, f"Job {job_id} has ended already: {ended.state.value}. There is nothing to cancel.")
    return JobOut.of(ended)


@router.get("/{job_id}/result", response_class=FileResponse, responses={**FILES, **described(406, 409)})
async def result(
    backing: Backed,
    who: Known,
    job_id: JobId,
    form: Annotated[Format | None, Query(alias="format", description="in place of Accept")] = None,
    accept: Annotated[str, Header(description="media types, the first that the result has wins")] = "*/*",
) -> FileResponse:
    """Return what came of a job, as JSON or as a file in the format asked for."""
    found = await done(backing, who, job_id)
    folder = found.folder(backing.results)
    there = [f for f in Format if (folder / f"result.{f.value}").exists()]
    chosen = form or accepted(accept, there)
    if chosen not in there:
        raise HTTPException(406, f"A {found.kind} result comes as {', '.join(there)}; ask with ?format=")
    return sent(folder / f"result.{chosen.value}", chosen, f"{found.kind}-{job_id}.{chosen.value}")


async def _known(backing: Backed, who: Known, job_id: JobId) -> Job:
    return await known(backing, who, job_id)


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def events(
    runtime: Running,
    backing: Backed,
    who: Known,
    begun: Annotated[Job, Depends(_known)],
    last_event_id: Annotated[int | None, Header(ge=0, lt=2**31, description="version that was seen last")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Stream a job's progress as ``job`` events with its state, share and words; the stream ends with the job.

    Every event's id is the job's version; a listener that was away sends the last one back and hears what is newer.
    """
    seen, current = last_event_id, begun
    while True:
        if current.version != seen:
            seen = current.version
            yield ServerSentEvent(event="job", id=str(seen), data=JobOut.of(current).model_dump(mode="json"))
        if current.state.final or runtime.closing:
            return
        await asyncio.sleep(LOOK_EVERY_S)
        later = await queue.one(backing.store, who.tenant_id, begun.id)
        if later is None:
            return
        current = later


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


async def known(backing: Backing, who: Principal, job_id: str) -> Job:
    """Return a job, or tell that there is none."""
    found = await queue.one(backing.store, who.tenant_id, job_id)
    if found is None:
        raise HTTPException(404, f"No job {job_id} is kept; /api/v1/jobs lists those that are.")
    return found


async def done(backing: Backing, who: Principal, job_id: str) -> Job:
    """Return a job that has a result; 409 for one that has none."""
    job = await known(backing, who, job_id)
    if job.state is not JobState.DONE:
        raise HTTPException(409, f"Job {job_id} has no result; it is {job.state.value}: {job.words}")
    return job
