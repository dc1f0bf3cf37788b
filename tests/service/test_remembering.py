"""A service that is started again knows what the one before knew: the month's peak, what was measured, and the page's past."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hil.emulators.inprocess import InProcessPlant
from hil.emulators.plant import EmulatedPlant
from models.actuals import Actuals
from models.errors import SetupError
from models.forecast.measured import MeasuredHistory
from scenarios.day import JumpingClock
from scenarios.events import SnapshotTaken
from scenarios.recording import Billing
from service.memory import Memory
from service.recorded import recorded
from service.runtime import PlantKind, Runtime
from twin.alarms import Priority
from twin.log import LAST, Kind, SqliteLog
from twin.packing import unpack_alarm
from twin.state import start_snapshot
from twin.sync import Synchroniser
from twin.watch import Watch

START = datetime(2015, 7, 14, 22, 30, tzinfo=UTC)


def watch_of(site):
    return Watch(site, Synchroniser(site, initial=start_snapshot(site, START)), every=timedelta(hours=1))


def run(site, path, clock, minutes):
    """Operate nothing, but measure for some minutes with a log beside it; return what the service knows at the end."""
    runtime = Runtime(Memory(site), clock, PlantKind.DEVICES)
    watch, history = watch_of(site), MeasuredHistory(Actuals(site, 1, calm=True))
    plant = InProcessPlant(site, EmulatedPlant(site, 1, clock.now()), clock)

    async def live():
        with recorded(runtime, path, watch, history, Billing.MONTH) as hear:
            before = watch.inner.memory
            for minute in range(minutes):
                await clock.sleep(60)
                readings = await plant.read()
                if minute == 1:
                    runtime.memory.alarms.raise_("test", "here", Priority.LOW, "stands", clock.now())
                hear.loop(SnapshotTaken(clock.now(), watch.snapshot(readings, clock.now()), readings))
        return before, runtime.memory, history

    return asyncio.run(live())


def test_the_month_peak_the_history_and_the_page_survive_a_stop(park, tmp_path):
    path, clock = tmp_path / "log.sqlite", JumpingClock(START)
    _, first, history = run(park, path, clock, 40)
    peak_kw = first.snapshot.peak_import_kw
    assert peak_kw > 0
    before, second, again = run(park, path, clock, 2)
    assert before.meter.peak_kw == peak_kw
    assert before.units == first.snapshot.units
    assert second.snapshot.peak_import_kw == pytest.approx(peak_kw)
    assert again.since == history.since
    seen_h = second.history.span(START, START + timedelta(minutes=40)).seen_h.sum()
    assert seen_h == pytest.approx(39 / 60, abs=0.02)
    third, *_ = run(park, path, clock, 0)
    assert third.at == clock.now()
    assert third.meter.peak_kw == pytest.approx(peak_kw)


def test_after_a_longer_stop_nobody_guesses_what_was_imported_meanwhile(park, tmp_path):
    path, clock = tmp_path / "log.sqlite", JumpingClock(START)
    run(park, path, clock, 20)
    asyncio.run(clock.sleep(3 * 3600))
    before, second, _ = run(park, path, clock, 1)
    assert (before.meter.last_at, before.meter.running) == (None, None)
    assert before.meter.peak_kw == second.snapshot.peak_import_kw


def test_alarms_are_in_the_log_and_a_log_that_fills_the_disk_stops_nothing(park, tmp_path, monkeypatch):
    path, clock = tmp_path / "log.sqlite", JumpingClock(START)
    run(park, path, clock, 2)
    log = SqliteLog(path, read_only=True)
    first, _ = log.span()
    assert first == START
    assert [unpack_alarm(r.body).alarm.place for r in log.read(first, LAST, (Kind.ALARM,))] == ["here"]
    monkeypatch.setattr("twin.log.SqliteLog.commit", failing)
    _, memory, _ = run(park, path, clock, 3)
    told = [e.data["message"] for e in memory.events.after(0) if e.kind == "fault"]
    assert len(told) == 1
    assert "operated without it" in told[0]
    assert memory.snapshot.at == clock.now()


def failing(log):
    raise SetupError(f"the log {log.path} cannot be written (disk full)")


def test_a_log_of_the_future_is_left_alone(park, tmp_path):
    path = tmp_path / "log.sqlite"
    run(park, path, JumpingClock(START + timedelta(days=1)), 2)
    before, *_ = run(replace(park), path, JumpingClock(START), 1)
    assert before.at == START
