"""Episodes in which the plant does not follow: the loop notices, plans anew before its time, and plans without what does not work."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from hil.emulators.inprocess import InProcessPlant
from hil.emulators.plant import EmulatedPlant
from models.actuals import Actuals
from models.dispatch import DispatchProblem
from models.findings import Finding, Severity
from models.forecast.naive import NaiveForecaster, PerfectForecaster
from models.horizon import Horizon
from models.ports import Command, Outcome, Receipt
from models.site.file import load_site
from models.tariffs.time_of_use import BillingPeriod
from scenarios.day import Diary, JumpingClock, following, local_day, operate
from scenarios.events import PlantTracked
from scenarios.following import Following
from scenarios.rules import Rule, RulePlanner
from scenarios.sites import park_path
from twin.state import start_snapshot
from twin.sync import Synchroniser

PARK = load_site(park_path())
ACTUALS = Actuals(PARK, 5)
RULE = Rule("price", own_peak_kw=4200.0)
START = local_day(PARK, date(2015, 4, 22)).start


class Disobedient:
    """A plant of which one device acknowledges and reads back every command, and acts on a share of it."""

    def __init__(self, inner, device, share, until=None):
        self.inner, self.device, self.share, self.until = inner, device, share, until

    async def read(self):
        return await self.inner.read()

    async def write(self, command):
        if command.device != self.device or (self.until is not None and command.issued_at >= self.until):
            return await self.inner.write(command)
        receipt = await self.inner.write(replace(command, value=command.value * self.share))
        return replace(receipt, command=command, read_back=command.value)


class Noting:
    """The rule, and what of the plant it was told to plan with."""

    def __init__(self):
        self.inner = RulePlanner(PARK, RULE)
        self.able = {}

    def plan(self, problem):
        shares = problem.available_share
        self.able[problem.initial.at - START] = (
            {}
            if shares is None
            else dict(zip(shares["asset"].values.tolist(), shares.values[:, 0].tolist(), strict=True))
        )
        return self.inner.plan(problem)


def episode(minutes, **wrong):
    period = BillingPeriod(START, START + timedelta(minutes=minutes))
    clock, diary, told = JumpingClock(START), Diary(), []
    plant = InProcessPlant(PARK, EmulatedPlant(PARK, 5, START), clock)
    plant = Disobedient(plant, "battery", **wrong) if wrong else plant
    noting = Noting()
    operator = replace(following(PARK, "rule", RULE, NaiveForecaster(PARK, ACTUALS)), planner=noting)

    def listen(event):
        diary(event)
        if isinstance(event, PlantTracked):
            told.append(event)

    sync = Synchroniser(PARK, initial=start_snapshot(PARK, START))
    asyncio.run(operate(PARK, operator, plant, clock, sync, period, listen))
    return diary, told, noting.able


def minutes_of(diary):
    return [(p.at - START) // timedelta(minutes=1) for p in diary.plans]


def test_a_battery_that_acknowledges_and_stands_still_is_noticed_and_planned_without():
    diary, told, able = episode(40, share=0.0)
    request = next(t.request for t in told if t.request is not None)
    first = next(r for r in diary.receipts if r.command.device == "battery" and r.command.value)
    assert request.at - first.at <= timedelta(minutes=6)
    assert "battery: told" in request.reason
    early = [m for m in minutes_of(diary) if m % 15]
    assert early[0] == (request.at - START) // timedelta(minutes=1)
    assert able[request.at - START] == {"battery": 0.0}
    assert able[timedelta(0)] == {}


def test_a_battery_that_gives_half_is_planned_with_half():
    _, told, able = episode(25, share=0.5)
    request = next(t.request for t in told if t.request is not None)
    told_kw = abs(request.findings[0].limit)
    size_kw = PARK.asset("battery").discharge_max_kw
    assert np.isclose(able[request.at - START]["battery"], 0.5 * told_kw / size_kw, atol=0.05)


def test_a_plant_that_follows_is_planned_on_the_quarter_hours_only_and_says_nothing():
    diary, told, able = episode(31)
    assert minutes_of(diary) == [0, 15, 30]
    assert not any(t.apart for t in told)
    assert set(map(len, able.values())) == {0}


def test_a_turn_that_breaks_is_told_and_the_loop_goes_on():
    class Stumbling(Synchroniser):
        turns = 0

        def snapshot(self, readings, now):
            self.turns += 1
            if self.turns == 3:
                raise ZeroDivisionError("nobody expected this")
            return super().snapshot(readings, now)

    period = BillingPeriod(START, START + timedelta(minutes=6))
    clock, diary = JumpingClock(START), Diary()
    plant = InProcessPlant(PARK, EmulatedPlant(PARK, 5, START), clock)
    operator = following(PARK, "rule", RULE, NaiveForecaster(PARK, ACTUALS))
    sync = Stumbling(PARK, initial=start_snapshot(PARK, START))
    asyncio.run(operate(PARK, operator, plant, clock, sync, period, diary))
    assert [f.place for f in diary.faults] == ["loop"]
    assert "nobody expected this" in diary.faults[0].message
    assert diary.snapshots == 5


def test_no_step_before_the_end_of_a_doubt_is_planned_in_full():
    found = Following(PARK)
    found._able["battery"] = (0.25, START + timedelta(minutes=30))
    shares = found.available_share(Horizon.uniform(START, START + timedelta(hours=1)))
    assert shares.sel(asset="battery").values.tolist() == [0.25, 0.25, 1.0, 1.0]
    assert found.available_share(Horizon.uniform(START + timedelta(hours=1), START + timedelta(hours=2))) is None
    found._learn(Finding(Severity.WARNING, "nobody", "x", (), 0.0, 5.0), START)
    assert found.available_share(Horizon.uniform(START, START + timedelta(hours=1))) is None


def test_a_store_that_holds_less_than_planned_is_not_taken_for_one_that_can_do_less():
    """What a store holds is energy, and says nothing of the power that it can give."""
    found = Following(PARK)
    snapshot = start_snapshot(PARK, START)
    ahead = Horizon.uniform(START, START + timedelta(hours=1))
    plan = RulePlanner(PARK, RULE).plan(
        DispatchProblem(PARK, ahead, PerfectForecaster(ACTUALS).forecast(ahead), snapshot)
    )
    found.plan(plan)
    at = START + timedelta(minutes=20)
    told = Command("c", "battery", "setpoint_kw", 0.0, START, "planner", at)
    found.receipts([Receipt(told, Outcome.APPLIED, "applied", "", START, told.value)])
    held = snapshot.stored_kwh.copy()
    held.loc[{"asset": "battery"}] = 0.0
    parted = found.observe(replace(snapshot, at=at, stored_kwh=held), None)
    assert [f.place for f in parted.apart if "holds 0 kWh" in f.message] == ["battery"]
    assert found.available_share(Horizon.uniform(at, at + timedelta(hours=1))) is None
