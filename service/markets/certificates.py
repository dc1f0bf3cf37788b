"""The registry of green certificates in the store: every act is an entry of its journal."""

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from market.certificates import Event, Holding, Registry, check_events
from models.findings import Finding
from service.markets.journals import Journal, entries, held
from service.markets.ledgers import plain

CERTIFICATES = "certificates"
_EVENT = TypeAdapter(Event)


async def opened(session: AsyncSession, device: str) -> tuple[Journal, Registry]:
    """Return the registry to go on with, held; of one device everything is known."""
    journal = await held(session, CERTIFICATES)
    rows = await entries(session, CERTIFICATES, things=[device])
    return journal, Registry(earlier=[_EVENT.validate_python(r.content) for r in rows], head=journal.digest)


def keep(journal: Journal, registry: Registry) -> None:
    """Keep the acts that were done."""
    for event in registry.events:
        journal.add(event.at, event.device, plain(_EVENT, event), event.digest)


async def holdings(session: AsyncSession, device: str | None, holder: str | None) -> tuple[Holding, ...]:
    """Return who holds what, by device and number."""
    rows = await entries(session, CERTIFICATES, things=None if device is None else [device])
    return Registry(earlier=[_EVENT.validate_python(r.content) for r in rows]).holdings(holder)


async def acts(session: AsyncSession, *, before: int, limit: int) -> list[tuple[int, Event]]:
    """Return acts before a number with their numbers, newest first."""
    rows = await entries(session, CERTIFICATES, before=before, limit=limit)
    return [(r.number, _EVENT.validate_python(r.content)) for r in rows]


async def check(session: AsyncSession) -> tuple[int, list[Finding]]:
    """Return how many acts there are and which were changed, or do not follow the one before."""
    rows = await entries(session, CERTIFICATES)
    return len(rows), list(check_events([_EVENT.validate_python(r.content) for r in rows]))
