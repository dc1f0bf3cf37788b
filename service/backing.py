"""What the interface stands on besides the running site: the store, the folder of results, and who is let in."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from service.auth.doors import HOME
from service.auth.known import Recent
from service.auth.limits import Limit
from service.auth.oidc import Provider
from service.auth.secrets import Passwords
from service.past import Past
from service.store.engine import Store
from service.telemetry.repository import Telemetry


def _requests() -> Limit:
    return Limit(per_s=250, burst=500)


def _logins() -> Limit:
    return Limit(per_s=0.2, burst=10)


@dataclass(frozen=True, slots=True)
class Kept:
    """How long telemetry is kept: points as they came, and the means that remain of them."""

    points: timedelta = timedelta(days=90)
    means: timedelta = timedelta(days=3650)


@dataclass(slots=True)
class Backing:
    """Store, results and doors of one service.

    ``local`` lets everybody in who asks from this machine itself, as the one person who works on it.
    """

    store: Store
    results: Path
    local: bool = False
    tenant_id: str = HOME
    """Whose site runs here."""
    passwords: Passwords = field(default_factory=Passwords)
    recent: Recent = field(default_factory=Recent)
    requests: Limit = field(default_factory=_requests)
    """How often one person or program may ask."""
    logins: Limit = field(default_factory=_logins)
    """How often one address may try a password."""
    provider: Provider | None = None
    """Who else may say who people are."""
    kept: Kept = field(default_factory=Kept)
    past: Past | None = None
    """What the site did, where a log is kept."""
    telemetry: Telemetry = field(init=False)

    def __post_init__(self) -> None:
        self.telemetry = Telemetry(self.store)
