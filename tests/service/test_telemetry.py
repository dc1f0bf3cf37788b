"""Telemetry: blocks give back every bit; late, corrected and lost points on both engines; means; what becomes of old points."""

import asyncio
import struct
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from models.errors import DataError
from models.ports import Quality, Reading
from service.auth.doors import HOME
from service.backing import Backing
from service.memory import Memory
from service.store.engine import Store
from service.store.migrate import downgrade, upgrade
from service.store.telemetry import BLOCKS, HOT
from service.telemetry import repository
from service.telemetry.blocks import pack, unpack
from service.telemetry.intake import Intake, series_of
from service.telemetry.keeping import TelemetryKeeping
from service.telemetry.points import Points, at_us, joined, means
from service.telemetry.repository import BLOCK, COARSE, Telemetry
from service.telemetry.sealing import Sealing
from tests.service.conftest import StandingClock
from tests.service.stores import with_tenants

DAY = datetime(2026, 3, 1, tzinfo=UTC)
S = 1_000_000


def at(seconds):
    return at_us(DAY) + seconds * S


def same(a, b):
    assert a.at_us.tolist() == b.at_us.tolist()
    assert a.value.tobytes() == b.value.tobytes()
    assert a.quality.tolist() == b.quality.tolist()


any_double = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
meter = st.decimals(-99999, 99999, places=2).map(float)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4 * 10**15), st.one_of(any_double, meter), st.integers(0, 4)), max_size=30),
    st.booleans(),
    st.booleans(),
)
def test_a_block_gives_back_every_bit(rows, even, decimal):
    at_all = [S * k for k, _ in enumerate(rows)] if even else [r[0] for r in rows]
    values = [round(k * 0.1, 1) if decimal else r[1] for k, r in enumerate(rows)]
    points = Points.of(at_all, np.array(values, float), [r[2] for r in rows])
    same(unpack(pack(points)), points)


def test_what_meters_say_takes_little_room():
    rng = np.random.default_rng(1)
    day = at(0) + 10 * S * np.arange(8640)
    power_kw = np.round(500 + np.cumsum(rng.normal(0, 2, day.size)), 1)
    assert len(pack(Points.of(day, power_kw))) < 1.5 * day.size
    assert len(pack(Points.of(day, rng.normal(size=day.size)))) < 8.2 * day.size
    assert len(pack(Points.of(day, np.full(day.size, 3.7)))) < 200


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(-9, 9)), max_size=40))
def test_of_two_points_at_one_instant_the_later_one_counts(rows):
    expected = dict(rows)
    points = Points.of([r[0] for r in rows], [r[1] for r in rows])
    assert dict(zip(points.at_us.tolist(), points.value.tolist(), strict=True)) == expected
    assert points.at_us.tolist() == sorted(expected)
    half = len(rows) // 2
    parts = [Points.of([r[0] for r in p], [r[1] for r in p]) for p in (rows[:half], rows[half:])]
    same(joined(parts), points)


def test_a_mean_is_made_of_what_was_really_measured():
    points = Points.of([0, 1, 2, 3, 10, 11], [1, 2, 100, None, 7, 9], [0, 4, 2, 3, 0, 0])
    value, count = means(points, 0, 5, 3)
    assert value[0] == 1.5
    assert np.isnan(value[1])
    assert value[2] == 8
    assert count.tolist() == [2, 0, 2]


@pytest.fixture
def told(store_at):
    """Run some work on a fresh store with the tenants one and two."""

    def run(work):
        async def inside():
            store = Store(store_at)
            await with_tenants(store, "one", "two")
            try:
                return await work(store, Telemetry(store), Sealing(store))
            finally:
                await store.close()

        return asyncio.run(inside())

    return run


async def counted(store):
    async with store.looking("one") as connection:
        return [(await connection.execute(select(func.count()).select_from(t))).scalar() for t in (HOT, BLOCKS)]


def pace(first, last, step=60, value=1.0):
    seconds = np.arange(first, last, step)
    return Points.of(at(0) + seconds * S, seconds * value)


def test_points_are_the_same_hot_and_sealed_and_with_late_ones_between(told):
    async def work(store, telemetry, sealing):
        points = pace(0, 9 * 3600)
        assert await telemetry.write("one", {"a": points, "b": pace(0, 600), "none": Points.none()}) == len(points) + 10
        same(await telemetry.read("one", "a", DAY, DAY + timedelta(days=1)), points)
        assert await sealing.seal("one", DAY + timedelta(hours=9)) == 2 * 240 + 10
        assert await counted(store) == [1, 3]
        same(await telemetry.read("one", "a", DAY, DAY + timedelta(days=1)), points)
        late = Points.of([at(30), at(60), at(3600 * 4)], [0.5, None, -1.25], [4, 3, 1])
        await telemetry.write("one", {"a": late})
        expected = joined((points, late))
        same(await telemetry.read("one", "a", DAY, DAY + timedelta(days=1)), expected)
        assert await sealing.seal("one", DAY + timedelta(hours=9)) == 3
        assert await sealing.seal("one", DAY + timedelta(hours=9)) == 0
        assert await counted(store) == [1, 3]
        same(await telemetry.read("one", "a", DAY, DAY + timedelta(days=1)), expected)
        cut = await telemetry.read("one", "a", DAY + timedelta(seconds=60), DAY + timedelta(seconds=121))
        assert cut.at_us.tolist() == [at(60), at(120)]
        assert await telemetry.tags("one", "", 10) == ["a", "b", "none"]
        assert await telemetry.read("one", "unknown", DAY, DAY + BLOCK) is None

    told(work)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.lists(
                st.tuples(st.sampled_from("ab"), st.integers(0, 3 * 86400), st.floats(-5, 5)), min_size=1, max_size=8
            ),
            st.integers(0, 80),
        ),
        max_size=8,
    )
)
def test_whatever_comes_when_the_last_word_counts(engines, deeds):
    """A model that is a plain dict, against writing and sealing in any order."""
    url = engines["sqlite"].fresh()
    expected = {"a": {}, "b": {}}

    async def run():
        store = Store(url)
        telemetry, sealing = Telemetry(store), Sealing(store)
        await with_tenants(store, "one")
        for deed in deeds:
            if isinstance(deed, int):
                await sealing.seal("one", DAY + timedelta(hours=deed))
                continue
            for tag, second, value in deed:
                expected[tag][at(second)] = value
            parts = {t: [r for r in deed if r[0] == t] for t in {r[0] for r in deed}}
            await telemetry.write(
                "one", {t: Points.of([at(r[1]) for r in p], [r[2] for r in p]) for t, p in parts.items()}
            )
        found = await telemetry.read_many("one", ("a", "b"), DAY, DAY + timedelta(days=4))
        await store.close()
        return {t: dict(zip(p.at_us.tolist(), p.value.tolist(), strict=True)) for t, p in found.items()}

    assert asyncio.run(run()) == {t: dict(sorted(v.items())) for t, v in expected.items() if v}


def test_writing_and_sealing_at_once_loses_nothing(told):
    async def work(store, telemetry, sealing):
        hours = [pace(3600 * h, 3600 * (h + 1), value=0.5) for h in range(24)]
        await telemetry.write("one", {"a": hours[0], "b": hours[0]})

        async def write(numbers):
            for h in numbers:
                await telemetry.write("one", {"a": hours[h], "b": hours[h]})

        async def seal():
            return sum([await sealing.seal("one", DAY + timedelta(hours=h)) for h in range(0, 28, 4)])

        await asyncio.gather(write(range(1, 24, 2)), write(range(2, 24, 2)), seal(), seal())
        await sealing.seal("one", DAY + timedelta(days=1))
        assert (await counted(store))[0] == 0
        for tag in "ab":
            same(await telemetry.read("one", tag, DAY, DAY + timedelta(days=1)), joined(hours))

    told(work)


def test_nobody_reads_or_writes_the_points_of_somebody_else(told):
    async def work(store, telemetry, sealing):
        await telemetry.write("one", {"a": pace(0, 5 * 3600)})
        await telemetry.write("two", {"a": pace(0, 600, value=-1)})
        await sealing.seal("one", DAY + BLOCK)
        assert await sealing.seal("two", DAY + BLOCK) == 10
        fresh = Telemetry(store)
        assert len(await fresh.read("two", "a", DAY, DAY + timedelta(days=1))) == 10
        assert len(await fresh.read("one", "a", DAY, DAY + timedelta(days=1))) == 300
        assert await fresh.tags("other", "", 9) == []
        if store.on_postgresql:
            async with store.looking("two") as connection:  # a statement that forgets whose rows it wants
                for table in ("telemetry_hot", "telemetry_blocks", "tags"):
                    owners = await connection.execute(text(f"SELECT DISTINCT tenant_id FROM {table}"))  # noqa: S608 # names of ours
                    assert set(owners.scalars()) <= {"two"}
            with pytest.raises(DBAPIError, match="row-level security"):
                await smuggled(store)

    async def smuggled(store):
        async with store.changing("two") as session:
            await session.execute(HOT.insert().values(tenant_id="one", tag=1, start=0, body=b""))

    told(work)


def test_means_are_those_of_the_points_wherever_they_are(told):
    async def work(store, telemetry, sealing):
        points = pace(0, 6 * 3600, step=10, value=0.001)
        await telemetry.write("one", {"a": points})
        await sealing.seal("one", DAY + BLOCK)
        found = await telemetry.means("one", ("a", "gone"), DAY, DAY + timedelta(hours=7, minutes=1), COARSE)
        assert found.value.shape == (2, 28)
        expected = [points.value[90 * k : 90 * (k + 1)].mean() for k in range(24)]
        assert np.allclose(found.value[0, :24], expected)
        assert np.isnan(found.value[0, 24:]).all()
        assert np.isnan(found.value[1]).all()
        assert found.count[0].tolist() == [90] * 24 + [0] * 4

    told(work)


def test_old_points_become_means_and_old_means_go(told):
    async def work(store, telemetry, sealing):
        points = pace(0, 2 * 86400)
        await telemetry.write("one", {"a": points})
        await sealing.seal("one", DAY + timedelta(days=2))
        before = await telemetry.means("one", ("a",), DAY, DAY + timedelta(days=2), timedelta(hours=1))
        assert await sealing.thin("one", DAY + timedelta(days=1), DAY - timedelta(days=30)) == 1440
        found = await telemetry.read("one", "a", DAY, DAY + timedelta(days=2))
        assert len(found) == 96 + 1440
        after = await telemetry.means("one", ("a",), DAY, DAY + timedelta(days=2), timedelta(hours=1))
        assert np.allclose(before.value, after.value)
        await telemetry.write("one", {"a": Points.of([at(60)], [1e9])})  # too late: its interval keeps its mean
        await sealing.seal("one", DAY + timedelta(days=2))
        await sealing.thin("one", DAY + timedelta(days=1), DAY - timedelta(days=30))
        kept = await telemetry.means("one", ("a",), DAY, DAY + timedelta(days=2), timedelta(hours=1))
        assert np.allclose(kept.value, after.value)
        await sealing.thin("one", DAY + timedelta(days=1), DAY + timedelta(days=40))
        assert len(await telemetry.read("one", "a", DAY, DAY + timedelta(days=2))) == 1440

    told(work)


def test_points_outlive_the_tables_of_an_older_version(store_at):
    """A row per point there, a row per batch here; a correction stays the last word both ways."""

    async def run(work):
        store = Store(store_at)
        try:
            return await work(store)
        finally:
            await store.close()

    async def begin(store):
        await with_tenants(store, "one", "two")
        for value in (1.0, 2.0):
            await Telemetry(store).write(
                "one", {"a": pace(0, 5 * 3600, value=value), "b": Points.of([at(1)], [None], [3])}
            )
        await Telemetry(store).write("two", {"a": pace(0, 60)})

    async def look(store):
        return {
            (t, s): await Telemetry(store).read(t, s, DAY, DAY + timedelta(days=1))
            for t, s in (("one", "a"), ("one", "b"), ("two", "a"))
        }

    asyncio.run(run(begin))
    before = asyncio.run(run(look))
    asyncio.run(downgrade(store_at, "0008"))
    asyncio.run(upgrade(store_at))
    for key, points in asyncio.run(run(look)).items():
        same(points, before[key])
    assert before["one", "a"].values()[1] == 120.0


def test_names_without_end_are_refused(told, monkeypatch):
    monkeypatch.setattr(repository, "TAGS_MOST", 3)

    async def work(store, telemetry, sealing):
        await telemetry.write("one", dict.fromkeys("abc", pace(0, 60)))
        with pytest.raises(DataError, match="4 series"):
            await telemetry.write("one", {"d": pace(0, 60), "a": pace(60, 120)})
        assert len(await telemetry.read("one", "a", DAY, DAY + BLOCK)) == 1

    told(work)


def reading(second, value=1.0, quality=Quality.GOOD):
    instant = DAY + timedelta(seconds=second)
    return Reading("battery", "electricity_kw", value, instant, instant, quality)


def test_readings_wait_in_order_and_the_oldest_are_lost_first():
    intake = Intake(most=5)
    intake.put(reading(k) for k in range(4))
    taken = intake.take(3)
    intake.put(reading(k) for k in range(4, 7))
    intake.put_back(taken)
    assert [r.measured_at.second for r in intake.take(9)] == [2, 3, 4, 5, 6]
    assert intake.lost == 2


def test_what_the_running_site_measures_is_kept(park, store_at):
    """Readings go from the memory into the store; while the store refuses they wait, and it is told once."""
    memory, clock = Memory(park), StandingClock(DAY + timedelta(hours=30))
    memory.intake.put([reading(k, k / 2) for k in range(0, 3600, 10)] + [reading(7, float("nan"), Quality.BAD)])

    async def run():
        store = Store(store_at)
        backing = Backing(store, store_at)
        await with_tenants(store, HOME)
        keeping = TelemetryKeeping(memory, clock, backing)
        refusing = asyncio.create_task(refused(backing, keeping))
        await refusing
        await keeping.turn()
        found = await backing.telemetry.read(HOME, "battery.electricity_kw", DAY, DAY + timedelta(hours=1))
        await store.close()
        return found

    async def refused(backing, keeping):
        write, backing.telemetry.write = backing.telemetry.write, failing
        with pytest.raises(OSError, match="No space"):
            await keeping.turn()
        backing.telemetry.write = write

    async def failing(*_):
        raise OSError("No space left on device")

    found = asyncio.run(run())
    assert len(found) == 361
    assert memory.intake.take(1) == []
    assert series_of([reading(7, float("nan"), Quality.BAD)])["battery.electricity_kw"].qualities() == [Quality.BAD]
    assert found.qualities()[1] is Quality.BAD
    assert found.values()[1] is None
