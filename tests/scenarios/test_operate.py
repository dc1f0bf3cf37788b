"""The operating loop over short stretches: it plans on time, goes on through faults, and a day is the same every time it is run."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from hil.emulators.inprocess import InProcessPlant
from hil.emulators.plant import EmulatedPlant
from models.actuals import Actuals
from models.errors import InfeasiblePlanError, UnreachableError
from models.forecast.naive import NaiveForecaster, PerfectForecaster
from models.ports import Outcome, Quality, Receipt
from models.site.file import load_site
from models.tariffs.time_of_use import BillingPeriod
from scenarios import day as days
from scenarios.day import Diary, JumpingClock, following, local_day, operate, optimizing, run_day, run_day_over_modbus
from scenarios.events import PlanMade
from scenarios.floor import period_floor_kw, rest_of
from scenarios.operate import unaccounted
from scenarios.rules import Rule, RulePlanner
from scenarios.sites import park_path
from twin.state import start_snapshot
from twin.sync import Synchroniser

PARK = load_site(park_path())
ACTUALS = Actuals(PARK, 5)
DAY = date(2015, 4, 22)
RULE = Rule("price", own_peak_kw=4200.0)


def stretch(hours, start_h=0.0):
    start = local_day(PARK, DAY).start + timedelta(hours=start_h)
    return BillingPeriod(start, start + timedelta(hours=hours))


def synchroniser(period, period_of=None):
    initial = start_snapshot(PARK, period.start)
    return Synchroniser(PARK, initial=initial, billing_period=period_of or (lambda _: period))


def rule(forecaster=None):
    return following(PARK, "rule", RULE, forecaster or NaiveForecaster(PARK, ACTUALS))


class Broken:
    """A plant that can be told what to do wrong."""

    def __init__(self, inner, *, lost=(), numb=(), clamped=(), away=None, dead_until=None, clock=None):
        self.inner, self.lost, self.numb, self.clamped = inner, lost, numb, clamped
        self.away = dict(away or {})
        """Device → how many commands cannot be sent to it."""
        self.dead_until, self.clock = dead_until, clock
        self.kept: dict[str, float] = {}

    async def read(self):
        if self.dead_until is not None and self.clock.now() < self.dead_until:
            raise UnreachableError("nobody answers")
        readings = await self.inner.read()
        return [replace(r, value=float("nan"), quality=Quality.BAD) if r.device in self.lost else r for r in readings]

    async def write(self, command):
        if command.device in self.lost:
            return Receipt(command, Outcome.MAYBE, "unknown", "no answer", command.issued_at)
        if self.away.get(command.device, 0) > 0:
            self.away[command.device] -= 1
            return Receipt(command, Outcome.NO, "unreachable", "nothing was sent", command.issued_at)
        if command.device in self.numb:
            return Receipt(command, Outcome.NO, "differs", "acknowledged, but nothing changed", command.issued_at, 0.0)
        if command.device in self.clamped:
            low = await self.inner.write(replace(command, value=command.value / 2))
            return Receipt(command, Outcome.NO, "differs", "clamped", low.at, low.read_back)
        return await self.inner.write(command)


def run(operator, period, **broken):
    """Run the loop over a stretch on a possibly broken plant and return its diary and the plant."""
    emulated = EmulatedPlant(PARK, 5, period.start)
    clock, diary = JumpingClock(period.start), Diary()
    inner = InProcessPlant(PARK, emulated, clock)
    plant = Broken(inner, clock=clock, **broken) if broken else inner
    asyncio.run(operate(PARK, operator, plant, clock, synchroniser(period), period, diary))
    return diary, emulated


def test_the_loop_measures_every_minute_and_plans_every_quarter_hour():
    diary, _ = run(rule(), stretch(1.0))
    assert diary.snapshots == 60
    assert [p.at.minute for p in diary.plans] == [0, 15, 30, 45]
    assert not diary.faults
    assert {r.outcome for r in diary.receipts} == {Outcome.APPLIED}
    assert unaccounted(diary.receipts) == []


def test_a_new_billing_period_begins_without_the_peak_of_the_one_before():
    both, half = stretch(1.25), timedelta(minutes=30)
    peaks = {}

    class Noting:
        def __init__(self):
            self.inner = RulePlanner(PARK, RULE)

        def plan(self, problem):
            peaks[(problem.initial.at - both.start) // timedelta(minutes=1)] = problem.demand.peak_so_far_kw
            return self.inner.plan(problem)

    def period_of(at):
        start = both.start + (at - both.start) // half * half
        return BillingPeriod(start, start + half)

    emulated, clock = EmulatedPlant(PARK, 5, both.start), JumpingClock(both.start)
    operator = replace(rule(), planner=Noting())
    settings = replace(operator.settings(both), billing_period=period_of)
    plant = InProcessPlant(PARK, emulated, clock)
    asyncio.run(operate(PARK, operator, plant, clock, synchroniser(both, period_of), both, Diary(), settings))
    assert peaks[0] == peaks[30] == peaks[60] == 0.0
    assert peaks[15] > 100.0
    assert peaks[45] > 100.0


def test_set_points_reach_the_plant():
    diary, emulated = run(rule(), stretch(0.5, start_h=0.0))
    wanted = {r.command.device: r.command.value for r in diary.receipts}
    shown = emulated.units["battery"].actual_kw
    assert shown == pytest.approx(wanted["battery"], abs=20.0)
    assert shown < -100.0  # the battery charges at night


def test_a_plant_that_nobody_can_read_is_said_and_the_loop_goes_on_when_it_is_back():
    period = stretch(0.5)
    diary, _ = run(rule(), period, dead_until=period.start + timedelta(minutes=10))
    assert len([f for f in diary.faults if f.place == "plant"]) == 10
    assert "nobody answers" in diary.faults[0].message
    assert diary.plans[0].at == period.start + timedelta(minutes=10)
    assert diary.snapshots == 20


def test_a_silent_device_is_marked_in_the_snapshot_and_its_commands_are_sent_again():
    period = stretch(0.25)
    seen = []
    emulated = EmulatedPlant(PARK, 5, period.start)
    clock, diary = JumpingClock(period.start), Diary()
    plant = Broken(InProcessPlant(PARK, emulated, clock), lost=("battery",))

    def listen(event):
        diary(event)
        if hasattr(event, "snapshot"):
            seen.append(event.snapshot)

    asyncio.run(operate(PARK, rule(), plant, clock, synchroniser(period), period, listen))
    assert seen[-1].tags["battery", "electricity_kw"].quality in (Quality.SUBSTITUTED, Quality.BAD, Quality.STALE)
    again = [r for r in diary.receipts if r.command.device == "battery"]
    assert len(again) == 15  # one a minute until it is known to have landed
    assert [r.command.device for r in unaccounted(diary.receipts)] == ["battery"]
    assert len(diary.plans) == 1


def test_a_command_that_could_not_be_sent_is_given_again_a_minute_later_and_a_denied_one_is_not():
    diary, _ = run(rule(), stretch(0.25), away={"battery": 3}, numb=("boiler1",))
    told = {name: [r for r in diary.receipts if r.command.device == name] for name in ("battery", "boiler1")}
    assert [r.code for r in told["battery"]][:4] == ["unreachable"] * 3 + ["applied"]
    assert [r.command.issued_at.minute for r in told["battery"]][:4] == [0, 1, 2, 3]
    assert [r.code for r in told["boiler1"]] == ["differs"]


def test_acknowledged_without_effect_and_clamped_are_said_by_the_receipts():
    diary, _ = run(rule(), stretch(0.5), numb=("ashp",), clamped=("battery",))
    codes = {r.command.device: r.code for r in diary.receipts}
    assert codes["ashp"] == codes["battery"] == "differs"
    assert codes["chp1"] in ("applied", "unchanged")
    assert unaccounted(diary.receipts) == []
    assert len(diary.plans) == 2


class Failing:
    """A planner that works once."""

    def __init__(self):
        self.inner, self.calls = RulePlanner(PARK, RULE), 0

    def plan(self, problem):
        self.calls += 1
        if self.calls > 1:
            raise InfeasiblePlanError("cold cannot be met")
        return self.inner.plan(problem)


def test_without_a_new_plan_the_last_one_goes_on():
    operator = replace(rule(), planner=Failing(), horizons=days.Horizons())
    diary, _ = run(operator, stretch(1.0))
    assert len(diary.plans) == 1
    assert [f.place for f in diary.faults] == ["planner"] * 3
    assert "goes on" in diary.faults[0].message
    assert len({r.command.issued_at for r in diary.receipts}) >= 4  # set-points of its later steps are still sent


def test_the_first_plan_is_made_again_with_the_losses_that_its_replay_found():
    asked = []

    class Recording(RulePlanner):
        def plan(self, problem):
            asked.append(problem)
            return super().plan(problem)

    from twin.verify import Verifier

    operator = replace(rule(), planner=Recording(PARK, RULE), checker=Verifier(PARK), horizons=days.Horizons(4, 0))
    diary, _ = run(operator, stretch(0.25))
    assert [p.losses_kw is None for p in asked] == [True, False]
    assert float(asked[1].losses_kw.sel(carrier="heat").mean()) > 10.0
    assert diary.plans[0].check is not None


def test_without_any_accepted_plan_one_that_cannot_be_replayed_is_used_under_protest():
    from models.errors import FlowError

    def checker(plan, initial, forecast):
        raise FlowError("diverged")

    diary, _ = run(replace(rule(), checker=checker), stretch(0.25))
    assert [f.place for f in diary.faults] == ["check", "twin"]
    assert "was not replayed" in diary.faults[1].message
    assert "under protest" in diary.faults[1].message
    assert diary.plans[0].check is None


def test_a_plan_that_the_twin_objects_to_waits_while_an_accepted_one_is_young():
    from models.findings import error
    from twin.verify import Verifier

    verifier, made = Verifier(PARK), []

    def checker(plan, initial, forecast):
        made.append(plan.id)
        check = verifier(plan, initial, forecast)
        accepted = replace(check, findings=())
        overloaded = error("line_3", "116 % of what it may carry", "line_3", value=1.16, limit=1.0)
        return accepted if len(made) <= 2 else replace(check, findings=(overloaded,))

    diary, _ = run(replace(rule(), checker=checker, horizons=days.Horizons(8, 0)), stretch(1.75))
    objections = [f.message for f in diary.faults]
    assert len(diary.plans) == 3  # the accepted one, and, an hour later, two under protest
    assert sum("goes on" in m for m in objections) == 4
    assert sum("under protest" in m for m in objections) == 2
    assert all("line_3: 116 %" in m for m in objections)
    assert diary.plans[0].plan.id in objections[0]


def test_a_better_plan_that_cannot_be_replayed_does_not_borrow_the_check_of_the_first():
    from models.errors import FlowError
    from twin.verify import Verifier

    verifier, replayed = Verifier(PARK), []

    def checker(plan, initial, forecast):
        if replayed:
            raise FlowError("diverged")
        replayed.append(plan.id)
        return verifier(plan, initial, forecast)

    diary, _ = run(replace(rule(), checker=checker, horizons=days.Horizons(4, 0)), stretch(0.25))
    assert [f.place for f in diary.faults] == ["check"]
    assert [p.plan.id for p in diary.plans] == replayed
    assert diary.plans[0].check.plan_id == replayed[0]


def test_the_floor_is_the_peak_that_the_rest_of_the_period_needs():
    period = local_day(PARK, DAY)
    snapshot = start_snapshot(PARK, period.start)
    planner, forecaster = RulePlanner(PARK, RULE), PerfectForecaster(ACTUALS)
    floor = period_floor_kw(PARK, planner, forecaster, snapshot, period)
    assert 2000.0 < floor < 6000.0
    assert len(rest_of(period, period.start)) == 96
    assert len(rest_of(BillingPeriod(period.start, period.start + timedelta(days=30)), period.start)) == 96 + 29 * 24
    assert rest_of(period, period.end - timedelta(minutes=5)) is None


def test_an_optimizing_operator_asks_for_its_floor_once():
    calls = []

    class Counting(RulePlanner):
        def plan(self, problem):
            calls.append(len(problem.horizon))
            return super().plan(problem)

    operator = optimizing("loop", Counting(PARK, RULE), PerfectForecaster(ACTUALS))
    diary, _ = run(operator, stretch(0.75))
    assert calls == [3, 3, 2, 1]  # the floor, then plans that end with the period
    assert all(isinstance(p, PlanMade) and p.floor_kw > 0 for p in diary.plans)


def test_a_floor_that_cannot_be_found_keeps_nobody_from_planning():
    class NoFloor:
        def plan(self, problem):
            raise InfeasiblePlanError("cold cannot be met")

    diary, _ = run(replace(rule(), floor_planner=NoFloor(), floor_kw=3000.0), stretch(0.25))
    assert [f.place for f in diary.faults] == ["floor"]
    assert diary.plans[0].floor_kw == 3000.0


def two_hours(monkeypatch):
    monkeypatch.setattr(days, "local_day", lambda site, day: stretch(2.0, start_h=9.0))


def test_the_same_seed_gives_the_same_day(monkeypatch):
    two_hours(monkeypatch)
    period = stretch(2.0, start_h=9.0)
    first, second = (run_day(PARK, DAY, rule(), synchroniser(period), seed=5) for _ in range(2))
    assert first.kpis == second.kpis
    np.testing.assert_array_equal(first.truth.power_kw.to_numpy(), second.truth.power_kw.to_numpy())
    assert [r.command for r in first.diary.receipts] == [r.command for r in second.diary.receipts]
    other = run_day(PARK, DAY, rule(), synchroniser(period), seed=6)
    assert other.kpis.total_cost != first.kpis.total_cost


def test_a_stretch_over_loopback_modbus_costs_what_it_costs_in_process(monkeypatch):
    two_hours(monkeypatch)
    period = stretch(2.0, start_h=9.0)
    inside = run_day(PARK, DAY, rule(), synchroniser(period), seed=5)
    wired = run_day_over_modbus(PARK, DAY, rule(), synchroniser(period), seed=5)
    assert wired.kpis.total_cost == pytest.approx(inside.kpis.total_cost, rel=0.01)
    assert wired.wire is not None
    assert wired.wire.reads > 120 * 20
    assert wired.wire.misses == 0
    assert wired.unaccounted == []
    assert max(wired.kpis.imbalance_share.values()) < 1e-6
    assert wired.kpis.self_use_share > 0.5
