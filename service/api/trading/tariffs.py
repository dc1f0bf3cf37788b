"""Tariffs: dated versions of rate components, judged whole; what bills have been made of cannot be changed under them."""

import asyncio
import json
from secrets import token_hex
from typing import Annotated, Any, Self

import yaml
from fastapi import HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from models.errors import DataError
from models.findings import Finding, errors_in
from models.tariffs.file import read_tariff
from models.tariffs.tariff import Tariff
from service.api.access import Backed, Known, guarded, only
from service.api.problems import described
from service.api.trading.common import After, Asked, Id, Limit, Told, known
from service.api.versions import Read, require, tagged
from service.auth.roles import Deed, Principal
from service.backing import Backing
from service.documents import shelf
from service.documents.checks import NAME, DocumentKind
from service.markets.billing import STANDARD_ZONE, require_unbilled
from service.store.documents import DocumentRow

router = guarded(Deed.SEE, "/api/v1/tariffs", "trading")
FLAT = {
    "bands": [{"name": "flat", "price_per_kwh": 0.62, "windows": [{"start_h": 0, "end_h": 24}]}],
    "demand_price_per_kw_month": 38.0,
}


class NewTariff(Asked):
    """A tariff: whole (``jouletwin-tariff/1``), a rate of URDB, or bands and blocks as a site file has them."""

    document: dict[str, Any] = Field(examples=[FLAT])
    name: str | None = Field(None, pattern=NAME, description="made up when left out")
    time_zone: str = Field(STANDARD_ZONE, max_length=60, description="of a document that names none")


class TariffOut(BaseModel):
    """A tariff that is kept."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="its name; contracts and bills refer to it")
    version: int
    currency: str
    carrier: str
    time_zone: str
    versions: list[str] = Field(description="ids of its dated versions, the earliest first")
    components: list[str] = Field(description="names of the components of the latest version")
    findings: list[Told] = Field([], description="warnings")

    @classmethod
    def of(cls, row: DocumentRow, tariff: Tariff, findings: list[Finding] | None = None) -> Self:
        """Return a tariff as the interface shows it."""
        dated = sorted(tariff.versions, key=lambda v: v.valid_from)
        return cls(
            id=row.name,
            version=row.version,
            currency=tariff.currency,
            carrier=tariff.carrier.value,
            time_zone=tariff.calendar.time_zone,
            versions=[v.id for v in dated],
            components=[c.name for c in dated[-1].components],
            findings=[Told.of(f) for f in findings or ()],
        )


class TariffPage(BaseModel):
    """Tariffs by name."""

    items: list[TariffOut]
    next: str | None


@router.post("", status_code=201, responses=described(409, 413), **only(Deed.TRADE))
async def bring(backing: Backed, who: Known, wanted: NewTariff, response: Response) -> TariffOut:
    """Keep a tariff, if nothing is wrong with it; otherwise every finding is told and nothing changes."""
    name = wanted.name or f"tariff-{token_hex(4)}"
    tariff, told = await asyncio.to_thread(_judged, wanted, name)
    async with backing.store.changing(who.tenant_id) as session:
        if await shelf.one(session, DocumentKind.TARIFF, name, changing=True) is not None:
            raise HTTPException(409, f"There is a tariff {name}; replace it with PUT and its ETag.")
        row = await _put(session, backing, who, name, wanted, None)
    response.headers["Location"] = f"/api/v1/tariffs/{name}"
    tagged(response, row.version)
    return TariffOut.of(row, tariff, told)


@router.put("/{tariff_id}", responses=described(404, 412, 413, 428), **only(Deed.TRADE))
async def replace(
    backing: Backed, who: Known, tariff_id: Id, wanted: NewTariff, read: Read, response: Response
) -> TariffOut:
    """Replace a tariff; a change to days that have been billed is refused, bill by bill."""
    async with backing.store.changing(who.tenant_id) as session:
        row = known(await shelf.one(session, DocumentKind.TARIFF, tariff_id, changing=True), "tariff", tariff_id)
        require(row.version, read)
        tariff, told = _judged(wanted, tariff_id)
        await require_unbilled(session, row, _body(wanted), wanted.time_zone)
        row = await _put(session, backing, who, tariff_id, wanted, row)
        await session.flush()
    tagged(response, row.version)
    return TariffOut.of(row, tariff, told)


@router.get("")
async def tariffs(backing: Backed, who: Known, limit: Limit = 50, after: After = "") -> TariffPage:
    """List tariffs by name."""
    async with backing.store.reading(who.tenant_id) as session:
        rows = await shelf.listed(session, DocumentKind.TARIFF, f"{DocumentKind.TARIFF.value}/{after}", limit + 1)
    items = [TariffOut.of(row, tariff) for row in rows[:limit] if (tariff := kept(row)[0]) is not None]
    return TariffPage(items=items, next=rows[limit - 1].name if len(rows) > limit else None)


@router.get("/{tariff_id}", responses=described(404))
async def tariff(backing: Backed, who: Known, tariff_id: Id, response: Response) -> TariffOut:
    """Return a tariff; its text is at /api/v1/documents/tariff/NAME, its ETag is needed to replace it."""
    async with backing.store.reading(who.tenant_id) as session:
        row = known(await shelf.one(session, DocumentKind.TARIFF, tariff_id), "tariff", tariff_id)
    found, told = kept(row)
    tagged(response, row.version)
    return TariffOut.of(row, known(found, "sound tariff", tariff_id), told)


def kept(row: DocumentRow, time_zone: str = STANDARD_ZONE) -> tuple[Tariff | None, list[Finding]]:
    """Return the tariff of a kept document, and warnings about it."""
    return read_tariff(yaml.load(row.body, Loader=yaml.CSafeLoader), row.name, time_zone)


def _judged(wanted: NewTariff, name: str) -> tuple[Tariff, list[Finding]]:
    tariff, told = read_tariff(wanted.document, name, wanted.time_zone)
    if tariff is None or errors_in(told):
        raise DataError(told)
    return tariff, told


def _body(wanted: NewTariff) -> bytes:
    """Return the document as it is kept; JSON is YAML too."""
    return json.dumps(wanted.document, ensure_ascii=False, indent=1).encode()


async def _put(
    session: AsyncSession, backing: Backing, who: Principal, name: str, wanted: NewTariff, row: DocumentRow | None
) -> DocumentRow:
    now = backing.store.clock.now()
    return await shelf.put(session, now, who, DocumentKind.TARIFF, name, _body(wanted), row)


Kept = Annotated[str, Field(pattern=NAME, description="a tariff that is kept")]
