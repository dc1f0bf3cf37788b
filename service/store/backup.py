"""A store as one file and back: rows as lines of JSON, the same from either engine, so that it can be moved from one to the other."""

import base64
import io
import json
import tarfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.errors import SetupError
from service.store.columns import Base
from service.store.engine import EVERY_TENANT, Store
from service.store.migrate import revision, upgrade
from service.store.people import Tenant

ABOUT = "store.json"
FORMAT = "jouletwin-store/1"
RESULTS = "results"
AT_ONCE = 500


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
        async for name, lines in _tables(store):
            count += len(lines)
            _put(archive, f"{name}.jsonl", "\n".join(lines).encode())
        if results.is_dir():
            archive.add(results, RESULTS)
    part.rename(to)
    return count


def _put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


async def _tables(store: Store) -> AsyncIterator[tuple[str, Sequence[str]]]:
    """Yield every table's name and rows, all from one instant."""
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if store.on_postgresql else {"reading": True}
    async with store.engine.connect() as found:
        connection = await found.execution_options(**options)
        async with connection.begin():
            await _act_as(store, connection, EVERY_TENANT)
            owners = (await connection.execute(select(Tenant.__table__.c.id))).scalars().all()
            for table in Base.metadata.sorted_tables:
                lines: list[str] = []
                for owner in owners if _owned(table) else [EVERY_TENANT]:
                    await _act_as(store, connection, owner)
                    mine = table.select().where(table.c.tenant_id == owner) if _owned(table) else table.select()
                    lines += [_line(row) for row in (await connection.execute(mine)).mappings()]
                yield table.name, lines


def _owned(table: Table) -> bool:
    return "tenant_id" in table.c


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
    there, count = set(archive.getnames()), 0
    async with store.engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            if f"{table.name}.jsonl" not in there:
                continue  # a table that is newer than the backup
            lines = _content(archive, f"{table.name}.jsonl").decode().splitlines()
            rows = [json.loads(line, object_hook=_value) for line in lines]
            count += len(rows)
            for owner, mine in _by_owner(rows, owned=_owned(table)):
                await _act_as(store, connection, owner)
                for start in range(0, len(mine), AT_ONCE):
                    await connection.execute(insert(table), mine[start : start + AT_ONCE])
    return count


def _by_owner(rows: Iterable[dict[str, Any]], *, owned: bool) -> Iterable[tuple[str, list[dict[str, Any]]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["tenant_id"] if owned else EVERY_TENANT, []).append(row)
    return found.items()
