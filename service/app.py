"""The web application around one running site: interface, console, documentation, one set of headers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hil.tasks import end
from service.api import problems
from service.api.access import COOKIE
from service.api.problems import Problem
from service.api.routers import GUARDED, OPEN
from service.api.telemetry.schemas import PointsIn
from service.backing import Backing
from service.console.routers import PAGES
from service.limits import Bounded
from service.observed import Observed, Requests
from service.runtime import Runtime
from service.schedules.keeping import Keeping
from service.telemetry.keeping import TelemetryKeeping
from service.version import VERSION

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Nothing but our own files, no inline script, no inline style."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def create_app(runtime: Runtime, backing: Backing) -> FastAPI:
    """Return the application that serves one running site; with it ends the store."""
    app = FastAPI(
        title="Jouletwin",
        version=VERSION,
        summary="Digital twin of a multi-energy site: what it does, what it should do, what became of it.",
        description="Powers are in kW and positive when they feed the network. Times are UTC. Errors are problem documents (RFC 9457).",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lasting,
    )
    app.state.runtime, app.state.backing = runtime, backing
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(Bounded)
    app.add_middleware(SafeHeaders)
    app.state.requests = Requests()
    app.add_middleware(Observed, requests=app.state.requests)
    problems.install(app)
    for router in (*OPEN, *GUARDED, *PAGES):
        app.include_router(router)
    app.openapi = lambda: described_api(app)  # type: ignore[method-assign] # FastAPI's documented way to extend the schema
    return app


@asynccontextmanager
async def lasting(app: FastAPI) -> AsyncIterator[None]:
    """Keep what the site does and measures while the service runs; close the store when it ends."""
    runtime, backing = app.state.runtime, app.state.backing
    telemetry = TelemetryKeeping(runtime.memory, runtime.clock, backing)
    keeping = [asyncio.create_task(k.run(), name="keeping") for k in (Keeping(runtime, backing), telemetry)]
    yield
    await end(keeping)
    await backing.store.close()


def described_api(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, the problem document's schema included."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes
        )
        schemas = document["components"]["schemas"]
        schemas |= problems.schemas(Problem, PointsIn)
        say_who_may_ask(document)
        app.openapi_schema = document
    return app.openapi_schema


def say_who_may_ask(document: dict[str, Any]) -> None:
    """Tell that every route asks for a key or a login, but those through which one comes in and those of supervisors."""
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "a program's key"},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "a person's login"},
    }
    document["security"] = [{"key": []}, {"session": []}]
    open_to_all = [route for router in OPEN for route in router.routes if isinstance(route, APIRoute)]
    for route in open_to_all:
        for method in route.methods or ():
            document["paths"][route.path][method.lower()]["security"] = []


class SafeHeaders:
    """Puts the same protective headers on every answer; streams pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)
