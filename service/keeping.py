"""The store on the command line: bringing its tables up to date and back, saving it, and verifying who did what."""

from pathlib import Path
from typing import Annotated

import typer

from service.places import RESULTS, STORE

store = typer.Typer(name="store", help="Keep the store: upgrade, downgrade, backup, restore.", no_args_is_help=True)
tenant = typer.Typer(name="tenant", help="Tenants: make, list, shut out, let in again.", no_args_is_help=True)
audit = typer.Typer(name="audit", help="The record of who did what.", no_args_is_help=True)

Address = Annotated[
    str,
    typer.Option("--store", envvar="JOULETWIN_STORE", metavar="STORE", help="postgresql://USER@HOST/NAME, or a file"),
]
Results = Annotated[Path, typer.Option("--results", metavar="FOLDER", help="where results of jobs are kept")]


@store.command()
def upgrade(address: Address = STORE, to: Annotated[str, typer.Option(help="a revision")] = "head") -> None:
    """Bring the tables to this version's; nothing happens when they are there."""
    from service.commands.store import upgrade_store

    upgrade_store(address, to)


@store.command()
def downgrade(
    to: Annotated[str, typer.Argument(help="the revision to go back to; base for an empty store")],
    address: Address = STORE,
    yes: Annotated[bool, typer.Option("--yes", help="really lose what only newer revisions know")] = False,
) -> None:
    """Take the tables back to a revision, with everything that only newer ones know; make a backup first."""
    from service.commands.store import downgrade_store

    downgrade_store(address, to, yes=yes)


@store.command()
def backup(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="a .tar.gz that is not there yet")],
    address: Address = STORE,
    results: Results = RESULTS,
) -> None:
    """Write everything, as it stands at one instant, into one file; the service may go on meanwhile."""
    from service.commands.store import backup_store

    backup_store(address, results, to)


@store.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="what backup wrote, from either engine")],
    address: Address = STORE,
    results: Results = RESULTS,
) -> None:
    """Fill an empty store from a backup and verify the record of who did what; exit 1 when that is broken."""
    from service.commands.store import restore_store

    raise typer.Exit(restore_store(address, results, source))


TenantId = Annotated[str, typer.Argument(metavar="ID", help="letters, digits, - and _")]


@tenant.command("add")
def add_tenant(
    tenant_id: TenantId,
    name: Annotated[str, typer.Option(help="what people call it; the id when left out")] = "",
    address: Address = STORE,
) -> None:
    """Make a tenant and print a key with which its first admin makes users, once and within a week."""
    from service.commands.store import make_tenant_here

    make_tenant_here(address, tenant_id, name or tenant_id)


@tenant.command("list")
def list_tenants(address: Address = STORE) -> None:
    """Print every tenant, and since when it is shut out where it is."""
    from service.commands.store import show_tenants

    show_tenants(address)


@tenant.command()
def disable(tenant_id: TenantId, address: Address = STORE) -> None:
    """Let nobody of a tenant in any more, within a second; what is theirs stays."""
    from service.commands.store import shut_tenant

    shut_tenant(address, tenant_id, out=True)


@tenant.command()
def enable(tenant_id: TenantId, address: Address = STORE) -> None:
    """Let a tenant in again."""
    from service.commands.store import shut_tenant

    shut_tenant(address, tenant_id, out=False)


@audit.command()
def verify(
    address: Address = STORE,
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="TENANT:HASH", help="an entry that was noted elsewhere and must still be in the chain"),
    ] = None,
) -> None:
    """Follow every chain from its first entry; exit 1 when an entry was changed, removed or moved."""
    from service.commands.store import verify_audit

    raise typer.Exit(verify_audit(address, head or []))
