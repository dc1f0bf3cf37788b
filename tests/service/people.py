"""Two tenants with one person and one key per role, on a store of either engine, and the application that lets them in."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from argon2 import PasswordHasher
from sqlalchemy import select

from service.app import create_app
from service.auth.doors import HOME, begin_session, ensure_tenant
from service.auth.people import make_key
from service.auth.roles import Principal, Role
from service.auth.secrets import hash_of
from service.backing import Backing
from service.store.engine import Store
from service.store.people import ApiKey, LoginSession, User
from tests.service.apps import here

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "four quiet words here"  # noqa: S105 # of people who live in tests
FOREIGN = "other"


@dataclass
class Town:
    """Who lives in a store: secrets of keys and sessions by tenant and role."""

    keys: dict = field(default_factory=dict)
    sessions: dict = field(default_factory=dict)
    expired: str = ""
    revoked: str = ""
    expired_session: str = ""
    revoked_session: str = ""


async def settled(store) -> Town:
    town = Town()
    for tenant in (HOME, FOREIGN):
        await ensure_tenant(store, tenant)
        by = Principal(tenant, "founder", frozenset({Role.ADMIN}))
        for role in Role:
            _, town.keys[tenant, role] = await make_key(store, by, role.value, [role], None)
            town.sessions[tenant, role] = await moved_in(store, tenant, role)
    by = Principal(HOME, "founder", frozenset({Role.ADMIN}))
    _, town.expired = await make_key(store, by, "old", list(Role), None)
    _, town.revoked = await make_key(store, by, "lost", list(Role), None)
    async with store.everywhere() as session:
        now = store.clock.now()
        keys = {k.secret_hash: k for k in await session.scalars(select(ApiKey))}
        keys[hash_of(town.expired)].expires_at = now
        keys[hash_of(town.revoked)].revoked_at = now
        town.expired_session, town.revoked_session = "s-expired", "s-revoked"
        user = f"u-{HOME}-admin"
        for secret, ends, gone in (("s-expired", now, None), ("s-revoked", now + timedelta(hours=1), now)):
            more = {"created_at": now, "expires_at": ends, "revoked_at": gone}
            session.add(LoginSession(secret_hash=hash_of(secret), tenant_id=HOME, user_id=user, **more))
    return town


async def moved_in(store, tenant, role) -> str:
    async with store.changing(tenant) as session:
        user = User(
            id=f"u-{tenant}-{role}",
            name=f"{role}@{tenant}",
            password_hash=QUICK.hash(PASSWORD),
            roles=[role],
            created_at=store.clock.now(),
            tenant_id=tenant,
            version=1,
        )
        session.add(user)
        await session.flush()
        return begin_session(session, store.clock.now(), user).secret


def town_of(url) -> Town:
    """Settle two tenants in a store."""

    async def settle():
        store = Store(url)
        try:
            return await settled(store)
        finally:
            await store.close()

    return asyncio.run(settle())


def guarded_app(runtime, url, results):
    """The application as it is on a server: nobody comes in without a key or a login."""
    return create_app(runtime, Backing(Store(url), results))


def knocking(runtime, url, results):
    return here(guarded_app(runtime, url, results))


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}
