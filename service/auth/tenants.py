"""Tenants of an installation: made with a key for their first admin, shut out and let in again; by whoever reaches the store itself."""

from datetime import timedelta

from models.errors import DataError, SetupError
from models.findings import error
from service.auth.doors import HOME
from service.auth.people import NameTakenError, make_key
from service.auth.roles import Principal, Role
from service.store.audit import record
from service.store.columns import NAME_LENGTH
from service.store.engine import TENANT_ID, Store
from service.store.people import Tenant

FIRST_KEY_LIFE = timedelta(days=7)
"""So long the first key of a tenant opens its door; until then somebody has made users with it."""
BY = "installation"
"""Who acts at the command line: whoever may read the store's address."""


async def make_tenant(store: Store, tenant_id: str, name: str) -> str:
    """Make a tenant and return the secret of a key that may manage its people for a week.

    Raises
    ------
    DataError
        With everything that is wrong with id and name.
    NameTakenError
        If there is a tenant of that id.
    """
    findings = [] if TENANT_ID.fullmatch(tenant_id) else [error("id", "takes 1 to 40 letters, digits, - and _")]
    if not 0 < len(name) <= NAME_LENGTH:
        findings.append(error("name", f"takes 1 to {NAME_LENGTH} characters, not {len(name)}"))
    if findings:
        raise DataError(findings)
    now = store.clock.now()
    async with store.everywhere() as session:
        if await session.get(Tenant, tenant_id) is not None:
            raise NameTakenError(f"there is a tenant {tenant_id} already; choose another id")
        session.add(Tenant(id=tenant_id, name=name, four_eyes=False, created_at=now))
    async with store.changing(tenant_id) as session:
        await record(session, now, BY, "tenant.made", f"tenant/{tenant_id}", {"name": name})
    by = Principal(tenant_id, BY, frozenset({Role.ADMIN}))
    _, secret = await make_key(store, by, "first admin", [Role.ADMIN], now + FIRST_KEY_LIFE)
    return secret


async def require_tenant(store: Store, tenant_id: str) -> None:
    """Raise SetupError where there is no tenant of this id."""
    async with store.everywhere(reading=True) as session:
        if await session.get(Tenant, tenant_id) is None:
            raise SetupError(f"there is no tenant {tenant_id}; jouletwin tenant list shows them")


async def shut_out(store: Store, tenant_id: str, *, out: bool) -> None:
    """Let nobody of a tenant in any more, or let them in again; what is theirs stays as it is.

    Raises
    ------
    SetupError
        If there is no such tenant, or the site that runs here is theirs.
    """
    if out and tenant_id == HOME:
        raise SetupError(f"the site that runs here belongs to {HOME}; stop the service instead")
    now = store.clock.now()
    async with store.everywhere() as session:
        tenant = await session.get(Tenant, tenant_id)
        if tenant is None:
            raise SetupError(f"there is no tenant {tenant_id}; jouletwin tenant list shows them")
        if (tenant.disabled_at is not None) == out:
            return
        tenant.disabled_at = now if out else None
    deed = "tenant.disabled" if out else "tenant.enabled"
    async with store.changing(tenant_id) as session:
        await record(session, now, BY, deed, f"tenant/{tenant_id}")
