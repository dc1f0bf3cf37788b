"""What the service tells of itself: counts and durations of requests for Prometheus, and one line of JSON per request for a log."""

import json
import logging
from collections import Counter
from datetime import UTC, datetime
from secrets import token_hex
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOUNDS_S = (0.005, 0.02, 0.1, 0.5, 2.0)
REQUEST_ID = "X-Request-ID"
ID_MOST = 64
log = logging.getLogger("jouletwin.request")


class Requests:
    """How many requests were answered how, and how long they took."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.within: Counter[float] = Counter()
        self.seconds = 0.0

    def add(self, status: int, seconds: float) -> None:
        """Count one answer."""
        self.statuses[status] += 1
        self.seconds += seconds
        self.within.update(bound for bound in BOUNDS_S if seconds <= bound)


class Observed:
    """Gives every request an id, counts it, and logs it; nothing of its content, and no secret, is written anywhere."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self.app, self._requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = perf_counter(), 500
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if given.isascii() and given.isalnum() and len(given) <= ID_MOST else token_hex(8)

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            seconds = perf_counter() - began
            self._requests.add(status, seconds)
            told = {"request": request_id, "method": scope["method"], "path": scope["path"], "status": status}
            log.info("request", extra={"told": told | {"ms": round(1e3 * seconds, 2)}})


class Lines(logging.Formatter):
    """Every entry of the log as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return an entry as a line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told | getattr(record, "told", {}), ensure_ascii=False)


def log_lines() -> None:
    """Write the log to the error stream from now on, one line of JSON per entry."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers, root.level = [handler], logging.INFO
