"""Every error as a problem document (RFC 9457): a type, a title, the status, and the fact with its way on."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from customers.lifecycle.refusal import RefusedStepError
from models.errors import DataError, JouletwinError
from models.findings import Finding
from service.store.engine import is_disk_full

MEDIA_TYPE = "application/problem+json"


class ProblemFinding(BaseModel):
    """One thing that is wrong, and where."""

    place: str
    message: str


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(default="about:blank", description="URI that names the kind of problem")
    title: str
    status: int
    detail: str = Field(description="the fact and the way on")
    instance: str = Field(description="path of the request")
    findings: list[ProblemFinding] = Field(default_factory=list, description="everything wrong with the request's data")


class NotYet(HTTPException):
    """The value exists soon: nothing has been measured or planned yet."""

    def __init__(self, what: str) -> None:
        super().__init__(
            503, f"No {what} yet; the loop has just started. Ask again in a few seconds.", {"Retry-After": "2"}
        )


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI response entries for problem documents with these statuses."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {s: {"description": HTTPStatus(s).phrase, "content": content} for s in statuses}


def schemas(*models: type[BaseModel]) -> dict[str, Any]:
    """Return the OpenAPI schemas of documents that no route names by its types, by name."""
    wanted: list[Any] = [(model, "validation") for model in models]
    _, found = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    return dict(found["$defs"])


def problem_response(
    request: Request,
    status: int,
    detail: str,
    findings: Sequence[ProblemFinding] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem document as a response."""
    title = HTTPStatus(status).phrase
    problem = Problem(title=title, status=status, detail=detail, instance=request.url.path, findings=list(findings))
    return JSONResponse(problem.model_dump(), status, dict(headers or {}), MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make an application answer every error with a problem document."""

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, fault: HTTPException) -> JSONResponse:
        return problem_response(request, fault.status_code, _words(request, fault), headers=fault.headers)

    @app.exception_handler(RequestValidationError)
    async def on_malformed(request: Request, fault: RequestValidationError) -> JSONResponse:
        found = [
            ProblemFinding(place=".".join(str(p) for p in e["loc"]), message=str(e["msg"])) for e in fault.errors()
        ]
        words = "; ".join(f"{f.place}: {f.message}" for f in found)
        return problem_response(request, 422, f"The request is malformed: {words}", found)

    @app.exception_handler(JouletwinError)
    async def on_ours(request: Request, fault: JouletwinError) -> JSONResponse:
        findings: Sequence[Finding] = fault.findings if isinstance(fault, DataError) else ()
        found = [ProblemFinding(place=f.place, message=f.message) for f in findings]
        return problem_response(request, 422 if found else 409, str(fault), found)

    @app.exception_handler(RefusedStepError)
    async def on_refused(request: Request, fault: RefusedStepError) -> JSONResponse:
        found = [ProblemFinding(place=f.place, message=f.message) for f in fault.findings]
        return problem_response(request, 409, str(fault), found)

    @app.exception_handler(DBAPIError)
    async def on_store(request: Request, fault: DBAPIError) -> JSONResponse:
        if is_disk_full(fault):
            return problem_response(request, 507, "The store has no room left; nothing was changed. Free some space.")
        words = "The store cannot be reached or is busy; nothing was changed. Ask again in a few seconds."
        return problem_response(request, 503, words, headers={"Retry-After": "5"})

    @app.exception_handler(Exception)
    async def on_bug(request: Request, fault: Exception) -> JSONResponse:
        words = f"{type(fault).__name__} inside the service; its log says more. The request was not carried out."
        return problem_response(request, 500, words)


def _words(request: Request, fault: HTTPException) -> str:
    if fault.status_code == 404 and fault.detail == HTTPStatus(404).phrase:
        return f"There is nothing at {request.url.path}; see /api/v1/docs for what there is."
    if fault.status_code == 405:
        return (
            f"{request.method} is not possible here; allowed: {(fault.headers or {}).get('Allow', 'see /api/v1/docs')}."
        )
    return str(fault.detail)
