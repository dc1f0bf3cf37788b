"""A closed loop in process, the bound that belongs to it, and the arithmetic of what is kept and lost."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from hil.emulators.plant import EmulatedPlant
from models.actuals import Actuals
from models.forecast.naive import NaiveForecaster
from models.horizon import QUARTER, Horizon
from models.ports import Command
from models.site import Site
from models.site.file import load_site
from scenarios.day import Diary, JumpingClock, Operator
from scenarios.operate import OperatingLoop
from scenarios.planners import Optimizer
from scenarios.rules import Rule, RulePlanner
from scenarios.value.plant import DirectPlant, QuarterBill
from scenarios.value.run import Bench, Outcome, run_foresight, run_rule
from scenarios.value.study import Shelf, portions
from scenarios.value.summary import Study
from scenarios.value.variants import (
    COMMON,
    DAYS,
    FORESIGHT,
    MAIN,
    MONTHS,
    OWN,
    PERFECT,
    SWITCHED,
    TUNED,
    WEEKS,
    Stretch,
    Variant,
)
from tests.sites import document, write_tiny

START = datetime(2014, 12, 31, 16, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    doc = document()
    doc["devices"] = []
    return load_site(write_tiny(tmp_path, doc))


def test_the_bill_counts_whole_quarters_and_no_export() -> None:
    bill = QuarterBill()
    third = QUARTER / 3
    for k, power in enumerate((300.0, 600.0, -900.0, 100.0)):
        bill.add(START + k * third, third, power)
    assert bill.peak_kw == pytest.approx(300.0)
    assert bill.running is not None
    assert bill.running.start == START + QUARTER
    assert bill.running.energy_kwh == pytest.approx(100.0 / 12)


def test_a_snapshot_of_the_plant_is_true_and_a_command_lands(site: Site) -> None:
    emulated = EmulatedPlant(site, 1, START, step_s=180.0)
    clock = JumpingClock(START)
    plant = DirectPlant(site, emulated, clock)
    plant._asset["battery"] = "battery"
    now = START
    command = Command("1", "battery", "setpoint_kw", -80.0, now, "test", now + timedelta(hours=1))
    asyncio.run(plant.write(command))
    asyncio.run(clock.sleep(1800))
    asyncio.run(plant.read())
    seen = plant.snapshot((), clock.now())
    assert seen.at == START + timedelta(minutes=30)
    assert float(seen.power_kw.sel(asset="battery", carrier="electricity")) == pytest.approx(-80.0, rel=0.05)
    assert float(seen.stored_kwh.sel(asset="battery")) == pytest.approx(emulated.stored_kwh["battery"])
    assert seen.peak_import_kw is not None
    assert seen.import_so_far is not None
    assert seen.units["boiler"].hours_in_state >= 0.4


def test_a_plant_may_be_as_its_file_says_and_its_units_at_once(site: Site) -> None:
    own, stated = (EmulatedPlant(site, 1, START, deviates=d) for d in (True, False))
    assert own.deviations
    assert not stated.deviations
    assert stated.own_site == site
    quick = EmulatedPlant(site, 1, START, deviates=False, at_once=True)
    quick.command("chp", 80.0)
    quick.advance(START + timedelta(minutes=1))
    assert quick.power_kw(("chp", quick.site.asset("chp").control)) == pytest.approx(80.0)


def test_a_step_of_the_plant_sees_the_mean_of_its_minutes(site: Site) -> None:
    actuals = Actuals(site, 1)
    minutes = [actuals.at(START + timedelta(minutes=k))["el_mill_kw"] for k in range(3)]
    assert actuals.over(START, 180.0)["el_mill_kw"] == pytest.approx(np.mean(minutes))
    assert actuals.over(START, 60.0) == actuals.at(START)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Outcome, Outcome]:
    site = load_site(write_tiny(tmp_path_factory.mktemp("site")))
    bench = Bench(site, Stretch("a day", date(2015, 1, 1), 1), 1)
    rule = run_rule(bench, COMMON, Rule(own_peak_kw=400.0), NaiveForecaster(site, Actuals(site, 1)))
    losses = {k[7:-3]: v for k, v in rule.series.items() if k.startswith("losses_")}
    optimizer = Optimizer()
    try:
        return bench, rule, run_foresight(bench, FORESIGHT, losses, optimizer)
    finally:
        optimizer.close()


def test_nobody_beats_perfect_foresight(day: tuple[Bench, Outcome, Outcome]) -> None:
    _, rule, best = day
    assert best.unserved_kwh == pytest.approx(0.0, abs=1e-6)
    assert best.total_cost < rule.total_cost


def test_what_moves_inside_the_quarter_hour_costs_the_bound_something(day: tuple[Bench, Outcome, Outcome]) -> None:
    _, _, best = day
    assert best.total_cost >= best.bound - 1e-6


def test_a_run_gives_quarter_hours_for_its_picture(day: tuple[Bench, Outcome, Outcome]) -> None:
    bench, rule, best = day
    count = len(Horizon.uniform(bench.period.start, bench.period.end))
    for outcome in (rule, best):
        assert {"import_kw", "engines_kw", "battery_kw", "battery_share"} <= outcome.series.keys()
        assert all(len(v) == count for v in outcome.series.values())
    assert rule.peak_kw == pytest.approx(rule.series["import_kw"].max(), rel=1e-6)


def test_a_kept_result_is_read_back_and_another_seed_is_another_result(
    day: tuple[Bench, Outcome, Outcome], tmp_path: Path
) -> None:
    bench, rule, _ = day
    file = bench.site.folder / "site.yaml"
    shelf = Shelf(tmp_path, file, 1, 180.0)
    shelf.keep(bench.stretch, COMMON, rule)
    found = shelf.read(bench.stretch, COMMON)
    assert found is not None
    assert found.cost == rule.cost
    assert found.series.keys() == rule.series.keys()
    assert Shelf(tmp_path, file, 2, 180.0).read(bench.stretch, COMMON) is None
    assert shelf.read(bench.stretch, TUNED) is None


def outcome(variant: str, stretch: str, cost: float, bound: float = float("nan")) -> Outcome:
    return Outcome(variant, stretch, 1, cost, {}, 3000.0, 1000.0, 0.0, 0.0, bound=bound)


@pytest.fixture
def study() -> Study:
    found: list[Outcome] = []
    for stretch in ("one week", "two week"):
        found += [outcome(COMMON.name, stretch, 120.0), outcome(TUNED.name, stretch, 110.0)]
        found += [outcome(PERFECT.name, stretch, 102.0), outcome(OWN.name, stretch, 104.0)]
        found += [outcome(FORESIGHT.name, stretch, 100.0, bound=99.0)]
    found.append(outcome("a plan every hour", "one week", 107.0))
    return Study(found)


def test_shares_are_of_the_saving_of_perfect_foresight(study: Study) -> None:
    assert study.kept(OWN.name, TUNED.name, ["one week"]) == pytest.approx(0.6)
    assert study.kept(OWN.name, COMMON.name, ["one week", "two week"]) == pytest.approx(0.8)
    assert study.kept(PERFECT.name, TUNED.name, ["one week"]) == pytest.approx(0.8)
    whole = [x for x in study.lines() if x.stretch == "2 weeks"]
    assert [x.operator for x in whole] == [v.name for v in MAIN]
    assert whole[0].total_cost == pytest.approx(240.0)


def test_losses_follow_one_another_and_switches_stand_alone(study: Study) -> None:
    losses = {x.cause: x for x in study.losses()}
    chain = list(losses.values())[:3]
    assert [x.points for x in chain] == pytest.approx([10.0, 20.0, 20.0])
    assert losses["a plan every hour"].points == pytest.approx(-30.0)


def test_every_operator_of_a_study_has_a_name_of_its_own_and_every_loop_a_process() -> None:
    names = [v.name for v in (*MAIN, *SWITCHED)]
    assert len(set(names)) == len(names)
    parts = list(portions(MAIN))
    assert sorted(v.name for p in parts for v in p) == sorted(v.name for v in MAIN)
    assert max(sum(v.kind == "loop" for v in p) for p in parts) == 1


def test_weeks_begin_on_a_monday_and_pay_their_share_of_the_month(site: Site) -> None:
    for week in WEEKS:
        assert week.first.weekday() == 0
        period = week.period(site)
        assert period.end - period.start == timedelta(days=7)


def test_a_margin_keeps_plans_below_the_peak_and_the_guard_at_it(site: Site) -> None:
    assert Variant("x", "loop").margin_kw > 0
    plant_clock = JumpingClock(START)
    emulated = EmulatedPlant(site, 1, START, step_s=180.0)
    plant = DirectPlant(site, emulated, plant_clock)
    naive = NaiveForecaster(site, Actuals(site, 1))
    operator = Operator("rule", RulePlanner(site, Rule()), naive, floor_kw=1000.0, margin_kw=lambda: 100.0)
    asked: list[float] = []

    def overtaken(at: datetime, present: object) -> bool:
        asked.append(at.timestamp())
        return True

    settings = replace(
        operator.settings(Stretch("d", date(2015, 1, 1), 1).period(site)),
        poll=timedelta(minutes=3),
        overtaken=overtaken,
        tracked=False,
    )
    diary = Diary()
    loop = OperatingLoop(site, plant, plant_clock, operator.planner, naive, plant, listener=diary, settings=settings)
    asyncio.run(loop.run(START + timedelta(minutes=15)))
    assert diary.plans[0].cap_kw == pytest.approx(1000.0)  # planned at 900, guarded at 1000
    assert [p.at - START for p in diary.plans] == [timedelta(0), timedelta(minutes=6), timedelta(minutes=12)]
    assert asked


def test_days_lie_in_weeks_and_weeks_in_months() -> None:
    winter, january = WEEKS[0], MONTHS[0]
    assert winter.holds(DAYS[0])
    assert january.holds(winter)
    assert not winter.holds(january)
    assert not winter.holds(DAYS[1])
