"""Billing runs: what meters deliver, a month's bills at once or, for thousands of contracts, as a job."""

import asyncio
from datetime import datetime
from typing import Annotated, Self

from annotated_types import Len
from fastapi import HTTPException, Query, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from market.billing import SupplyContract
from market.meters import Delivery, MeterBook, Quality
from service.api.access import Backed, Known, guarded, only
from service.api.customers.queued import queued
from service.api.jobs.endpoints import done
from service.api.jobs.schemas import JobOut
from service.api.problems import described
from service.api.repeats import Once
from service.api.trading.bills import ZONE, Minutes, Wh, require_minutes
from service.api.trading.common import Asked, Id, Limit, Text, Told, known
from service.api.trading.tariffs import Kept
from service.auth.roles import Deed
from service.jobs.billing_work import BillsInputs, BillsJob, prepared
from service.markets import billing
from service.store.audit import record
from service.store.trading import BillingRunRow

router = guarded(Deed.SEE, "/api/v1", "trading")
Month = Annotated[
    str, Field(pattern=r"^(19|20)\d{2}-(0[1-9]|1[0-2])$", description="local month", examples=["2026-07"])
]
JULY_HOURS = 31 * 24
NEWRUN_EXAMPLE = {
    "month": "2026-07",
    "minutes": 60,
    "contracts": [{"id": "c-1", "customer": "steel works", "meter": "m-1", "tariff": "own"}],
    "readings": [{"meter": "m-1", "start": "2026-07-01T00:00:00+08:00", "wh": [1500] * JULY_HOURS}],
}
LARGERUN_EXAMPLE = {k: v for k, v in NEWRUN_EXAMPLE.items() if k != "readings"}
DELIVERIES_EXAMPLE = {k: NEWRUN_EXAMPLE[k] for k in ("minutes", "readings")}


class ContractIn(Asked):
    """Who is supplied through which meter under which tariff."""

    id: Text
    customer: Text
    meter: Text
    tariff: Kept
    generation_meter: Text | None = None
    reactive_meter: Text | None = None
    baseline: Text | None = None


class ReadingsIn(Asked):
    """What a meter delivers: whole Wh on consecutive intervals from ``start``."""

    meter: Text
    start: AwareDatetime
    wh: Wh
    quality: Quality = Quality.MEASURED


class Deliveries(Asked, json_schema_extra={"examples": [DELIVERIES_EXAMPLE]}):
    """What meters deliver; nothing is billed by it."""

    minutes: Minutes = 60
    readings: Annotated[list[ReadingsIn], Len(1, 10_000)]


class DeliveriesOut(BaseModel):
    """What has been kept."""

    meters: int
    intervals: int


class _Run(Asked):
    month: Month
    minutes: Minutes = 60
    index_micro: dict[str, Wh] = Field({}, max_length=20)
    time_zone: str = Field(ZONE, max_length=60, description="of tariffs that name none")
    reason: str = Field("", max_length=200, description="why bills of this month are made again")

    @property
    def cycle(self) -> tuple[int, int]:
        """The year and the month."""
        year, month = self.month.split("-")
        return int(year), int(month)


class NewRun(_Run, json_schema_extra={"examples": [NEWRUN_EXAMPLE]}):
    """A month's bills for some contracts, with readings that arrive now; a reason corrects what is billed already."""

    contracts: Annotated[list[ContractIn], Len(1, 2_000)]
    readings: Annotated[list[ReadingsIn], Len(0, 10_000)] = Field([])


class LargeRun(_Run, json_schema_extra={"examples": [LARGERUN_EXAMPLE]}):
    """A month's bills for thousands of contracts, on what their meters have delivered before."""

    contracts: Annotated[list[ContractIn], Len(1, 20_000)]


class Issued(Asked):
    """Bills that a job has made."""

    job_id: str = Field(
        max_length=40, description="id of the job of billing-runs:prepare", examples=["0123456789abcdef"]
    )


class RunOut(BaseModel):
    """A billing run and what came of it."""

    id: str
    month: str
    asked_by: str
    created_at: datetime
    reason: str
    bills: list[str] = Field(description="ids of bills and reversals, in the order of issue")
    findings: list[Told] = Field(description="why the other contracts have no new bill")

    @classmethod
    def of(cls, row: BillingRunRow) -> Self:
        """Return a run as the interface shows it."""
        told = [Told(place=place, message=message) for place, message in row.findings]
        same = {n: getattr(row, n) for n in ("id", "asked_by", "created_at", "reason", "bills")}
        return cls(month=f"{row.year}-{row.month:02d}", findings=told, **same)


class RunPage(BaseModel):
    """Billing runs, newest first."""

    items: list[RunOut]
    next: str | None


@router.post("/meter-deliveries", status_code=201, responses=described(413), **only(Deed.TRADE))
async def deliver(backing: Backed, who: Known, asked: Deliveries) -> DeliveriesOut:
    """Keep what meters deliver, to be billed later; a later delivery of the same quality counts before an earlier one."""
    require_minutes(asked.minutes)
    now = backing.store.clock.now()
    async with backing.store.changing(who.tenant_id) as session:
        billing.take_readings(session, asked.minutes, _arrived(asked.readings, now))
        intervals = sum(len(r.wh) for r in asked.readings)
        details = {"meters": len(asked.readings), "intervals": intervals}
        await record(session, now, who.name, "readings.kept", "meters", details)
    return DeliveriesOut(meters=len(asked.readings), intervals=intervals)


def _arrived(readings: list[ReadingsIn], now: datetime) -> list[Delivery]:
    return [Delivery(r.meter, r.start, tuple(r.wh), now, r.quality) for r in readings]


async def _gathered(session: AsyncSession, asked: NewRun | LargeRun) -> tuple[list[SupplyContract], MeterBook]:
    """Return contracts with their tariffs, and what their meters have delivered."""
    require_minutes(asked.minutes)
    kept = await billing.tariffs(session, {c.tariff for c in asked.contracts}, asked.time_zone)
    contracts = [SupplyContract(**c.model_dump() | {"tariff": kept[c.tariff]}) for c in asked.contracts]
    meters = {m for c in contracts for m in c.meters if m is not None}
    return contracts, await billing.meter_book(session, asked.minutes, meters)


@router.post("/billing-runs", status_code=201, responses=described(413), **only(Deed.TRADE))
async def begin(backing: Backed, who: Known, asked: NewRun, response: Response) -> RunOut:
    """Bill a month: readings are kept, every contract gets its bill, or a finding says why not and nobody else waits for it."""
    now = backing.store.clock.now()
    async with backing.store.changing(who.tenant_id) as session:
        billing.take_readings(session, asked.minutes, _arrived(asked.readings, now))
        contracts, book = await _gathered(session, asked)
        found = await asyncio.to_thread(billing.prepared, contracts, book, asked.cycle, now, asked.index_micro)
        row = await billing.kept_run(session, now, who, asked.cycle, contracts, found, asked.reason)
    response.headers["Location"] = f"/api/v1/billing-runs/{row.id}"
    return RunOut.of(row)


@router.post(
    "/billing-runs:prepare", status_code=202, response_model=JobOut, responses=described(413), **only(Deed.TRADE)
)
async def prepare(backing: Backed, once: Once, asked: LargeRun, response: Response) -> JobOut | Response:
    """Make the bills of thousands of contracts as a job that says how far it is; billing-runs:issue issues them when it is done."""
    if (before := await once.answer()) is not None:
        return before
    async with backing.store.changing(once.who.tenant_id) as session:
        contracts, book = await _gathered(session, asked)
        inputs = BillsInputs(contracts, book, backing.store.clock.now(), asked.index_micro)
        year, month = asked.cycle
        wanted = BillsJob(urgent=False, year=year, month=month, contracts=len(contracts), reason=asked.reason)
        return await queued(session, backing, once, wanted, inputs, response)


@router.post("/billing-runs:issue", status_code=201, responses=described(404, 409), **only(Deed.TRADE))
async def issue(backing: Backed, who: Known, asked: Issued, response: Response) -> RunOut:
    """Issue the bills that a job has made; those of months that are billed already need the reason that the job was told."""
    job = await done(backing, who, asked.job_id)
    if job.kind != "bills":
        raise HTTPException(409, f"Job {job.id} is of the kind {job.kind}; it has made no bills.")
    made = await asyncio.to_thread(prepared, job.folder(backing.results))
    now, wanted = backing.store.clock.now(), BillsJob.model_validate(job.request)
    async with backing.store.changing(who.tenant_id) as session:
        cycle, contracts = (wanted.year, wanted.month), [p.contract for p in made[0]]
        row = await billing.kept_run(session, now, who, cycle, contracts, made, wanted.reason)
    response.headers["Location"] = f"/api/v1/billing-runs/{row.id}"
    return RunOut.of(row)


@router.get("/billing-runs", responses=described(404))
async def runs(
    backing: Backed,
    who: Known,
    limit: Limit = 20,
    before: Annotated[str | None, Query(max_length=40, description="id of the last item of the page before")] = None,
) -> RunPage:
    """List billing runs, newest first."""
    async with backing.store.reading(who.tenant_id) as session:
        last = None if before is None else known(await billing.run(session, before), "billing run", before)
        found = await billing.runs(session, last, limit + 1)
    return RunPage(
        items=[RunOut.of(r) for r in found[:limit]], next=found[limit - 1].id if len(found) > limit else None
    )


@router.get("/billing-runs/{billing_run_id}", responses=described(404))
async def run(backing: Backed, who: Known, billing_run_id: Id) -> RunOut:
    """Return what came of a billing run."""
    async with backing.store.reading(who.tenant_id) as session:
        return RunOut.of(known(await billing.run(session, billing_run_id), "billing run", billing_run_id))
