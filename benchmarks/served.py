"""A served park without devices, for those who ask it: prints its address and a key, ends when its input closes."""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.service_parts import in_store


def serve(folder: Path) -> None:
    """Serve until the input closes."""
    from hil.clocks import RealClock
    from models.site.file import load_site
    from service.app import create_app
    from service.auth.doors import HOME, ensure_tenant
    from service.auth.limits import Limit
    from service.auth.people import make_key
    from service.auth.roles import Principal, Role
    from service.backing import Backing
    from service.memory import Memory
    from service.places import PARK
    from service.runtime import PlantKind, Runtime
    from service.store.engine import Store, store_url
    from service.store.migrate import upgrade
    from service.web import Web, listening_socket
    from twin.state import start_snapshot

    url = store_url(folder / "store.sqlite")
    asyncio.run(upgrade(url))
    who = Principal(HOME, "bench", frozenset({Role.ADMIN}))

    async def key(store: Any) -> str:
        await ensure_tenant(store)
        return (await make_key(store, who, "bench", [Role.VIEWER, Role.OPERATOR], None))[1]

    secret = in_store(url, key)
    clock, memory = RealClock(), Memory(load_site(PARK))
    memory.take_snapshot(start_snapshot(memory.site, clock.now()))
    runtime = Runtime(memory, clock, PlantKind.EMULATED)
    backing = Backing(Store(url), folder / "results", requests=Limit(1e9, 1e9))
    web = Web(create_app(runtime, backing), runtime, listening_socket("127.0.0.1", 0))
    web.start()
    print(web.address, secret, flush=True)
    sys.stdin.read()
    web.stop()


if __name__ == "__main__":
    with TemporaryDirectory(prefix="jt-serve-") as place:
        serve(Path(place))
