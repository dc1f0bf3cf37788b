"""The record of who did what: a chain in which every entry carries the hash of the one before, so that tampering shows.

An entry is written in the transaction of the change that it tells of. Neither engine lets an entry be changed or removed; who goes
behind the engine breaks the chain at that place. A chain that was cut off at its end is still a chain: compare its head with one that
was noted elsewhere (the service logs it when it ends).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.chain import FIRST, chained
from models.findings import Finding, error
from service.store.columns import micros
from service.store.engine import Store
from service.store.people import AuditEntry, AuditHead, Tenant

READ_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Chain:
    """What became of a chain: how long it is, where it ends, and what is wrong with it."""

    tenant_id: str
    length: int
    head: str
    findings: Sequence[Finding]


async def record(
    session: AsyncSession,
    at: datetime,
    actor: str,
    action: str,
    thing: str,
    details: Mapping[str, object] | None = None,
) -> AuditEntry:
    """Append an entry to the chain of the transaction's tenant; ``thing`` names what was acted on (``schedule/ID``)."""
    tenant = session.sync_session.info["tenant"]
    head = await session.get(AuditHead, tenant, with_for_update=True)
    if head is None:
        head = AuditHead(tenant_id=tenant, seq=0, hash=FIRST)
        session.add(head)
    entry = AuditEntry(
        tenant_id=tenant,
        seq=head.seq + 1,
        at=at,
        actor=actor,
        action=action,
        thing=thing,
        details=dict(details or {}),
        previous=head.hash,
    )
    entry.hash = hash_of(entry)
    head.seq, head.hash = entry.seq, entry.hash
    session.add(entry)
    await session.flush()
    return entry


def hash_of(entry: AuditEntry) -> str:
    """Return the hash of everything in an entry but the hash itself."""
    told = (entry.tenant_id, entry.seq, micros(entry.at), entry.actor, entry.action, entry.thing, entry.details)
    return chained(told, entry.previous)


async def verify(store: Store, tenant_id: str) -> Chain:
    """Return what is wrong with a tenant's chain: entries that were changed, are missing, or stand in the wrong place."""
    findings: list[Finding] = []
    before, seq = FIRST, 0
    async with store.reading(tenant_id) as session:
        head = await session.get(AuditHead, tenant_id)
        while rows := await _following(session, tenant_id, seq):
            for entry in rows:
                findings += _wrong(entry, before, seq)
                before, seq = entry.hash, entry.seq
    told = (0, FIRST) if head is None else (head.seq, head.hash)
    if told != (seq, before):
        words = f"the chain should end with entry {told[0]} ({told[1][:12]}) and ends with {seq} ({before[:12]}); entries are missing"
        findings.append(error(f"audit/{tenant_id}", words))
    return Chain(tenant_id, seq, before, tuple(findings))


async def _following(session: AsyncSession, tenant_id: str, seq: int) -> Sequence[AuditEntry]:
    behind = select(AuditEntry).where(AuditEntry.tenant_id == tenant_id, AuditEntry.seq > seq)
    return (await session.scalars(behind.order_by(AuditEntry.seq).limit(READ_AT_ONCE))).all()


def _wrong(entry: AuditEntry, before: str, seq: int) -> list[Finding]:
    """Return what is wrong with one entry behind the entry ``seq`` with the hash ``before``."""
    place = f"audit/{entry.tenant_id}/{entry.seq}"
    if entry.seq != seq + 1:
        return [error(place, f"follows entry {seq}; what was between them is missing")]
    if entry.previous != before:
        return [error(place, f"does not follow entry {seq}: it carries the hash of another one")]
    if hash_of(entry) != entry.hash:
        return [error(place, f"was changed after it was written ({entry.action} by {entry.actor})")]
    return []


async def tenants(store: Store) -> Sequence[Tenant]:
    """Return every tenant."""
    async with store.everywhere() as session:
        return (await session.scalars(select(Tenant).order_by(Tenant.id))).all()


async def known_entry(store: Store, tenant_id: str, digest: str) -> bool:
    """Return whether a tenant's chain has an entry with a hash; an empty chain has the first one."""
    async with store.reading(tenant_id) as session:
        found = select(AuditEntry.seq).where(AuditEntry.tenant_id == tenant_id, AuditEntry.hash == digest)
        return digest == FIRST or (await session.scalar(found)) is not None
