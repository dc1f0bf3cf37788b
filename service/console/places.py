"""Devices with a trial of register maps, the field view for a phone, the wall, and notes on stretches of time."""

from datetime import datetime
from math import isfinite
from typing import Annotated

from fastapi import APIRouter, Body, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select

from hil.maps.load import SHIPPED, parse_map, shipped_maps
from hil.probe import Tried, try_map
from models.errors import DataError, UnreachableError
from models.findings import errors_in
from models.ports import Quality
from service.api.access import Backed, Known, only
from service.api.devices.endpoints import DeviceOut
from service.api.fields import Running
from service.auth.roles import Deed
from service.commissioning import map_name
from service.console import pages
from service.console.frame import PageRoute, page, seen_by
from service.console.glance import Glance, Glanced
from service.console.sheets import sheets
from service.store.audit import record
from service.store.people import AuditEntry

router = APIRouter(include_in_schema=False, route_class=PageRoute)
NOTED = "note.written"
NOTES_SHOWN = 30
TRIED_S = 2.0


@router.get("/devices", **seen_by(Deed.SEE))
async def devices(request: Request, look: Glanced) -> HTMLResponse:
    """Return every device with the state of its values, and a place to try a register map."""
    maps = (
        {name: (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8") for name in shipped_maps()}
        if look.who.may(Deed.MANAGE)
        else {}
    )
    parts = {**device_rows(look), **commissionable(look), "maps": list(maps), "map_texts": maps}
    return page(request, look.runtime, look.language, "devices.html", parts, room="devices")


def device_rows(look: Glance) -> dict[str, object]:
    """Return every device with its worst quality, its oldest value and how many of its values are good."""
    site = look.runtime.site
    last = {r.command.device: r for r in reversed(look.memory.receipts())}
    rows = []
    for device in site.devices:
        told = DeviceOut.of(device, look.runtime)
        worst = max((v.quality for v in told.values), key=pages.GRAVITY.index, default=Quality.BAD)
        good = sum(v.quality is Quality.GOOD for v in told.values)
        ages = [v.age_s for v in told.values if v.age_s is not None]
        asset = site.asset(device.asset)
        rows.append((told, asset.title or asset.id, worst, good, max(ages, default=float("nan")), last.get(device.id)))
    return {"devices": rows, "manage": look.who.may(Deed.MANAGE)}


def commissionable(look: Glance) -> dict[str, object]:
    """Return the assets and meters that no device measures yet, and those whose device could be exchanged."""
    site = look.runtime.site
    served = {d.asset for d in site.devices}
    titled = [(a.id, a.title or a.id) for a in site.assets]
    return {"bare": [t for t in titled if t[0] not in served], "served": [t for t in titled if t[0] in served]}


class Trial(BaseModel):
    """A register map as somebody writes it, and the device to try it on."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(max_length=200_000)]
    host: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9.:_-]+$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 502
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    rating_kw: Annotated[float, Field(gt=0)] = 1.0


@router.post("/console/devices/try", **only(Deed.MANAGE))
async def try_device(runtime: Running, trial: Annotated[Trial, Body()]) -> JSONResponse:
    """Judge a register map, then read every point of it once from a device; nothing is written to it."""
    del runtime
    found, findings = parse_map(trial.text, map_name(trial.text))
    if found is None or errors_in(findings):
        raise DataError(findings)
    try:
        points = await try_map(
            found, trial.host, trial.port, unit_id=trial.unit, timeout_s=TRIED_S, rating_kw=trial.rating_kw
        )
    except UnreachableError as fault:
        raise HTTPException(409, f"{fault}. Is the device on, and the port right?") from None
    return JSONResponse({"points": [_point(p) for p in points]})


def _point(p: Tried) -> dict[str, object]:
    value = p.value if isfinite(p.value) else None
    raw = " ".join(f"{r:04x}" for r in p.registers)
    return {"quantity": p.quantity, "address": p.address, "raw": raw, "value": value, "unit": p.unit, "words": p.words}


@router.get("/field", **seen_by(Deed.SEE))
async def field(request: Request, look: Glanced) -> HTMLResponse:
    """Return the view for a phone: what stands, how devices do, notes; work orders come from the interface."""
    orders = sheets(request.app, look.who, ("/api/v1/work-orders",))
    parts = {
        **pages.alarms(look.runtime),
        **device_rows(look),
        **await notes(look),
        "sheets": orders,
    }
    return page(request, look.runtime, look.language, "field.html", parts, room="field")


@router.get("/wall", **seen_by(Deed.SEE))
async def wall(request: Request, look: Glanced) -> HTMLResponse:
    """Return the view for a screen on a wall: key figures, flow and alarms, one after another, without anything to press."""
    parts = {**pages.tiles(look.runtime), **pages.alarms(look.runtime), "operate": False}
    return page(request, look.runtime, look.language, "wall.html", parts, room="wall")


class Note(BaseModel):
    """Words about a stretch of time, a device or the whole site."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=500)]
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    about: Annotated[str, Field(max_length=60, pattern=r"^[a-z0-9_]*$")] = ""


@router.post("/console/notes", status_code=201, **only(Deed.DRAFT))
async def write_note(runtime: Running, backing: Backed, who: Known, note: Annotated[Note, Body()]) -> JSONResponse:
    """Keep a note in the record, which nobody changes afterwards."""
    now = runtime.clock.now()
    start = note.start or now
    if note.end is not None and note.end < start:
        raise HTTPException(422, "The note ends before it begins; correct one of the two.")
    details = {"text": note.text, "start": start.isoformat(), "end": (note.end or start).isoformat()}
    async with backing.store.changing(who.tenant_id) as session:
        await record(session, backing.store.clock.now(), who.name, NOTED, f"note/{note.about or 'site'}", details)
    return JSONResponse(details, 201)


async def notes(look: Glance) -> dict[str, object]:
    """Return the newest notes."""
    wanted = select(AuditEntry).where(AuditEntry.tenant_id == look.who.tenant_id, AuditEntry.action == NOTED)
    async with look.backing.store.reading(look.who.tenant_id) as session:
        found = (await session.scalars(wanted.order_by(AuditEntry.seq.desc()).limit(NOTES_SHOWN))).all()
    return {"notes": [(e.actor, e.thing.partition("/")[2], str(e.details["text"]), *_span(e)) for e in found]}


def _span(entry: AuditEntry) -> tuple[datetime, datetime]:
    start, end = (datetime.fromisoformat(str(entry.details[k])) for k in ("start", "end"))
    return start, end


@router.get("/console/marks/{name}", **only(Deed.SEE))
async def marks(look: Glanced, name: Annotated[str, Path(max_length=20)]) -> JSONResponse:
    """Return the notes as charts show them, in ms UTC; ``name`` is what they are about, or ``site`` for all."""
    told = await notes(look)
    found = [n for n in told["notes"] if name in ("site", n[1])]  # type: ignore[attr-defined] # a list of tuples, see above
    return JSONResponse(
        [
            {"start": 1e3 * a.timestamp(), "end": 1e3 * b.timestamp(), "text": f"{by}: {text}"}
            for by, _, text, a, b in found
        ]
    )
