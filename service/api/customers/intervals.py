"""Endpoints of a party's meter data, and of the package that is designed from them."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Header, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from customers.packages.customer import FACTS, facts_of
from models.errors import DataError
from models.units import NonNegative
from service.api.access import Backed, Known, guarded, only
from service.api.customers.queued import queued, require_bus
from service.api.customers.records import known
from service.api.fields import OwnSite
from service.api.jobs.schemas import JobOut
from service.api.people.endpoints import Id
from service.api.problems import described
from service.api.repeats import Once
from service.api.tables import TABLES, Chosen, TableForm, table
from service.api.versions import read_version, require, tagged
from service.auth.roles import Deed
from service.customers import meter_data
from service.customers.shelves import PARTIES
from service.documents.checks import NAME
from service.jobs.customer_requests import MeterInputs, PackageJob, PortraitJob
from service.store.customers import MeterDataRow

router = guarded(Deed.SEE, "/api/v1/parties/{party_id}", "meter data", 404)
FILE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TAKEN: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "meter data as CSV or Excel: instants and a column per meter, or a row per reading",
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": "start,kwh\n2026-01-01T00:00+08:00,10\n"},
            EXCEL: FILE,
        },
    }
}
Zone = Annotated[str, Query(max_length=60, description="clock of the customer, and of instants without zone")]
Instant = Annotated[AwareDatetime | None, Query(description="with zone; the last 31 days where left out")]
Unit = Annotated[Literal["", "kWh", "kW"], Query(description="of columns whose name says none")]


class TellingOut(BaseModel):
    """One thing worth knowing about meter data."""

    severity: str
    place: str
    message: str


class MeterDataOut(BaseModel):
    """A party's meter data; version 0 where none are kept."""

    version: int
    columns: list[str]
    start: datetime | None
    end: datetime | None
    minutes: int | None
    zone: str
    changed_by: str
    findings: list[TellingOut] = Field(
        description="gaps, faults that look like a meter's, and what was taken for granted"
    )

    @classmethod
    def of(cls, row: MeterDataRow | None) -> Self:
        """Return meter data as the interface shows them."""
        if row is None:
            return cls(version=0, columns=[], start=None, end=None, minutes=None, zone="", changed_by="", findings=[])
        told = [TellingOut(severity=s, place=p, message=m) for s, p, m in row.findings]
        same = ("version", "columns", "start", "end", "minutes", "zone", "changed_by")
        return cls(**{n: getattr(row, n) for n in same}, findings=told)


class ReadingsOut(BaseModel):
    """Readings by column; null where nothing is known."""

    columns: dict[str, list[str | float | None]]


class PackageAsked(BaseModel):
    """A package to be designed for a party on its own meter data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tariff: str = Field(pattern=NAME, description="a kept tariff: what the customer pays today", examples=["own"])
    column: str = Field("", max_length=120, description="which column of the meter data, where there are several")
    roof_m2: NonNegative = 0.0
    facts: dict[str, NonNegative] = Field({}, description=f"what is known of the site: {', '.join(FACTS)}")
    language: Literal["zh", "en"] | None = Field(None, description="the party's own where left out")
    package: Literal["integrated", "single", "emergency", "ev_charging", ""] = Field(
        "", description="the base package that it has to be; the best of all where left out"
    )
    bus: str = Field(
        "", max_length=80, description="where it is connected in the running site: replays the package there"
    )


@router.put("/intervals", responses=described(409, 412, 413, 428), openapi_extra=TAKEN, **only(Deed.SELL))
async def bring(
    request: Request,
    response: Response,
    backing: Backed,
    who: Known,
    party_id: Id,
    zone: Zone = "Asia/Shanghai",
    unit: Unit = "",
    if_match: Annotated[str | None, Header(description="ETag of the version that is replaced")] = None,
) -> MeterDataOut:
    """Keep a party's meter data, if nothing is wrong with them; otherwise every finding is told, with rows, and nothing changes."""
    async with backing.store.reading(who.tenant_id) as session:
        await known(session, PARTIES, party_id)
    made = await asyncio.to_thread(meter_data.judged, await request.body(), zone, unit)
    async with backing.store.changing(who.tenant_id) as session:
        await known(session, PARTIES, party_id, changing=True)
        row = await meter_data.of_party(session, party_id, changing=True)
        if row is not None:
            require(row.version, read_version(if_match))
        row = await meter_data.put(session, backing.store.clock.now(), who, party_id, made, row)
        await session.flush()
    tagged(response, row.version)
    return MeterDataOut.of(row)


@router.get("/intervals")
async def intervals(backing: Backed, who: Known, party_id: Id, response: Response) -> MeterDataOut:
    """Return what meter data of a party are kept, and what is to be known of them."""
    async with backing.store.reading(who.tenant_id) as session:
        await known(session, PARTIES, party_id)
        found = MeterDataOut.of(await meter_data.of_party(session, party_id))
    tagged(response, found.version)
    return found


@router.get("/readings", response_model=ReadingsOut, responses={**TABLES, **described(406)})
async def readings(
    backing: Backed, who: Known, party_id: Id, form: Chosen, start: Instant = None, end: Instant = None
) -> ReadingsOut | Response:
    """Return a party's readings, checked and estimated, with how good each is, as JSON, CSV or Parquet."""
    async with backing.store.reading(who.tenant_id) as session:
        await known(session, PARTIES, party_id)
        row = await meter_data.of_party(session, party_id)
    if row is None:
        raise DataError([meter_data.none_kept()])
    found = await asyncio.to_thread(meter_data.readings, row, start, end)
    return ReadingsOut(columns=found) if form is TableForm.JSON else table(form, found, f"readings-{party_id}")


@router.post("/packages:design", status_code=202, response_model=JobOut, responses=described(409), **only(Deed.STUDY))
async def design(
    backing: Backed, once: Once, site: OwnSite, party_id: Id, asked: PackageAsked, response: Response
) -> JobOut | Response:
    """Design a party's package on its own meter data, prove it and write the proposal: a job; its result is JSON and PDF."""
    if (before := await once.answer()) is not None:
        return before
    facts_of(asked.facts)
    if asked.bus:
        require_bus(site, asked.bus, "bus")
    async with backing.store.changing(once.who.tenant_id) as session:
        party = PARTIES.of(await known(session, PARTIES, party_id))
        row = await meter_data.of_party(session, party_id)
        inputs = await meter_data.inputs(session, row, asked.column, asked.tariff)
        inputs = replace(inputs, site=site if asked.bus else None)
        wanted = PackageJob(
            urgent=False,
            party_id=party_id,
            name=party.name,
            sector=party.sector,
            column=asked.column,
            tariff=asked.tariff,
            zone="" if row is None else row.zone,
            unit="" if row is None else row.unit,
            language=asked.language or party.language,
            roof_m2=asked.roof_m2,
            facts=tuple(f"{n}={v}" for n, v in asked.facts.items()),
            bus=asked.bus,
            package=asked.package,
        )
        return await queued(session, backing, once, wanted, inputs, response)


@router.post("/portraits:draw", status_code=202, response_model=JobOut, responses=described(409), **only(Deed.STUDY))
async def draw(backing: Backed, once: Once, party_id: Id, response: Response) -> JobOut | Response:
    """Draw portraits from a party's meter data: a job; its result is JSON and PDF."""
    if (before := await once.answer()) is not None:
        return before
    async with backing.store.changing(once.who.tenant_id) as session:
        await known(session, PARTIES, party_id)
        row = await meter_data.of_party(session, party_id)
        if row is None:
            raise DataError([meter_data.none_kept()])
        wanted = PortraitJob(urgent=False, party_id=party_id, zone=row.zone, unit=row.unit)
        return await queued(session, backing, once, wanted, MeterInputs(row.body), response)
