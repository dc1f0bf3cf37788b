"""A new plan before its time: an outage, a unit that parts from its plan, a price that changes."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

from models.actuals import Actuals
from models.errors import DataError
from models.forecast.naive import PerfectForecaster
from models.site.file import load_site
from models.tariffs.time_of_use import BillingPeriod
from scenarios.cases.setting import Steps
from scenarios.day import JumpingClock, local_day
from scenarios.events import PlanMade, PlantTracked, ReplanAsked
from scenarios.loop_settings import LoopSettings, at_once
from scenarios.operate import OperatingLoop
from scenarios.problem import Horizons
from scenarios.rules import Rule, RulePlanner
from scenarios.sites import park_path
from twin.inprocess import TwinPlant
from twin.simulate import Outage
from twin.state import start_snapshot
from twin.sync import Synchroniser

PARK = load_site(park_path())
ACTUALS = Actuals(PARK, 5)
START = local_day(PARK, date(2015, 4, 22)).start
MINUTE = timedelta(minutes=1)


class Noting:
    """The rule, and the gas price of every problem it was asked."""

    def __init__(self):
        self.inner, self.gas_prices = RulePlanner(PARK, Rule("price", own_peak_kw=4200.0)), {}

    def plan(self, problem):
        minute = (problem.initial.at - START) // MINUTE
        self.gas_prices[minute] = problem.site.contract("natural_gas").price_per_kwh
        return self.inner.plan(problem)


def loop_of(told, clock, outages=()):
    period = BillingPeriod(START, START + timedelta(hours=1))
    plant = TwinPlant(PARK, Steps(ACTUALS, 60.0), clock, outages=outages)
    synchroniser = Synchroniser(PARK, initial=start_snapshot(PARK, START), billing_period=lambda _: period)
    settings = LoopSettings(
        horizons=Horizons(1, 0), billing_period=lambda _: period, in_background=at_once, guarded=False
    )
    return OperatingLoop(
        PARK, plant, clock, Noting(), PerfectForecaster(ACTUALS), synchroniser, listener=told.append, settings=settings
    )


def minutes(told, kind):
    return [(e.at - START) // MINUTE for e in told if isinstance(e, kind)]


def repriced(factor):
    gas = PARK.contract("natural_gas")
    return replace(gas, price_per_kwh=gas.price_per_kwh * factor)


def test_an_outage_is_seen_and_planned_anew_before_the_quarter_hour():
    told, clock = [], JumpingClock(START)
    outage = Outage("battery", START + 17 * MINUTE, START + timedelta(hours=3))
    asyncio.run(loop_of(told, clock, (outage,)).run(until=START + 30 * MINUTE))
    asked = [e.request for e in told if isinstance(e, PlantTracked) and e.request is not None]
    assert "battery" in asked[0].reason
    first, second, early = minutes(told, PlanMade)[:3]
    assert (first, second) == (0, 15)
    assert 17 < early < 30


@pytest.mark.parametrize(("factor", "at_once_expected"), [(1.5, True), (1.005, False)])
def test_a_price_that_moves_enough_is_planned_with_at_the_next_turn(factor, at_once_expected):
    told, clock = [], JumpingClock(START)
    loop = loop_of(told, clock)

    async def course():
        await loop.run(until=START + 20 * MINUTE)
        loop.change_contracts([repriced(factor)])
        await loop.run(until=START + 31 * MINUTE)

    asyncio.run(course())
    assert minutes(told, PlanMade) == ([0, 15, 20, 30] if at_once_expected else [0, 15, 30])
    asked = [e.reason for e in told if isinstance(e, ReplanAsked)]
    assert len(asked) == at_once_expected
    if asked:
        assert "natural_gas by up to" in asked[0]
    old = PARK.contract("natural_gas").price_per_kwh
    assert loop.planning.planner.gas_prices[15] == old
    assert loop.planning.planner.gas_prices[30] == pytest.approx(factor * old)


def test_who_asks_for_a_plan_gets_it_once():
    told, clock = [], JumpingClock(START)
    loop = loop_of(told, clock)

    async def course():
        await loop.run(until=START + 4 * MINUTE)
        loop.replan_now("the operator wants to see one")
        await loop.run(until=START + 10 * MINUTE)

    asyncio.run(course())
    assert minutes(told, PlanMade) == [0, 4]


def test_a_contract_that_the_site_does_not_have_is_refused_and_nothing_changes():
    loop = loop_of([], JumpingClock(START))
    with pytest.raises(DataError, match="no gas contract"):
        loop.change_contracts([replace(repriced(2.0), id="coal"), repriced(2.0)])
    assert loop.site is PARK
