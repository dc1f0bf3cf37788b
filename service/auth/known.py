"""Who was let in a moment ago, so that a page that asks ten times a second is looked up once."""

from datetime import datetime
from time import monotonic

from service.auth.roles import Principal

FOR_S = 1.0
"""So long what another process of the service has revoked may still open a door here; what this one revokes opens none at once."""
MOST = 1000


class Recent:
    """The last lookups of secrets, by their hashes."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Principal, float]] = {}

    def get(self, digest: str, now: datetime) -> Principal | None:
        """Return whose secret it was a moment ago, None where that is too long ago or over by now."""
        who, until_s = self._found.get(digest, (None, 0.0))
        if who is None or monotonic() >= until_s or (who.expires_at is not None and who.expires_at <= now):
            return None
        return who

    def put(self, digest: str, who: Principal) -> None:
        """Keep a lookup for a moment."""
        if len(self._found) >= MOST:
            self._found.clear()
        self._found[digest] = who, monotonic() + FOR_S

    def forget(self) -> None:
        """Look everybody up anew, because somebody's rights have changed."""
        self._found.clear()
