"""Bills: what readings would cost, runs over the contracts of a month, and every bill with its lines."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
from annotated_types import Len
from fastapi import Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from market.billing import Entry
from models.errors import DataError
from models.findings import error
from models.horizon import require_utc
from models.tariffs.bill import Line, bill
from models.tariffs.calendar import Intervals
from models.tariffs.charges import Meters
from models.tariffs.compile import compile_tariff
from models.tariffs.file import require_tariff
from models.tariffs.tariff import Tariff
from service.api.access import Backed, Known, guarded, only
from service.api.problems import described
from service.api.trading.common import LAST, Asked, Before, Id, Limit, Named, known
from service.api.trading.tariffs import FLAT, Kept
from service.auth.roles import Deed
from service.markets import billing

router = guarded(Deed.SEE, "/api/v1", "trading")
Wh = Annotated[list[Annotated[int, Field(ge=-(2**50), le=2**50)]], Len(1, 40_000)]
Minutes = Annotated[int, Field(description="length of a meter interval")]
MINUTES = (5, 10, 15, 30, 60)
PDF = "application/pdf"
ZONE = billing.STANDARD_ZONE
SIMULATED_EXAMPLE = {"tariff": FLAT, "start": "2026-07-01T00:00:00+08:00", "minutes": 60, "wh": [1500] * 24}


class Simulated(Asked, json_schema_extra={"examples": [SIMULATED_EXAMPLE]}):
    """Readings and the tariff they are to be billed by."""

    tariff: dict[str, Any] | None = Field(None, description="a tariff document; or name one that is kept")
    tariff_name: Kept | None = None
    time_zone: str = Field(ZONE, max_length=60, description="of a document that names none")
    start: AwareDatetime = Field(description="first instant, a local midnight")
    minutes: Minutes = 60
    wh: Wh = Field(description="whole Wh per interval, > 0 bought, < 0 sent out; whole days")
    generation_wh: Wh | None = None
    reactive_varh: Wh | None = None
    baseline_wh: Wh | None = None
    index_micro: dict[str, Wh] = Field({}, max_length=20, description="prices of indices per kWh, micro-units")


class LineOut(BaseModel):
    """One line of a bill, and the readings behind it."""

    component: str
    what: str
    quantity: int
    unit: str
    price_micro: int | None
    amount_micro: int
    tariff_version: str
    start: datetime
    end: datetime
    intervals: int
    readings_sha256: str

    @classmethod
    def of(cls, line: Line) -> Self:
        """Return a line as the interface shows it."""
        same = {n: getattr(line, n) for n in cls.model_fields if n != "tariff_version"}
        return cls(tariff_version=line.version, **same)


class MonthOut(BaseModel):
    """What one month costs."""

    month: str
    total_micro: int
    lines: list[LineOut]


class SimulatedOut(BaseModel):
    """What readings cost, by month."""

    currency: str
    total_micro: int
    months: list[MonthOut]


@router.post("/bills:simulate", responses=described(413), **only(Deed.STUDY))
async def simulate(backing: Backed, who: Known, asked: Simulated) -> SimulatedOut:
    """Say what readings would cost; nothing is kept."""
    if (asked.tariff is None) == (asked.tariff_name is None):
        raise DataError([error("tariff", "give a document or the name of a tariff that is kept, one of both")])
    if asked.tariff is not None:
        tariff = require_tariff(asked.tariff, "simulated", asked.time_zone)
    else:
        name = str(asked.tariff_name)
        async with backing.store.reading(who.tenant_id) as session:
            tariff = (await billing.tariffs(session, {name}, asked.time_zone))[name]
    return await asyncio.to_thread(_simulated, asked, tariff)


def _simulated(asked: Simulated, tariff: Tariff) -> SimulatedOut:
    require_minutes(asked.minutes)
    intervals = Intervals(asked.start, len(asked.wh), asked.minutes)
    channels = [None if v is None else _row(v) for v in (asked.generation_wh, asked.reactive_varh)]
    index = {name: np.array(v, dtype=np.int64) for name, v in asked.index_micro.items()}
    baseline = None if asked.baseline_wh is None else _row(asked.baseline_wh)
    meters = Meters(_row(asked.wh), channels[0], channels[1], index, baseline_wh=baseline)
    edges = tariff.calendar.local(pd.DatetimeIndex([require_utc(t).replace(tzinfo=None) for t in _span(intervals)]))
    if (edges != edges.normalize()).any():
        raise DataError([error("wh", f"{len(asked.wh)} readings from {asked.start} on are not whole local days")])
    made = bill(compile_tariff(tariff, intervals), meters)
    months = [
        MonthOut(
            month=f"{c[0]}-{c[1]:02d}",
            total_micro=int(made.total_micro[0, k]),
            lines=[LineOut.of(x) for x in made.lines(c)],
        )
        for k, c in enumerate(made.cycles)
    ]
    return SimulatedOut(currency=tariff.currency, total_micro=int(made.total_micro.sum()), months=months)


def _span(intervals: Intervals) -> tuple[datetime, datetime]:
    return intervals.instant(0), intervals.end


def _row(values: list[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([values], dtype=np.int64)


def require_minutes(minutes: int) -> None:
    """Refuse what no meter counts in."""
    if minutes not in MINUTES:
        raise DataError([error("minutes", f"is {minutes}; meters read every {', '.join(map(str, MINUTES))} minutes")])


class BillOut(BaseModel):
    """A bill, or the reversal of one; entries are chained by digests."""

    id: str
    kind: str
    contract: str
    customer: str
    month: str
    total_micro: int
    substituted: int = Field(description="intervals that were not measured")
    issued_at: datetime
    corrects: str | None
    reason: str
    digest: str
    lines: list[LineOut]

    @classmethod
    def of(cls, e: Entry) -> Self:
        """Return a bill as the interface shows it."""
        same = {n: getattr(e, n) for n in cls.model_fields if n not in ("kind", "month", "lines")}
        month = f"{e.cycle[0]}-{e.cycle[1]:02d}"
        return cls(kind=e.kind.value, month=month, lines=[LineOut.of(x) for x in e.lines], **same)


class BillPage(BaseModel):
    """Bills and reversals, newest first."""

    items: list[BillOut]
    next: int | None


@router.get("/bills")
async def bills(
    backing: Backed, who: Known, limit: Limit = 20, before: Before = LAST, contract: Named = None
) -> BillPage:
    """List bills and reversals, newest first."""
    async with backing.store.reading(who.tenant_id) as session:
        found = await billing.bills(session, before=before, limit=limit + 1, contract=contract)
    following = found[limit - 1][0] if len(found) > limit else None
    return BillPage(items=[BillOut.of(e) for _, e in found[:limit]], next=following)


@router.get("/bills/{bill_id}", responses=described(404))
async def one_bill(backing: Backed, who: Known, bill_id: Id) -> BillOut:
    """Return a bill with its lines, each with the digest of its readings."""
    async with backing.store.reading(who.tenant_id) as session:
        return BillOut.of(known(await billing.bill(session, bill_id), "bill", bill_id))


@router.get(
    "/bills/{bill_id}/pdf",
    response_class=Response,
    responses={200: {"content": {PDF: {"schema": {"type": "string", "format": "binary"}}}}, **described(404)},
)
async def as_pdf(
    backing: Backed,
    who: Known,
    bill_id: Id,
    language: Annotated[str, Query(pattern="^(en|zh)$", description="en or zh")] = "en",
) -> Response:
    """Return a bill as the page that its customer gets."""
    from service.reports.bill_document import bill_document
    from service.reports.document import document_pdf

    async with backing.store.reading(who.tenant_id) as session:
        found = known(await billing.bill(session, bill_id), "bill", bill_id)
    content = await asyncio.to_thread(lambda: document_pdf(bill_document(found, language)))
    return Response(content, media_type=PDF, headers={"Content-Disposition": f'attachment; filename="{found.id}.pdf"'})
