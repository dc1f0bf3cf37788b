"""Document endpoints: sites, profiles, register maps and tariffs, judged whole before anything is kept."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import Header, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, Field

from models.findings import Finding
from service.api.access import Backed, Known, guarded, only
from service.api.operations.schemas import FindingOut
from service.api.people.endpoints import Limit
from service.api.problems import described
from service.api.versions import Read, read_version, require, tagged
from service.auth.roles import Deed
from service.documents import shelf
from service.documents.checks import NAME, ONLY_READ, DocumentKind, judged
from service.markets.billing import require_unbilled
from service.store.documents import DocumentRow

router = guarded(Deed.SEE, "/api/v1/documents", "documents")
Kind = Annotated[DocumentKind, Path(description="what it is")]
Name = Annotated[str, Path(pattern=NAME, description="what it is called; a site file says NAME.csv or NAME.yaml")]
YAML, CSV = "application/yaml", "text/csv"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
TAKEN: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the file: YAML for sites, maps and tariffs, CSV or Excel for profiles",
        "content": {
            YAML: {"schema": {"type": "string"}, "example": "format: jouletwin-site/1\n"},
            CSV: {"schema": {"type": "string"}, "example": "start_utc,pv_pu\n2015-01-01T00:00:00Z,0.0\n"},
            EXCEL: FILE,
        },
    }
}
FETCHED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The document", "content": {YAML: FILE, CSV: FILE}},
}


class DocumentOut(BaseModel):
    """A document that is kept."""

    kind: DocumentKind
    name: str
    version: int
    size: int = Field(description="bytes")
    changed_by: str
    changed_at: datetime
    findings: list[FindingOut] = Field([], description="warnings, told when it is brought")

    @classmethod
    def of(cls, row: DocumentRow, findings: list[Finding] | None = None) -> Self:
        """Return a document as the interface shows it."""
        same = {name: getattr(row, name) for name in ("kind", "name", "version", "changed_by", "changed_at")}
        told = [FindingOut.model_validate(f, from_attributes=True) for f in findings or ()]
        return cls(**same, size=len(row.body), findings=told)


class DocumentPage(BaseModel):
    """Documents by kind and name."""

    items: list[DocumentOut]
    next: str | None = Field(description="value for `after` that gives the next page; null on the last")


@router.get("")
async def documents(
    backing: Backed,
    who: Known,
    limit: Limit = 50,
    after: Annotated[str, Query(max_length=80, description="where the page before ended")] = "",
    kind: Annotated[DocumentKind | None, Query(description="only these")] = None,
) -> DocumentPage:
    """List documents by kind and name."""
    async with backing.store.reading(who.tenant_id) as session:
        found = await shelf.listed(session, kind, after, limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    following = None if last is None else f"{last.kind}/{last.name}"
    return DocumentPage(items=[DocumentOut.of(row) for row in found[:limit]], next=following)


@router.put(
    "/{kind}/{document}",
    responses={**described(409, 412, 413, 428), 201: {"description": "Kept for the first time", "model": DocumentOut}},
    openapi_extra=TAKEN,
    **only(Deed.DRAFT),
)
async def bring(
    request: Request,
    response: Response,
    backing: Backed,
    who: Known,
    kind: Kind,
    document: Name,
    if_match: Annotated[str | None, Header(description="ETag of the version that is replaced")] = None,
) -> DocumentOut:
    """Keep a document, if nothing is wrong with it; otherwise every finding is told, with row and column, and nothing changes."""
    others = await shelf.files(backing.store, who.tenant_id)
    body, findings = await asyncio.to_thread(judged, kind, document, await request.body(), others)
    async with backing.store.changing(who.tenant_id) as session:
        row = await shelf.one(session, kind, document, changing=True)
        if row is not None:
            require(row.version, read_version(if_match))
            await require_unbilled(session, row, body)
        elif if_match is not None:
            raise HTTPException(
                412, f"There is no {kind.value} {document} any more; leave out If-Match to keep a new one."
            )
        response.status_code = 201 if row is None else 200
        row = await shelf.put(session, backing.store.clock.now(), who, kind, document, body, row)
        await session.flush()
    tagged(response, row.version)
    return DocumentOut.of(row, findings)


@router.get("/{kind}/{document}", response_class=Response, responses={**FETCHED, **described(404)})
async def fetch(backing: Backed, who: Known, kind: Kind, document: Name) -> Response:
    """Return a document's text; its ETag is needed to replace or remove it."""
    async with backing.store.reading(who.tenant_id) as session:
        row = known(await shelf.one(session, kind, document), kind, document)
    answer = Response(row.body, media_type=CSV if kind is DocumentKind.PROFILES else YAML)
    answer.headers["Content-Disposition"] = f'attachment; filename="{document}{kind.ending}"'
    tagged(answer, row.version)
    return answer


@router.delete("/{kind}/{document}", responses=described(404, 409, 412, 428), **only(Deed.DRAFT))
async def remove(backing: Backed, who: Known, kind: Kind, document: Name, read: Read) -> DocumentOut:
    """Remove a document; studies that were asked for with it go on."""
    if kind is DocumentKind.DEVICE:
        raise HTTPException(409, f"{document}: {ONLY_READ}.")
    async with backing.store.changing(who.tenant_id) as session:
        row = known(await shelf.one(session, kind, document, changing=True), kind, document)
        require(row.version, read)
        await require_unbilled(session, row, None)
        await shelf.remove(session, backing.store.clock.now(), who, row)
    return DocumentOut.of(row)


def known(row: DocumentRow | None, kind: DocumentKind, name: str) -> DocumentRow:
    """Return a document, or tell that there is none."""
    if row is None:
        raise HTTPException(404, f"There is no {kind.value} {name}; /api/v1/documents lists what there is.")
    return row
