"""The console's pages and the fragments that keep them live."""

from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Depends, Header, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from service.api.access import Known, May, identified, only
from service.api.alarms.endpoints import AlarmDeed, done
from service.api.fields import Running
from service.api.operations.endpoints import confirmed
from service.auth.roles import Deed, Principal
from service.console import pages
from service.console.assets import static_files
from service.console.words import Language, language_of
from service.runtime import Runtime

router = APIRouter(include_in_schema=False)
FILES = static_files()
TEMPLATES = pages.environment()
FRAGMENTS = {
    "tiles": pages.tiles,
    "commands": pages.commands,
    "values": pages.values,
    "events": pages.events,
    "alarms": pages.alarms,
}
A_YEAR_S = 365 * 86400


class PageMay(May):
    """Lets a browser through that is logged in; leads any other to the login."""

    async def __call__(self, request: Request) -> Principal:
        """Return who asks."""
        if await identified(request) is None:
            raise HTTPException(303, "Log in first.", {"Location": "/login"})
        return await super().__call__(request)


SEEN: dict[str, Any] = {"dependencies": [Depends(PageMay(Deed.SEE))]}


def _language(
    lang: Annotated[str | None, Query()] = None,
    language: Annotated[str | None, Cookie()] = None,
    accept_language: Annotated[str, Header()] = "",
) -> Language:
    return language_of(lang, language, accept_language)


Spoken = Annotated[Language, Depends(_language)]


@router.get("/", response_class=HTMLResponse, **SEEN)
async def live(request: Request, runtime: Running, language: Spoken) -> HTMLResponse:
    """Return the live page, with figures already in it."""
    parts: dict[str, Any] = {"data": pages.page_data(runtime, language), **pages.assets(runtime.site)}
    for part in FRAGMENTS.values():
        parts |= part(runtime)
    page = rendered("live.html", runtime, language, parts)
    if "lang" in request.query_params:
        page.set_cookie("language", language, max_age=A_YEAR_S, samesite="strict", httponly=True)
    return page


@router.get("/console/{name}", response_class=HTMLResponse, **only(Deed.SEE))
async def fragment(runtime: Running, language: Spoken, name: str) -> HTMLResponse:
    """Return one part of the live page anew."""
    if name not in FRAGMENTS:
        raise HTTPException(404, f"The page has no part named {name}.")
    return rendered(f"{name}.html", runtime, language, FRAGMENTS[name](runtime))


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
    return rendered("alarms.html", runtime, language, pages.alarms(runtime))


@router.post("/console/commands/{command_id}/confirm", response_class=HTMLResponse, **only(Deed.OPERATE))
def confirm_command(
    runtime: Running, language: Spoken, who: Known, command_id: str, hx_request: Annotated[str, Header()] = ""
) -> HTMLResponse:
    """Carry out a command that waits for the operator, and return the list anew; only the page itself may ask for it."""
    if hx_request != "true":
        raise HTTPException(403, "Commands are confirmed on the live page, or through /api/v1/commands.")
    confirmed(runtime, command_id, who.name)
    return rendered("commands.html", runtime, language, pages.commands(runtime))


@router.get("/api/v1/docs", response_class=HTMLResponse, **SEEN)
async def documentation(request: Request, runtime: Running, language: Spoken) -> HTMLResponse:
    """Return the description of the interface for people."""
    return rendered("interface.html", runtime, language, {"api": request.app.openapi()})


@router.get("/static/{path:path}")
async def static(
    path: str, accept_encoding: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """Return a static file, compressed when the browser can read that, nothing when it has it already."""
    file = FILES.get(path)
    if file is None:
        raise HTTPException(404, f"There is no static file {path}.")
    headers = {"ETag": file.etag, "Cache-Control": file.caching, "Vary": "Accept-Encoding"}
    if file.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    if "gzip" in accept_encoding:
        return Response(file.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.body, headers=headers, media_type=file.media_type)


def rendered(template: str, runtime: Runtime, language: Language, parts: dict[str, Any]) -> HTMLResponse:
    """Return a template filled with what all need and its own parts."""
    return HTMLResponse(TEMPLATES.get_template(template).render(pages.common(runtime, language) | parts))
