"""A served park without devices, for those who ask it: prints its address and a key, ends when its input closes."""

import asyncio
import sys
from dataclasses import replace
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

    url = store_url(folder / "store.sqlite")
    asyncio.run(upgrade(url))
    who = Principal(HOME, "bench", frozenset({Role.ADMIN}))

    async def key(store: Any) -> str:
        await ensure_tenant(store)
        return (await make_key(store, who, "bench", [Role.VIEWER, Role.OPERATOR], None))[1]

    secret = in_store(url, key)
    clock, memory = RealClock(), Memory(load_site(PARK))
    memory.take_snapshot(busy(memory.site, clock.now()))
    runtime = Runtime(memory, clock, PlantKind.EMULATED)
    backing = Backing(Store(url), folder / "results", requests=Limit(1e9, 1e9))
    web = Web(create_app(runtime, backing), runtime, listening_socket("127.0.0.1", 0))
    web.start()
    print(web.address, secret, flush=True)
    sys.stdin.read()
    web.stop()


def busy(site: Any, at: Any) -> Any:
    """Return a snapshot of a site at work: a value of its own for every power, and every device heard a moment ago."""
    import numpy as np

    from models.ports import Quality
    from models.state import TagState
    from twin.state import start_snapshot

    quiet, chance = start_snapshot(site, at), np.random.default_rng(1)
    power_kw = quiet.power_kw + 0.001 * chance.integers(1, 2_000_000, quiet.power_kw.shape)
    heard = {(d.asset, f"{c}_kw"): TagState(Quality.GOOD, 0.4) for d in site.devices for c in ("electricity", "heat")}
    return replace(quiet, power_kw=power_kw, tags=heard)


if __name__ == "__main__":
    with TemporaryDirectory(prefix="jt-serve-") as place:
        serve(Path(place))
