"""Two hours of operation in virtual time, and the same two hours rebuilt from the log: every snapshot bit for bit."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from hil.emulators.inprocess import InProcessPlant
from hil.emulators.plant import EmulatedPlant
from models.actuals import Actuals
from models.carriers import Carrier
from models.errors import SetupError
from models.forecast.naive import NaiveForecaster
from models.ports import Quality
from models.site.file import load_site
from models.tariffs.time_of_use import BillingPeriod, monthly
from scenarios.cases.beginning import beginning_of
from scenarios.cases.case import setting_of
from scenarios.cases.file import load_case
from scenarios.cases.run import run_case
from scenarios.day import Diary, JumpingClock, following, local_day, operate
from scenarios.events import SnapshotTaken
from scenarios.recording import Recorder
from scenarios.rules import Rule
from scenarios.sites import park_path
from twin.alarms import AlarmAct, AlarmBook, Priority
from twin.log import EPOCH, Kind, SqliteLog
from twin.packing import digest, pack, unpack_alarm, unpack_plan, unpack_receipts
from twin.replay import memory_at_end, replay
from twin.state import start_snapshot, stored_of
from twin.sync import Synchroniser
from twin.watch import Watch

PARK = load_site(park_path())
START = local_day(PARK, date(2015, 1, 14)).start + timedelta(hours=8)
PERIOD = BillingPeriod(START, START + timedelta(hours=2))
LIAR = "boiler1"


class Lying:
    """A plant whose boiler meter shows half as much again from the second half-hour on."""

    def __init__(self, inner, clock):
        self.inner, self.clock = inner, clock

    async def read(self):
        readings = await self.inner.read()
        if self.clock.now() < START + timedelta(minutes=30):
            return readings
        lie = {(LIAR, "heat_kw"): 1.5}
        return [replace(r, value=r.value * lie.get((r.device, r.quantity), 1.0)) for r in readings]

    async def write(self, command):
        return await self.inner.write(command)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two hours with a lying meter: the log's file, the diary, the digests that were seen, and the watch."""
    path = tmp_path_factory.mktemp("log") / "log.sqlite"
    log, clock, diary, seen = SqliteLog(path), JumpingClock(START), Diary(), []
    sync = Synchroniser(PARK, initial=start_snapshot(PARK, START))
    watch = Watch(PARK, sync, every=timedelta(minutes=5))
    recorder = Recorder(log, PARK, watch, START, lambda at, words: pytest.fail(words))
    watch.listener = recorder.verdict
    book = AlarmBook(recorder.alarm)
    plant = Lying(InProcessPlant(PARK, EmulatedPlant(PARK, 5, START), clock), clock)
    rule = following(PARK, "rule", Rule("price", own_peak_kw=4200.0), NaiveForecaster(PARK, Actuals(PARK, 5)))

    def listen(event):
        diary(event)
        recorder(event)
        if hasattr(event, "snapshot"):
            seen.append(digest(event.snapshot))
            book.raise_("test", "somewhere", Priority.LOW, "stands", event.at)

    asyncio.run(operate(PARK, rule, plant, clock, watch, PERIOD, listen))
    recorder.close(PERIOD.end)
    log.close()
    return path, diary, seen, watch


def test_every_turn_of_two_hours_is_rebuilt_bit_for_bit(recorded):
    path, _, seen, _ = recorded
    moments = list(replay(SqliteLog(path, read_only=True), PARK, START, PERIOD.end))
    assert len(moments) == len(seen) == 120
    assert all(m.same for m in moments)
    assert [digest(m.snapshot) for m in moments] == seen


def test_a_window_in_the_middle_begins_at_the_last_memory_and_is_the_same(recorded):
    path, _, seen, _ = recorded
    start = START + timedelta(minutes=77)
    moments = list(replay(SqliteLog(path, read_only=True), PARK, start, start + timedelta(minutes=13)))
    assert [digest(m.snapshot) for m in moments] == seen[77:90]


def test_what_is_forgotten_is_gone_and_the_rest_is_rebuilt_as_ever(recorded, tmp_path, monkeypatch):
    path, _, seen, _ = recorded
    short = Path(shutil.copy(path, tmp_path / "log.sqlite"))
    log = SqliteLog(short)
    assert log.forget(START - timedelta(days=1)) == 0
    monkeypatch.setattr("twin.log.FORGET_AT_MOST", 50)
    before = START + timedelta(minutes=77)
    dropped = log.forget(before), log.forget(before)
    log.commit()
    while log.forget(before):
        pass
    log.close()
    assert dropped == (50, 50)
    kept = SqliteLog(short, read_only=True)
    assert START + timedelta(minutes=55) < kept.span()[0] <= before
    moments = list(replay(kept, PARK, before, PERIOD.end))
    assert [digest(m.snapshot) for m in moments] == seen[77:]
    assert memory_at_end(kept, PARK) == memory_at_end(SqliteLog(path, read_only=True), PARK)


def test_a_what_if_begins_where_the_log_says_the_site_stood(recorded, tmp_path):
    written = SqliteLog(Path(shutil.copy(recorded[0], tmp_path / "log.sqlite")))
    food = next(a for a in PARK.assets if a.id == "food")
    series, scale = next((d.profile, d.scale) for d in food.demands if d.carrier == Carrier.ELECTRICITY)
    for minute in range(60):
        written.append(START + timedelta(minutes=minute), Kind.MEASURED, pack({series: 1.0 + minute / 60.0}))
    written.close()
    log = SqliteLog(tmp_path / "log.sqlite", read_only=True)
    at = START + timedelta(minutes=40)
    beginning = beginning_of(log, PARK, monthly(PARK.location.time_zone), at=at, days=1 / 48)
    last = list(replay(log, PARK, START, at + timedelta(seconds=1)))[-1].snapshot
    assert beginning.at == START + timedelta(minutes=30)
    assert beginning.stored_kwh == stored_of(last)
    snapshot = beginning.snapshot(PARK, beginning.at)
    assert stored_of(snapshot) == pytest.approx(stored_of(last))
    assert {u: s.running for u, s in snapshot.units.items()} == {u: s.running for u, s in last.units.items()}

    case = replace(load_case("battery_1mwh").base, days=1 / 48, beginning=beginning)
    run = run_case(case)
    seen = [values for t, values in beginning.measured if t < START + timedelta(minutes=45)]
    assert len(seen) == 15
    drawn_kw = float(run.arrays["power_kw"].sel(asset="food", carrier="electricity").isel(time=0))
    assert -drawn_kw == pytest.approx(scale * sum(v[series] for v in seen) / len(seen), rel=1e-6)
    assert run.arrays.sizes["time"] == 2


def test_a_what_if_from_a_smaller_store_begins_full_at_most(recorded):
    beginning = beginning_of(SqliteLog(recorded[0], read_only=True), PARK, monthly(PARK.location.time_zone))
    case = replace(load_case("battery_1mwh"), beginning=beginning)
    small = setting_of(case).site
    held = stored_of(beginning.snapshot(small, beginning.at))["battery"]
    assert held == pytest.approx(min(beginning.stored_kwh["battery"], small.asset("battery").stored_max_kwh))
    with pytest.raises(SetupError, match="no turn is on record"):
        beginning_of(
            SqliteLog(recorded[0], read_only=True), PARK, monthly(PARK.location.time_zone), at=START - timedelta(days=3)
        )


def test_a_log_reaches_as_far_back_as_it_shall(recorded, tmp_path):
    path, _, _, watch = recorded
    short = Path(shutil.copy(path, tmp_path / "log.sqlite"))
    log = SqliteLog(short)
    recorder = Recorder(log, PARK, watch, PERIOD.end, lambda at, words: pytest.fail(words), kept=timedelta(hours=1))
    later = PERIOD.end + timedelta(hours=1)
    last = list(replay(log, PARK, PERIOD.end - timedelta(minutes=1), PERIOD.end))[-1]
    recorder(SnapshotTaken(later, replace(last.snapshot, at=later), last.readings))
    recorder.close(later)
    log.close()
    assert SqliteLog(short, read_only=True).span()[0] >= PERIOD.end - timedelta(hours=1)


def test_plans_receipts_and_alarms_come_back_as_they_were(recorded):
    path, diary, _, _ = recorded
    assert diary.faults == []
    log = SqliteLog(path, read_only=True)
    plans = [unpack_plan(r.body) for r in log.read(START, PERIOD.end, (Kind.PLAN,))]
    assert [p.id for p in plans] == [m.plan.id for m in diary.plans]
    for kept, made in zip(plans, (m.plan for m in diary.plans), strict=True):
        assert kept.power_kw.identical(made.power_kw)
        assert kept.stored_kwh.identical(made.stored_kwh)
        assert (kept.cost, kept.solver, kept.horizon) == (made.cost, made.solver, made.horizon)
    receipts = [r for x in log.read(START, PERIOD.end, (Kind.RECEIPTS,)) for r in unpack_receipts(x.body)]
    assert receipts == diary.receipts
    alarms = [unpack_alarm(r.body) for r in log.read(START, PERIOD.end, (Kind.ALARM,))]
    assert [(a.act, a.alarm.place) for a in alarms] == [(AlarmAct.RAISED, "somewhere")]


def test_a_lying_meter_becomes_uncertain_and_closes_the_way_for_set_points_of_its_unit(recorded):
    path, diary, _, watch = recorded
    last = list(replay(SqliteLog(path, read_only=True), PARK, PERIOD.end - timedelta(minutes=5), PERIOD.end))[-1]
    tag = last.snapshot.tags[LIAR, "heat_kw"]
    assert tag.quality is Quality.UNCERTAIN
    assert tag.residual > 100.0
    assert {k for k, t in last.snapshot.tags.items() if t.quality is Quality.UNCERTAIN} == {(LIAR, "heat_kw")}
    device = PARK.device_of(LIAR).id
    told = next(r.command for r in diary.receipts if r.command.device == device)
    words = watch.objection(replace(told, value=500.0))
    assert words is not None
    assert "check the meter" in words
    assert watch.objection(replace(told, value=0.0)) is None
    other = next(r.command for r in diary.receipts if r.command.device == "battery")
    assert watch.objection(replace(other, value=500.0)) is None


def test_an_estimator_that_stumbles_stops_nothing_and_disputes_nothing(monkeypatch):
    watch = Watch(PARK, Synchroniser(PARK, initial=start_snapshot(PARK, START)))
    clock = JumpingClock(START)
    readings = asyncio.run(InProcessPlant(PARK, EmulatedPlant(PARK, 5, START), clock).read())
    monkeypatch.setattr(watch._estimator, "update", lambda *_: 1 / 0)
    snapshot = watch.snapshot(readings, START)
    assert watch.verdict.disputed == ()
    assert not watch.verdict.plausible
    assert {t.quality for t in snapshot.tags.values()} <= {Quality.GOOD, Quality.SUBSTITUTED}


def test_a_new_start_knows_what_the_run_before_knew(recorded):
    path, _, _, watch = recorded
    found = memory_at_end(SqliteLog(path, read_only=True), PARK)
    assert found == watch.inner.memory


def test_the_log_of_another_site_and_an_empty_span_are_refused_in_words(recorded, tmp_path):
    path, *_ = recorded
    log = SqliteLog(path, read_only=True)
    with pytest.raises(SetupError, match="not of elsewhere"):
        list(replay(log, replace(PARK, name="elsewhere"), START, PERIOD.end))
    with pytest.raises(SetupError, match="nothing to begin from"):
        list(replay(log, PARK, EPOCH, EPOCH + timedelta(hours=1)))
    with pytest.raises(SetupError, match="there is no log"):
        SqliteLog(tmp_path / "none.sqlite", read_only=True)


WRITER = """
    import sys
    from datetime import timedelta
    from pathlib import Path
    from twin.log import EPOCH, Kind, SqliteLog

    log = SqliteLog(Path(sys.argv[1]))
    for turn in range(10**9):
        at = EPOCH + timedelta(seconds=turn)
        for kind in (Kind.READINGS, Kind.SNAPSHOT):
            log.append(at, kind, b"%d" % turn)
        log.commit()
        if turn == 50:
            print("writing", flush=True)
"""


def test_a_process_killed_in_the_middle_leaves_whole_turns_and_a_log_that_goes_on(tmp_path):
    path = tmp_path / "log.sqlite"
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as writer:
        assert writer.stdout.readline() == "writing\n"
        time.sleep(0.05)
        os.kill(writer.pid, signal.SIGKILL)
    log = SqliteLog(path)
    records = list(log.read(*(log.span()[0], log.span()[1] + timedelta(seconds=1))))
    turns = [int(r.body) for r in records]
    assert len(turns) > 100
    assert turns == [t for t in range(len(turns) // 2) for _ in range(2)]
    log.append(EPOCH, Kind.PLAN, b"after")
    log.commit()
    assert log.last(Kind.PLAN, EPOCH).body == b"after"
