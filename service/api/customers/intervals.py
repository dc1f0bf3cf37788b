"""Endpoints of a party's meter data, and of the package that is designed from them."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Header, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from customers.intervals.bringing import Brought
from customers.intervals.series import Version
from customers.intervals.store import Edit
from customers.packages.customer import FACTS, facts_of
from models.carriers import Carrier
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
from service.api.versions import Read, read_version, require, tagged
from service.auth.roles import Deed
from service.customers import meter_data
from service.customers.shelves import PARTIES
from service.documents.checks import NAME
from service.jobs.customer_requests import PackageJob, PortraitJob
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
Unit = Annotated[str, Query(max_length=8, description="of columns whose name says none: kWh, kW, MWh, GJ, m3 ..")]
Metered = Annotated[Carrier, Query(description="what is metered; each carrier has a file of its own")]


class TellingOut(BaseModel):
    """One thing worth knowing about meter data."""

    severity: str
    place: str
    message: str


class MeterDataOut(BaseModel):
    """A party's meter data; version 0 where none are kept."""

    version: int
    carrier: Carrier
    columns: list[str]
    start: datetime | None
    end: datetime | None
    minutes: int | None
    zone: str
    changed_by: str
    edits: int = Field(description="how often people have set figures since the file came")
    findings: list[TellingOut] = Field(
        description="gaps, faults that look like a meter's, and what was taken for granted"
    )

    @classmethod
    def of(cls, row: MeterDataRow | None) -> Self:
        """Return meter data as the interface shows them."""
        if row is None:
            return cls(
                version=0,
                edits=0,
                carrier=Carrier.ELECTRICITY,
                columns=[],
                start=None,
                end=None,
                minutes=None,
                zone="",
                changed_by="",
                findings=[],
            )
        told = [TellingOut(severity=s, place=p, message=m) for s, p, m in row.findings]
        same = ("version", "carrier", "columns", "start", "end", "minutes", "zone", "changed_by")
        return cls(**{n: getattr(row, n) for n in same}, findings=told, edits=len(row.edits))


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
    carrier: Metered = Carrier.ELECTRICITY,
    kwh_per_m3: Annotated[float | None, Query(ge=1, le=50, description="calorific value of gas in m3")] = None,
    if_match: Annotated[str | None, Header(description="ETag of the version that is replaced")] = None,
) -> MeterDataOut:
    """Keep a party's meter data, if nothing is wrong with them; otherwise every finding is told, with rows, and nothing changes."""
    async with backing.store.reading(who.tenant_id) as session:
        await known(session, PARTIES, party_id)
    made = await asyncio.to_thread(meter_data.judged, Brought(await request.body(), zone, unit, carrier, kwh_per_m3))
    async with backing.store.changing(who.tenant_id) as session:
        await known(session, PARTIES, party_id, changing=True)
        row = await meter_data.of_party(session, party_id, carrier, changing=True)
        if row is not None:
            require(row.version, read_version(if_match))
        row = await meter_data.put(session, backing.store.clock.now(), who, party_id, made, row)
        await session.flush()
    tagged(response, row.version)
    return MeterDataOut.of(row)


@router.get("/intervals")
async def intervals(
    backing: Backed, who: Known, party_id: Id, response: Response, carrier: Metered = Carrier.ELECTRICITY
) -> MeterDataOut:
    """Return what meter data of a party are kept, and what is to be known of them."""
    async with backing.store.reading(who.tenant_id) as session:
        await known(session, PARTIES, party_id)
        found = MeterDataOut.of(await meter_data.of_party(session, party_id, carrier))
    tagged(response, found.version)
    return found


@router.get("/readings", response_model=ReadingsOut, responses={**TABLES, **described(406)})
async def readings(
    backing: Backed,
    who: Known,
    party_id: Id,
    form: Chosen,
    start: Instant = None,
    end: Instant = None,
    carrier: Metered = Carrier.ELECTRICITY,
    version: Annotated[Version | None, Query(description="the newest where left out")] = None,
) -> ReadingsOut | Response:
    """Return a party's readings in a version (as they came, checked, estimated, edited), with how good each is, as JSON, CSV or Parquet."""
    async with backing.store.reading(who.tenant_id) as session:
        await known(session, PARTIES, party_id)
        row = await meter_data.of_party(session, party_id, carrier)
    if row is None:
        raise DataError([meter_data.none_kept()])
    found = await asyncio.to_thread(meter_data.readings, row, start, end, version)
    return ReadingsOut(columns=found) if form is TableForm.JSON else table(form, found, f"readings-{party_id}")


class CallIn(BaseModel):
    """A time in which the party was asked to draw less."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: AwareDatetime = Field(examples=["2026-02-04T10:00:00+08:00"])
    end: AwareDatetime = Field(examples=["2026-02-04T11:00:00+08:00"])


class PortraitAsked(BaseModel):
    """What a portrait may be drawn from beside meter data."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [{"calls": []}]})

    weather: str = Field("", max_length=60, description="a kept document of the kind profiles with a column in _degc")
    prices: str = Field(
        "", max_length=60, description="a kept document of the kind profiles with what they paid, price_per_kwh"
    )
    calls: tuple[CallIn, ...] = Field((), max_length=1000, description="when it was called on to draw less")


PLAIN = PortraitAsked.model_validate({})


class EditIn(BaseModel):
    """Figures that replace others on consecutive intervals, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    carrier: Carrier = Carrier.ELECTRICITY
    column: str = Field(max_length=120, examples=["main"])
    start: AwareDatetime = Field(description="where the first interval begins", examples=["2026-01-05T10:00:00+08:00"])
    kwh: tuple[float, ...] = Field(
        min_length=1, max_length=40_000, description="per interval, in m3 for water", examples=[[1.0, 2.0]]
    )
    reason: str = Field(min_length=1, max_length=500, examples=["the meter was exchanged"])


@router.post(
    "/edits", status_code=201, response_model=MeterDataOut, responses=described(409, 412, 428), **only(Deed.SELL)
)
async def edit(
    backing: Backed, once: Once, party_id: Id, wanted: EditIn, read: Read, response: Response
) -> MeterDataOut | Response:
    """Set figures of a party's meter data by hand; what came stays readable, and who set what and why stays with it."""
    if (before := await once.answer()) is not None:
        return before
    now = backing.store.clock.now()
    made = Edit(wanted.column, wanted.start, wanted.kwh, once.who.name, wanted.reason, now)
    async with backing.store.changing(once.who.tenant_id) as session:
        await known(session, PARTIES, party_id)
        row = await meter_data.of_party(session, party_id, wanted.carrier, changing=True)
        if row is None:
            raise DataError([meter_data.none_kept()])
        require(row.version, read)
        row = await meter_data.edit(session, now, once.who, row, made)
        await session.flush()
        tagged(response, row.version)
        answer = MeterDataOut.of(row)
        await once.keep(session, 201, answer, response)
    return answer


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
async def draw(
    backing: Backed, once: Once, party_id: Id, response: Response, asked: PortraitAsked = PLAIN
) -> JobOut | Response:
    """Draw portraits from a party's meter data: a job; its result is JSON and PDF."""
    if (before := await once.answer()) is not None:
        return before
    async with backing.store.changing(once.who.tenant_id) as session:
        party = PARTIES.of(await known(session, PARTIES, party_id))
        inputs = await meter_data.drawn_from(session, party_id, asked.weather, asked.prices)
        calls = tuple((c.start, c.end) for c in asked.calls)
        wanted = PortraitJob(
            urgent=False,
            party_id=party_id,
            name=party.name,
            sector=party.sector,
            weather=asked.weather,
            prices=asked.prices,
            calls=calls,
        )
        return await queued(session, backing, once, wanted, inputs, response)
