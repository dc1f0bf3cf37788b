"""How people and programs come in: a key, a password, a session; and how guessing is kept out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.errors import DataError, JouletwinError
from models.findings import error
from service.auth.people import count_users, make_user
from service.auth.roles import Principal, Role, roles_of
from service.auth.secrets import Passwords, hash_of, new_secret, password_findings, totp_step
from service.store.audit import record
from service.store.engine import Store
from service.store.people import ApiKey, LoginSession, SetupToken, Tenant, User

HOME = "home"
"""The tenant of an installation that has one."""
SESSION_LIFE = timedelta(hours=12)
SETUP_LIFE = timedelta(hours=24)
FAILURES = 5
LOCKED = timedelta(minutes=15)
FIRST_ROLES = (Role.ADMIN, Role.OPERATOR, Role.PLANNER)
"""Of the first person, who may part them later."""
NO = "the name, the password or the code is wrong, or the account is locked for a while"


class NotLetInError(JouletwinError):
    """Wrong name, password, code or token; never says which."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of a login: who it is, and the secret of the session."""

    principal: Principal
    secret: str


async def by_key(store: Store, secret: str) -> Principal | None:
    """Return whose key this is, None for one that is unknown, expired or revoked."""
    async with store.everywhere(reading=True) as session:
        welcome = select(ApiKey).join(Tenant, Tenant.id == ApiKey.tenant_id).where(Tenant.disabled_at.is_(None))
        key = await session.scalar(welcome.where(ApiKey.secret_hash == hash_of(secret)))
    if key is None or key.revoked_at is not None or _over(key.expires_at, store.clock.now()):
        return None
    return Principal(key.tenant_id, f"key {key.name}", roles_of(key.roles), expires_at=key.expires_at)


async def by_session(store: Store, secret: str) -> Principal | None:
    """Return who is logged in with this secret, None for a session that is unknown, over or ended."""
    async with store.everywhere(reading=True) as session:
        together = select(LoginSession, User).join(User, User.id == LoginSession.user_id)
        welcome = together.join(Tenant, Tenant.id == User.tenant_id).where(Tenant.disabled_at.is_(None))
        found = (await session.execute(welcome.where(LoginSession.secret_hash == hash_of(secret)))).first()
    if found is None:
        return None
    login, user = found
    if login.revoked_at is not None or _over(login.expires_at, store.clock.now()) or user.disabled:
        return None
    return Principal(user.tenant_id, user.name, roles_of(user.roles), login.secret_hash, login.expires_at)


def _over(end: datetime | None, now: datetime) -> bool:
    return end is not None and end <= now


async def log_in(store: Store, passwords: Passwords, name: str, password: str, code: str = "") -> Entry:
    """Let somebody in who knows the password, and the code where one is asked for.

    Raises
    ------
    NotLetInError
        Otherwise, without telling why; after five times the account is locked for a quarter of an hour.
    """
    async with store.everywhere(reading=True) as session:
        welcome = select(User).join(Tenant, Tenant.id == User.tenant_id).where(Tenant.disabled_at.is_(None))
        found = await session.scalar(welcome.where(User.name == name))
    fits = await passwords.fits(None if found is None else found.password_hash, password)
    if found is None:
        raise NotLetInError(NO)
    async with store.changing(found.tenant_id) as session:
        entry = await _decided(session, store.clock.now(), found.id, fits, code)
    if entry is None:
        raise NotLetInError(NO)
    return entry


async def _decided(session: AsyncSession, now: datetime, user_id: str, fits: bool, code: str) -> Entry | None:
    """Begin a session, or count a failure; the row is held meanwhile, so that guesses made at once count one by one."""
    user = await session.get(User, user_id, with_for_update=True)
    if user is None or user.disabled or not _over(user.locked_until or now, now):
        return None
    step = totp_step(user.totp_secret, code, now, user.totp_used) if user.totp_secret else user.totp_used
    if not fits or step is None:
        user.failures += 1
        if user.failures >= FAILURES:
            user.failures, user.locked_until = 0, now + LOCKED
            await record(session, now, user.name, "login.locked", f"user/{user.id}")
        return None
    user.failures, user.locked_until, user.totp_used = 0, None, step
    await record(session, now, user.name, "login", f"user/{user.id}")
    return begin_session(session, now, user)


def begin_session(session: AsyncSession, now: datetime, user: User) -> Entry:
    """Log a user in, in a transaction of their tenant."""
    secret = new_secret()
    opened = LoginSession(secret_hash=hash_of(secret), user_id=user.id, created_at=now, expires_at=now + SESSION_LIFE)
    session.add(opened)
    return Entry(
        Principal(
            user.tenant_id or session.sync_session.info["tenant"], user.name, roles_of(user.roles), opened.secret_hash
        ),
        secret,
    )


async def enter(store: Store, user: User) -> Entry:
    """Let in somebody whom a provider has introduced, unless they are shut out here.

    Raises
    ------
    NotLetInError
        If they are.
    """
    now = store.clock.now()
    async with store.changing(user.tenant_id) as session:
        held = await session.get(User, user.id, with_for_update=True)
        tenant = await session.get(Tenant, user.tenant_id)
        if held is None or held.disabled or tenant is None or tenant.disabled_at is not None:
            raise NotLetInError(f"{user.name} is shut out here; ask an admin")
        await record(session, now, held.name, "login", f"user/{held.id}", {"by": "provider"})
        return begin_session(session, now, held)


async def log_out(store: Store, who: Principal) -> None:
    """End the session that somebody asks with; a key has none."""
    async with store.changing(who.tenant_id) as session:
        login = await session.get(LoginSession, who.session_hash)
        if login is not None:
            login.revoked_at = store.clock.now()
            await record(session, store.clock.now(), who.name, "logout", f"user/{login.user_id}")


async def ensure_tenant(store: Store, tenant_id: str = HOME, *, four_eyes: bool | None = None) -> None:
    """Make the tenant if it is not there; ``four_eyes`` None leaves that as it is."""
    async with store.everywhere() as session:
        tenant = await session.get(Tenant, tenant_id)
        if tenant is None:
            tenant = Tenant(id=tenant_id, name=tenant_id, four_eyes=False, created_at=store.clock.now())
            session.add(tenant)
        if four_eyes is not None:
            tenant.four_eyes = four_eyes


async def setup_secret(store: Store) -> str | None:
    """Return a new one-time secret for the first person, in place of any before; None once there are users."""
    if await count_users(store):
        return None
    secret = new_secret()
    async with store.everywhere() as session:
        await session.execute(delete(SetupToken))
        session.add(SetupToken(secret_hash=hash_of(secret), created_at=store.clock.now()))
    return secret


async def set_up(store: Store, passwords: Passwords, secret: str, name: str, password: str) -> Entry:
    """Make the first person, who may do everything, and log them in; the secret is used up.

    Raises
    ------
    NotLetInError
        If the secret is not the one that was told, or was used, or is a day old.
    DataError
        With everything that is wrong with name and password; the secret can be used again.
    """
    findings = [*([] if name else [error("name", "is empty")]), *password_findings(password, name)]
    if findings:
        raise DataError(findings)
    now = store.clock.now()
    async with store.everywhere() as session:
        token = await session.get(SetupToken, hash_of(secret), with_for_update=True)
        if token is None or token.used_at is not None or now - token.created_at > SETUP_LIFE:
            raise NotLetInError("this set-up link is not valid any more; start the service again for a new one")
        token.used_at = now
    first = Principal(HOME, "set-up", frozenset())
    user = await make_user(store, passwords, first, name, password, FIRST_ROLES)
    async with store.changing(HOME) as session:
        return begin_session(session, now, user)
