"""Jobs that are asked for on addresses of customers."""

from fastapi import HTTPException, Response
from sqlalchemy.ext.asyncio import AsyncSession

from models.errors import DataError
from models.findings import error
from models.site import Site
from service.api.jobs.schemas import JobOut
from service.api.repeats import Repeat
from service.backing import Backing
from service.jobs import queue
from service.jobs.customer_requests import CustomerInputs, CustomerJob


async def queued(
    session: AsyncSession,
    backing: Backing,
    once: Repeat,
    wanted: CustomerJob,
    inputs: CustomerInputs,
    response: Response,
) -> JobOut:
    """Queue work for customers, and keep the answer for a request that is sent again."""
    try:
        job = await queue.enqueue(session, backing.store, backing.results, once.who, wanted, inputs)
    except queue.QueueFullError as fault:
        raise HTTPException(429, f"{fault}.", {"Retry-After": "10"}) from None
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    await once.keep(session, 202, JobOut.of(job), response)
    return JobOut.of(job)


def require_bus(site: Site | None, bus: str, place: str) -> None:
    """Make sure that a bus is there to be replayed; DataError where it is not."""
    networks = () if site is None else site.networks.electricity
    known = [b.id for n in networks[:1] for b in n.buses]
    if bus not in known:
        there = f"there are {', '.join(known)}" if known else "no electric network of yours runs here"
        raise DataError([error(place, f"{bus!r} is no bus; {there}")])
