"""Telemetry in the store: points are written hot, sealed into blocks when their time is over, and read as if there were one kind.

Hot are batches: the points of one series that came together, as far as they belong into one block. A late or corrected point is
written hot like any other and counts before the block that it belongs to, until the next sealing opens that block, puts the point in and
closes it again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from secrets import randbelow
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from models.errors import DataError
from models.findings import error
from service.store.engine import Store
from service.store.telemetry import RAW, TagRow
from service.telemetry.blocks import unpack
from service.telemetry.hot import batches, together
from service.telemetry.points import Floats, Ints, Points, at_us, interval_us, joined, means

BLOCK = timedelta(hours=4)
"""What a block of points as they came spans."""
COARSE = timedelta(minutes=15)
"""What remains of points that are too old to be kept: their means over so long."""
COARSE_S = int(COARSE.total_seconds())
COARSE_BLOCK = timedelta(days=15)
TAGS_MOST = 20_000
"""So many series a tenant may have."""
NUMBERS = 2**47

BLOCK_US, COARSE_BLOCK_US = interval_us(BLOCK), interval_us(COARSE_BLOCK)
HOT_RANK = -1
"""In place of the resolution of a block: what counts before every block."""

PUT_SQLITE = "INSERT INTO telemetry_hot (tenant_id, tag, start, body) VALUES (?, ?, ?, ?)"
PUT_POSTGRESQL = (
    "INSERT INTO telemetry_hot (tenant_id, tag, start, body) SELECT $1::varchar, *"
    " FROM unnest($2::bigint[], $3::bigint[], $4::bytea[])"
)
LOOK = (
    f"SELECT tag, {HOT_RANK} AS rank, number AS place, body FROM telemetry_hot"  # noqa: S608 # numbers of ours
    " WHERE tenant_id = {tenant} AND tag {among} AND start > {a} - %d AND start < {b}"
    " UNION ALL SELECT tag, resolution_s, start, body FROM telemetry_blocks"
    " WHERE tenant_id = {tenant} AND tag {among} AND start < {b}"
    " AND (resolution_s = %d AND start > {a} - %d OR resolution_s = %d AND start > {a} - %d)"
    " ORDER BY tag, rank DESC, place"
) % (BLOCK_US, RAW, BLOCK_US, COARSE_S, COARSE_BLOCK_US)
"""Batches and blocks that may hold points of a range, in one statement, so that what is being sealed is seen once.

A point as it came counts before a mean, a hot one before both, and of hot ones the later one.
"""
LOOK_SQLITE = LOOK.format(tenant="?1", among="IN (SELECT value FROM json_each(?2))", a="?3", b="?4")
LOOK_POSTGRESQL = LOOK.format(tenant="$1::varchar", among="= ANY($2::bigint[])", a="$3::bigint", b="$4::bigint")


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Means of several series over equal intervals from ``start`` on; ``value`` and ``count`` have the shape (tag, interval)."""

    tags: tuple[str, ...]
    start: datetime
    every: timedelta
    value: Floats
    count: Ints


class Telemetry:
    """The telemetry of all tenants of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers: dict[tuple[str, str], int] = {}

    async def write(self, tenant_id: str, series: Mapping[str, Points]) -> int:
        """Keep points in one transaction, in place of what stood at the same instants; return how many.

        Raises
        ------
        DataError
            If the tenant would have too many series.
        """
        async with self._store.changing(tenant_id) as session:
            numbers = await self._made(session, tenant_id, series)
            await self._put(session, tenant_id, [(numbers[name], points) for name, points in series.items()])
        self._numbers |= {(tenant_id, name): number for name, number in numbers.items()}
        return sum(len(p) for p in series.values())

    async def _made(self, session: AsyncSession, tenant_id: str, names: Iterable[str]) -> dict[str, int]:
        """Return the numbers of series, new ones included."""
        found = await self._known(session, tenant_id, names)
        if new := sorted(set(names) - found.keys()):
            had = await session.scalar(select(func.count()).select_from(TagRow).where(TagRow.tenant_id == tenant_id))
            if (had or 0) + len(new) > TAGS_MOST:
                words = f"there would be {(had or 0) + len(new)} series; {TAGS_MOST} are possible. Are names made up?"
                raise DataError([error("series", words)])
            rows = [{"tenant_id": tenant_id, "number": randbelow(NUMBERS), "name": name} for name in new]
            insert = postgresql.insert if self._store.on_postgresql else sqlite.insert
            await session.execute(insert(TagRow).on_conflict_do_nothing(index_elements=["tenant_id", "name"]), rows)
            found |= await self._known(session, tenant_id, new)
        return found

    async def _known(self, session: AsyncSession, tenant_id: str, names: Iterable[str]) -> dict[str, int]:
        wanted = set(names)
        found = {n: self._numbers[tenant_id, n] for n in wanted if (tenant_id, n) in self._numbers}
        if missing := wanted - found.keys():
            mine = select(TagRow.name, TagRow.number).where(TagRow.tenant_id == tenant_id, TagRow.name.in_(missing))
            found |= {row.name: row.number for row in await session.execute(mine)}
        return found

    async def _put(self, session: AsyncSession, tenant_id: str, series: Iterable[tuple[int, Points]]) -> None:
        """Write points hot."""
        rows = [(number, *batch) for number, points in series for batch in batches(points, BLOCK_US)]
        connection = await session.connection()
        if not rows:
            return
        if self._store.on_postgresql:
            columns = (list(column) for column in zip(*rows, strict=True))
            await connection.exec_driver_sql(PUT_POSTGRESQL, (tenant_id, *columns))
        else:
            await connection.exec_driver_sql(PUT_SQLITE, [(tenant_id, *row) for row in rows])

    async def tags(self, tenant_id: str, after: str, limit: int) -> Sequence[str]:
        """Return names of series behind the name ``after``."""
        mine = select(TagRow.name).where(TagRow.tenant_id == tenant_id, TagRow.name > after)
        async with self._store.reading(tenant_id) as session:
            return (await session.scalars(mine.order_by(TagRow.name).limit(limit))).all()

    async def read(self, tenant_id: str, tag: str, start: datetime, end: datetime) -> Points | None:
        """Return the points of a series in ``start <= t < end``, None where there is no such series."""
        found = await self.read_many(tenant_id, (tag,), start, end)
        return found.get(tag)

    async def read_many(self, tenant_id: str, tags: Sequence[str], start: datetime, end: datetime) -> dict[str, Points]:
        """Return the points of those of the series that there are."""
        numbers = {t: self._numbers[tenant_id, t] for t in tags if (tenant_id, t) in self._numbers}
        if len(numbers) < len(set(tags)):
            async with self._store.reading(tenant_id) as session:
                numbers = await self._known(session, tenant_id, tags)
            self._numbers |= {(tenant_id, name): number for name, number in numbers.items()}
        a, b = at_us(start), at_us(end)
        rows = await self._rows(tenant_id, list(numbers.values()), a, b)
        parts = {tag: _parts(list(mine)) for tag, mine in groupby(rows, lambda row: row[0])}
        return {name: joined(parts.get(n, ())).between(a, b) for name, n in numbers.items()}

    async def _rows(self, tenant_id: str, numbers: list[int], a: int, b: int) -> Sequence[Any]:
        if self._store.on_postgresql:
            return await self._store.rows(tenant_id, LOOK_POSTGRESQL, (tenant_id, numbers, a, b))
        return await self._store.rows(tenant_id, LOOK_SQLITE, (tenant_id, json.dumps(numbers), a, b))

    async def means(
        self, tenant_id: str, tags: Sequence[str], start: datetime, end: datetime, every: timedelta
    ) -> Means:
        """Return means over equal intervals from ``start`` on, the last one ending at or before ``end``; series that are not there have none."""
        count = max((end - start) // every, 0)
        found = await self.read_many(tenant_id, tags, start, start + count * every)
        rows = [means(found.get(t, Points.none()), at_us(start), interval_us(every), count) for t in tags]
        value = np.array([v for v, _ in rows]).reshape(len(tags), count)
        seen = np.array([n for _, n in rows], np.int64).reshape(len(tags), count)
        return Means(tuple(tags), start, every, value, seen)


def _parts(rows: Sequence[Any]) -> Iterator[Points]:
    """Yield points of one series from its blocks and batches, what counts most last."""
    for _, rank, _, body in rows:
        if rank != HOT_RANK:
            yield unpack(body)
    yield together(body for _, rank, _, body in rows if rank == HOT_RANK)
