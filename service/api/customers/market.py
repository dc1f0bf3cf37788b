"""Endpoints over many customers: segments with their portraits, recommendations, and matchings that lead to the business."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import HTTPException, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from customers.fields import Ref
from customers.lifecycle.lead import Channel, Lead, NewLead, Stage
from customers.lifecycle.refusal import RefusedStepError
from models.findings import error
from models.units import NonNegative
from service.api.access import Backed, guarded, only
from service.api.customers.queued import queued, require_bus
from service.api.customers.schemas import Page, kept_of
from service.api.fields import OwnSite
from service.api.jobs.schemas import JobOut
from service.api.problems import described
from service.api.repeats import Once
from service.auth.roles import Deed, Principal
from service.backing import Backing
from service.customers import market_data
from service.customers.records import lead_begun
from service.customers.shelves import LEADS
from service.documents.checks import NAME
from service.jobs import queue
from service.jobs.customer_requests import (
    MarketInputs,
    MatchingInputs,
    MatchingJob,
    MeterFile,
    RecommendationJob,
    SegmentsJob,
)
from service.jobs.job import Job, JobState

router = guarded(Deed.SEE, "/api/v1", "customers together")
OVER = (Stage.LOST, Stage.CLOSED)
Parties = Annotated[
    tuple[Ref, ...], Field(max_length=20_000, description="ids of parties with meter data; all of them where left out")
]
MatchingId = Annotated[str, Path(max_length=40, description="id of the job that matched")]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    party_ids: Parties = ()


class SegmentsAsked(_Asked):
    """Customers to be grouped."""

    previous: str = Field("", max_length=40, description="id of an earlier job of segments, whose names are kept")


class RecommendationAsked(_Asked):
    """Customers to whom packages are recommended."""

    tariff: str = Field(pattern=NAME, description="a kept tariff: what they pay today", examples=["own"])


class MatchingAsked(_Asked):
    """Designed packages to be matched with what providers offer."""

    on: date | None = Field(None, description="day on which offers must hold; today where left out")
    feeder_kw: dict[str, NonNegative] = Field(
        {}, description="room for photovoltaics by bus of the running site; what is asked for there where left out"
    )


@router.post(
    "/segmentations", status_code=202, response_model=JobOut, responses=described(404, 409), **only(Deed.STUDY)
)
async def group(backing: Backed, once: Once, asked: SegmentsAsked, response: Response) -> JobOut | Response:
    """Group customers, portray each segment, and rank whom to call: a job; its result is JSON and CSV."""
    if (before := await once.answer()) is not None:
        return before
    previous = await _model(backing, once.who, asked.previous) if asked.previous else ""
    async with backing.store.changing(once.who.tenant_id) as session:
        inputs = MarketInputs(_some(await market_data.customers(session, asked.party_ids)), previous=previous)
        wanted = SegmentsJob(urgent=False, party_ids=tuple(inputs.customers), previous=asked.previous)
        return await queued(session, backing, once, wanted, inputs, response)


@router.post("/recommendations", status_code=202, response_model=JobOut, responses=described(409), **only(Deed.STUDY))
async def recommend(backing: Backed, once: Once, asked: RecommendationAsked, response: Response) -> JobOut | Response:
    """Recommend packages to customers: a job; its result is JSON and CSV, with the share of every criterion."""
    if (before := await once.answer()) is not None:
        return before
    async with backing.store.changing(once.who.tenant_id) as session:
        inputs = await market_data.recommended_from(session, asked.party_ids, asked.tariff)
        wanted = RecommendationJob(urgent=False, party_ids=tuple(_some(inputs.customers)), tariff=asked.tariff)
        return await queued(session, backing, once, wanted, inputs, response)


@router.post("/matchings", status_code=202, response_model=JobOut, responses=described(409), **only(Deed.STUDY))
async def match(
    backing: Backed, once: Once, site: OwnSite, asked: MatchingAsked, response: Response
) -> JobOut | Response:
    """Match what designed packages need with what providers offer, within feeders: a job; its result is JSON and CSV."""
    if (before := await once.answer()) is not None:
        return before
    for bus in asked.feeder_kw:
        require_bus(site, bus, f"feeder_kw.{bus}")
    on = asked.on or backing.store.clock.now().date()
    async with backing.store.changing(once.who.tenant_id) as session:
        needs = await market_data.needs(session, backing.results, asked.party_ids)
        inputs = MatchingInputs(needs, await market_data.offers(session, on), site)
        ids = tuple(dict.fromkeys(n.customer for n in needs))
        wanted = MatchingJob(urgent=False, party_ids=ids, on=on, feeder_kw=asked.feeder_kw)
        return await queued(session, backing, once, wanted, inputs, response)


@router.post(
    "/matchings/{matching_id}/leads",
    status_code=201,
    response_model=Page[Lead],
    responses=described(404, 409),
    **only(Deed.SELL),
)
async def lead(backing: Backed, once: Once, matching_id: MatchingId, response: Response) -> Any:
    """Open a lead for every customer whose needs have found providers, and who has no lead from a matching that is still open."""
    if (before := await once.answer()) is not None:
        return before
    found = await _result(backing, once.who, matching_id, "matching")
    now = backing.store.clock.now()
    async with backing.store.changing(once.who.tenant_id) as session:
        there = (await LEADS.all(session, channel=Channel.MATCHING.value)).values()
        busy = {x.party_id for x in there if x.stage not in OVER}
        made = []
        for new in _leads(found["matches"]):
            if new.party_id not in busy:
                row = await LEADS.add(session, now, once.who, await lead_begun(session, new, now))
                made.append(row)
        await session.flush()
        answer = Page[Lead](items=[kept_of(LEADS).of(LEADS, row) for row in made], next=None)
        await once.keep(session, 201, answer, response)
        return answer


def _leads(matches: list[dict[str, Any]]) -> list[NewLead]:
    """Return a lead for every customer of a matching: its modules, who would build them, and what they bring in a year."""
    found = []
    for party in dict.fromkeys(m["party_id"] for m in matches):
        mine = [m for m in matches if m["party_id"] == party]
        words = ", ".join(f"{m['module']} by {m['provider']}" for m in mine)
        gain = max(round(1e6 * sum(m["gain_per_year"] for m in mine)), 0)
        found.append(NewLead(party_id=party, title=words[:120], channel=Channel.MATCHING, expected_micro=gain))
    return found


def _some(customers: Mapping[str, MeterFile]) -> Mapping[str, MeterFile]:
    """Return customers, of whom there must be one."""
    if not customers:
        words = "nobody has meter data; bring them to /api/v1/parties/ID/intervals first"
        raise RefusedStepError("nothing can be compared", [error("party_ids", words)])
    return customers


async def _model(backing: Backing, who: Principal, job_id: str) -> str:
    """Return the segments of an earlier job."""
    return str((await _result(backing, who, job_id, "segments"))["model"])


async def _result(backing: Backing, who: Principal, job_id: str, kind: str) -> Any:
    """Return what came of a job; 404 where there is none of that kind, 409 while it has none."""
    job: Job | None = await queue.one(backing.store, who.tenant_id, job_id)
    if job is None or job.kind != kind:
        raise HTTPException(404, f"There is no job {job_id} of the kind {kind}; /api/v1/jobs lists jobs.")
    if job.state is not JobState.DONE:
        raise HTTPException(409, f"Job {job_id} has no result; it is {job.state.value}: {job.words}")
    return json.loads((job.folder(backing.results) / "result.json").read_text(encoding="utf-8"))
