"""How long a connection may take to say what it wants: who sends the head of a request drop by drop is not waited for."""

import asyncio
import json
from functools import partial
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
"""A head is some hundred bytes; on the worst line it is there within a second."""


class Impatient(H11Protocol):
    """Closes a connection that has not brought the whole head of a request ``head_s`` after it was opened or last asked something.

    Where something has come a problem document says so. Bodies have a limit of their own, see :mod:`service.limits`.
    """

    def __init__(self, *given: Any, head_s: float = HEAD_S, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head_s = head_s
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in the class above
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait on while a head is not complete; from then on the request has its own limits."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._waiting is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self._head_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            self.transport.write(_too_slow(self._head_s))
        self.transport.close()


def _too_slow(seconds: float) -> bytes:
    words = f"The head of the request did not arrive within {seconds:g} s; nothing was changed."
    told = {"type": "about:blank", "title": "Request Timeout", "status": 408, "detail": words}
    body = json.dumps(told | {"instance": "", "findings": []}).encode()
    head = f"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


def impatient(head_s: float) -> Any:
    """Return what makes a server's connections; typed as uvicorn takes it."""
    return partial(Impatient, head_s=head_s)
