"""The web server in a thread of its own, on a socket that is ours before anything else starts."""

import socket
import threading
import time

import uvicorn
from fastapi import FastAPI

from models.errors import SetupError
from service.patience import HEAD_S, impatient
from service.runtime import Runtime

HOST = "127.0.0.1"
PORT = 8700
START_S = 20.0
STOP_S = 5.0


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; port 0 lets the machine choose.

    Raises
    ------
    SetupError
        If the port is in use or may not be taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named as TCP: only then does asyncio send at once; otherwise every answer waits 40 ms for an acknowledgement
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(128)
    except OSError as fault:
        found.close()
        words = f"{host}:{port} cannot be used ({fault.strerror}). Choose another with --port, or end the program that holds it."
        raise SetupError(words) from None
    return found


class Web:
    """Serves an application until it is stopped; ``head_s`` is how long the head of a request may take."""

    def __init__(self, app: FastAPI, runtime: Runtime, found: socket.socket, *, head_s: float = HEAD_S) -> None:
        config = uvicorn.Config(
            app,
            http=impatient(head_s),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            lifespan="on",
        )
        self._runtime, self._socket = runtime, found
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([found],), name="web server", daemon=True)

    @property
    def address(self) -> str:
        """Where browsers find it."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def start(self) -> None:
        """Begin to serve; returns when requests are answered."""
        self._thread.start()
        until = time.monotonic() + START_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.02)
        if not self._server.started:
            raise SetupError(f"the web server did not start on {self.address}")

    def stop(self) -> None:
        """End open streams and stop serving."""
        self._runtime.closing = True
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(STOP_S)
        self._socket.close()
