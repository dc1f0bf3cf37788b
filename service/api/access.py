"""Who asks, and whether they may: what every route carries."""

from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from math import ceil
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, HTTPException, Request

from service.api.problems import described
from service.auth.doors import by_key, by_session
from service.auth.limits import Limit
from service.auth.roles import Deed, Principal, Role
from service.auth.secrets import hash_of
from service.backing import Backing
from service.store.engine import Store

COOKIE = "jouletwin"
SAFE = ("GET", "HEAD", "OPTIONS")
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
LOCAL_NAME = "local"
"""Who acts where the service is open to its own machine."""


def backing_in(request: Request) -> Backing:
    """Return what the interface stands on."""
    backing = request.app.state.backing
    assert isinstance(backing, Backing)  # noqa: S101 # create_app is the only one to set it
    return backing


class May:
    """A dependency that lets a request through whose sender may do ``deed``."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed

    async def __call__(self, request: Request) -> Principal:
        """Return who asks; 401 for nobody known, 429 for too often, 403 for somebody else's work."""
        who = await identified(request)
        if who is None:
            words = "Nobody known asks: send a key (Authorization: Bearer KEY), or log in at /login."
            raise HTTPException(401, words, {"WWW-Authenticate": 'Bearer realm="jouletwin"'})
        if not who.may(self.deed):
            roles = ", ".join(sorted(who.roles)) or "no role"
            raise HTTPException(403, f"{who.name} may not {self.deed.value} here ({roles}); ask an admin.")
        return who


async def identified(request: Request) -> Principal | None:
    """Return who asks, None for nobody known; looked up once per request."""
    if not hasattr(request.state, "principal"):
        backing = backing_in(request)
        who = await _found(request, backing)
        if who is not None:
            hold_back(backing.requests, f"{who.tenant_id}/{who.name}")
        request.state.principal = who
    found: Principal | None = request.state.principal
    return found


async def _found(request: Request, backing: Backing) -> Principal | None:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return await _holder(backing, secret.strip(), by_key) if scheme.lower() == "bearer" else None
    if not from_here(request):
        return None
    if cookie := request.cookies.get(COOKIE):
        return await _holder(backing, cookie, by_session)
    if backing.local and from_this_machine(request):
        return Principal(backing.tenant_id, LOCAL_NAME, frozenset(Role))
    return None


async def _holder(
    backing: Backing, secret: str, find: Callable[[Store, str], Awaitable[Principal | None]]
) -> Principal | None:
    """Return whose secret it is, from a moment ago or from the store."""
    digest = hash_of(secret)
    who = backing.recent.get(digest, backing.store.clock.now())
    if who is None:
        who = await find(backing.store, secret)
        if who is not None:
            backing.recent.put(digest, who)
    return who


def from_here(request: Request) -> bool:
    """Return whether a request that changes something comes from our own pages, or from no page at all.

    A browser sends cookies, and reaches this machine, for pages of strangers too.
    """
    if request.method in SAFE:
        return True
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "none")
    return site in ("none", "same-origin") and (
        origin is None or urlsplit(origin).netloc == request.headers.get("host")
    )


def from_this_machine(request: Request) -> bool:
    """Return whether a request comes from this machine, by its own name and not passed on by something in between."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    return _loopback(request.client.host) and (name == "localhost" or _loopback(name))


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def hold_back(limit: Limit, who: str) -> None:
    """Take one request from somebody's allowance; 429 when it is used up."""
    if wait_s := limit.wait_s(who):
        raise HTTPException(429, f"Too many requests; ask again in {wait_s:.1f} s.", {"Retry-After": str(ceil(wait_s))})


def caller_in(request: Request) -> Principal:
    """Return who asks; the route's own dependency has made sure of them."""
    found = request.state.principal
    assert isinstance(found, Principal)  # noqa: S101 # see May
    return found


async def caller(request: Request) -> Principal:
    """Return who asks; as every dependency a coroutine, since FastAPI runs a plain function in a thread of its own."""
    return caller_in(request)


async def backing_of(request: Request) -> Backing:
    """Return what the interface stands on."""
    return backing_in(request)


def guarded(deed: Deed, prefix: str, tag: str, *statuses: int) -> APIRouter:
    """Return a router whose every route lets those through who may do ``deed``."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        dependencies=[Depends(May(deed))],
        responses=described(400, 401, 403, 422, 429, *statuses),
    )


def only(deed: Deed) -> Mapping[str, Any]:
    """Return what a route asks for beyond its router."""
    return {"dependencies": [Depends(May(deed))]}


Known = Annotated[Principal, Depends(caller)]
"""Who asks."""
Backed = Annotated[Backing, Depends(backing_of)]
"""The store and the doors."""
