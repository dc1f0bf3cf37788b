"""Endpoints for the management: key figures of a period, and tables for a CRM."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import Query, Response
from pydantic import BaseModel, Field

from customers.management.availability import Availability, availability, weighted_share
from customers.management.funnel import FunnelStage, Won, funnel, won_by_channel
from customers.management.money import YEAR_DAYS, Margin, Receivables, receivables
from customers.management.risk import Risk, risks
from models.errors import DataError
from models.findings import error
from service.api.access import Backed, Known, guarded
from service.api.problems import described
from service.api.tables import TABLES, Chosen, TableForm, table
from service.auth.roles import Deed
from service.customers.export import Table, columns
from service.customers.figures import Books, books, histories, margins, services, standings

router = guarded(Deed.SEE, "/api/v1", "management")
EARLIEST, LATEST = date(1970, 1, 1), date(2300, 1, 1)
Start = Annotated[date | None, Query(description="first day; a year before the end where left out")]
End = Annotated[date | None, Query(description="first day behind the period; tomorrow where left out")]


class Figures(BaseModel):
    """What the management asks, over the days of a period."""

    start: date
    end: date
    funnel: tuple[FunnelStage, ...]
    won_by_channel: tuple[Won, ...]
    churn_risk: tuple[Risk, ...] = Field(
        description="customers with a contract, the most at risk first; points, no probability"
    )
    margins: list[Margin] = Field(description="of contracts with settled periods that begin within the period")
    margin_micro: int
    margin_share: float | None
    receivables: Receivables
    availability: list[Availability]
    availability_share: float | None = Field(description="of all assets, weighted by power and time")


class TableOut(BaseModel):
    """A table by columns."""

    columns: dict[str, list[str]]


@router.get("/kpis")
async def kpis(backing: Backed, who: Known, start: Start = None, end: End = None) -> Figures:
    """Return the funnel, churn risk, margins, receivables and asset availability."""
    async with backing.store.reading(who.tenant_id) as session:
        kept = await books(session, backing.store.clock.now())
    return figures(kept, *_period(kept.today, start, end))


def _period(today: date, start: date | None, end: date | None) -> tuple[date, date]:
    last = end or today + timedelta(days=1)
    first = start or max(last - timedelta(days=YEAR_DAYS), EARLIEST)
    if not EARLIEST <= first < last <= LATEST:
        raise DataError(
            [error("start", f"{first} until {last} is no period; it begins before it ends, {EARLIEST} to {LATEST}")]
        )
    return first, last


def figures(b: Books, start: date, end: date) -> Figures:
    """Return every figure of a period."""
    earned = margins(b, start, end)
    running = services(b, start, end)
    revenue = sum(m.revenue_micro for m in earned)
    left = sum(m.margin_micro for m in earned)
    told = histories(b)
    return Figures(
        start=start,
        end=end,
        funnel=funnel(told, b.now),
        won_by_channel=won_by_channel(told),
        churn_risk=risks(standings(b), b.today),
        margins=earned,
        margin_micro=left,
        margin_share=left / revenue if revenue else None,
        receivables=receivables(b.owed, revenue, (end - start).days, b.today),
        availability=[availability(s) for s in running],
        availability_share=weighted_share(running),
    )


@router.get("/crm", response_model=TableOut, responses={**TABLES, **described(406)})
async def crm(
    backing: Backed,
    who: Known,
    form: Chosen,
    wanted: Annotated[Table, Query(alias="table", description="which one", examples=["parties"])],
) -> TableOut | Response:
    """Return a table for a CRM, as JSON, CSV or Parquet; the journal for the books is at /api/v1/accounts/transactions."""
    async with backing.store.reading(who.tenant_id) as session:
        kept = await books(session, backing.store.clock.now())
    found = columns(kept, wanted)
    return TableOut(columns=found) if form is TableForm.JSON else table(form, found, wanted.value)
