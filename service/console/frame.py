"""The frame of every page: who looks at it, in which language, what all templates are given, and errors in words."""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Cookie, Depends, Header, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from models.errors import JouletwinError
from service.api.access import May, backing_in, caller_in, identified
from service.auth.roles import Deed, Principal
from service.console import pages
from service.console.rooms import rooms_of
from service.console.words import Language, language_of
from service.runtime import Runtime

TEMPLATES = pages.environment()
A_YEAR_S = 365 * 86400


class PageMay(May):
    """Lets a browser through that is logged in; leads any other to the login."""

    async def __call__(self, request: Request) -> Principal:
        """Return who asks."""
        if await identified(request) is None:
            raise HTTPException(303, "Log in first.", {"Location": "/login"})
        return await super().__call__(request)


def seen_by(deed: Deed) -> dict[str, Any]:
    """Return what a page's route asks for: somebody logged in who may do ``deed``."""
    return {"dependencies": [Depends(PageMay(deed))], "response_class": HTMLResponse}


async def _language(
    lang: Annotated[str | None, Query()] = None,
    language: Annotated[str | None, Cookie()] = None,
    accept_language: Annotated[str, Header()] = "",
) -> Language:
    return language_of(lang, language, accept_language)


Spoken = Annotated[Language, Depends(_language)]


class PageRoute(APIRoute):
    """A route of pages: what goes wrong is told on a page, in words, to whoever asks for HTML."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with errors turned into pages."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except (HTTPException, JouletwinError) as fault:
                status = fault.status_code if isinstance(fault, HTTPException) else 422
                wants_page = "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers
                if status == HTTPStatus.SEE_OTHER or not wants_page:
                    raise
                return apology(request, status, fault.detail if isinstance(fault, HTTPException) else str(fault))

        return handled


def apology(request: Request, status: int, words: str) -> HTMLResponse:
    """Return a page that says what went wrong, with the rooms that are open to who asks."""
    language = language_of(
        request.query_params.get("lang"), request.cookies.get("language"), request.headers.get("accept-language", "")
    )
    told = {"fact": words, "status": status, "title": HTTPStatus(status).phrase}
    return page(request, request.app.state.runtime, language, "error.html", told, status=status)


def page(
    request: Request,
    runtime: Runtime,
    language: Language,
    template: str,
    parts: Mapping[str, Any],
    *,
    room: str = "",
    status: int = 200,
) -> HTMLResponse:
    """Return a whole page; a language that was asked for in its address is remembered."""
    who = caller_in(request)
    mine = who.tenant_id == backing_in(request).tenant_id
    told = {
        "who": who,
        "mine": mine,
        "rooms": rooms_of(who) if mine else [],
        "room": room,
        "data": pages.page_data(runtime, language) if mine else {},
        "may": lambda deed: who.may(Deed(deed)),
        "operate": who.may(Deed.OPERATE),
        "here": request.url.path,
    }
    made = rendered(template, runtime, language, {**told, **parts})
    made.status_code = status
    if "lang" in request.query_params:
        made.set_cookie("language", language, max_age=A_YEAR_S, samesite="strict", httponly=True)
    return made


def rendered(template: str, runtime: Runtime, language: Language, parts: Mapping[str, Any]) -> HTMLResponse:
    """Return a template filled with what all need and its own parts."""
    return HTMLResponse(TEMPLATES.get_template(template).render(pages.common(runtime, language) | dict(parts)))
