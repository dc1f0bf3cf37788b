"""The live page, the fragments that keep pages live, the charts, and static files."""

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from service.api.access import Known, only
from service.api.alarms.endpoints import AlarmDeed, done
from service.api.fields import Running
from service.api.operations.endpoints import confirmed
from service.auth.roles import Deed
from service.console import live, networks, pages, places, scenarios, schedule
from service.console.assets import SHELF
from service.console.chart_forms import ChartForm, sent
from service.console.charts import Chart
from service.console.frame import PageRoute, Spoken, page, rendered, seen_by
from service.console.glance import Glance, Glanced

router = APIRouter(include_in_schema=False, route_class=PageRoute)
Parts = Mapping[str, object]
FRAGMENTS: Mapping[str, Callable[[Glance], Parts | Awaitable[Parts]]] = {
    "tiles": lambda look: pages.tiles(look.runtime),
    "commands": lambda look: pages.commands(look.runtime),
    "values": lambda look: pages.values(look.runtime),
    "events": lambda look: pages.events(look.runtime),
    "alarms": lambda look: pages.alarms(look.runtime),
    "diagrams": networks.diagrams,
    "plan": schedule.plan_parts,
    "why": schedule.why,
    "book": schedule.booked,
    "journal": schedule.journal,
    "jobs": scenarios.asked,
    "devices": places.device_rows,
    "notes": places.notes,
}
"""Parts of pages that can be asked for anew, each with the template of its name."""
CHARTS: Mapping[str, Callable[[Glance], Chart]] = {
    "timeline": live.timeline_chart,
    "asset": live.asset_chart,
    "flow": live.flow_chart,
    "schedule": schedule.plan_chart,
    "cost": schedule.cost_chart,
    "unit": schedule.unit_chart,
    "days": schedule.day_before,
}
ON_THE_WALL = "wall"
"""Whoever asks for a part with this has nothing to press."""
TOUR = (
    ("#tiles", "tour_tiles"),
    ("#flow-card", "tour_flow"),
    ("#figure-timeline", "tour_timeline"),
    ("#alarm-card", "tour_alarms"),
    ("nav.rooms", "tour_rooms"),
)


@router.get("/", **seen_by(Deed.SEE))
async def live_page(request: Request, look: Glanced) -> HTMLResponse:
    """Return the live page, with figures already in it."""
    parts: dict[str, Any] = dict(pages.assets(look.runtime.site))
    for part in (pages.tiles, pages.commands, pages.values, pages.events, pages.alarms):
        parts |= part(look.runtime)
    data = pages.page_data(look.runtime, look.language) | {"tour": TOUR, "flows": live.present_flows(look.runtime)}
    return page(request, look.runtime, look.language, "live.html", {**parts, "data": data}, room="live")


@router.get("/console/{name}", response_class=HTMLResponse, **only(Deed.SEE))
async def fragment(look: Glanced, name: str) -> HTMLResponse:
    """Return one part of a page anew."""
    if name not in FRAGMENTS:
        raise HTTPException(404, f"The console has no part named {name}.")
    made = FRAGMENTS[name](look)
    operate = look.who.may(Deed.OPERATE) and look.thing != ON_THE_WALL
    parts = {**(await made if isawaitable(made) else made), "operate": operate}
    template = "device_list.html" if name == "devices" else f"{name}.html"
    return rendered(template, look.runtime, look.language, parts)


@router.get("/console/charts/{chart}", **only(Deed.SEE))
def chart(
    look: Glanced,
    chart: Annotated[str, Path(max_length=40)],
    form: Annotated[ChartForm, Query(alias="format")] = ChartForm.JSON,
) -> Response:
    """Return a chart as the page draws it, or as a table to be saved."""
    if chart not in CHARTS:
        raise HTTPException(404, f"The console has no chart named {chart}; there are {', '.join(CHARTS)}.")
    try:
        made = CHARTS[chart](look)
    except KeyError:
        raise HTTPException(404, f"The site has no asset named {look.asset}.") from None
    return sent(made, form, look.runtime.site.location.time_zone)


@router.post("/console/alarms/{alarm_id}/{act}", response_class=HTMLResponse, **only(Deed.OPERATE))
async def act_on_alarm(
    runtime: Running,
    language: Spoken,
    who: Known,
    alarm_id: int,
    act: AlarmDeed,
    hx_request: Annotated[str, Header()] = "",
) -> HTMLResponse:
    """Do what a button of the alarm strip says, and return the strip anew; only the page itself may ask for it."""
    if hx_request != "true":
        raise HTTPException(403, "Alarms are worked on from the live page, or through /api/v1/alarms.")
    done(runtime, alarm_id, act, who.name)
    return rendered("alarms.html", runtime, language, pages.alarms(runtime) | {"operate": True})


@router.post("/console/commands/{command_id}/confirm", response_class=HTMLResponse, **only(Deed.OPERATE))
def confirm_command(
    runtime: Running, language: Spoken, who: Known, command_id: str, hx_request: Annotated[str, Header()] = ""
) -> HTMLResponse:
    """Carry out a command that waits for the operator, and return the list anew; only the page itself may ask for it."""
    if hx_request != "true":
        raise HTTPException(403, "Commands are confirmed on the live page, or through /api/v1/commands.")
    confirmed(runtime, command_id, who.name)
    return rendered("commands.html", runtime, language, pages.commands(runtime) | {"operate": True})


@router.get("/api/v1/docs", **seen_by(Deed.SEE))
async def documentation(request: Request, runtime: Running, language: Spoken) -> HTMLResponse:
    """Return the description of the interface for people."""
    parts = {"api": request.app.openapi()}
    return page(request, runtime, language, "interface.html", parts, room="interface")


@router.get("/static/{path:path}")
async def static(
    path: str, accept_encoding: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """Return a static file, compressed when the browser can read that, nothing when it has it already."""
    found = SHELF.find(path)
    if found is None:
        raise HTTPException(404, f"There is no static file {path}.")
    file, caching = found
    headers = {"ETag": file.etag, "Cache-Control": caching, "Vary": "Accept-Encoding"}
    if file.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    if "gzip" in accept_encoding:
        return Response(file.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.body, headers=headers, media_type=file.media_type)
