"""Opening the store for a service that is about to start: its tables are this version's, its tenant is there, somebody can come in."""

import asyncio
import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from models.errors import SetupError
from service.auth.doors import ensure_tenant, setup_secret
from service.auth.oidc import Provider, oidc_settings
from service.auth.tenants import require_tenant
from service.backing import Backing, Kept
from service.jobs.crew import Crew
from service.observed import log_lines
from service.store.engine import Store, store_url
from service.store.migrate import upgrade


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a service keeps things, and who comes in; ``four_eyes`` None leaves the tenant's choice as it is."""

    store: str | Path
    results: Path
    local: bool = False
    four_eyes: bool | None = None
    worker: bool = True
    log_lines: bool = False
    kept: Kept = field(default_factory=Kept)
    """How long telemetry is kept."""

    def crew(self) -> Crew:
        """Return the worker beside the service, not yet started; none where others work."""
        return Crew(str(self.store), self.results, members=int(self.worker))


def opened(doors: Doors) -> tuple[Backing, str | None]:
    """Return the store of a service, brought up to date, and the one-time secret for the first person where there is nobody yet."""
    if doors.log_lines:
        log_lines()
    url = store_url(doors.store)
    known = oidc_settings(os.environ)

    async def prepare() -> str | None:
        await upgrade(url)
        store = Store(url)
        try:
            await ensure_tenant(store, four_eyes=doors.four_eyes)
            if known is not None:
                await require_tenant(store, known.tenant)
            return None if doors.local else await setup_secret(store)
        finally:
            await store.close()

    secret = asyncio.run(prepare())
    provider = None if known is None else Provider(known)
    return Backing(Store(url), doors.results, local=doors.local, provider=provider, kept=doors.kept), secret


def require_loopback(host: str) -> None:
    """Refuse to be open to everybody on an address that others reach.

    Raises
    ------
    SetupError
        If the address is not this machine's own.
    """
    if host != "localhost" and not ip_address(host).is_loopback:
        raise SetupError(f"--local lets everybody in, so it is for 127.0.0.1 alone, not for {host}; leave it out")
