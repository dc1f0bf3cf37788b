"""Devices put into service while the site runs: judged, read once, kept with the very map that was tried, taken by the loop at its next turn."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field

from hil.maps.bind import bind, check_devices, needed_quantities
from hil.maps.load import parse_map
from hil.probe import Tried, try_map
from models.errors import DataError
from models.findings import Finding, error, errors_in
from models.site import Device, Site
from models.site.check import check_site
from models.units import Id
from service.backing import Backing
from service.documents import shelf
from service.documents.checks import DocumentKind
from service.pace import paced
from service.runtime import Runtime
from service.store.engine import Store

MAPS = "devices"
TRIED_S = 5.0
"""How long a device may take for one answer before it is put into service; the bridge is stricter with what it has."""
MOST = 1000
EXAMPLE = """format: jouletwin-map/1
name: small_meter
title: A meter with one value
source: its manual
kinds: [meter]
points:
- {quantity: electricity_kw, address: 10, type: float32, unit: kW, range: [-9000, 9000]}
"""
NAMED = re.compile(r"^name:\s*([a-z0-9_]+)\s*$", re.MULTILINE)


class Commission(BaseModel):
    """Where a device answers, whom it serves, and the register map that describes it, word for word."""

    model_config = ConfigDict(extra="forbid")

    asset: Id = Field(description="the asset or meter of the site that it serves", examples=["billing_power"])
    host: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9.:_-]+$", examples=["127.0.0.1"])]
    port: Annotated[int, Field(ge=1, le=65535)] = 502
    unit_id: Annotated[int, Field(ge=0, le=255)] = 1
    poll_s: Annotated[float, Field(gt=0, le=3600, description="seconds between two reads")] = 10.0
    map: Annotated[str, Field(max_length=200_000, description="the register map as YAML", examples=[EXAMPLE])]

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Return what a kept document says."""
        return cls.model_validate(yaml.safe_load(body))

    def written(self) -> bytes:
        """Return the document to keep."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True).encode()

    def device(self, name: str, folder: Path) -> Device:
        """Return the device, with its map laid out below ``folder`` under a name that changes with its content.

        Raises
        ------
        DataError
            With every finding where the map cannot be used.
        """
        title = map_name(self.map)
        _, findings = parse_map(self.map, title)
        if wrong := errors_in(findings):
            raise DataError(wrong)
        place = folder / MAPS / sha256(self.map.encode()).hexdigest()[:16] / f"{title}.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(self.map, encoding="utf-8")
        same = {key: getattr(self, key) for key in ("asset", "host", "port", "unit_id", "poll_s")}
        return Device(id=name, map=str(place.resolve()), **same)


def map_name(text: str) -> str:
    """Return the name that a register map gives itself, "tried" for none that can be read."""
    named = NAMED.search(text)
    return named[1] if named else "tried"


def with_devices(site: Site, devices: Iterable[Device]) -> Site:
    """Return a site with further devices; one of a known id takes the place of the other.

    Raises
    ------
    DataError
        With everything that speaks against it.
    """
    more = {d.id: d for d in devices}
    known = {d.id for d in site.devices}
    kept = [more.get(d.id, d) for d in site.devices]
    made = replace(site, devices=(*kept, *(d for d in more.values() if d.id not in known)))
    references = [f for f in check_site(made) if f.place.startswith("devices")]
    if wrong := errors_in([*references, *([] if errors_in(references) else check_devices(made))]):
        raise DataError(wrong)
    return made


async def first_reads(site: Site, device: Device) -> tuple[Tried, ...]:
    """Return every point of a device, read once; nothing is written.

    Raises
    ------
    UnreachableError
        If nobody answers there.
    DataError
        If what the site needs of it cannot be read well.
    """
    tried = await try_map(bind(site, device), device.host, device.port, unit_id=device.unit_id, timeout_s=TRIED_S)
    if missing := list(_missing(site, device, tried)):
        raise DataError(missing)
    return tried


def _missing(site: Site, device: Device, tried: Sequence[Tried]) -> Iterable[Finding]:
    told = {t.quantity: t.words for t in tried}
    for names in needed_quantities(site.asset(device.asset)):
        if not any(told.get(name, "-") == "" for name in names):
            words = next((told[n] for n in names if n in told), "its map does not read it")
            yield error(f"devices[{device.id}].{names[0]}", f"{device.asset} needs it, and: {words}", device.id)


async def kept_devices(store: Store, tenant_id: str) -> dict[str, Commission]:
    """Return the devices that were put into service over the interface, by id."""
    async with store.reading(tenant_id) as session:
        rows = await shelf.listed(session, DocumentKind.DEVICE, "", MOST)
    return {row.name: Commission.read(row.body) for row in rows}


def renewed(runtime: Runtime, kept: Mapping[str, Commission], folder: Path) -> Site:
    """Return the site as its file states it, with the devices that were put into service over the interface.

    Raises
    ------
    DataError
        With everything that speaks against one of them.
    """
    devices = [commission.device(name, folder) for name, commission in kept.items()]
    return paced(with_devices(runtime.written, devices), runtime.speed)


def take_up(runtime: Runtime, backing: Backing) -> None:
    """Start with the devices that were put into service before; one that no longer fits the site's file is left out, and an event says so."""
    address = backing.store.url

    async def read() -> dict[str, Commission]:
        store = Store(address)
        try:
            return await kept_devices(store, backing.tenant_id)
        finally:
            await store.close()

    fitting: dict[str, Commission] = {}
    for name, commission in asyncio.run(read()).items():
        try:
            runtime.memory.site = renewed(runtime, {**fitting, name: commission}, backing.results)
        except DataError as fault:
            words = f"is not taken up again: {fault}. Put it into service anew, or take it out of service."
            runtime.memory.take_fault(runtime.clock.now(), name, words)
        else:
            fitting[name] = commission
