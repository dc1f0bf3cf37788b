"""Endpoints of the tenant that asks; tenants themselves are made on the server (``jouletwin tenant add``)."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from service.api.access import Backed, Known, guarded
from service.auth.roles import Deed
from service.store.audit import record
from service.store.people import Tenant

router = guarded(Deed.MANAGE, "/api/v1/tenant", "people", 404)
Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00-\x1f]+$")
]


class TenantOut(BaseModel):
    """A tenant."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(examples=["home"])
    name: str
    four_eyes: bool = Field(description="whether nobody applies a schedule that nobody else has approved")
    created_at: datetime

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        """Return a tenant as the interface shows it."""
        return cls.model_validate(tenant)


class TenantChange(BaseModel):
    """What is to be different about a tenant; what is left out stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Title | None = Field(None, examples=["North park"])
    four_eyes: bool | None = Field(None, examples=[True])


@router.get("")
async def mine(backing: Backed, who: Known) -> TenantOut:
    """Return the tenant of who asks."""
    async with backing.store.reading(who.tenant_id) as session:
        return TenantOut.of(await _known(session, who.tenant_id))


@router.patch("")
async def change(backing: Backed, who: Known, wanted: TenantChange) -> TenantOut:
    """Change the tenant of who asks; the record tells of it."""
    changes = wanted.model_dump(exclude_none=True)
    async with backing.store.changing(who.tenant_id) as session:
        tenant = await _known(session, who.tenant_id)
        for name, value in changes.items():
            setattr(tenant, name, value)
        if changes:
            now = backing.store.clock.now()
            await record(session, now, who.name, "tenant.changed", f"tenant/{tenant.id}", changes)
        return TenantOut.of(tenant)


async def _known(session: AsyncSession, tenant_id: str) -> Tenant:
    tenant = await session.get(Tenant, tenant_id)
    if tenant is None:
        raise HTTPException(404, "Your tenant is gone; ask who runs the server.")
    return tenant
