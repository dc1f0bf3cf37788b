"""Endpoints of what came of what-ifs: runs held against a base, and the report that a board reads."""

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from io import BytesIO
from math import isfinite, nan
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import HTTPException, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from models.errors import DataError
from scenarios.cases.compare import Comparison, compare
from scenarios.cases.results import KPIS, RECORD, unit_of
from service.api.access import Backed, Known, guarded
from service.api.jobs.endpoints import JobId, done
from service.api.problems import described
from service.auth.roles import Deed, Principal
from service.backing import Backing
from service.jobs.job import Job
from service.jobs.work import BASE_RUN, CASE_RUN, POINTS, RUNS

router = guarded(Deed.STUDY, "/api/v1", "studies", 404)
MOST_RUNS = 50
writing = asyncio.Lock()
"""Fonts and colours of pictures are set for the whole process while one report is drawn."""


class Language(StrEnum):
    """Languages of a report."""

    ENGLISH = "en"
    CHINESE = "zh"


class ReportFormat(StrEnum):
    """How a report can be had."""

    HTML = "html"
    PDF = "pdf"


class TableFormat(StrEnum):
    """How a comparison can be had."""

    JSON = "json"
    CSV = "csv"


MEDIA = {ReportFormat.HTML: "text/html; charset=utf-8", ReportFormat.PDF: "application/pdf"}
REPORT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report",
        "content": {
            "text/html": {"schema": {"type": "string"}},
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
TABLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "Figures, and what changed in words", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


class FigureOut(BaseModel):
    """One figure of the base and of every run."""

    kpi: str = Field(examples=["total_cost"])
    title: str
    unit: str
    better: str = Field(description="lower, higher or empty where neither is better in itself")
    base: float | None
    runs: list[float | None] = Field(description="in the order in which they were asked for; null where a run has none")


class ComparedOut(BaseModel):
    """One run against the base."""

    job: str
    title: str
    why: list[str] = Field(description="what changed and why, the most important first")


class ComparisonOut(BaseModel):
    """Runs held against a base."""

    base: str = Field(description="title of the base")
    currency: str
    figures: list[FigureOut]
    runs: list[ComparedOut]


@router.get("/comparison", response_model=ComparisonOut, responses={**TABLE, **described(409)})
async def comparison(
    backing: Backed,
    who: Known,
    run: Annotated[
        list[str],
        Query(
            min_length=1,
            max_length=MOST_RUNS,
            description="ids of scenario jobs that are done",
            examples=[["0123456789abcdef"]],
        ),
    ],
    base: Annotated[
        str | None, Query(description="the job to compare with; the first run's own base when left out")
    ] = None,
    lang: Annotated[Language, Query(description="language of the words")] = Language.ENGLISH,
    form: Annotated[TableFormat, Query(alias="format")] = TableFormat.JSON,
) -> ComparisonOut | Response:
    """Hold runs of scenarios against a base: every figure, what changed, and why."""
    places = [await run_of(backing, who, job, CASE_RUN) for job in run]
    against = await run_of(backing, who, base, CASE_RUN) if base else await run_of(backing, who, run[0], BASE_RUN)
    try:
        found = await asyncio.to_thread(compare, against, places)
    except DataError as fault:
        raise HTTPException(409, f"These runs cannot be compared: {fault}") from None
    return (
        ComparisonOut(
            base=str(found.base["title"]),
            currency=found.currency,
            figures=figures_of(found),
            runs=compared(found, run, lang),
        )
        if form is TableFormat.JSON
        else as_csv(found)
    )


def figures_of(found: Comparison) -> list[FigureOut]:
    """Return every figure that the base or a run has."""
    records = (found.base, *found.runs)
    names = [n for n in KPIS if any(n in r["kpis"] for r in records)]
    return [
        FigureOut(
            kpi=n,
            title=KPIS[n].title,
            unit=unit_of(n, found.currency),
            better=KPIS[n].better,
            base=figure_of(found.base, n),
            runs=[figure_of(r, n) for r in found.runs],
        )
        for n in names
    ]


def figure_of(run: Mapping[str, Any], kpi: str) -> float | None:
    """Return a run's figure, None where it has none."""
    value = float(run["kpis"].get(kpi, nan))
    return value if isfinite(value) else None


def compared(found: Comparison, jobs: list[str], lang: Language) -> list[ComparedOut]:
    """Return what changed in every run, in words."""
    return [
        ComparedOut(job=job, title=str(run["title"]), why=list(found.why(run, lang.value)))
        for job, run in zip(jobs, found.runs, strict=True)
    ]


def as_csv(found: Comparison) -> Response:
    """Return the table as a file."""
    written = BytesIO()
    found.table().to_csv(written)
    named = {"Content-Disposition": 'attachment; filename="comparison.csv"'}
    return Response(written.getvalue(), media_type="text/csv", headers=named)


@router.get("/jobs/{job_id}/report", response_class=FileResponse, responses={**REPORT, **described(409)})
async def report(
    backing: Backed,
    who: Known,
    job_id: JobId,
    lang: Annotated[Language, Query(description="language of the report")] = Language.ENGLISH,
    form: Annotated[ReportFormat, Query(alias="format")] = ReportFormat.PDF,
) -> FileResponse:
    """Return what a board reads of a scenario beside its base, or of a sweep; it is drawn when it is first asked for."""
    job = await done(backing, who, job_id)
    path = job.folder(backing.results) / f"report-{lang.value}.{form.value}"
    async with writing:
        if not path.exists():
            await asyncio.to_thread(write_report, backing, job, path, lang)
    return FileResponse(path, media_type=MEDIA[form], filename=f"{job.kind}-{job_id}.{form.value}")


def write_report(backing: Backing, job: Job, path: FilePath, lang: Language) -> None:
    """Write the report of a job that is done; raises HTTPException 409 where its kind has none."""
    # matplotlib and typst take a second to open
    from service.reports.case_report import write_case_report
    from service.reports.sweep_report import write_sweep_report

    folder, part = job.folder(backing.results), path.with_name(f"making-{path.name}")
    if job.kind == "sweep":
        write_sweep_report(folder.parent / POINTS, part)
    elif (folder / BASE_RUN / RECORD).exists():
        write_case_report(folder / BASE_RUN, folder / CASE_RUN, part, lang.value)
    else:
        raise HTTPException(409, f"A {job.kind} job without a base has no report; scenario and sweep jobs have one.")
    part.replace(path)


async def run_of(backing: Backing, who: Principal, job_id: str, run: str) -> FilePath:
    """Return the folder of one of a scenario job's runs."""
    job = await done(backing, who, job_id)
    folder = job.folder(backing.results) / run
    if run == CASE_RUN and not (folder / RECORD).exists():
        folder = job.folder(backing.results) / RUNS  # it ran without its base
    if not (folder / RECORD).exists():
        raise HTTPException(
            409, f"Job {job_id} ({job.kind}) holds no run to compare; name scenario jobs with their base."
        )
    return folder
