"""The pages of coming in: login, and the first person's set-up."""

from types import SimpleNamespace
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from models.errors import DataError
from service.api.access import COOKIE, Backed, from_here, hold_back, identified
from service.api.people.session import let_in
from service.auth.doors import Entry, NotLetInError, log_in, log_out, set_up
from service.console.frame import TEMPLATES, Spoken
from service.console.words import Language, words

router = APIRouter(include_in_schema=False)
FORM_MOST = 4000
NOWHERE = SimpleNamespace(title="", notice="")
"""Whose site runs here is for those who have come in."""


def page(
    language: Language, wrong: list[str], secret: str | None = None, status: int = 200, *, provider: bool = False
) -> HTMLResponse:
    """Return the form, with what was wrong with the last try; ``provider`` leads to whoever else may let people in."""
    told = {"w": words(language), "language": language, "site": NOWHERE, "secret": secret, "wrong": wrong}
    return HTMLResponse(TEMPLATES.get_template("login.html").render(told, provider=provider), status)


@router.get("/login", response_class=HTMLResponse)
async def show_login(language: Spoken, backing: Backed) -> HTMLResponse:
    """Return the login."""
    return page(language, [], provider=backing.provider is not None)


@router.get("/setup", response_class=HTMLResponse)
async def show_setup(language: Spoken, secret: Annotated[str, Query(max_length=100)] = "") -> HTMLResponse:
    """Return the first person's set-up; the link with the secret stands on the terminal of the service."""
    return page(language, [], secret)


@router.post("/login", response_class=HTMLResponse)
async def try_login(request: Request, backing: Backed, language: Spoken) -> Response:
    """Log in, or say that it did not work."""
    form = await _form(request, backing)
    try:
        entry = await log_in(backing.store, backing.passwords, form("name"), form("password"), form("code"))
    except NotLetInError:
        return page(language, [words(language)["not_let_in"]], status=401)
    return _welcome(request, entry)


@router.post("/setup", response_class=HTMLResponse)
async def try_setup(request: Request, backing: Backed, language: Spoken) -> Response:
    """Make the first person, or say what is wrong."""
    form = await _form(request, backing)
    secret = form("secret")
    try:
        entry = await set_up(backing.store, backing.passwords, secret, form("name"), form("password"))
    except NotLetInError as fault:
        return page(language, [str(fault)], status=401)
    except DataError as fault:
        return page(language, [f"{f.place} {f.message}" for f in fault.findings], secret, 422)
    return _welcome(request, entry)


@router.post("/logout", response_class=HTMLResponse)
async def do_logout(request: Request, backing: Backed) -> Response:
    """Log out."""
    who = await identified(request)
    if who is not None:
        await log_out(backing.store, who)
        backing.recent.forget()
    gone = RedirectResponse("/login", 303)
    gone.delete_cookie(COOKIE)
    return gone


class _Form:
    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def __call__(self, name: str) -> str:
        return self._fields.get(name, [""])[0].strip()


async def _form(request: Request, backing: Backed) -> _Form:
    """Return what a form of ours was filled in with; nothing of what a stranger's page or a machine gun sends."""
    hold_back(backing.logins, request.client.host if request.client else "")
    body = await request.body()
    if not from_here(request) or len(body) > FORM_MOST:
        return _Form({})
    return _Form(parse_qs(body.decode("utf-8", "replace")))


def _welcome(request: Request, entry: Entry) -> Response:
    inside = RedirectResponse("/", 303)
    let_in(request, inside, entry)
    return inside
