"""The application in tests: as it is on a machine of one's own, and somebody who asks it."""

import asyncio
import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.engine import URL

from service.app import create_app
from service.auth.doors import ensure_tenant
from service.backing import Backing
from service.runtime import Runtime
from service.store.engine import Store, store_url
from service.store.migrate import upgrade


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
