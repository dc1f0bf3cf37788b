"""Offers: a day's curves with their proof, made as a job."""

from typing import Annotated

from annotated_types import Ge, Le
from fastapi import Request, Response
from pydantic import Field, FiniteFloat

from service.api.access import Backed, guarded
from service.api.fields import Running
from service.api.jobs.endpoints import ask
from service.api.jobs.schemas import JobOut
from service.api.problems import described
from service.api.repeats import Once
from service.api.trading.common import Asked
from service.auth.roles import Deed
from service.documents.checks import NAME
from service.jobs.requests import Day, OffersJob

router = guarded(Deed.STUDY, "/api/v1", "trading", 404)


class OffersWanted(Asked):
    """Whose offers, for which day, and from how many price paths."""

    site: str = Field("running", pattern=NAME, description="as for jobs")
    day: Day = Field(examples=["2015-07-15"])
    paths: Annotated[int, Ge(1), Le(200)] = 60
    steps: Annotated[int, Ge(1), Le(200)] = 20
    fee_per_kwh: Annotated[FiniteFloat, Ge(0), Le(100)] = 0.15
    short_per_kwh: Annotated[FiniteFloat, Ge(0), Le(100)] = 0.0
    long_per_kwh: Annotated[FiniteFloat, Ge(0), Le(100)] = 0.0
    proven: bool = True


@router.post("/offers:build", status_code=202, response_model=JobOut, responses=described(409))
async def build(
    request: Request, response: Response, runtime: Running, backing: Backed, once: Once, wanted: OffersWanted
) -> JobOut | Response:
    """Make a day's offers; follow the job at the address in Location, its result is the offers with their proof."""
    job = OffersJob(kind="offers", **wanted.model_dump())
    return await ask(request, response, runtime, backing, once, job)
