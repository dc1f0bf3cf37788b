"""The planner's pages: cases to choose from, a form for changes, studies under way, and runs beside their base."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Body, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from models.errors import DataError
from models.findings import Finding
from scenarios.cases.file import SHIPPED_SITES, case_schema, library, load_case
from scenarios.cases.sweep import Kind
from service.api.access import only
from service.api.fields import Running
from service.api.jobs.endpoints import known
from service.api.studies.endpoints import scenario_of
from service.auth.roles import Deed
from service.console.chart_forms import ChartForm, sent
from service.console.frame import PageRoute, page, seen_by
from service.console.glance import Glance, Glanced
from service.console.vocabulary.cases import FIELDS, KINDS, case_words, parameter_words
from service.console.words import LANGUAGES, Language
from service.jobs import queue
from service.jobs.job import Job
from service.jobs.requests import ScenarioJob, checked

router = APIRouter(include_in_schema=False, route_class=PageRoute)
JOBS_SHOWN = 15
CaseName = Annotated[str, Path(max_length=120)]
COVERS = get_args(Kind)
"""How a sweep covers the values of a case's parameters."""
STUDIES = ("dispatch", "explain", "flow", "n1", "estimate", "forecast")
"""Kinds of studies that ask for nothing but a day or an instant."""
ROOM_OF = {
    **dict.fromkeys(("portrait", "package", "segments", "recommendation", "matching", "efficiency"), "customers"),
    "offers": "trading",
    "trade_day": "trading",
    "bills": "trading",
}
"""Where studies that are not the planner's were asked for."""
LEFT_OUT = (
    "kind",
    "urgent",
    "limit_s",
    "begins",
    "seed",
    "deadline_s",
    "site",
    "options",
    "count",
    "cover",
    "step",
    "points",
)


@router.get("/scenarios", **seen_by(Deed.STUDY))
async def scenarios(request: Request, look: Glanced) -> HTMLResponse:
    """Return the library of cases, the studies that can be asked for, and those that were."""
    known = [await asyncio.to_thread(scenario_of, name) for name in library()]
    cases = [(c, *case_words(c.name, c.title, c.story, look.language)) for c in known]
    day = look.now.date().isoformat()
    parts = {"cases": cases, "covers": COVERS, "studies": STUDIES, "day": day, "labelled": parameter_words}
    parts |= await asked(look)
    return page(request, look.runtime, look.language, "scenarios.html", parts, room="scenarios")


async def asked(look: Glance) -> dict[str, object]:
    """Return the newest jobs, with what each is about."""
    jobs = await queue.newest_first(look.backing.store, look.who.tenant_id, None, JOBS_SHOWN)
    return {"jobs": [(job, about(job, look.language)) for job in jobs]}


def about(job: Job, language: Language) -> str:
    """Return in a few words what a job was asked for."""
    told = {k: v for k, v in job.request.items() if k not in LEFT_OUT and v not in (None, "", False, [], {})}
    case, name = told.pop("case", None), told.pop("name", None)
    if name:  # a customer, whose other particulars stand on its own page
        return str(name)
    named = [_titled(case, language)] if case else []
    if day := told.get("day"):  # how it is worked out stands with what came of it
        return ", ".join([*named, str(day)])
    values = [f"{k} {v:g}" for k, v in told.pop("values", {}).items()]
    return ", ".join([*named, *values, *(f"{k} {v}" for k, v in told.items() if not isinstance(v, dict | list))])


def _titled(case: str | Mapping[str, Any], language: Language) -> str:
    """Return the title of a case that was asked for, by its name or as a document of somebody's own."""
    if isinstance(case, str):
        return case_words(case, load_case(case).title, "", language)[0] if case in library() else case
    return str(case.get("title") or case.get("name"))


@router.get("/scenarios/{case}", **seen_by(Deed.STUDY))
async def editor(request: Request, look: Glanced, case: CaseName) -> HTMLResponse:
    """Return the form in which a shipped case is changed."""
    if case not in library():
        raise HTTPException(404, f"There is no case {case}; {', '.join(library())} are shipped.")
    found = await asyncio.to_thread(load_case, case)
    site = look.runtime.site
    title, story = case_words(found.name, found.title, found.story, look.language)
    data = {
        "document": open_document(found.document) | {"title": title, "story": story},
        "kinds": await asyncio.to_thread(kinds_of_changes, look.language),
        "parameters": {n: parameter_words(p.title, p.unit, look.language) for n, p in found.parameters.items()},
        "names": {
            "asset": [a.id for a in site.assets],
            "contract": [c.id for c in site.contracts],
            "network": [n.id for _, n in site.networks],
        },
    }
    parts = {"case": found, "title": title, "editor": data}
    return page(request, look.runtime, look.language, "editor.html", parts, room="scenarios")


def open_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a case's document as somebody may change and send it: the site by its shipped name, nothing that only files have."""
    paths = {str(path()): name for name, path in SHIPPED_SITES.items()}
    kept = {k: v for k, v in document.items() if k not in ("extends", "expect")}
    start = kept["start"]
    return kept | {"site": paths.get(str(kept.get("site")), "park"), "start": str(start)}


def kinds_of_changes(language: Language) -> dict[str, dict[str, Any]]:
    """Return every kind of change with its title, what it does, and its fields: name, label, what it takes, whether it must be there."""
    defined = case_schema()["$defs"]
    changes = {
        d["properties"]["kind"]["const"]: d
        for d in defined.values()
        if {"kind", "note"} <= d.get("properties", {}).keys()
    }
    return {kind: _kind(kind, d, language) for kind, d in sorted(changes.items())}


def _kind(kind: str, schema: Mapping[str, Any], language: Language) -> dict[str, Any]:
    title, title_zh, about_zh = KINDS[kind]
    told = str(schema.get("description", "")).split("\n")[0].replace("``", "")
    words = {"title": title_zh, "about": about_zh} if language == "zh" else {"title": title, "about": told}
    return words | {"fields": list(_fields(schema, LANGUAGES.index(language)))}


def _fields(schema: Mapping[str, Any], column: int) -> Iterator[dict[str, Any]]:
    for name, field in schema["properties"].items():
        if name in ("kind", "note"):
            continue
        types = [field.get("type"), *(p.get("type") for p in field.get("anyOf", ()))]
        plain = "number" if {"number", "integer"} & set(types) else "string" if types[0] == "string" else "json"
        yield {
            "name": name,
            "label": FIELDS[name][column],
            "type": plain,
            "required": name in schema.get("required", ()),
            "about": field.get("description", ""),
        }


@router.post("/console/check/case", **only(Deed.STUDY))
async def check_case(runtime: Running, asked_for: Annotated[dict[str, Any], Body()]) -> JSONResponse:
    """Tell what is wrong with a case that somebody is writing, before it is run."""
    try:
        job = ScenarioJob.model_validate({"kind": "scenario", **asked_for})
        await asyncio.to_thread(checked, job, runtime.site)
    except DataError as fault:
        return JSONResponse({"findings": [_told(f) for f in fault.findings]})
    except ValueError as fault:
        return JSONResponse({"findings": [{"place": "", "message": str(fault)}]})
    return JSONResponse({"findings": []})


def _told(finding: Finding) -> dict[str, str]:
    return {"place": finding.place, "message": finding.message}


@router.get("/studies/{job_id}", **seen_by(Deed.STUDY))
async def study(request: Request, look: Glanced, job_id: CaseName) -> HTMLResponse:
    """Return a study: how far it is, or what came of it."""
    from service.console.outcomes import view_of
    from service.console.results import outcome_of

    job = await known(look.backing, look.who, job_id)
    room = ROOM_OF.get(job.kind, "scenarios")
    parts = {
        "job": job,
        "about": about(job, look.language),
        "back": f"/{room}",
        **await asyncio.to_thread(outcome_of, look, job),
    }
    parts |= await asyncio.to_thread(view_of, look, job)
    return page(request, look.runtime, look.language, "study.html", parts, room=room)


@router.get("/studies", **seen_by(Deed.STUDY))
async def compared(request: Request, look: Glanced) -> HTMLResponse:
    """Return runs side by side: ``thing`` names their jobs, the first is what the others are compared with."""
    from service.console.results import side_by_side

    parts = await asyncio.to_thread(side_by_side, look, await _named(look))
    return page(request, look.runtime, look.language, "compared.html", parts, room="scenarios")


async def _named(look: Glance) -> list[tuple[Job, str]]:
    """Return the jobs that the address names, each with what it is about."""
    jobs = [await known(look.backing, look.who, name) for name in look.thing.split(",") if name]
    return [(job, about(job, look.language)) for job in jobs]


@router.get("/console/studies/charts/{chart}", **only(Deed.STUDY))
async def compared_chart(
    look: Glanced,
    chart: Annotated[Literal["duration", "front"], Path()],
    form: Annotated[ChartForm, Query(alias="format")] = ChartForm.JSON,
) -> Response:
    """Return a chart of runs side by side; ``thing`` names their jobs."""
    from service.console.results import beside_chart

    made = await asyncio.to_thread(beside_chart, look, await _named(look), chart)
    return sent(made, form, look.runtime.site.location.time_zone)


@router.get("/console/studies/{job_id}/charts/{chart}", **only(Deed.STUDY))
async def study_chart(
    look: Glanced,
    job_id: CaseName,
    chart: Annotated[str, Path(max_length=40)],
    form: Annotated[ChartForm, Query(alias="format")] = ChartForm.JSON,
) -> Response:
    """Return a chart of what came of a study."""
    from service.console import outcomes, results

    job = await known(look.backing, look.who, job_id)
    charts = {**results.CHARTS, **outcomes.CHARTS}
    if chart not in charts:
        raise HTTPException(404, f"A study has no chart named {chart}; there are {', '.join(charts)}.")
    made = await asyncio.to_thread(charts[chart], look, job)
    return sent(made, form, look.runtime.site.location.time_zone)
