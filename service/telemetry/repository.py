"""Telemetry in the store: points are written hot, sealed into blocks when their time is over, and read as if there were one kind.

A late or corrected point is written hot like any other and counts before the block that it belongs to, until the next sealing opens
that block, puts the point in and closes it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from secrets import randbelow
from typing import Any

import numpy as np
from sqlalchemy import CompoundSelect, func, null, select, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from models.errors import DataError
from models.findings import error
from service.store.engine import Store
from service.store.telemetry import BLOCKS, HOT, RAW, TagRow
from service.telemetry.blocks import unpack
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

PUT_SQLITE = (
    "INSERT INTO telemetry_hot (tenant_id, tag, at, value, quality) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (tag, at) DO UPDATE SET value = excluded.value, quality = excluded.quality"
)
PUT_POSTGRESQL = (
    "INSERT INTO telemetry_hot (tenant_id, tag, at, value, quality) SELECT $1::varchar, *"
    " FROM unnest($2::bigint[], $3::bigint[], $4::double precision[], $5::smallint[])"
    " ON CONFLICT (tag, at) DO UPDATE SET value = excluded.value, quality = excluded.quality"
)
PUT_AT_ONCE = 20_000
ROW = np.dtype([("tag", np.int64), ("at", np.int64), ("value", np.float64), ("quality", np.uint8)])


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
            rows = sorted((numbers[name], points) for name, points in series.items() if len(points))
            await self._put(session, tenant_id, [n for n, _ in rows], [p for _, p in rows])
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

    async def _put(
        self, session: AsyncSession, tenant_id: str, numbers: Sequence[int], parts: Sequence[Points]
    ) -> None:
        """Write points hot, in the order of the table, so that two who write the same ones never wait for each other in a ring."""
        tags = np.repeat(np.asarray(numbers, np.int64), [len(p) for p in parts]).tolist()
        at, value, quality = ([x for p in parts for x in getattr(p, f).tolist()] for f in ("at_us", "value", "quality"))
        connection = await session.connection()
        for k in range(0, len(tags), PUT_AT_ONCE):
            cut = slice(k, k + PUT_AT_ONCE)
            columns = (tags[cut], at[cut], value[cut], quality[cut])
            if self._store.on_postgresql:
                await connection.exec_driver_sql(PUT_POSTGRESQL, (tenant_id, *columns))
            else:
                await connection.exec_driver_sql(PUT_SQLITE, [(tenant_id, *row) for row in zip(*columns, strict=True)])

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
        async with self._store.looking(tenant_id) as connection:
            rows = (await connection.execute(_there(tenant_id, list(numbers.values()), a, b))).all()
        hot = by_tag([row[:4] for row in rows if row.body is None])
        cold: dict[int, list[Points]] = {}
        for row in sorted((row for row in rows if row.body is not None), key=lambda row: -row.quality):
            cold.setdefault(row.tag, []).append(unpack(row.body))
        return {
            name: joined([*cold.get(n, ()), hot.get(n, Points.none())]).between(a, b) for name, n in numbers.items()
        }

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


def _there(tenant_id: str, numbers: Sequence[int], a: int, b: int) -> CompoundSelect[Any]:
    """Return what asks for hot points of a range and for blocks that may hold some; blocks have their resolution in place of a quality.

    Together, so that what is being sealed is seen once. A point as it came counts before a mean, and a hot one before both.
    """
    hot = select(HOT.c.tag, HOT.c.at, HOT.c.value, HOT.c.quality, null().label("body")).where(
        HOT.c.tenant_id == tenant_id, HOT.c.tag.in_(numbers), HOT.c.at >= a, HOT.c.at < b
    )
    raw = (BLOCKS.c.resolution_s == RAW) & (BLOCKS.c.start > a - interval_us(BLOCK))
    coarse = (BLOCKS.c.resolution_s == COARSE_S) & (BLOCKS.c.start > a - interval_us(COARSE_BLOCK))
    blocks = select(BLOCKS.c.tag, BLOCKS.c.start, null(), BLOCKS.c.resolution_s, BLOCKS.c.body).where(
        BLOCKS.c.tenant_id == tenant_id, BLOCKS.c.tag.in_(numbers), BLOCKS.c.start < b, raw | coarse
    )
    return union_all(hot, blocks)


def by_tag(rows: Sequence[Any]) -> dict[int, Points]:
    """Return points of rows (tag, at, value, quality) by series; the values that an engine keeps as nothing are NaN again."""
    if not rows:
        return {}
    table = np.array([tuple(row) for row in rows], ROW)
    table = table[np.lexsort((table["at"], table["tag"]))]
    edges = np.flatnonzero(np.diff(table["tag"], prepend=-1, append=-1)).tolist()
    columns = [np.ascontiguousarray(table[name]) for name in ("at", "value", "quality")]
    return {int(table["tag"][a]): Points(*(c[a:b] for c in columns)) for a, b in pairwise(edges)}
