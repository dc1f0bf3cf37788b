"""Roles, and what each of them may do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What somebody is here for; a person may have several."""

    VIEWER = "viewer"
    PLANNER = "planner"
    OPERATOR = "operator"
    SALES = "sales"
    ADMIN = "admin"
    CI = "ci"


class Deed(StrEnum):
    """What a route lets somebody do."""

    SEE = "see"
    """Read what the site does, its plans, schedules and telemetry."""
    STUDY = "study"
    """Ask for studies and fetch their results."""
    DRAFT = "draft"
    """Write schedules that do nothing before they are approved."""
    OPERATE = "operate"
    """Approve and apply schedules, work on alarms."""
    FEED = "feed"
    """Bring telemetry in."""
    TRADE = "trade"
    """Bring tariffs, bill, send orders, clear, settle, book."""
    SELL = "sell"
    """Write what is known of customers: parties, leads, proposals, contracts, projects, partners' shares."""
    SERVE = "serve"
    """Write work orders and service cases."""
    MANAGE = "manage"
    """Users, keys, and the record of who did what."""
    BE = "be"
    """What anybody may do who is known here: see who one is, log out."""


MAY: Mapping[Role, frozenset[Deed]] = {
    Role.VIEWER: frozenset({Deed.BE, Deed.SEE}),
    Role.PLANNER: frozenset({Deed.BE, Deed.SEE, Deed.STUDY, Deed.DRAFT}),
    Role.OPERATOR: frozenset(
        {Deed.BE, Deed.SEE, Deed.TRADE, Deed.STUDY, Deed.DRAFT, Deed.OPERATE, Deed.FEED, Deed.SERVE}
    ),
    Role.SALES: frozenset({Deed.BE, Deed.SEE, Deed.TRADE, Deed.STUDY, Deed.SELL, Deed.SERVE}),
    Role.ADMIN: frozenset({Deed.BE, Deed.SEE, Deed.TRADE, Deed.FEED, Deed.SELL, Deed.SERVE, Deed.MANAGE}),
    Role.CI: frozenset({Deed.BE, Deed.STUDY}),
}
"""Who manages people does not operate, and the other way round; the first person here is given both and may part them."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a person or a program of one tenant."""

    tenant_id: str
    name: str
    roles: frozenset[Role]
    session_hash: str = ""
    """Of a person who is logged in at the page."""
    expires_at: datetime | None = None
    """When the key or the session ends."""

    def may(self, deed: Deed) -> bool:
        """Return whether one of the roles allows it."""
        return any(deed in MAY[role] for role in self.roles)


def roles_of(names: Iterable[str]) -> frozenset[Role]:
    """Return the roles of these names; names that this version does not know give no rights."""
    known = {r.value for r in Role}
    return frozenset(Role(n) for n in names if n in known)
