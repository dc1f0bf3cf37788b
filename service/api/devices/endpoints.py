"""Device and forecast endpoints."""

import asyncio
import pathlib
from collections.abc import Iterator
from datetime import datetime
from time import monotonic
from typing import Annotated

import numpy as np
from fastapi import HTTPException, Path, Query, Response
from pydantic import BaseModel, Field

from models.errors import UnreachableError
from models.forecast.forecast import Forecast
from models.ports import Quality
from models.site import Site
from models.site.site import Device
from service.api.access import Backed, Known, guarded, only
from service.api.fields import Number, Running
from service.api.people.endpoints import Limit
from service.api.problems import NotYet, described
from service.api.tables import TABLES, Chosen, TableForm, table
from service.auth.roles import Deed
from service.commissioning import Commission, first_reads, kept_devices, renewed
from service.documents import shelf
from service.documents.checks import DocumentKind
from service.memory import Memory
from service.runtime import Runtime

router = guarded(Deed.SEE, "/api/v1", "devices", 404)


class ValueOut(BaseModel):
    """One value that a device gives."""

    quantity: str = Field(examples=["electricity_kw"])
    value: Number = Field(description="what the device gave last, in the unit that ends the quantity's name")
    quality: Quality
    age_s: Number = Field(description="s since it was measured, at the newest snapshot")
    residual: Number = Field(description="measured minus model; null where no estimate stands beside it")


class DeviceOut(BaseModel):
    """One device, where it answers, and how far its values can be trusted; they are telemetry named DEVICE.QUANTITY."""

    id: str = Field(examples=["battery"])
    asset: str
    map: str = Field(description="the register map that describes it", examples=["sunspec_battery"])
    host: str
    port: int
    unit_id: int
    poll_s: float
    encrypted: bool = Field(description="whether it is spoken to over TLS")
    added: bool = Field(description="whether it was put into service over the interface, and is not in the site's file")
    values: list[ValueOut]

    @classmethod
    def of(cls, device: Device, runtime: Runtime) -> "DeviceOut":
        """Return a device as the interface shows it."""
        same = {n: getattr(device, n) for n in ("id", "asset", "host", "port", "unit_id", "poll_s")}
        return cls(
            **same,
            map=pathlib.Path(device.map).stem,
            encrypted=device.tls is not None,
            added=device not in runtime.written.devices,
            values=list(_values(device, runtime.memory)),
        )


def _values(device: Device, memory: Memory) -> Iterator[ValueOut]:
    """Yield what a device gave last, with what the twin says of it; a value of its asset that was filled in stands there too."""
    snapshot = memory.snapshot
    tags = {} if snapshot is None else {q: tag for (asset, q), tag in snapshot.tags.items() if asset == device.asset}
    given = {r.quantity: r for r in memory.readings.get(device.id, ())}
    for quantity in sorted(tags.keys() | given.keys()):
        tag, reading = tags.get(quantity), given.get(quantity)
        value = None if reading is None else reading.value
        if tag is not None:
            yield ValueOut(quantity=quantity, value=value, quality=tag.quality, age_s=tag.age_s, residual=tag.residual)
        elif reading is not None and snapshot is not None:
            age_s = max((snapshot.at - reading.measured_at).total_seconds(), 0.0)
            yield ValueOut(quantity=quantity, value=value, quality=reading.quality, age_s=age_s, residual=None)


class DevicePage(BaseModel):
    """Devices by id."""

    items: list[DeviceOut]
    next: str | None = Field(description="value for `after` that gives the next page; null on the last")


class ForecastOut(BaseModel):
    """What is expected: one value per step and series, in the unit that ends the series' name."""

    made_at: datetime
    source: str = Field(description="who forecasts")
    start: list[datetime] = Field(description="starts of the steps, UTC")
    end: datetime = Field(description="end of the last step")
    series: dict[str, list[Number]]

    @classmethod
    def of(cls, forecast: Forecast) -> "ForecastOut":
        """Return a forecast as the interface shows it."""
        edges = forecast.horizon.edges
        values = forecast.values.transpose("series", "time")
        series = {
            str(name): np.asarray(row, float).tolist()
            for name, row in zip(values["series"].to_numpy(), values.to_numpy(), strict=True)
        }
        return cls(
            made_at=forecast.made_at, source=forecast.source, start=list(edges[:-1]), end=edges[-1], series=series
        )


@router.get("/devices")
async def devices(
    runtime: Running,
    limit: Limit = 50,
    after: Annotated[str, Query(max_length=120, description="where the page before ended")] = "",
) -> DevicePage:
    """List the site's devices by id."""
    found = sorted((d for d in runtime.site.devices if d.id > after), key=lambda d: d.id)
    page = [DeviceOut.of(d, runtime) for d in found[:limit]]
    return DevicePage(items=page, next=page[-1].id if len(found) > limit else None)


@router.get("/devices/{device}", responses=described(404))
async def one(
    runtime: Running, device: Annotated[str, Path(max_length=120, description="the device's id")]
) -> DeviceOut:
    """Return one device."""
    return DeviceOut.of(_known(runtime, device), runtime)


def _known(runtime: Runtime, name: str) -> Device:
    found = next((d for d in runtime.site.devices if d.id == name), None)
    if found is None:
        raise HTTPException(404, f"The site has no device named {name}; /api/v1/devices lists them.")
    return found


FIRST_GOOD_S, LOOK_EVERY_S = 10.0, 0.1
Named = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]*$", max_length=60, description="the device's id")]


@router.put(
    "/devices/{device}",
    responses={**described(409), 201: {"description": "In service for the first time", "model": DeviceOut}},
    **only(Deed.MANAGE),
)
async def put_into_service(
    response: Response, runtime: Running, backing: Backed, who: Known, device: Named, wanted: Commission
) -> DeviceOut:
    """Put a device into service, or another in its place: it is read once, and then the loop goes on with it.

    Nothing changes unless everything that the site needs of it can be read. The map is kept word for word as it was tried.
    """
    kept = await kept_devices(backing.store, who.tenant_id)
    site = await asyncio.to_thread(renewed, runtime, {**kept, device: wanted}, backing.results)
    found = _of_site(site, device)
    try:
        await first_reads(site, found)
    except UnreachableError as fault:
        raise HTTPException(409, f"{fault}. Is the device on, and the port right?") from None
    before = runtime.site
    await asyncio.to_thread(runtime.renew, site)
    try:
        async with backing.store.changing(who.tenant_id) as session:
            row = await shelf.one(session, DocumentKind.DEVICE, device, changing=True)
            now = backing.store.clock.now()
            await shelf.put(session, now, who, DocumentKind.DEVICE, device, wanted.written(), row)
    except BaseException:
        await asyncio.to_thread(runtime.renew, before)  # what is not written down is not in service
        raise
    response.status_code = 201 if row is None else 200
    await _heard_of(runtime.memory, device)
    return DeviceOut.of(found, runtime)


@router.delete("/devices/{device}", responses=described(404, 409), **only(Deed.MANAGE))
async def take_out_of_service(runtime: Running, backing: Backed, who: Known, device: Named) -> DeviceOut:
    """Take a device that was put into service here out again; one of the site's file comes back in its place."""
    _known(runtime, device)
    kept = await kept_devices(backing.store, who.tenant_id)
    if device not in kept:
        raise HTTPException(409, f"{device} was not put into service here; devices of the site's file leave it there.")
    told = DeviceOut.of(_of_site(runtime.site, device), runtime)
    others = {name: commission for name, commission in kept.items() if name != device}
    site = await asyncio.to_thread(renewed, runtime, others, backing.results)
    await asyncio.to_thread(runtime.renew, site)
    async with backing.store.changing(who.tenant_id) as session:
        row = await shelf.one(session, DocumentKind.DEVICE, device, changing=True)
        if row is not None:
            await shelf.remove(session, backing.store.clock.now(), who, row)
    return told


async def _heard_of(memory: Memory, device: str) -> None:
    """Wait, though not for ever, for the first good value that the loop has of a device; what it has is told either way."""
    until = monotonic() + FIRST_GOOD_S
    while monotonic() < until and not any(r.quality is Quality.GOOD for r in memory.readings.get(device, ())):
        await asyncio.sleep(LOOK_EVERY_S)


def _of_site(site: Site, name: str) -> Device:
    return next(d for d in site.devices if d.id == name)


@router.get("/forecasts/latest", response_model=ForecastOut, responses={**described(406, 503), **TABLES})
async def forecast(runtime: Running, form: Chosen) -> ForecastOut | Response:
    """Return the forecast that the newest plan was made with."""
    found = runtime.memory.forecast
    if found is None:
        raise NotYet("forecast")
    told = ForecastOut.of(found)
    if form is TableForm.JSON:
        return told
    return table(form, {"start": [at.isoformat() for at in told.start], **told.series}, "forecast")
