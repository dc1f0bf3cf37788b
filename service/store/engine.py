"""The store: where it is, how it is opened, and the transactions in which a tenant's rows are read and changed."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy import URL, Connection, Dialect, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.pool import ConnectionPoolEntry

from hil.clocks import RealClock
from models.errors import SetupError
from models.ports import Clock
from service.store.columns import Owned
from service.store.readers import Readers

APP_ROLE = "jouletwin_app"
"""What the service is on PostgreSQL: neither owner nor superuser, so that row-level security holds for it."""
EVERY_TENANT = "*"
BUSY_MS = 15_000
IDLE_S = 2.0
RETURNED = "returned"
"""Under this name a connection to PostgreSQL carries when it was last given back."""
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
TENANT_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


def store_url(wanted: str | Path) -> URL:
    """Return where a store is: a PostgreSQL address, or the path of an SQLite file.

    Raises
    ------
    SetupError
        If it is the address of something else.
    """
    if isinstance(wanted, Path) or "://" not in wanted:
        return URL.create(DRIVERS["sqlite"], database=str(Path(wanted).absolute()))
    try:
        found = make_url(wanted)
    except ArgumentError:
        raise SetupError("the store's address cannot be read; it is postgresql://USER@HOST/NAME or a file") from None
    driver = DRIVERS.get(found.get_backend_name())
    if driver is None:
        raise SetupError(f"there is no store on {found.get_backend_name()}; use postgresql://USER@HOST/NAME or a file")
    return found.set(drivername=driver)


def open_engine(url: URL, *, as_owner: bool = False) -> AsyncEngine:
    """Return an engine; on PostgreSQL it acts as ``APP_ROLE`` unless it is there to change tables (``as_owner``)."""
    if url.get_backend_name() == "sqlite":
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(url, connect_args={"isolation_level": None})
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    settings = {} if as_owner else {"server_settings": {"role": APP_ROLE}}
    engine = create_async_engine(url, pool_size=8, max_overflow=8, connect_args=settings)
    event.listen(engine.sync_engine, "begin", _begin_postgresql)
    event.listen(engine.sync_engine, "checkin", _note_return)
    event.listen(engine.sync_engine, "checkout", partial(_ask_if_idle, engine.dialect))
    return engine


def _note_return(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info[RETURNED] = monotonic()


def _ask_if_idle(dialect: Dialect, connection: DBAPIConnection, entry: ConnectionPoolEntry, _lent: object) -> None:
    """Make sure of a connection that nobody has used for a while; asking each time would take as long as a transaction.

    One that has just broken fails its transaction, which is told as a store that cannot be reached.
    """
    now = monotonic()
    if now - entry.info.get(RETURNED, now) > IDLE_S:
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as fault:
            raise DisconnectionError from fault


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the right to write at once: who begins by reading and writes later is refused when somebody else wrote between."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    """Tell row-level security whose transaction this is; without a tenant it shows nothing."""
    if tenant := connection.get_execution_options().get("tenant"):
        connection.exec_driver_sql("SELECT set_config('app.tenant', $1, true)", (tenant,))


class TenantSession(Session):
    """A transaction that sees the rows of ``info["tenant"]`` alone, or of everybody when that is ``EVERY_TENANT``."""


@event.listens_for(TenantSession, "do_orm_execute")
def _filter_by_tenant(state: ORMExecuteState) -> None:
    tenant = state.session.info["tenant"]
    if tenant != EVERY_TENANT and (state.is_select or state.is_update or state.is_delete):
        mine = with_loader_criteria(Owned, lambda row: row.tenant_id == tenant, include_aliases=True)
        state.statement = state.statement.options(mine)


@event.listens_for(TenantSession, "before_flush")
def _stamp_tenant(session: Session, _context: object, _instances: object) -> None:
    tenant = session.info["tenant"]
    for row in (*session.new, *session.dirty):
        if isinstance(row, Owned) and tenant != EVERY_TENANT:
            if row.tenant_id is None:
                row.tenant_id = tenant
            if row.tenant_id != tenant:
                raise PermissionError(f"a row of tenant {row.tenant_id} cannot be written as tenant {tenant}")


class Store:
    """The rows of all tenants; every transaction belongs to one of them, or to the service itself.

    One store belongs to one event loop.
    """

    def __init__(self, url: URL, clock: Clock | None = None) -> None:
        self.url, self.clock = url, clock or RealClock()
        self.engine = open_engine(url)
        self._reading = self.engine.execution_options(reading=True)
        self._readers = None if self.on_postgresql or not url.database else Readers(Path(url.database), BUSY_MS)

    @property
    def on_postgresql(self) -> bool:
        """Whether several machines may share it."""
        return self.url.get_backend_name() == "postgresql"

    @asynccontextmanager
    async def reading(self, tenant_id: str) -> AsyncIterator[AsyncSession]:
        """Give a transaction that reads a tenant's rows."""
        async with self._session(self._reading, tenant_id) as session:
            yield session

    @asynccontextmanager
    async def looking(self, tenant_id: str) -> AsyncIterator[AsyncConnection]:
        """Give a transaction for reading a tenant's rows by plain statements, which name the tenant themselves."""
        async with self._of(self._reading, tenant_id).begin() as connection:
            yield connection

    async def rows(self, tenant_id: str, statement: str, values: Sequence[object]) -> Sequence[Any]:
        """Return the rows of one plain statement of the engine's own, which names the tenant itself: telemetry."""
        if self._readers is not None:
            return await self._readers.rows(statement, values)
        async with self.looking(tenant_id) as connection:
            return (await connection.exec_driver_sql(statement, tuple(values))).all()

    @asynccontextmanager
    async def changing(self, tenant_id: str) -> AsyncIterator[AsyncSession]:
        """Give a transaction that changes a tenant's rows: all of it is kept when the block ends well, none of it otherwise."""
        async with self._session(self.engine, tenant_id) as session:
            yield session

    @asynccontextmanager
    async def everywhere(self, *, reading: bool = False) -> AsyncIterator[AsyncSession]:
        """Give a transaction of the service itself: finding who a secret belongs to, and the queue of jobs of all tenants."""
        async with self._session(self._reading if reading else self.engine, EVERY_TENANT) as session:
            yield session

    @asynccontextmanager
    async def _session(self, engine: AsyncEngine, tenant_id: str) -> AsyncIterator[AsyncSession]:
        session = AsyncSession(self._of(engine, tenant_id), sync_session_class=TenantSession, expire_on_commit=False)
        session.sync_session.info["tenant"] = tenant_id
        async with session, session.begin():
            yield session

    @staticmethod
    def _of(engine: AsyncEngine, tenant_id: str) -> AsyncEngine:
        """Return an engine whose transactions are a tenant's."""
        if tenant_id != EVERY_TENANT and not TENANT_ID.fullmatch(tenant_id):
            raise PermissionError(f"{tenant_id!r} is no tenant")
        return engine.execution_options(tenant=tenant_id)

    async def close(self) -> None:
        """Close every connection."""
        if self._readers is not None:
            self._readers.close()
        await self.engine.dispose()


def is_disk_full(fault: BaseException) -> bool:
    """Return whether a write was refused because there is no room left."""
    words: Any = getattr(fault, "orig", fault) if isinstance(fault, DBAPIError) else fault
    return "disk is full" in str(words) or "No space left" in str(words) or "disk I/O error" in str(words)
