"""Endpoints of users and keys, and of the record of who did what."""

from typing import Annotated, Any

from fastapi import Body, HTTPException, Path, Query, Response
from sqlalchemy import select

from models.errors import DataError
from service.api.access import Backed, Known, guarded, only
from service.api.people.schemas import (
    AuditOut,
    AuditPage,
    KeyMade,
    KeyOut,
    KeyPage,
    NewKey,
    NewUser,
    UserChange,
    UserOut,
    UserPage,
)
from service.api.problems import described
from service.api.versions import Read, require, tagged
from service.auth.people import (
    LastAdminError,
    NameTakenError,
    change_user,
    keys,
    make_key,
    make_user,
    revoke_key,
    users,
)
from service.auth.roles import Deed, Role
from service.auth.secrets import Passwords, password_findings
from service.store.people import AuditEntry, User

router = guarded(Deed.MANAGE, "/api/v1", "people")
Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
After = Annotated[str, Query(max_length=120, description="where the page before ended")]
Id = Annotated[str, Path(max_length=40, description="the id")]


@router.get("/users")
async def list_users(backing: Backed, who: Known, limit: Limit = 50, after: After = "") -> UserPage:
    """List users by name."""
    found = await users(backing.store, who, after, limit + 1)
    more = len(found) > limit
    return UserPage(items=[UserOut.of(u) for u in found[:limit]], next=found[limit - 1].name if more else None)


@router.post("/users", status_code=201, responses=described(409))
async def add_user(backing: Backed, who: Known, wanted: NewUser, response: Response) -> UserOut:
    """Make a user with a password; they change it and add a code at their first login."""
    try:
        user = await make_user(backing.store, backing.passwords, who, wanted.name, wanted.password, wanted.roles)
    except NameTakenError as fault:
        raise HTTPException(409, f"{fault}.") from None
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    tagged(response, user.version)
    return UserOut.of(user)


@router.get("/users/{user_id}", responses=described(404))
async def one_user(backing: Backed, who: Known, user_id: Id, response: Response) -> UserOut:
    """Return a user; the ETag is needed to change them."""
    async with backing.store.reading(who.tenant_id) as session:
        user = _known(await session.get(User, user_id), user_id)
    tagged(response, user.version)
    return UserOut.of(user)


@router.patch("/users/{user_id}", responses=described(404, 409, 412, 428))
async def edit_user(
    backing: Backed, who: Known, user_id: Id, change: UserChange, read: Read, response: Response
) -> UserOut:
    """Change a user's roles or password, or shut them out; they are logged out everywhere."""
    store = backing.store
    async with store.reading(who.tenant_id) as session:
        name = _known(await session.get(User, user_id), user_id).name
    changes, told = await _changes(backing.passwords, change, name)
    try:
        async with store.changing(who.tenant_id) as session:
            user = _known(await session.get(User, user_id, with_for_update=True), user_id)
            require(user.version, read)
            await change_user(session, store.clock.now(), who, user, changes, told)
    except LastAdminError as fault:
        raise HTTPException(409, f"{fault}.") from None
    backing.recent.forget()
    tagged(response, user.version)
    return UserOut.of(user)


async def _changes(passwords: Passwords, change: UserChange, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is to be set, and what the record is told of it."""
    changes: dict[str, Any] = {}
    if change.roles is not None:
        changes["roles"] = sorted(change.roles)
    if change.disabled is not None:
        changes["disabled"] = change.disabled
    told = dict(changes)
    if change.password is not None:
        if findings := password_findings(change.password, name):
            raise DataError(findings)
        changes |= {"password_hash": await passwords.hash(change.password), "failures": 0, "locked_until": None}
        told["new_password"] = True
    return changes, told


def _known(user: User | None, user_id: str) -> User:
    if user is None:
        raise HTTPException(404, f"There is no user {user_id}; /api/v1/users lists them.")
    return user


@router.get("/keys")
async def list_keys(backing: Backed, who: Known, limit: Limit = 50, after: After = "") -> KeyPage:
    """List keys, revoked ones included."""
    found = await keys(backing.store, who, after, limit + 1)
    more = len(found) > limit
    return KeyPage(items=[KeyOut.of(k) for k in found[:limit]], next=found[limit - 1].id if more else None)


@router.post("/keys", status_code=201)
async def add_key(backing: Backed, who: Known, wanted: Annotated[NewKey, Body()]) -> KeyMade:
    """Make a key for a program; the secret in the answer is told once."""
    if Role.ADMIN in wanted.roles and Role.ADMIN not in who.roles:
        raise HTTPException(403, "Only an admin makes a key that may manage people.")
    key, secret = await make_key(backing.store, who, wanted.name, wanted.roles, wanted.expires_at)
    return KeyMade(**KeyOut.of(key).model_dump(), secret=secret)


@router.delete("/keys/{key_id}", responses=described(404))
async def end_key(backing: Backed, who: Known, key_id: Id) -> KeyOut:
    """Revoke a key; from this answer on it opens nothing. Revoking twice is no error."""
    key = await revoke_key(backing.store, who, key_id)
    backing.recent.forget()
    if key is None:
        raise HTTPException(404, f"There is no key {key_id}; /api/v1/keys lists them.")
    return KeyOut.of(key)


@router.get("/audit", **only(Deed.MANAGE))
async def audit(
    backing: Backed,
    who: Known,
    limit: Limit = 50,
    before: Annotated[int | None, Query(ge=1, lt=2**63, description="number of the last entry seen")] = None,
    thing: Annotated[str | None, Query(max_length=120, description="only what was done to this")] = None,
) -> AuditPage:
    """Return who did what, newest first; `jouletwin audit verify` follows the chain."""
    wanted = select(AuditEntry).where(AuditEntry.tenant_id == who.tenant_id)
    wanted = wanted if before is None else wanted.where(AuditEntry.seq < before)
    wanted = wanted if thing is None else wanted.where(AuditEntry.thing == thing)
    async with backing.store.reading(who.tenant_id) as session:
        found = (await session.scalars(wanted.order_by(AuditEntry.seq.desc()).limit(limit + 1))).all()
    more = len(found) > limit
    return AuditPage(items=[AuditOut.of(e) for e in found[:limit]], next=found[limit - 1].seq if more else None)
