"""The store on both engines: tables both ways, tenants kept apart, the chain of the audit log, backup and restore."""

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, Text, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from typer.testing import CliRunner

from models.errors import SetupError
from service.cli import app
from service.store.audit import FIRST, record, verify
from service.store.backup import backup, restore
from service.store.columns import EPOCH, Base, Instant, Plain
from service.store.engine import Store, open_engine, store_url
from service.store.migrate import downgrade, newest, revision, upgrade
from service.store.people import ApiKey, User
from service.telemetry.points import Points
from service.telemetry.repository import Telemetry
from tests.service.stores import with_tenants

NOON = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)


@asynccontextmanager
async def opened(url):
    store = Store(url)
    try:
        yield store
    finally:
        await store.close()


def person(store, name, **more):
    return User(id=f"u-{name}", name=name, roles=["viewer"], created_at=store.clock.now(), **more)


async def as_owner(url, *statements):
    engine = open_engine(url, as_owner=True)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


def test_tables_go_both_ways_and_are_those_that_the_code_expects(engines, store_at):
    async def differences():
        engine = open_engine(store_at, as_owner=True)
        async with engine.connect() as connection:
            found = await connection.run_sync(
                lambda c: compare_metadata(
                    MigrationContext.configure(c, opts={"compare_type": same_type}), Base.metadata
                )
            )
        await engine.dispose()
        return found

    assert asyncio.run(differences()) == []
    assert asyncio.run(downgrade(store_at, "0001")) == "0001"
    assert asyncio.run(upgrade(store_at)) == newest()
    assert asyncio.run(downgrade(store_at, "base")) == ""
    assert asyncio.run(upgrade(store_at)) == newest()
    assert asyncio.run(differences()) == []


def same_type(context, inspected, column, inspected_type, column_type):
    """Our own types are kept as the engines' whole numbers and texts."""
    if isinstance(column_type, Instant):
        return not isinstance(inspected_type, BigInteger)
    return not isinstance(inspected_type, Text) if isinstance(column_type, Plain) else None


def test_a_store_of_a_newer_version_is_left_alone(store_at):
    asyncio.run(as_owner(store_at, "UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SetupError, match="use a newer version"):
        asyncio.run(upgrade(store_at))


@pytest.mark.parametrize("address", ["mysql://somewhere/park", "://", "oracle://x"])
def test_what_is_no_store_is_refused(address):
    with pytest.raises(SetupError, match="postgresql://USER@HOST/NAME or a file"):
        store_url(address)


def test_a_store_out_of_reach_is_told_without_its_password():
    with pytest.raises(SetupError) as found:
        asyncio.run(revision(store_url("postgresql://me:secret@127.0.0.1:1/park")))
    assert "secret" not in str(found.value)


def test_a_forgotten_filter_shows_and_changes_own_rows_only(store_at):
    async def run():
        async with opened(store_at) as store:
            await with_tenants(store, "one", "two")
            for tenant in ("one", "two"):
                async with store.changing(tenant) as session:
                    session.add(person(store, f"of-{tenant}"))
            async with store.changing("one") as session:
                assert [u.name for u in await session.scalars(select(User))] == ["of-one"]
                assert await session.get(User, "u-of-two") is None
                await session.execute(update(User).values(disabled=True))
            async with store.everywhere() as session:
                found = {u.name: u.disabled for u in await session.scalars(select(User))}
            assert found == {"of-one": True, "of-two": False}
            with pytest.raises((PermissionError, DBAPIError)):
                async with store.changing("one") as session:
                    session.add(person(store, "smuggled", tenant_id="two"))
            for bad in ("", "a b", "x'; --", "two*"):
                with pytest.raises(PermissionError):
                    async with store.reading(bad):
                        pass

    asyncio.run(run())


def test_postgresql_itself_keeps_tenants_apart(engines):
    """Statements that no code of ours would send: without a filter, without a tenant, for somebody else, as the pool comes back."""
    url = engines["postgresql"].fresh()

    async def run():
        async with opened(url) as store:
            await with_tenants(store, "one", "two")
            for tenant in ("one", "two"):
                async with store.changing(tenant) as session:
                    session.add(ApiKey(**key_of(store, tenant)))
                    await record(session, store.clock.now(), tenant, "made", "key")
            async with store.reading("one") as session:
                for table in ("api_keys", "audit", "audit_heads"):
                    owners = await session.scalars(text(f"SELECT tenant_id FROM {table}"))  # noqa: S608 # three names of ours
                    assert owners.all() == ["one"], table
                changed = await session.execute(text("UPDATE api_keys SET name = 'x' WHERE tenant_id = 'two'"))
                assert changed.rowcount == 0
            async with store.engine.connect() as connection:
                assert (await connection.execute(text("SELECT count(*) FROM api_keys"))).scalar() == 0
            with pytest.raises(DBAPIError, match="row-level security"):
                async with store.changing("one") as session:
                    await session.execute(text("UPDATE api_keys SET tenant_id = 'two'"))
            async with (
                store.everywhere() as session
            ):  # even the service itself sees no audit log but through its tenant
                assert (await session.execute(text("SELECT count(*) FROM audit"))).scalar() == 0

    asyncio.run(run())


def key_of(store, tenant):
    named = {"id": f"k-{tenant}", "name": "ci", "secret_hash": tenant, "roles": [], "created_by": tenant}
    return named | {"created_at": store.clock.now()}


def test_nothing_of_a_transaction_that_fails_is_kept(store_at):
    async def run():
        async with opened(store_at) as store:
            await with_tenants(store, "one")
            with pytest.raises(IntegrityError):
                await two_of_one_name(store)
            async with store.reading("one") as session:
                assert (await session.scalars(select(User))).all() == []
            assert (await verify(store, "one")).length == 0

    asyncio.run(run())


async def two_of_one_name(store):
    async with store.changing("one") as session:
        await record(session, store.clock.now(), "ann", "user.made", "user/u-ben")
        again = person(store, "ben")
        again.id = "u-other"
        session.add_all([person(store, "ben"), again])


async def written(store, count=5):
    await with_tenants(store, "one", "two")
    for number in range(count):
        async with store.changing("one") as session:
            await record(
                session, store.clock.now(), "ann", "schedule.applied", f"schedule/{number}", {"kw": 0.1 * number}
            )


@pytest.mark.parametrize(
    ("tampering", "words"),
    [
        ("UPDATE audit SET details = '[9000]' WHERE seq = 3", "one/3: was changed after it was written"),
        ("UPDATE audit SET actor = 'ben' WHERE seq = 5", "one/5: was changed"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 1", "one/1: was changed"),
        ("DELETE FROM audit WHERE seq = 2", "one/3: follows entry 1"),
        ("DELETE FROM audit WHERE seq = 5", "the chain should end with entry 5"),
        ("UPDATE audit SET previous = hash WHERE seq = 4", "one/4: does not follow"),
        ("UPDATE audit SET seq = 99 WHERE seq = 5", "one/99: follows entry 4"),
    ],
)
def test_tampering_behind_the_engines_back_shows(engines, tampering, words):
    url = engines["sqlite"].fresh()

    async def run():
        async with opened(url) as store:
            await written(store)
            whole = await verify(store, "one")
            assert not whole.findings
            await as_owner(url, "DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete", tampering)
            found = await verify(store, "one")
            assert words in str(found.findings[0])
            assert (await verify(store, "two")).head == FIRST
            return whole

    whole = asyncio.run(run())
    told = CliRunner().invoke(app, ["audit", "verify", "--store", url.database])
    assert told.exit_code == 1
    assert words in told.output
    assert whole.length == 5


def test_neither_engine_lets_an_entry_be_changed_or_removed(store_at):
    async def run():
        async with opened(store_at) as store:
            await written(store, 2)
        for statement in ("UPDATE audit SET actor = 'ben'", "DELETE FROM audit"):
            with pytest.raises(DBAPIError, match="only ever added to"):
                await as_owner(store_at, statement)
        async with opened(store_at) as store:
            assert not (await verify(store, "one")).findings

    asyncio.run(run())


def test_many_who_append_at_once_make_one_chain(store_at):
    async def run():
        async with opened(store_at) as store:
            await with_tenants(store, "one")
            async with store.changing("one") as session:
                await record(session, store.clock.now(), "ann", "begins", "chain")

            async def append(number):
                async with store.changing("one") as session:
                    await record(session, store.clock.now(), f"p{number}", "adds", f"thing/{number}")

            await asyncio.gather(*(append(n) for n in range(30)))
            found = await verify(store, "one")
            assert (found.length, found.findings) == (31, ())

    asyncio.run(run())


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_a_backup_brings_everything_back_on_either_engine(engines, store_at, target, tmp_path, monkeypatch):
    results, elsewhere, file = tmp_path / "a" / "results", tmp_path / "b" / "results", tmp_path / "all.tar.gz"
    (results / "j1").mkdir(parents=True)
    (results / "j1" / "result.json").write_text("{}")
    there = engines[target].empty()
    monkeypatch.setattr("service.store.backup.AT_ONCE", 2)

    async def run():
        async with opened(store_at) as store:
            await written(store)
            async with store.changing("two") as session:
                session.add(person(store, "café", locked_until=NOON))
            for value in (1.0, 2.0):  # the second one corrects the first
                await Telemetry(store).write("one", {"meter": Points.of([5], [value])})
            before = await verify(store, "one")
            rows = await backup(store, results, file)
            with pytest.raises(SetupError, match="there already"):
                await backup(store, results, file)
        async with opened(there) as store:
            assert await restore(store, elsewhere, file) == rows
            assert await verify(store, "one") == before
            async with store.reading("two") as session:
                assert (await session.get(User, "u-café")).locked_until == NOON
            await Telemetry(store).write("one", {"meter": Points.of([6], [3.0])})
            found = await Telemetry(store).read("one", "meter", EPOCH, EPOCH + timedelta(hours=1))
            assert found.values() == [2.0, 3.0]
            with pytest.raises(SetupError, match="not empty"):
                await restore(store, elsewhere, file)
        assert (elsewhere / "j1" / "result.json").read_text() == "{}"

    asyncio.run(run())


def test_a_backup_knows_every_table_in_a_process_that_does_nothing_else(store_at):
    code = "from service.store import backup; print(*backup.EVERY_TABLE.tables)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)

    async def there():
        engine = open_engine(store_at, as_owner=True)
        async with engine.connect() as connection:
            found = await connection.run_sync(lambda c: set(inspect(c).get_table_names()))
        await engine.dispose()
        return found

    assert set(told.stdout.split()) == asyncio.run(there()) - {"alembic_version"}


def test_what_is_no_backup_changes_nothing(engines, tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(b"nothing of the kind")
    url = engines["sqlite"].empty()
    told = CliRunner().invoke(app, ["store", "restore", str(tmp_path / "x.tar.gz"), "--store", url.database])
    assert told.exit_code == 2
    assert "cannot be read as a backup" in told.output
    assert asyncio.run(revision(url)) == ""


def test_the_commands_keep_a_store(tmp_path):
    def told(*words, code=0):
        found = CliRunner().invoke(app, [*words], env={"JOULETWIN_STORE": str(tmp_path / "s.sqlite"), "COLUMNS": "200"})
        assert found.exit_code == code, found.output
        return found.output

    assert f"revision {newest()}" in told("store", "upgrade")
    assert "lost for good" in told("store", "downgrade", "0001", code=2)
    assert "revision 0001" in told("store", "downgrade", "0001", "--yes")
    told("store", "upgrade")
    told("store", "backup", str(tmp_path / "b.tar.gz"))
    restored = ("--store", str(tmp_path / "t.sqlite"), "--results", str(tmp_path / "r"))
    told("store", "restore", str(tmp_path / "b.tar.gz"), *restored)
    told("audit", "verify", *restored[:2])
    assert "no entry has the hash" in told("audit", "verify", "--head", "one:abc", code=1)
