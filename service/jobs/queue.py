"""The queue of jobs, a table of the store: asked for once, claimed by one worker at a time, ended once.

A worker that claims a job raises its fence and holds a lease, which it renews while it works. A worker that was killed or cut off stops
renewing; the job goes back into the queue, and whatever the old worker still says carries an old fence and is not heard.
"""

import pickle
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.errors import SetupError
from models.findings import Finding
from models.site import Site
from service.auth.roles import Principal
from service.jobs.customer_requests import CustomerInputs, CustomerJob
from service.jobs.job import Job, JobState
from service.jobs.requests import Request
from service.store.audit import record
from service.store.columns import Instant
from service.store.engine import Store
from service.store.work import JobRow

QUEUE_MOST = 20
"""So many jobs of one tenant may wait."""
KEPT = 200
"""So many ended jobs of one tenant are kept."""
ATTEMPTS = 3
"""A job whose worker was lost so often is not tried again: it may be what kills them."""
LEASE = timedelta(seconds=6)
URGENT, STUDY = 0, 10
ORDER = "order.pickle"
OPEN = (JobState.QUEUED.value, JobState.RUNNING.value)


class QueueFullError(SetupError):
    """Too many jobs wait already."""


async def enqueue(
    session: AsyncSession,
    store: Store,
    results: Path,
    who: Principal,
    request: Request | CustomerJob,
    site: Site | CustomerInputs,
) -> Job:
    """Queue a study of a site in a transaction of its tenant; what it needs is written before the row that tells of it.

    Raises
    ------
    QueueFullError
        If too many wait already.
    """
    waiting = await session.scalar(
        _count().where(JobRow.state == JobState.QUEUED.value, JobRow.tenant_id == who.tenant_id)
    )
    if (waiting or 0) >= QUEUE_MOST:
        raise QueueFullError(f"{waiting} jobs wait already; ask again when one has ended, or cancel one")
    row = JobRow(
        id=token_hex(8),
        kind=request.kind,
        asked_by=who.name,
        request=request.model_dump(mode="json"),
        priority=URGENT if request.urgent else STUDY,
        state=JobState.QUEUED.value,
        share=0.0,
        words="waits for its turn",
        findings=[],
        limit_s=request.limit_s,
        created_at=store.clock.now(),
        worker="",
        fence=0,
        losses=0,
        version=1,
    )
    (results / row.id).mkdir(parents=True)
    (results / row.id / ORDER).write_bytes(pickle.dumps((request, site)))
    session.add(row)
    await record(session, row.created_at, who.name, "job.asked", f"job/{row.id}", {"kind": row.kind})
    await session.flush()
    return Job.of(row)


def _count() -> Any:
    return select(func.count()).select_from(JobRow)


async def one(store: Store, tenant_id: str, job_id: str) -> Job | None:
    """Return a job, None where the tenant has none of that id."""
    async with store.reading(tenant_id) as session:
        row = await session.get(JobRow, job_id)
        return None if row is None or row.tenant_id != tenant_id else Job.of(row)


async def newest_first(store: Store, tenant_id: str, before: Job | None, limit: int) -> Sequence[Job]:
    """Return jobs of a tenant, newest first, behind one of them."""
    wanted = select(JobRow).where(JobRow.tenant_id == tenant_id).order_by(JobRow.created_at.desc(), JobRow.id.desc())
    if before is not None:
        wanted = wanted.where(
            (JobRow.created_at < before.created_at)
            | ((JobRow.created_at == before.created_at) & (JobRow.id < before.id))
        )
    async with store.reading(tenant_id) as session:
        return [Job.of(row) for row in await session.scalars(wanted.limit(limit))]


async def waiting(store: Store, *, urgent_only: bool) -> bool:
    """Return whether there is something to claim or to take over; a look that disturbs nobody who writes."""
    now = store.clock.now()
    queued = (JobRow.state == JobState.QUEUED.value) & (JobRow.priority <= (URGENT if urgent_only else STUDY))
    lost = (JobRow.state == JobState.RUNNING.value) & (JobRow.lease_until < now)
    async with store.everywhere(reading=True) as session:
        return await session.scalar(select(JobRow.id).where(queued | lost).limit(1)) is not None


async def claim(store: Store, worker: str, *, urgent_only: bool = False) -> Job | None:
    """Take the next job, urgent ones first; None where nothing waits."""
    now = store.clock.now()
    async with store.everywhere() as session:
        await _take_back(session, store)
        after = URGENT if urgent_only else STUDY
        first = (
            select(JobRow.id)
            .where(JobRow.state == JobState.QUEUED.value, JobRow.priority <= after)
            .order_by(JobRow.priority, JobRow.created_at, JobRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        taken = (
            update(JobRow)
            .where(JobRow.id == first.scalar_subquery(), JobRow.state == JobState.QUEUED.value)
            .values(
                state=JobState.RUNNING.value,
                worker=worker,
                words="starts",
                share=None,
                started_at=func.coalesce(JobRow.started_at, literal(now, Instant())),
                lease_until=now + LEASE,
                fence=JobRow.fence + 1,
                version=JobRow.version + 1,
            )
            .returning(JobRow)
        )
        row = (await session.scalars(taken, execution_options={"synchronize_session": False})).first()
        return None if row is None else Job.of(row)


async def _take_back(session: AsyncSession, store: Store) -> None:
    """Put jobs back whose worker was lost, and give up those that have lost too many."""
    now = store.clock.now()
    lost = select(JobRow).where(JobRow.state == JobState.RUNNING.value, JobRow.lease_until < now)
    for row in await session.scalars(lost.with_for_update(skip_locked=True)):
        row.version, row.losses = row.version + 1, row.losses + 1
        if row.losses < ATTEMPTS:
            row.state, row.worker, row.lease_until = JobState.QUEUED.value, "", None
            row.words = "its worker was lost; waits for its turn again"
        else:
            row.state, row.ended_at = JobState.DIED.value, now
            row.words = f"its worker was lost {ATTEMPTS} times; nothing of it is kept"
    await session.flush()


async def told(store: Store, job: Job, share: float | None, words: str) -> bool:
    """Write down how far a job is and renew its lease; False when it is no longer this worker's."""
    now = store.clock.now()
    changes = {"share": share, "words": words, "lease_until": now + LEASE, "version": JobRow.version + 1}
    return await _changed(store, job, changes)


async def ended(store: Store, job: Job, state: JobState, words: str, findings: Sequence[Finding] = ()) -> bool:
    """End a job; False when it is no longer this worker's, and what it did does not count."""
    found = [[f.severity.value, f.place, f.message] for f in findings]
    changes: dict[str, Any] = {"state": state.value, "words": words, "findings": found, "ended_at": store.clock.now()}
    if state is JobState.DONE:
        changes["share"] = 1.0
    return await _changed(store, job, changes | {"version": JobRow.version + 1})


async def released(store: Store, job: Job) -> bool:
    """Put a job back because its worker ends; it does not count as an attempt that was lost."""
    changes = {"state": JobState.QUEUED.value, "words": "waits for its turn again", "worker": "", "lease_until": None}
    return await _changed(store, job, changes | {"version": JobRow.version + 1})


async def _changed(store: Store, job: Job, changes: dict[str, Any]) -> bool:
    mine = (JobRow.id == job.id) & (JobRow.fence == job.fence) & (JobRow.state == JobState.RUNNING.value)
    async with store.everywhere() as session:
        done: Any = await session.execute(
            update(JobRow).where(mine).values(**changes), execution_options={"synchronize_session": False}
        )
        return bool(done.rowcount)


async def still_mine(store: Store, job: Job) -> bool:
    """Return whether a worker may go on with a job: nobody has cancelled it or taken it over."""
    mine = (JobRow.id == job.id) & (JobRow.fence == job.fence) & (JobRow.state == JobState.RUNNING.value)
    async with store.everywhere(reading=True) as session:
        return await session.scalar(select(JobRow.id).where(mine)) is not None


async def cancel(store: Store, who: Principal, job_id: str) -> Job | None:
    """End a job wherever it is; its worker notices within a fraction of a second. None where the tenant has none of that id."""
    now = store.clock.now()
    async with store.changing(who.tenant_id) as session:
        row = await session.get(JobRow, job_id, with_for_update=True)
        if row is None or row.tenant_id != who.tenant_id:
            return None
        if row.state in OPEN:
            row.state, row.words, row.ended_at = JobState.CANCELLED.value, "cancelled", now
            row.version += 1
            await record(session, now, who.name, "job.cancelled", f"job/{row.id}")
        return Job.of(row)


async def forget_old(store: Store, results: Path) -> None:
    """Let go of the oldest ended jobs of each tenant, and of their results."""
    ranked = select(
        JobRow.id,
        func.row_number().over(partition_by=JobRow.tenant_id, order_by=JobRow.created_at.desc()).label("rank"),
    ).where(JobRow.state.not_in(OPEN))
    async with store.everywhere() as session:
        behind = ranked.subquery()
        old = (await session.scalars(select(behind.c.id).where(behind.c.rank > KEPT))).all()
        for row in await session.scalars(select(JobRow).where(JobRow.id.in_(old))):
            await session.delete(row)
    for job_id in old:
        shutil.rmtree(results / job_id, ignore_errors=True)
