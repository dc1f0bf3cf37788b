"""How large a request may be: too long, too deep and too slow ones are refused before anybody reads them."""

import asyncio
import json

import numpy as np
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_MOST = 4 * 2**20
DEEPEST = 40
BODY_S = 20.0
"""A body that takes longer to arrive is not waited for."""
PACKED = (
    "application/vnd.apache.parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
SIGNS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
NO_BRACKETS = bytes(b for b in range(256) if b not in b"[{]}")


class Bounded:
    """Reads a request's body as far as it may go, and answers with a problem document where it goes further."""

    def __init__(self, app: ASGIApp, most: int = BODY_MOST, seconds: float = BODY_S) -> None:
        self.app, self._most, self._seconds = app, most, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and (b"%00" in scope.get("query_string", b"") or "\x00" in scope["path"]):
            # PostgreSQL has no texts with it, and nobody types it
            await _refused(scope, 422, "The address holds a NUL character; nothing here is called so.")(
                scope, receive, send
            )
            return
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "DELETE", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._body(receive), self._seconds)
        except TimeoutError:
            await _refused(scope, 408, f"The body did not arrive within {self._seconds:g} s.")(scope, receive, send)
            return
        except ConnectionError:  # half a body is nobody's wish, and nobody is there to be told
            return
        if body is None:
            words = f"The body is longer than {self._most // 2**20} MiB; send it in parts."
            await _refused(scope, 413, words)(scope, receive, send)
            return
        if not _packed(scope) and depth(body) > DEEPEST:
            words = f"The body is nested deeper than {DEEPEST} levels."
            await _refused(scope, 422, words)(scope, receive, send)
            return
        await self.app(scope, _again(body, receive), send)

    async def _body(self, receive: Receive) -> bytes | None:
        """Return the whole body, None where it is too long."""
        parts, length, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            part = message.get("body", b"")
            length += len(part)
            if length > self._most:
                return None
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)


def _packed(scope: Scope) -> bool:
    """Return whether a body is a file of bytes that mean nothing one by one."""
    return Headers(scope=scope).get("content-type", "") in PACKED


def depth(body: bytes) -> int:
    """Return how deeply brackets are nested in a text, at most; those in strings may count, which errs on the careful side."""
    marks = np.frombuffer(body.translate(SIGNS, NO_BRACKETS), np.int8)
    return int(np.cumsum(marks, dtype=np.int64).max(initial=0))


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, then whatever comes behind it."""
    given = False

    async def give() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


def _refused(scope: Scope, status: int, detail: str) -> Response:
    titles = {408: "Request Timeout", 413: "Content Too Large", 422: "Unprocessable Content"}
    told = {"type": "about:blank", "title": titles[status], "status": status, "detail": detail}
    text = json.dumps(told | {"instance": scope["path"], "findings": []})
    return Response(text, status, {"Connection": "close"}, "application/problem+json")
