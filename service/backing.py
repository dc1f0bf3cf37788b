"""What the interface stands on besides the running site: the store, the folder of results, and who is let in."""

from dataclasses import dataclass, field
from pathlib import Path

from service.auth.doors import HOME
from service.auth.known import Recent
from service.auth.limits import Limit
from service.auth.secrets import Passwords
from service.store.engine import Store


def _requests() -> Limit:
    return Limit(per_s=250, burst=500)


def _logins() -> Limit:
    return Limit(per_s=0.2, burst=10)


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
