"""``store`` and ``audit``: what the commands do."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from models.errors import SetupError
from models.findings import Finding, error
from service.auth.tenants import make_tenant, shut_out
from service.commands.screen import console
from service.store import backup as saving
from service.store import migrate
from service.store.audit import Chain, known_entry, tenants, verify
from service.store.engine import Store, store_url

Answer = TypeVar("Answer")


def with_store(address: str, work: Callable[[Store], Awaitable[Answer]]) -> Answer:
    """Return what some work with a store gives."""

    async def run() -> Answer:
        store = Store(store_url(address))
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def upgrade_store(address: str, to: str) -> None:
    """Bring a store to a revision."""
    url = store_url(address)
    console.print(
        f"{url.render_as_string()} stands at revision {asyncio.run(migrate.upgrade(url, to))}", soft_wrap=True
    )


def downgrade_store(address: str, to: str, *, yes: bool) -> None:
    """Take a store back to a revision."""
    if not yes:
        raise SetupError("what only newer revisions know is lost for good; make a backup and say --yes")
    url = store_url(address)
    reached = asyncio.run(migrate.downgrade(url, to)) or "nothing"
    console.print(f"{url.render_as_string()} stands at revision {reached}", soft_wrap=True)


def backup_store(address: str, results: Path, to: Path) -> None:
    """Write a store into a file."""
    rows = with_store(address, lambda store: saving.backup(store, results, to))
    console.print(f"{to}: {rows} rows", soft_wrap=True)


def restore_store(address: str, results: Path, source: Path) -> int:
    """Fill a store from a file; 1 when its chains are broken."""
    rows = with_store(address, lambda store: saving.restore(store, results, source))
    console.print(f"{rows} rows from {source}", soft_wrap=True)
    return verify_audit(address, [])


def make_tenant_here(address: str, tenant_id: str, name: str) -> None:
    """Make a tenant and print the key of its first admin."""
    secret = with_store(address, lambda store: make_tenant(store, tenant_id, name))
    console.print(f"{tenant_id} is made. For its first admin, told once and good for a week:", soft_wrap=True)
    console.print(secret, highlight=False, soft_wrap=True)
    console.print("With it: POST /api/v1/users, and jouletwin's Python client, Client(address, key).add_user(...)")


def show_tenants(address: str) -> None:
    """Print every tenant."""
    for found in with_store(address, tenants):
        state = "" if found.disabled_at is None else f", shut out since {found.disabled_at:%Y-%m-%d %H:%M} UTC"
        console.print(f"{found.id}: {found.name}{state}", highlight=False, soft_wrap=True)


def shut_tenant(address: str, tenant_id: str, *, out: bool) -> None:
    """Shut a tenant out, or let it in again."""
    with_store(address, lambda store: shut_out(store, tenant_id, out=out))
    console.print(f"{tenant_id} is {'shut out' if out else 'let in'}", soft_wrap=True)


def verify_audit(address: str, heads: Sequence[str]) -> int:
    """Print what became of every chain; 1 when one is broken."""

    async def chains(store: Store) -> list[Chain]:
        return [await verify(store, t.id) for t in await tenants(store)]

    async def missing(store: Store) -> list[Finding]:
        found = [h.partition(":") for h in heads]
        lost = [(t, h) for t, _, h in found if not await known_entry(store, t, h)]
        return [error(f"audit/{t}", f"no entry has the hash {h}; the chain was cut or written anew") for t, h in lost]

    found = with_store(address, chains)
    findings = [f for chain in found for f in chain.findings] + with_store(address, missing)
    for chain in found:
        console.print(f"{chain.tenant_id}: {chain.length} entries, head {chain.tenant_id}:{chain.head}", soft_wrap=True)
    for finding in findings:
        console.print(str(finding), soft_wrap=True, highlight=False)
    return 1 if findings else 0
