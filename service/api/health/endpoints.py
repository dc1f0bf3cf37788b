"""Endpoints for what watches the service: a supervisor, a load balancer, Prometheus."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from service.api.access import Backed, Known, backing_in, guarded
from service.api.fields import Running
from service.api.monitoring.schemas import HealthOut
from service.api.problems import ProblemFinding, described, problem_response
from service.auth.roles import Deed
from service.observed import BOUNDS_S, Requests
from service.runtime import Runtime
from service.store.work import JobRow
from service.version import VERSION

router = guarded(Deed.SEE, "/api/v1", "monitoring", 404)
open_router = APIRouter(prefix="/api/v1/health", tags=["monitoring"])
"""Whoever restarts the service has no key; nothing of the site is told here."""


class Alive(BaseModel):
    """The service answers."""

    status: str = "alive"


class Ready(BaseModel):
    """The service does its work, part by part; what does not is told in a problem document."""

    status: str = "ready"
    store: str = Field(description="ok")
    loop: str = Field(description="ok")


@open_router.get("/live")
async def live() -> Alive:
    """Answer, as long as the service lives."""
    return Alive()


@open_router.get("/ready", response_model=Ready, responses=described(422, 503))
async def ready(request: Request) -> Response:
    """Tell whether the store can be reached and the loop turns; 503 when not."""
    try:
        async with backing_in(request).store.everywhere(reading=True) as session:
            await session.execute(select(1))
        store = "ok"
    except (DBAPIError, OSError):
        store = "away"
    loop = HealthOut.of(request.app.state.runtime, VERSION).status
    parts = {"store": store, "loop": loop}
    if set(parts.values()) == {"ok"}:
        return JSONResponse(Ready(**parts).model_dump())
    wrong = [ProblemFinding(place=part, message=state) for part, state in parts.items() if state != "ok"]
    words = ", ".join(f"{f.place} is {f.message}" for f in wrong)
    return problem_response(request, 503, f"not ready: {words}; ask again in a few seconds", wrong)


async def _requests(request: Request) -> Requests:
    found = request.app.state.requests
    assert isinstance(found, Requests)  # noqa: S101 # create_app is the only one to set it
    return found


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(
    runtime: Running, backing: Backed, who: Known, requests: Annotated[Requests, Depends(_requests)]
) -> PlainTextResponse:
    """Return figures in the text format of Prometheus."""
    async with backing.store.reading(who.tenant_id) as session:
        mine = select(JobRow.state, func.count()).where(JobRow.tenant_id == who.tenant_id).group_by(JobRow.state)
        jobs = {state: int(count) for state, count in await session.execute(mine)}
    lines = [*_of_site(runtime), *_of_requests(requests), *_by("jouletwin_jobs", "gauge", "state", jobs)]
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _of_site(runtime: Runtime) -> Iterator[str]:
    health = HealthOut.of(runtime, VERSION)
    for name, value in (("snapshot", health.snapshot_age_s), ("plan", health.plan_age_s)):
        yield f"# TYPE jouletwin_{name}_age_seconds gauge"
        yield f"jouletwin_{name}_age_seconds {'NaN' if value is None else value}"
    outcomes = {outcome.value: count for outcome, count in runtime.memory.outcomes().items()}
    yield from _by("jouletwin_commands_total", "counter", "outcome", outcomes)
    alarms: dict[str, int] = {}
    for alarm in runtime.memory.alarms.standing():
        alarms[str(int(alarm.priority))] = alarms.get(str(int(alarm.priority)), 0) + 1
    yield from _by("jouletwin_alarms", "gauge", "priority", alarms)
    yield "# TYPE jouletwin_readings_lost_total counter"
    yield f"jouletwin_readings_lost_total {runtime.memory.intake.lost}"
    yield "# TYPE jouletwin_schedules_in_force gauge"
    yield f"jouletwin_schedules_in_force {len(tuple(runtime.orders.current()))}"


def _of_requests(requests: Requests) -> Iterator[str]:
    statuses = {str(status): count for status, count in requests.statuses.items()}
    yield from _by("jouletwin_requests_total", "counter", "status", statuses)
    name, total = "jouletwin_request_seconds", sum(requests.statuses.values())
    yield f"# TYPE {name} histogram"
    yield from (f'{name}_bucket{{le="{bound:g}"}} {requests.within[bound]}' for bound in BOUNDS_S)
    yield f'{name}_bucket{{le="+Inf"}} {total}'
    yield f"{name}_sum {requests.seconds:.6f}"
    yield f"{name}_count {total}"


def _by(name: str, kind: str, label: str, counts: Mapping[str, int]) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    yield from (f'{name}{{{label}="{value}"}} {count}' for value, count in sorted(counts.items()))
