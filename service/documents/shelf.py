"""Where documents are kept: by kind and name, with versions; every change and its entry in the record are one transaction."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from service.auth.roles import Principal
from service.documents.checks import DocumentKind, Files, laid_out
from service.store.audit import record
from service.store.documents import DocumentRow
from service.store.engine import Store

SITES = "sites"


async def one(session: AsyncSession, kind: DocumentKind, name: str, *, changing: bool = False) -> DocumentRow | None:
    """Return a document of the transaction's tenant, held while it is changed."""
    mine = select(DocumentRow).where(
        DocumentRow.tenant_id == session.sync_session.info["tenant"],
        DocumentRow.kind == kind.value,
        DocumentRow.name == name,
    )
    return await session.scalar(mine.with_for_update() if changing else mine)


async def listed(session: AsyncSession, kind: DocumentKind | None, after: str, limit: int) -> Sequence[DocumentRow]:
    """Return documents of the transaction's tenant by kind and name, behind ``after`` (kind/name)."""
    last_kind, _, last_name = after.partition("/")
    behind = (DocumentRow.kind > last_kind) | ((DocumentRow.kind == last_kind) & (DocumentRow.name > last_name))
    wanted = select(DocumentRow).where(DocumentRow.tenant_id == session.sync_session.info["tenant"], behind)
    if kind is not None:
        wanted = wanted.where(DocumentRow.kind == kind.value)
    return (await session.scalars(wanted.order_by(DocumentRow.kind, DocumentRow.name).limit(limit))).all()


async def put(
    session: AsyncSession,
    now: datetime,
    who: Principal,
    kind: DocumentKind,
    name: str,
    body: bytes,
    row: DocumentRow | None,
) -> DocumentRow:
    """Keep a document, new or in place of the version ``row``."""
    if row is None:
        row = DocumentRow(id=token_hex(8), kind=kind.value, name=name, version=0)
        session.add(row)
    row.body, row.changed_by, row.changed_at, row.version = body, who.name, now, row.version + 1
    details = {"version": row.version, "sha256": sha256(body).hexdigest()}
    await record(session, now, who.name, "document.kept", f"document/{kind.value}/{name}", details)
    return row


async def remove(session: AsyncSession, now: datetime, who: Principal, row: DocumentRow) -> None:
    """Remove a document; what was made of it before stays."""
    await session.delete(row)
    await record(
        session, now, who.name, "document.removed", f"document/{row.kind}/{row.name}", {"version": row.version}
    )


async def files(store: Store, tenant_id: str) -> Files:
    """Return what a site file may refer to: profiles and maps, by their names in its folder."""
    there = (DocumentKind.PROFILES, DocumentKind.MAP)
    async with store.reading(tenant_id) as session:
        mine = select(DocumentRow).where(
            DocumentRow.tenant_id == tenant_id, DocumentRow.kind.in_([k.value for k in there])
        )
        return {f"{d.name}{DocumentKind(d.kind).ending}": d.body for d in await session.scalars(mine)}


async def site_file(store: Store, tenant_id: str, name: str, results: Path) -> Path | None:
    """Return a site document as a file beside what it refers to, where jobs find it; None where there is none of that name."""
    async with store.reading(tenant_id) as session:
        row = await one(session, DocumentKind.SITE, name)
    if row is None:
        return None
    whole = {**await files(store, tenant_id), f"{name}{DocumentKind.SITE.ending}": row.body}
    mark = sha256(b"".join(k.encode() + sha256(v).digest() for k, v in sorted(whole.items()))).hexdigest()[:32]
    folder = results / SITES / mark
    if not folder.exists():
        part = folder.with_name(f"{mark}.{token_hex(4)}")
        laid_out(part, whole)
        try:
            part.rename(folder)
        except OSError:  # somebody else was quicker, with the same content
            if not folder.exists():
                raise
    return folder / f"{name}{DocumentKind.SITE.ending}"
