"""Monitoring endpoints: sites, snapshot, key figures, flows, timelines, events, health."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from time import monotonic
from typing import Annotated

from fastapi import Header, HTTPException, Path, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from models.state import Snapshot
from service.api.access import guarded
from service.api.fields import Running
from service.api.monitoring.schemas import (
    AssetLineOut,
    FlowsOut,
    HealthOut,
    KeyFiguresOut,
    SiteOut,
    SitePage,
    SiteSummary,
    SnapshotOut,
    TimelineOut,
)
from service.api.people.endpoints import After, Limit
from service.api.problems import NotYet, described
from service.auth.roles import Deed
from service.memory import Event
from service.runtime import Runtime
from service.version import VERSION
from service.views.flows import flow_over
from service.views.tiles import key_figures
from service.views.timeline import asset_line, timeline

router = guarded(Deed.SEE, "/api/v1", "monitoring", 404)

Back = Annotated[float, Query(gt=0, le=48, description="hours of history")]
Ahead = Annotated[float, Query(ge=0, le=48, description="hours of plan")]

SNAPSHOT_EVERY_S = 1.0
"""A stream tells of new snapshots at most this often, in real seconds."""
PING_EVERY_S = 2.0
LOOK_EVERY_S = 0.2


@router.get("/health")
async def health(runtime: Running) -> HealthOut:
    """Tell whether the service does its work."""
    return HealthOut.of(runtime, VERSION)


@router.get("/sites")
async def sites(runtime: Running, limit: Limit = 50, after: After = "") -> SitePage:
    """List the sites that run here by name."""
    behind = [s for s in (runtime.site,) if s.name > after]
    return SitePage(items=[SiteSummary.of(s) for s in behind[:limit]], next=None)


@router.get("/sites/{name}", responses=described(404))
async def site(runtime: Running, name: Annotated[str, Path(description="the site's name")]) -> SiteOut:
    """Return one site with its assets and customers."""
    if name != runtime.site.name:
        raise HTTPException(404, f"There is no site named {name}; /api/v1/sites lists them.")
    return SiteOut.of(runtime.site)


@router.get("/snapshot", response_model=SnapshotOut, responses=described(503))
async def snapshot(runtime: Running) -> Response:
    """Return the newest snapshot: what every asset does and holds, with quality and age of every value."""
    return Response(told(newest(runtime)), media_type="application/json")


class Told:
    """The newest snapshot as bytes, made once however many ask for it."""

    def __init__(self) -> None:
        self._last: tuple[Snapshot, bytes] | None = None

    def __call__(self, snapshot: Snapshot) -> bytes:
        """Return a snapshot as JSON."""
        last = self._last
        if last is None or last[0] is not snapshot:
            last = self._last = snapshot, SnapshotOut.of(snapshot).model_dump_json().encode()
        return last[1]


told = Told()


@router.get("/key-figures", responses=described(503))
async def figures(runtime: Running) -> KeyFiguresOut:
    """Return the key figures of the present."""
    return KeyFiguresOut.of(key_figures(runtime.memory, newest(runtime)))


@router.get("/flows", responses=described(503))
async def flows(
    runtime: Running,
    period_h: Annotated[float, Query(ge=0, le=48, description="hours up to now; 0 for the present power")] = 0.0,
) -> FlowsOut:
    """Return the energy flow of the present (kW) or of the last hours (kWh); every node adds up, losses included."""
    now = newest(runtime)
    view, start = flow_over(runtime.memory, now, period_h)
    return FlowsOut.of(view, start, now.at)


@router.get("/timeline", responses=described(503))
async def lines(runtime: Running, back_h: Back = 12.0, ahead_h: Ahead = 24.0) -> TimelineOut:
    """Return history and plan of every carrier and store on one time axis."""
    shown = timeline(runtime.memory, newest(runtime).at, timedelta(hours=back_h), timedelta(hours=ahead_h))
    return TimelineOut.of(shown)


@router.get("/timeline/{asset}", responses=described(404, 503))
async def line(
    runtime: Running,
    asset: Annotated[str, Path(description="the asset's id")],
    back_h: Back = 12.0,
    ahead_h: Ahead = 24.0,
) -> AssetLineOut:
    """Return one asset's measured, planned and commanded power."""
    if asset not in runtime.memory.history.assets:
        raise HTTPException(404, f"The site has no asset named {asset}; /api/v1/sites/{runtime.site.name} lists them.")
    now = newest(runtime).at
    return AssetLineOut.of(asset_line(runtime.memory, asset, now, timedelta(hours=back_h), timedelta(hours=ahead_h)))


@router.get("/events", response_class=EventSourceResponse)
async def events(
    runtime: Running,
    last_event_id: Annotated[int | None, Header(ge=0, description="number of the last event seen")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Stream what happens as it happens.

    ``snapshot`` (at most once a second), ``plan``, ``commands``, ``guard``, ``fault``, ``recovery``, ``alarm``, and ``ping`` every two
    seconds.
    All but ``snapshot`` and ``ping`` carry an id; a client that was away sends it back and gets what it missed, as far as it is kept.
    """
    log = runtime.memory.events
    seen = log.last_id if last_event_id is None else last_event_id
    told: datetime | None = None
    sent_at = told_at = -PING_EVERY_S
    while not runtime.closing:
        for event in log.after(seen):
            seen, sent_at = event.id, monotonic()
            yield numbered(event)
        current = runtime.memory.snapshot
        if current is not None and current.at != told and monotonic() - told_at >= SNAPSHOT_EVERY_S:
            told, told_at = current.at, monotonic()
            sent_at = told_at
            yield ServerSentEvent(event="snapshot", data={"at": current.at.isoformat()})
        if monotonic() - sent_at >= PING_EVERY_S:
            sent_at = monotonic()
            yield ServerSentEvent(event="ping", data={"now": runtime.clock.now().isoformat()})
        await asyncio.sleep(LOOK_EVERY_S)


def numbered(event: Event) -> ServerSentEvent:
    """Return an event of the log as it goes over the wire."""
    return ServerSentEvent(event=event.kind, id=str(event.id), data={"at": event.at.isoformat(), **event.data})


def newest(runtime: Runtime) -> Snapshot:
    """Return the newest snapshot, or tell that there is none yet."""
    current = runtime.memory.snapshot
    if current is None:
        raise NotYet("snapshot")
    return current
