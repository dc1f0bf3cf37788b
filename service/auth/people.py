"""Users and keys: made, changed, revoked; each change and its entry in the record are one transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from models.errors import DataError, JouletwinError
from models.findings import error
from service.auth.roles import Principal, Role
from service.auth.secrets import Passwords, hash_of, new_secret, password_findings
from service.store.audit import record
from service.store.engine import Store
from service.store.people import ApiKey, LoginSession, User


class NameTakenError(JouletwinError):
    """Somebody has this name already."""


class ChangedMeanwhileError(JouletwinError):
    """Somebody else changed the object since it was read."""


class LastAdminError(JouletwinError):
    """Nobody would be left who may manage people."""


async def make_user(
    store: Store, passwords: Passwords, by: Principal, name: str, password: str, roles: Iterable[Role]
) -> User:
    """Make a user of the maker's tenant.

    Raises
    ------
    DataError
        With everything that is wrong with the password.
    NameTakenError
        If there is a user of that name, in any tenant.
    """
    if findings := password_findings(password, name):
        raise DataError(findings)
    kept = await passwords.hash(password)
    user = User(
        id=token_hex(8), name=name, password_hash=kept, roles=sorted(roles), created_at=store.clock.now(), version=1
    )
    try:
        async with store.changing(by.tenant_id) as session:
            session.add(user)
            await session.flush()
            await record(
                session, user.created_at, by.name, "user.made", f"user/{user.id}", {"name": name, "roles": user.roles}
            )
    except IntegrityError:
        raise NameTakenError(f"there is a user named {name} already; choose another name") from None
    return user


async def welcome(store: Store, tenant_id: str, subject: str, name: str, roles: Iterable[Role]) -> User:
    """Return the user whom a provider has introduced: made at the first time, with the roles that it names today.

    Raises
    ------
    NameTakenError
        If somebody with a password has this name.
    """
    now = store.clock.now()
    named: list[str] = sorted(roles)
    try:
        async with store.changing(tenant_id) as session:
            mine = select(User).where(User.tenant_id == tenant_id, User.subject == subject)
            user = await session.scalar(mine.with_for_update())
            if user is None:
                user = User(id=token_hex(8), name=name, roles=named, subject=subject, created_at=now, version=1)
                session.add(user)
                await session.flush()
                told = {"name": name, "roles": named}
                await record(session, now, name, "user.introduced", f"user/{user.id}", told)
            elif user.roles != named:
                user.roles, user.version = named, user.version + 1
                await end_sessions(session, now, user.id)
                await record(session, now, name, "user.changed", f"user/{user.id}", {"roles": named})
            return user
    except IntegrityError:
        raise NameTakenError(
            f"there is a user named {name} with a password; an admin has to settle who it is"
        ) from None


async def change_user(
    session: AsyncSession, at: datetime, by: Principal, user: User, changes: dict[str, Any], told: dict[str, Any]
) -> None:
    """Change a user in the transaction that read it; whoever loses a right is logged out, and the record is told ``told``."""
    for name, value in changes.items():
        setattr(user, name, value)
    user.version += 1
    await session.flush()
    if not await _has_admin(session):
        raise LastAdminError("nobody would be left who may manage people here; make another admin first")
    await end_sessions(session, at, user.id)
    await record(session, at, by.name, "user.changed", f"user/{user.id}", told)


async def _has_admin(session: AsyncSession) -> bool:
    able = await session.scalars(select(User).where(User.disabled.is_(False)))
    return any(Role.ADMIN in user.roles for user in able)


async def end_sessions(session: AsyncSession, at: datetime, user_id: str) -> None:
    """Log a user out everywhere."""
    open_ones = select(LoginSession).where(LoginSession.user_id == user_id, LoginSession.revoked_at.is_(None))
    for found in await session.scalars(open_ones):
        found.revoked_at = at


async def make_key(
    store: Store, by: Principal, name: str, roles: Iterable[Role], expires_at: datetime | None
) -> tuple[ApiKey, str]:
    """Make a key of the maker's tenant and return it with its secret, which is never told again."""
    secret, now = new_secret(), store.clock.now()
    if expires_at is not None and expires_at <= now:
        raise DataError([error("expires_at", f"{expires_at.isoformat()} is in the past")])
    key = ApiKey(
        id=token_hex(8),
        name=name,
        secret_hash=hash_of(secret),
        roles=sorted(roles),
        created_by=by.name,
        created_at=now,
        expires_at=expires_at,
        version=1,
    )
    async with store.changing(by.tenant_id) as session:
        session.add(key)
        await record(session, now, by.name, "key.made", f"key/{key.id}", {"name": name, "roles": key.roles})
    return key, secret


async def revoke_key(store: Store, by: Principal, key_id: str) -> ApiKey | None:
    """Let a key open nothing any more, from now on; None where the tenant has none of that id."""
    now = store.clock.now()
    async with store.changing(by.tenant_id) as session:
        key = await session.get(ApiKey, key_id)
        if key is not None and key.revoked_at is None:
            key.revoked_at, key.version = now, key.version + 1
            await record(session, now, by.name, "key.revoked", f"key/{key.id}", {"name": key.name})
        return key


async def users(store: Store, by: Principal, after: str, limit: int) -> Sequence[User]:
    """Return users of a tenant by name, behind the name ``after``."""
    async with store.reading(by.tenant_id) as session:
        mine = select(User).where(User.tenant_id == by.tenant_id, User.name > after).order_by(User.name).limit(limit)
        return (await session.scalars(mine)).all()


async def keys(store: Store, by: Principal, after: str, limit: int) -> Sequence[ApiKey]:
    """Return keys of a tenant by id, behind the id ``after``."""
    async with store.reading(by.tenant_id) as session:
        mine = (
            select(ApiKey).where(ApiKey.tenant_id == by.tenant_id, ApiKey.id > after).order_by(ApiKey.id).limit(limit)
        )
        return (await session.scalars(mine)).all()


async def count_users(store: Store) -> int:
    """Return how many users there are in all tenants."""
    async with store.everywhere() as session:
        return await session.scalar(select(func.count()).select_from(User)) or 0
