"""A store as one file and back: rows as lines of JSON, the same from either engine, so that it can be moved from one to the other."""

import base64
import io
import json
import tarfile
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Insert, Table, column, insert, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.errors import SetupError
from service.store.engine import EVERY_TENANT, Store
from service.store.migrate import revision, upgrade
from service.store.people import Tenant
from service.store.tables import EVERY_TABLE

ABOUT = "store.json"
FORMAT = "jouletwin-store/1"
RESULTS = "results"
ROWS = ".jsonl"
Part = tuple[str, list[str]]
"""A table's name, and some of its rows as lines of JSON, all of one tenant where rows belong to tenants."""
AT_ONCE = 1000
"""So many rows are in memory at a time, however many there are."""


async def backup(store: Store, results: Path, to: Path) -> int:
    """Write every row, as it stands at one instant, and every result into a ``.tar.gz``; return how many rows.

    Raises
    ------
    SetupError
        If the file is there already or cannot be written.
    """
    if to.exists():
        raise SetupError(f"{to} is there already; choose another name")
    part, count = to.with_name(to.name + ".part"), 0
    with tarfile.open(part, "w:gz") as archive:
        about = {"format": FORMAT, "revision": await revision(store.url)}
        _put(archive, ABOUT, json.dumps(about).encode())
        async for number, (name, lines) in _numbered(_tables(store)):
            count += len(lines)
            _put(archive, f"{name}.{number}{ROWS}", "\n".join(lines).encode())
        if results.is_dir():
            archive.add(results, RESULTS)
    part.rename(to)
    return count


def _put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


async def _numbered(parts: AsyncIterator[Part]) -> AsyncIterator[tuple[int, Part]]:
    number = 0
    async for part in parts:
        yield number, part
        number += 1


async def _tables(store: Store) -> AsyncIterator[Part]:
    """Yield rows of every table in the order in which they can be put back, a part at a time, all from one instant."""
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if store.on_postgresql else {"reading": True}
    async with store.engine.connect() as found:
        connection = await found.execution_options(**options)
        async with connection.begin():
            await _act_as(store, connection, EVERY_TENANT)
            owners = (await connection.execute(select(Tenant.__table__.c.id))).scalars().all()
            for kept in EVERY_TABLE.sorted_tables:
                for owner in owners if _owned(kept) else [EVERY_TENANT]:
                    await _act_as(store, connection, owner)
                    mine = kept.select().where(kept.c.tenant_id == owner) if _owned(kept) else kept.select()
                    rows = await connection.stream(mine.order_by(*kept.primary_key.columns))
                    async for some in rows.mappings().partitions(AT_ONCE):
                        yield kept.name, [_line(row) for row in some]


def _owned(kept: Table) -> bool:
    return "tenant_id" in kept.c


async def _act_as(store: Store, connection: AsyncConnection, tenant_id: str) -> None:
    if store.on_postgresql:
        await connection.execute(text("SELECT set_config('app.tenant', :tenant, true)"), {"tenant": tenant_id})


def _line(row: Mapping[Any, Any]) -> str:
    kept = {str(name): _plain(value) for name, value in row.items()}
    return json.dumps(kept, ensure_ascii=False, default=lambda at: {"$at": at.isoformat()})


def _plain(value: Any) -> Any:
    return {"$bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _value(found: dict[str, Any]) -> Any:
    if found.keys() == {"$bytes"}:
        return base64.b64decode(found["$bytes"])
    return datetime.fromisoformat(found["$at"]) if found.keys() == {"$at"} else found


async def restore(store: Store, results: Path, source: Path) -> int:
    """Fill an empty store from a backup and bring it to this version's tables; return how many rows.

    Raises
    ------
    SetupError
        If the store is not empty, or the file is no backup.
    """
    if await revision(store.url):
        raise SetupError("the store is not empty; restore into a new file or a new database")
    try:
        with tarfile.open(source) as archive:
            about = json.loads(_content(archive, ABOUT))
            if about.get("format") != FORMAT:
                raise SetupError(f"{source} is not a backup of a store")
            await upgrade(store.url, about["revision"])
            count = await _fill(store, archive)
            there = [m for m in archive.getmembers() if m.name.startswith(f"{RESULTS}/")]
            archive.extractall(results.parent, there, filter="data")
    except (tarfile.TarError, KeyError, ValueError, EOFError) as fault:
        raise SetupError(f"{source} cannot be read as a backup: {fault}") from None
    await upgrade(store.url)
    return count


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    return b"" if found is None else found.read()


async def _fill(store: Store, archive: tarfile.TarFile) -> int:
    """Write every row of a backup, all in one transaction."""
    count = 0
    async with store.engine.begin() as connection:
        for name in [n for n in archive.getnames() if n.endswith(ROWS) and "/" not in n]:
            rows = [json.loads(line, object_hook=_value) for line in _content(archive, name).splitlines()]
            count += len(rows)
            if rows:
                await _act_as(store, connection, rows[0].get("tenant_id", EVERY_TENANT))
                await connection.execute(*_insert(name.partition(".")[0], rows))
    return count


def _insert(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[Insert, list[dict[str, Any]]]:
    """Return what puts rows back into a table as it was when they were saved; what the engine numbers is numbered anew, in order."""
    now = EVERY_TABLE.tables[name]
    kept = [c for c in rows[0] if c not in now.c or now.c[c].identity is None]
    then = table(name, *(column(c, now.c[c].type if c in now.c else None) for c in kept))
    return insert(then), [{c: row[c] for c in kept} for row in rows]
