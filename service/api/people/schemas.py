"""What the endpoints of users, keys and sessions take and answer."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from service.auth.roles import Principal, Role
from service.auth.secrets import PASSWORD_MOST
from service.store.people import ApiKey, AuditEntry, User

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Password = Annotated[str, Field(max_length=PASSWORD_MOST, examples=["a few words that nobody says"])]
Roles = Annotated[frozenset[Role], Field(min_length=1, examples=[["viewer"]])]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Login(_Asked):
    """Name and password, and the code of the authenticator app where the user has one."""

    name: Name = Field(examples=["ann"])
    password: Password
    code: str = Field("", max_length=6, examples=["492039"])


class SetUp(_Asked):
    """The one-time secret that the service printed, and who is to be the first person."""

    secret: str = Field(max_length=100, examples=["jt_what-the-service-printed"])
    name: Name = Field(examples=["ann"])
    password: Password


class NewUser(_Asked):
    """A user to be made."""

    name: Name = Field(examples=["ben"])
    password: Password
    roles: Roles


class UserChange(_Asked):
    """What is to be different about a user; what is left out stays."""

    roles: Roles | None = Field(None, examples=[["viewer", "planner"]])
    password: Password | None = None
    disabled: bool | None = Field(None, examples=[False])


class NewKey(_Asked):
    """A key to be made; it may do no more than its maker or, made by an admin, what its roles say."""

    name: Name = Field(examples=["nightly studies"])
    roles: Roles = Field(examples=[["ci"]])
    expires_at: AwareDatetime | None = Field(None, description="null for a key that lasts until it is revoked")


class WhoOut(BaseModel):
    """Who asks."""

    tenant: str
    name: str
    roles: list[Role]

    @classmethod
    def of(cls, who: Principal) -> Self:
        """Return somebody as the interface shows them."""
        return cls(tenant=who.tenant_id, name=who.name, roles=sorted(who.roles))


class UserOut(BaseModel):
    """A user; nothing of the password is ever shown."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    roles: list[str]
    disabled: bool
    locked_until: datetime | None = Field(description="UTC; null unless guessing has locked the account")
    created_at: datetime
    version: int

    @classmethod
    def of(cls, user: User) -> Self:
        """Return a user as the interface shows them."""
        return cls.model_validate(user)


class UserPage(BaseModel):
    """Users by name."""

    items: list[UserOut]
    next: str | None = Field(description="value for `after` that gives the next page; null on the last")


class KeyOut(BaseModel):
    """A key; its secret is told once, when it is made."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    roles: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Return a key as the interface shows it."""
        return cls.model_validate(key)


class KeyMade(KeyOut):
    """A key with its secret."""

    secret: str = Field(description="told here and never again")


class KeyPage(BaseModel):
    """Keys by id."""

    items: list[KeyOut]
    next: str | None = Field(description="value for `after` that gives the next page; null on the last")


class TotpOut(BaseModel):
    """What an authenticator app needs."""

    secret: str
    uri: str = Field(description="as a QR code holds it")


class AuditOut(BaseModel):
    """One entry of the record."""

    model_config = ConfigDict(from_attributes=True)

    seq: int
    at: datetime
    actor: str
    action: str
    thing: str = Field(description="what was acted on", examples=["schedule/5f0c3a9be2d14f77"])
    details: dict[str, object]
    hash: str = Field(description="covers the entry and the hash of the one before")

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Return an entry as the interface shows it."""
        return cls.model_validate(entry)


class AuditPage(BaseModel):
    """Entries, newest first."""

    items: list[AuditOut]
    next: int | None = Field(description="value for `before` that gives the next page; null on the last")
