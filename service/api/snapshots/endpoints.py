"""Endpoint of the snapshots of the past."""

import asyncio
from datetime import timedelta
from typing import Annotated

from fastapi import HTTPException, Query
from pydantic import AwareDatetime

from service.api.access import Backed, guarded
from service.api.fields import Running
from service.api.snapshots.schemas import PastSnapshotOut, PastSnapshotPage
from service.auth.roles import Deed

router = guarded(Deed.SEE, "/api/v1/snapshots", "monitoring", 404)
Start = Annotated[AwareDatetime, Query(description="first instant", examples=["2015-07-15T00:00:00+08:00"])]
End = Annotated[AwareDatetime, Query(description="behind the last instant", examples=["2015-07-16T00:00:00+08:00"])]


@router.get("")
async def past(
    _runtime: Running,
    backing: Backed,
    start: Start,
    end: End,
    every_s: Annotated[float, Query(ge=0, le=86400, description="s between two snapshots, at least")] = 0.0,
    limit: Annotated[int, Query(ge=1, le=500, description="how many at most")] = 100,
    after: Annotated[int, Query(ge=0, lt=2**63, description="where the page before ended")] = 0,
) -> PastSnapshotPage:
    """List what the site did and held over a past time, out of its log, oldest first."""
    if backing.past is None:
        raise HTTPException(404, "No log is kept here; `jouletwin serve` keeps one.")
    every = timedelta(seconds=every_s)
    page = await asyncio.to_thread(backing.past.snapshots, start, end, every, after, limit)
    return PastSnapshotPage(items=[PastSnapshotOut.of(s) for s in page.snapshots], next=page.next)
