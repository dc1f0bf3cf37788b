"""Telemetry on both engines: points per second through the store and over HTTP, a tag's day, means of many tags, room per point.

A hundred tags, a point every ten seconds, written in batches of ten minutes as a site gives them, sealed on the way. Values are a random
walk in full double precision, the hardest that can be packed, and in a second row rounded to a tenth as meters round them.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most
from benchmarks.service import served_park
from benchmarks.service_parts import ENGINES, PACKAGES, in_store

DAY = datetime(2026, 3, 1, tzinfo=UTC)
TAGS, STEP_S, BATCH = 100, 10, timedelta(minutes=10)
TAG_DAY_MS = {"SQLite": 2.0, "PostgreSQL": 5.0}


def batches(hours: int, decimals: int | None) -> list[dict[str, Any]]:
    """Return the points of some hours as they come, a batch for every ten minutes."""
    import numpy as np

    from service.telemetry.points import Points, at_us

    chance, each = np.random.default_rng(1), int(BATCH.total_seconds()) // STEP_S
    count = hours * 6
    values = 500 + np.cumsum(chance.normal(0, 2, (TAGS, count * each)), axis=1)
    if decimals is not None:
        values = np.round(values, decimals)
    first = at_us(DAY)
    return [
        {
            f"tag{k}": Points.of(
                first + 1_000_000 * STEP_S * np.arange(b * each, (b + 1) * each), values[k, b * each : (b + 1) * each]
            )
            for k in range(TAGS)
        }
        for b in range(count)
    ]


@case("service", "telemetry through the store", size=24, quick_size=6, packages=PACKAGES)
def through_the_store(bench: Bench) -> Iterator[Row]:
    """Write a day, sealing every four hours; then read a tag's day and the means of all tags."""
    from service.store.migrate import upgrade

    for name, engine in ENGINES.items():
        for decimals in (None, 1):
            given = batches(bench.size, decimals)
            with engine() as url:
                asyncio.run(upgrade(url))
                found = in_store(url, lambda store, given=given: written(store, given, bench))  # type: ignore[misc] # bound at once
            kind = "doubles" if decimals is None else "tenths"
            if decimals is None:
                phase = f"points written and sealed, {name}"
                yield bench.figure(found["per_s"], "points/s", target=value_at_least(100_000), phase=phase)
                phase = f"the same per second of the service's processor time, {name}"
                yield bench.figure(found["per_cpu_s"], "points/s", phase=phase)
                target = value_at_most(TAG_DAY_MS[name])
                yield bench.figure(found["day_ms"], "ms", target=target, phase=f"one tag's day, {name}")
                phase = f"15-min means of 100 tags over a day, {name}"
                yield bench.figure(found["means_ms"], "ms", target=value_at_most(150), phase=phase)
            phase = f"sealed, {kind}, {name}"
            yield bench.figure(found["bytes"], "B/point", target=value_at_most(15), phase=phase)


async def written(store: Any, given: list[dict[str, Any]], bench: Bench) -> dict[str, float]:
    """Return what writing, sealing and reading cost."""
    from service.auth.doors import HOME, ensure_tenant
    from service.telemetry.repository import Telemetry
    from service.telemetry.sealing import Sealing

    await ensure_tenant(store)
    telemetry, sealing, empty_bytes = Telemetry(store), Sealing(store), await stored_bytes(store)
    began, began_cpu_s, count = time.perf_counter(), time.process_time(), 0
    for number, batch in enumerate(given, 1):
        count += await telemetry.write(HOME, batch)
        if number % 24 == 0:
            await sealing.seal(HOME, DAY + number * BATCH)
    spent, spent_cpu_s = time.perf_counter() - began, time.process_time() - began_cpu_s
    end = DAY + timedelta(days=1)
    days = [await timed(telemetry.read(HOME, f"tag{k}", DAY, end)) for k in range(TAGS)]
    tags = [f"tag{k}" for k in range(TAGS)]
    means = [await timed(telemetry.means(HOME, tags, DAY, end, timedelta(minutes=15))) for _ in range(bench.repeats)]
    return {
        "per_s": count / spent,
        "per_cpu_s": count / spent_cpu_s,
        "day_ms": 1e3 * statistics.median(days),
        "means_ms": 1e3 * statistics.median(means),
        "bytes": (await stored_bytes(store) - empty_bytes) / count,
    }


async def timed(work: Any) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def stored_bytes(store: Any) -> float:
    """Return the room that telemetry takes on the disk, once the room that hot points have left is given back."""
    from sqlalchemy import text

    if store.on_postgresql:
        from service.store.engine import open_engine

        engine = open_engine(store.url, as_owner=True)
        async with engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(text("VACUUM FULL telemetry_hot, telemetry_blocks"))
            sizes = "SELECT pg_total_relation_size('telemetry_hot') + pg_total_relation_size('telemetry_blocks')"
            found = (await alone.execute(text(sizes))).scalar_one()
        await engine.dispose()
        return float(found)
    async with store.engine.connect() as connection:
        used = (
            "SELECT (SELECT page_count FROM pragma_page_count()) - (SELECT freelist_count FROM pragma_freelist_count())"
        )
        pages = (await connection.execute(text(used))).scalar_one()
        size = (await connection.execute(text("PRAGMA page_size"))).scalar_one()
    return float(pages * size)


@case("service", "telemetry over HTTP", size=20, quick_size=4, packages=PACKAGES)
def over_http(bench: Bench) -> Row:
    """Batches of 6,000 points as JSON, one after another over one connection."""
    import httpx

    bodies = []
    for batch in batches(4, 1)[: bench.size]:
        series = [{"tag": t, "at": [a.isoformat() for a in p.times()], "value": p.values()} for t, p in batch.items()]
        bodies.append({"series": series})
    with (
        served_park() as (address, key),
        httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}) as http,
    ):
        count, began = 0, time.perf_counter()
        for body in bodies:
            answer = http.post("/api/v1/telemetry", json=body)
            answer.raise_for_status()
            count += answer.json()["points"]
        spent = time.perf_counter() - began
    return bench.figure(count / spent, "points/s", target=value_at_least(20_000), phase="points over HTTP, JSON")
