"""Endpoints of coming in and going out: set-up, login, logout, one's own password and code."""

from collections.abc import Iterator
from contextlib import contextmanager
from hmac import compare_digest
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from service.api.access import COOKIE, Backed, Known, from_here, guarded, hold_back
from service.api.people.schemas import Login, SetUp, TotpOut, WhoOut
from service.api.problems import described
from service.auth.doors import SESSION_LIFE, Entry, NotLetInError, log_in, log_out, set_up
from service.auth.doors import enter as enter_known
from service.auth.oidc import Provider
from service.auth.people import NameTakenError, welcome
from service.auth.roles import Deed
from service.auth.secrets import new_totp_secret, totp_step
from service.store.audit import record
from service.store.people import LoginSession, User

router = guarded(Deed.BE, "/api/v1/session", "session")
doors = APIRouter(prefix="/api/v1", tags=["session"], responses=described(400, 401, 403, 422, 429))
"""Open to everybody: how else would one come in."""
STATE, BACK = "jouletwin-oidc", "/api/v1/session/oidc"
LEADS_ON = (
    '<!doctype html><meta http-equiv="refresh" content="0; url=/"><title>Jouletwin</title><a href="/">Jouletwin</a>'
)


class TotpProof(BaseModel):
    """The secret that was given, and a code that the app shows for it."""

    model_config = ConfigDict(extra="forbid")

    secret: str = Field(
        min_length=32, max_length=32, pattern=r"^[A-Z2-7]+$", examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"]
    )
    code: str = Field(min_length=6, max_length=6, examples=["492039"])


def let_in(request: Request, response: Response, entry: Entry) -> WhoOut:
    """Give a browser its session; the cookie is for our own pages only, and out of reach of scripts."""
    response.set_cookie(
        COOKIE,
        entry.secret,
        max_age=int(SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return WhoOut.of(entry.principal)


def knocked(request: Request, backing: Backed) -> None:
    """Refuse who knocks too often, or from a stranger's page."""
    if not from_here(request):
        raise HTTPException(403, "A page of another site cannot log in here.")
    hold_back(backing.logins, request.client.host if request.client else "")


@contextmanager
def told_at_the_door() -> Iterator[None]:
    """Answer 401 with the reason to whoever is not let in."""
    try:
        yield
    except NotLetInError as fault:
        raise HTTPException(401, f"{str(fault).capitalize()}.") from None


@doors.post("/session", status_code=201)
async def enter(request: Request, response: Response, backing: Backed, login: Login) -> WhoOut:
    """Log in; the answer sets a cookie that lasts twelve hours. Programs use a key instead."""
    knocked(request, backing)
    with told_at_the_door():
        entry = await log_in(backing.store, backing.passwords, login.name, login.password, login.code)
    return let_in(request, response, entry)


@doors.post("/setup", status_code=201)
async def first(request: Request, response: Response, backing: Backed, wanted: SetUp) -> WhoOut:
    """Make the first person, with the secret that the service printed at its first start."""
    knocked(request, backing)
    with told_at_the_door():
        entry = await set_up(backing.store, backing.passwords, wanted.secret, wanted.name, wanted.password)
    return let_in(request, response, entry)


@doors.get("/session/oidc", status_code=303, response_class=RedirectResponse, responses=described(404))
async def to_provider(request: Request, backing: Backed) -> RedirectResponse:
    """Send a browser to the provider that knows the people here."""
    provider = _provider(request, backing)
    with told_at_the_door():
        place, state = await provider.begin(_back_to(request))
    answer = RedirectResponse(place, 303)
    answer.set_cookie(
        STATE, state, max_age=600, path=BACK, httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )
    return answer


@doors.get("/session/oidc/callback", response_class=HTMLResponse, responses=described(404, 409))
async def from_provider(
    request: Request,
    backing: Backed,
    state: Annotated[str, Query(max_length=200, examples=["what the way to the provider was given"])],
    code: Annotated[str, Query(max_length=4000)] = "",
) -> HTMLResponse:
    """Let in who comes back from the provider in the browser that was sent there."""
    provider = _provider(request, backing)
    if not code or not compare_digest(request.cookies.get(STATE, "").encode(), state.encode()):
        raise HTTPException(401, "This login was not begun in this browser; begin again.")
    with told_at_the_door():
        known = await provider.finish(state, code, _back_to(request))
        try:
            user = await welcome(backing.store, known.tenant, known.subject, known.name, known.roles)
        except NameTakenError as fault:
            raise HTTPException(409, f"{fault}.") from None
        entry = await enter_known(backing.store, user)
    backing.recent.forget()
    # a browser that comes from another site does not send a strict cookie; a page of our own that leads on makes it our own
    answer = HTMLResponse(LEADS_ON)
    answer.delete_cookie(STATE, path=BACK)
    let_in(request, answer, entry)
    return answer


def _provider(request: Request, backing: Backed) -> Provider:
    hold_back(backing.logins, request.client.host if request.client else "")
    if backing.provider is None:
        raise HTTPException(404, "No provider is set up here; log in with a password.")
    return backing.provider


def _back_to(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{BACK}/callback"


@router.get("")
async def me(who: Known) -> WhoOut:
    """Return who asks, and with which roles."""
    return WhoOut.of(who)


@router.delete("")
async def leave(response: Response, backing: Backed, who: Known) -> WhoOut:
    """Log out; a key stays what it is."""
    await log_out(backing.store, who)
    backing.recent.forget()
    response.delete_cookie(COOKIE)
    return WhoOut.of(who)


@router.post("/totp", responses=described(409))
async def offer_code(who: Known) -> TotpOut:
    """Return a secret for an authenticator app; nothing is kept before the app has proven that it has it."""
    _require_session(who.session_hash)
    secret = new_totp_secret()
    return TotpOut(secret=secret, uri=f"otpauth://totp/Jouletwin:{who.name}?secret={secret}&issuer=Jouletwin")


@router.put("/totp", responses=described(409))
async def take_code(backing: Backed, who: Known, proof: TotpProof) -> WhoOut:
    """Ask for a code at every login from now on, once the app has shown a right one."""
    _require_session(who.session_hash)
    now = backing.store.clock.now()
    step = totp_step(proof.secret, proof.code, now, 0)
    if step is None:
        raise HTTPException(409, "This is not the code of that secret now; check the clock of the device.")
    async with backing.store.changing(who.tenant_id) as session:
        mine = select(User).join(LoginSession, LoginSession.user_id == User.id)
        user = (await session.scalars(mine.where(LoginSession.secret_hash == who.session_hash))).one()
        user.totp_secret, user.totp_used, user.version = proof.secret, step, user.version + 1
        await record(session, now, who.name, "user.totp", f"user/{user.id}")
    return WhoOut.of(who)


def _require_session(session_hash: str) -> None:
    if not session_hash:
        raise HTTPException(409, "Codes belong to people who log in with a password; a key has none.")
