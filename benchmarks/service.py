"""The service under load: how soon a job begins, how long a snapshot takes, what row-level security costs, how far the record goes."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_most, value_at_least, value_at_most
from benchmarks.service_parts import PACKAGES, KeptLine, in_store, percentile_ms, postgres

SEARCHES = ("apart", "found yet")
"""What a job says while its solver searches."""
NOON = datetime(2015, 7, 15, 4, tzinfo=UTC)


@case("service", "job pickup", size=20, quick_size=3, packages=PACKAGES)
def pickup(bench: Bench) -> Row:
    """From the answer to the request until the job runs, with a worker that looks as the shipped one does."""
    from models.site.file import load_site
    from service.auth.doors import HOME, ensure_tenant
    from service.auth.roles import Principal, Role
    from service.jobs import queue
    from service.jobs.requests import DispatchJob
    from service.jobs.worker import LOOK_S
    from service.places import PARK
    from service.store.engine import store_url
    from service.store.migrate import upgrade

    site, who = load_site(PARK), Principal(HOME, "bench", frozenset({Role.PLANNER}))

    async def wait_for(store: Any) -> None:
        while not await queue.waiting(store, urgent_only=False) or await queue.claim(store, "bench") is None:
            await asyncio.sleep(LOOK_S)

    async def work(store: Any) -> list[float]:
        await ensure_tenant(store)
        took = []
        for _ in range(bench.size):
            claiming = asyncio.create_task(wait_for(store))
            await asyncio.sleep(0.037)
            async with store.changing(HOME) as session:
                request = DispatchJob.model_validate({"kind": "dispatch", "day": "2015-07-15"})
                await queue.enqueue(session, store, folder, who, request, site)
            began = time.perf_counter()
            await claiming
            took.append(time.perf_counter() - began)
        return took

    with TemporaryDirectory(prefix="jt-jobs-") as place:
        folder, url = Path(place), store_url(Path(place) / "store.sqlite")
        asyncio.run(upgrade(url))
        took = in_store(url, work)
    return bench.figure(max(took), "s", target=value_at_most(0.5), phase="job pickup, longest")


@case("service", "job cancelled inside its search", size=5, quick_size=1, packages=PACKAGES)
def cancelled(bench: Bench) -> Row:
    """From the wish to cancel until the process that searches is gone, with a worker as it is shipped."""
    from models.site.file import load_site
    from service.auth.doors import HOME, ensure_tenant
    from service.auth.roles import Principal, Role
    from service.jobs import queue
    from service.jobs.requests import DispatchJob
    from service.jobs.worker import Worker
    from service.places import PARK
    from service.store.engine import store_url
    from service.store.migrate import upgrade

    site, who = load_site(PARK), Principal(HOME, "bench", frozenset({Role.PLANNER}))

    async def once(store: Any, worker: Worker) -> float:
        async with store.changing(HOME) as session:
            request = DispatchJob.model_validate({"kind": "dispatch", "day": "2015-07-15"})
            job = await queue.enqueue(session, store, folder, who, request, site)
        said = ""
        while not any(words in said for words in SEARCHES):
            await asyncio.sleep(0.02)
            said = "" if (found := await queue.one(store, HOME, job.id)) is None else found.words
        process, began = worker.running[job.id], time.perf_counter()
        await queue.cancel(store, who, job.id)
        while process.alive:
            await asyncio.sleep(0.005)
        return time.perf_counter() - began

    async def work(store: Any) -> list[float]:
        await ensure_tenant(store)
        worker = Worker(store, folder)
        running = asyncio.create_task(worker.run())
        took = [await asyncio.wait_for(once(store, worker), 120) for _ in range(bench.size)]
        worker.stop()
        await running
        return took

    with TemporaryDirectory(prefix="jt-jobs-") as place:
        folder, url = Path(place), store_url(Path(place) / "store.sqlite")
        asyncio.run(upgrade(url))
        took = in_store(url, work)
    return bench.figure(max(took), "s", target=value_at_most(1.0), phase="job cancelled inside its search, longest")


@case("service", "snapshot over HTTP with a key", size=2000, quick_size=60, packages=PACKAGES)
def snapshot_get(bench: Bench) -> Iterator[Row]:
    """Snapshots at 200 requests a second over twenty real connections, each with a key; who asks is a process beside the server.

    A request that waits for a free connection has waited since it was due.
    """
    per_s, took = 200.0, []

    async def load(address: str, key: str) -> None:
        lines: asyncio.Queue[KeptLine] = asyncio.Queue()
        for _ in range(20):
            lines.put_nowait(line := await KeptLine.to(address, "/api/v1/snapshot", key))
            await line.get()

        async def ask(at_s: float) -> None:
            await asyncio.sleep(max(at_s - time.perf_counter(), 0.0))
            line = await lines.get()
            await line.get()
            took.append(time.perf_counter() - at_s)
            lines.put_nowait(line)

        start = time.perf_counter() + 0.2
        await asyncio.wait_for(asyncio.gather(*(ask(start + k / per_s) for k in range(bench.size))), 120)

    with served_park() as (address, key):
        asyncio.run(load(address, key))
    target = value_at_most(20.0)
    yield bench.figure(percentile_ms(took, 0.99), "ms", target=target, phase="snapshot at 200 requests/s, p99")
    yield bench.figure(1e3 * statistics.median(took), "ms", phase="snapshot at 200 requests/s, median")


@contextmanager
def served_park() -> Iterator[tuple[str, str]]:
    """Give the address of a park that a process of its own serves, and a key to it."""
    command = [sys.executable, "-m", "benchmarks.served"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address, key = process.stdout.readline().split()
        yield address, key
    finally:
        process.communicate(timeout=30)


@case("service", "row-level security", size=400, quick_size=40, packages=PACKAGES)
def security(bench: Bench) -> Row:
    """Compare a transaction that reads one row as the service does with that of the tables' owner, whom no policy binds."""
    from sqlalchemy import text

    from service.auth.doors import HOME, ensure_tenant
    from service.store.engine import open_engine
    from service.store.migrate import upgrade

    with postgres() as url:
        asyncio.run(upgrade(url))

        async def guarded(store: Any) -> float:
            await ensure_tenant(store)
            began = time.perf_counter()
            for _ in range(bench.size):
                async with store.reading(HOME) as session:
                    await session.execute(text("SELECT * FROM tenants WHERE id = 'home'"))
            return time.perf_counter() - began

        async def bare() -> float:
            engine = open_engine(url, as_owner=True)
            async with engine.connect() as warm:
                await warm.execute(text("SELECT 1"))
            began = time.perf_counter()
            for _ in range(bench.size):
                async with AsyncSession(engine) as session, session.begin():
                    await session.execute(text("SELECT * FROM tenants WHERE id = 'home'"))
            spent = time.perf_counter() - began
            await engine.dispose()
            return spent

        from sqlalchemy.ext.asyncio import AsyncSession

        in_store(url, guarded)
        rounds = [(in_store(url, guarded), asyncio.run(bare())) for _ in range(bench.repeats)]
    ours, plain = (1e6 * statistics.median(side) / bench.size for side in zip(*rounds, strict=True))
    return bench.figure(
        ours, "µs", reference=plain, target=ratio_at_most(1.5), phase="a transaction under row security"
    )


@case("service", "the record of who did what", size=2000, quick_size=100, packages=PACKAGES)
def chain(bench: Bench) -> Iterator[Row]:
    """How many entries a second can be appended, each in a transaction of its own, and verified."""
    from service.auth.doors import HOME, ensure_tenant
    from service.store.audit import record, verify
    from service.store.engine import store_url
    from service.store.migrate import upgrade

    async def work(store: Any) -> tuple[float, float]:
        await ensure_tenant(store)
        began = time.perf_counter()
        for k in range(bench.size):
            async with store.changing(HOME) as session:
                at = NOON + timedelta(seconds=k)
                await record(session, at, "bench", "schedule.applied", f"schedule/{k}", {"kw": k / 10})
        written = time.perf_counter()
        found = await verify(store, HOME)
        assert not found.findings
        assert found.length == bench.size
        return bench.size / (written - began), bench.size / (time.perf_counter() - written)

    with TemporaryDirectory(prefix="jt-audit-") as place:
        url = store_url(Path(place) / "store.sqlite")
        asyncio.run(upgrade(url))
        appended, verified = in_store(url, work)
    yield bench.figure(appended, "entries/s", target=value_at_least(100.0), phase="entries appended, SQLite")
    yield bench.figure(verified, "entries/s", phase="entries verified, SQLite")
