"""The endpoint that assesses a customer's efficiency among its peers, and verifies what a measure has saved."""

from datetime import date
from typing import Annotated, Literal

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from customers.fields import Ref
from models.units import Positive
from service.api.access import Backed, guarded, only
from service.api.customers.queued import queued
from service.api.customers.records import known
from service.api.jobs.schemas import JobOut
from service.api.people.endpoints import Id
from service.api.repeats import Once
from service.auth.roles import Deed
from service.customers import market_data
from service.customers.shelves import PARTIES
from service.documents.checks import NAME
from service.jobs.customer_requests import EfficiencyJob

router = guarded(Deed.SEE, "/api/v1/parties/{party_id}", "efficiency", 404)
Others = Annotated[tuple[Ref, ...], Field(max_length=20_000)]


class EfficiencyAsked(BaseModel):
    """An assessment of a party's efficiency on its own meter data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weather: str = Field(
        pattern=NAME,
        description="a kept document of the kind profiles with the outdoor air, a column in _degc (air_degc of several)",
        examples=["weather"],
    )
    peer_ids: Others = Field((), description="parties to compare with; all with meter data where left out")
    since: date | None = Field(None, description="local day of a measure; what it has saved is verified")
    other_ids: Others = Field(
        (), description="parties without a measure, ten at least, from whom the difference of whole years is learned"
    )
    floor_m2: Positive | None = Field(None, description="floor area in m2, for energy per area")
    language: Literal["zh", "en"] | None = Field(None, description="of the report; the party's own where left out")


@router.post("/efficiency:assess", status_code=202, response_model=JobOut, **only(Deed.STUDY))
async def assess(
    backing: Backed, once: Once, party_id: Id, asked: EfficiencyAsked, response: Response
) -> JobOut | Response:
    """Assess a party's efficiency: peers, indicators, hints, odd days, verified savings: a job; its result is JSON, CSV and PDF."""
    if (before := await once.answer()) is not None:
        return before
    async with backing.store.changing(once.who.tenant_id) as session:
        party = PARTIES.of(await known(session, PARTIES, party_id))
        inputs = await market_data.assessed_from(session, party_id, asked.peer_ids, asked.other_ids, asked.weather)
        wanted = EfficiencyJob(
            urgent=False,
            party_id=party_id,
            weather=asked.weather,
            since=asked.since,
            other_ids=asked.other_ids,
            floor_m2=asked.floor_m2,
            language=asked.language or party.language,
        )
        return await queued(session, backing, once, wanted, inputs, response)
