"""Changing the store's tables from one version of the product to another, both ways."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from models.errors import SetupError
from service.store.engine import open_engine

FOLDER = Path(__file__).parent / "migrations"
NEWEST = "head"
NOTHING = "base"


def newest() -> str:
    """Return the revision that this version of the product works with."""
    return ScriptDirectory(str(FOLDER)).get_current_head() or ""


async def revision(url: URL) -> str:
    """Return the revision that a store stands at, "" where it is empty.

    Raises
    ------
    SetupError
        If the store cannot be reached.
    """
    return await _with(url, lambda c: MigrationContext.configure(c).get_current_revision() or "")


async def upgrade(url: URL, to: str = NEWEST) -> str:
    """Bring a store to a revision and return the one it then stands at; nothing happens when it is there already."""
    known = {r.revision for r in ScriptDirectory(str(FOLDER)).walk_revisions()}
    now = await revision(url)
    if now and now not in known:
        raise SetupError(f"the store stands at revision {now}, which this version does not know; use a newer version")
    return await _with(url, lambda c: _run(c, command.upgrade, to))


async def downgrade(url: URL, to: str) -> str:
    """Take a store back to a revision, with everything that only newer ones know."""
    return await _with(url, lambda c: _run(c, command.downgrade, to))


def _run(connection: Connection, step: object, to: str) -> str:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    step(config, to)  # type: ignore[operator] # one of Alembic's two commands
    return MigrationContext.configure(connection).get_current_revision() or ""


async def _with(url: URL, work: object) -> str:
    engine = open_engine(url, as_owner=True)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)  # type: ignore[arg-type] # one of the two above
    except (DBAPIError, OSError) as fault:
        raise SetupError(f"the store {url.render_as_string()} cannot be used: {_words(fault)}") from None
    finally:
        await engine.dispose()


def _words(fault: Exception) -> str:
    return str(getattr(fault, "orig", fault)).splitlines()[0]
