"""Closing blocks of telemetry, opening them again for what comes late, and leaving means of what is too old.

One at a time per tenant; whoever writes or reads points goes on meanwhile.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from service.store.engine import Store
from service.store.telemetry import BLOCKS, HOT, RAW, TagRow
from service.telemetry.blocks import pack, unpack
from service.telemetry.hot import together
from service.telemetry.points import Points, at_us, interval_us, joined, means
from service.telemetry.repository import BLOCK, COARSE, COARSE_BLOCK, COARSE_S

SEALED_TOGETHER = 20
"""So many series are sealed in one transaction; who writes meanwhile waits for no longer than that."""
OPENED_TOGETHER = timedelta(days=1)


class Sealing:
    """Closes, opens and thins the blocks of all tenants of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def seal(self, tenant_id: str, before: datetime) -> int:
        """Put hot points into blocks as far as their blocks end at or before an instant; return how many points that were."""
        bound = _floor(at_us(before), BLOCK)
        return sum([await self._sealed(tenant_id, numbers, bound) for numbers in await self._groups(tenant_id)])

    async def _groups(self, tenant_id: str) -> list[list[int]]:
        async with self._store.reading(tenant_id) as session:
            mine = select(TagRow.number).where(TagRow.tenant_id == tenant_id).order_by(TagRow.number)
            numbers = list(await session.scalars(mine))
        return [numbers[k : k + SEALED_TOGETHER] for k in range(0, len(numbers), SEALED_TOGETHER)]

    async def _sealed(self, tenant_id: str, numbers: Sequence[int], bound: int) -> int:
        count, more = 0, True
        while more:
            async with self._store.changing(tenant_id) as session:
                await self._alone(session, tenant_id)
                waiting = (HOT.c.tenant_id == tenant_id) & HOT.c.tag.in_(numbers)
                first = await session.scalar(select(func.min(HOT.c.start)).where(waiting, HOT.c.start < bound))
                if more := first is not None:
                    until = min(bound, first + interval_us(OPENED_TOGETHER))
                    taken = await self._taken(session, waiting & (HOT.c.start < until))
                    await self._merge(session, tenant_id, taken, RAW, BLOCK, new_counts=True)
                    count += sum(len(p) for p in taken.values())
        return count

    async def _taken(self, session: AsyncSession, which: ColumnElement[bool]) -> dict[int, Points]:
        """Take hot points away; what is written at the same time is either among them or stays."""
        taken = HOT.delete().where(which).returning(HOT.c.tag, HOT.c.number, HOT.c.body)
        rows = sorted((await session.execute(taken)).all())
        return {tag: together(row.body for row in mine) for tag, mine in groupby(rows, lambda row: row.tag)}

    async def _merge(
        self,
        session: AsyncSession,
        tenant_id: str,
        series: Mapping[int, Points],
        resolution_s: int,
        span: timedelta,
        *,
        new_counts: bool,
    ) -> None:
        """Put points into the blocks that they belong to; where a block has one already, the new one counts or the old one."""
        length = interval_us(span)
        new = {
            (tag, start): points.between(start, start + length)
            for tag, points in series.items()
            for start in np.unique(points.at_us // length * length).tolist()
        }
        which = (BLOCKS.c.resolution_s == resolution_s) & BLOCKS.c.tag.in_(list(series))
        opened = select(BLOCKS.c.tag, BLOCKS.c.start, BLOCKS.c.body).where(
            BLOCKS.c.tenant_id == tenant_id, which, BLOCKS.c.start.in_({start for _, start in new})
        )
        for tag, start, body in await session.execute(opened):
            if (tag, start) in new:
                parts = (unpack(body), new[tag, start])
                new[tag, start] = joined(parts if new_counts else reversed(parts))
        rows = [
            {"tenant_id": tenant_id, "resolution_s": resolution_s, "tag": tag, "start": start}
            | {"count": len(points), "body": pack(points)}
            for (tag, start), points in new.items()
        ]
        if rows:
            await session.execute(self._closed(), rows)

    def _closed(self) -> Any:
        """Return the statement that writes blocks in place of what they were."""
        put: Any = (postgresql.insert if self._store.on_postgresql else sqlite.insert)(BLOCKS)
        values = {"count": put.excluded.count, "body": put.excluded.body}
        return put.on_conflict_do_update(index_elements=["tag", "resolution_s", "start"], set_=values)

    async def _alone(self, session: AsyncSession, tenant_id: str) -> None:
        """Be the only one to open and close blocks of a tenant; on SQLite who writes is that anyway."""
        if self._store.on_postgresql:
            name = {"name": f"telemetry {tenant_id}"}
            await session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), name)

    async def thin(self, tenant_id: str, raw_before: datetime, coarse_before: datetime) -> int:
        """Leave means of sealed points older than one instant and nothing of what is older than another; return how many points went.

        An interval that was thinned before keeps its mean, whatever came late.
        """
        bound, gone = at_us(raw_before), 0
        for numbers in await self._groups(tenant_id):
            async with self._store.changing(tenant_id) as session:
                await self._alone(session, tenant_id)
                for tag in numbers:
                    gone += await self._thinned(session, tenant_id, tag, bound, at_us(coarse_before))
        return gone

    async def _thinned(self, session: AsyncSession, tenant_id: str, tag: int, bound: int, end: int) -> int:
        mine = (BLOCKS.c.tenant_id == tenant_id) & (BLOCKS.c.tag == tag)
        raw = mine & (BLOCKS.c.resolution_s == RAW) & (BLOCKS.c.start <= bound - interval_us(BLOCK))
        bodies = (await session.execute(BLOCKS.delete().where(raw).returning(BLOCKS.c.body))).scalars().all()
        points, every = joined(unpack(body) for body in bodies), interval_us(COARSE)
        if len(points):
            start = int(points.at_us[0]) // every * every
            count = (int(points.at_us[-1]) - start) // every + 1
            value, seen = means(points, start, every, count)
            coarse = Points.of(start + every * np.flatnonzero(seen), value[seen > 0])
            await self._merge(session, tenant_id, {tag: coarse}, COARSE_S, COARSE_BLOCK, new_counts=False)
        old = (BLOCKS.c.resolution_s == COARSE_S) & (BLOCKS.c.start <= end - interval_us(COARSE_BLOCK))
        await session.execute(BLOCKS.delete().where(mine & old))
        return len(points)


def _floor(at: int, span: timedelta) -> int:
    return at // interval_us(span) * interval_us(span)
