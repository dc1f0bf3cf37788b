"""Endpoints of what can be studied: kinds of studies with their forms, and the shipped scenarios."""

import asyncio
from functools import cache
from typing import Annotated, Any, get_args

from fastapi import HTTPException, Path
from pydantic import BaseModel, Field

from scenarios.cases.file import library, load_case
from service.api.access import guarded
from service.api.people.endpoints import After, Limit
from service.api.problems import described
from service.auth.roles import Deed
from service.jobs.requests import Request

router = guarded(Deed.STUDY, "/api/v1", "studies")


class StudyOut(BaseModel):
    """One kind of study; ask for it with POST /api/v1/jobs."""

    kind: str = Field(examples=["dispatch"])
    about: str
    form: dict[str, Any] = Field(description="JSON Schema of what is to be sent")


class StudyPage(BaseModel):
    """Kinds of studies by name."""

    items: list[StudyOut]
    next: str | None = Field(description="value for `after` that gives the next page; null on the last")


class ParameterOut(BaseModel):
    """A number that a scenario leaves open."""

    name: str
    title: str = Field(description='what it is in words, "" where the scenario does not say')
    unit: str
    value: float = Field(description="what it is when nobody says otherwise")


class ScenarioOut(BaseModel):
    """A shipped scenario; ask for it with {"kind": "scenario", "case": NAME}."""

    name: str = Field(examples=["heat_wave"])
    title: str
    story: str
    days: float
    parameters: list[ParameterOut]


class ScenarioPage(BaseModel):
    """Scenarios by name."""

    items: list[ScenarioOut]
    next: str | None = Field(description="value for `after` that gives the next page; null on the last")


@router.get("/studies")
async def studies(limit: Limit = 50, after: After = "") -> StudyPage:
    """List the kinds of studies by name, with the form of each; their progress and results are jobs."""
    behind = sorted((name, kind) for name, kind in kinds().items() if name > after)
    page = [
        StudyOut(kind=name, about=(kind.__doc__ or "").strip(), form=kind.model_json_schema())
        for name, kind in behind[:limit]
    ]
    return StudyPage(items=page, next=page[-1].kind if len(behind) > limit else None)


def kinds() -> dict[str, type[BaseModel]]:
    """Return what is to be sent for every kind of study."""
    return {get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in get_args(Request)}


@router.get("/scenarios")
async def scenarios(
    limit: Limit = 50,
    after: After = "",
) -> ScenarioPage:
    """List the shipped scenarios by name."""
    names = [name for name in library() if name > after]
    page = [await asyncio.to_thread(scenario_of, name) for name in names[:limit]]
    return ScenarioPage(items=page, next=page[-1].name if len(names) > limit else None)


@router.get("/scenarios/{scenario}", responses=described(404))
async def one(scenario: Annotated[str, Path(max_length=120, description="the scenario's name")]) -> ScenarioOut:
    """Return one shipped scenario."""
    if scenario not in library():
        raise HTTPException(404, f"There is no scenario {scenario}; /api/v1/scenarios lists them.")
    return await asyncio.to_thread(scenario_of, scenario)


@cache
def scenario_of(name: str) -> ScenarioOut:
    """Return a shipped scenario as the interface shows it."""
    case = load_case(name)
    parameters = [
        ParameterOut(name=n, title=case.parameters[n].title, unit=case.parameters[n].unit, value=v)
        for n, v in case.values.items()
    ]
    return ScenarioOut(name=name, title=case.title, story=case.story, days=case.days, parameters=parameters)
