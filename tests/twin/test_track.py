"""From plan to physics: who does not do what was planned, and what is said about it."""

import dataclasses
from datetime import timedelta

import pytest

from models.ports import Command, Outcome, Receipt
from models.site import Site
from models.state import Snapshot
from tests.twin.plans import START, STEADY, plan_of, ready
from twin.track import Tracker

LATER = START + timedelta(minutes=20)


def receipt(asset: str, value: float, code: str = "applied", read_back: float | None = None) -> Receipt:
    command = Command("c", f"{asset}_device", "setpoint_kw", value, START, "test", START + timedelta(minutes=30))
    outcome = {"applied": Outcome.APPLIED, "unknown": Outcome.MAYBE}.get(code, Outcome.NO)
    return Receipt(command, outcome, code, "as told", START, value if code == "applied" else read_back)


def as_planned(site: Site, plan, minutes: int = 20) -> Snapshot:
    """Return the state that the plan expects in its second step."""
    stored = plan.stored_kwh.isel(time=0, drop=True)
    power = plan.power_kw.isel(time=1, drop=True)
    return dataclasses.replace(ready(site), at=START + timedelta(minutes=minutes), power_kw=power, stored_kwh=stored)


@pytest.fixture
def plan(site: Site):
    return plan_of(site, ready(site), STEADY)


@pytest.fixture
def tracker(site: Site, plan) -> Tracker:
    made = Tracker(site)
    made.plan(plan)
    return made


def test_a_plan_that_is_followed_needs_no_new_one(site: Site, plan, tracker: Tracker):
    tracker.receipts([receipt("chp", 500.0), receipt("boiler", 200.0)])
    assert tracker.observe(as_planned(site, plan)) is None
    chp = next(t for t in tracker.tracks() if t.asset == "chp")
    assert (chp.planned_kw, chp.commanded_kw, chp.read_back_kw, chp.physical_kw) == (500.0, 500.0, 500.0, 500.0)


def with_power(snapshot: Snapshot, asset: str, carrier: str, power_kw: float) -> Snapshot:
    power = snapshot.power_kw.copy()
    power.loc[{"asset": asset, "carrier": carrier}] = power_kw
    return dataclasses.replace(snapshot, power_kw=power)


def test_an_engine_that_holds_its_command_and_stands(site: Site, plan, tracker: Tracker):
    tracker.receipts([receipt("chp", 500.0)])
    found = tracker.observe(with_power(as_planned(site, plan), "chp", "electricity", 0.0))
    assert found is not None
    assert found.reason == (
        "chp: told 500 kW since 2015-07-15 00:00 UTC and does 0 kW. Plan with what it does, or see why."
    )
    assert found.plan_id == "p1"


def test_a_unit_gets_its_time(site: Site, plan, tracker: Tracker):
    tracker.receipts([receipt("chp", 500.0)])
    assert tracker.observe(with_power(as_planned(site, plan, 4), "chp", "electricity", 0.0)) is None


def test_a_device_that_clamps(site: Site, plan, tracker: Tracker):
    tracker.receipts([receipt("battery", 500.0, "differs", 300.0)])
    found = tracker.observe(as_planned(site, plan))
    assert found is not None
    assert "battery: 500 kW was asked and the device shows 300 kW" in found.reason


def test_a_device_that_somebody_else_has_leased_is_not_expected_to_follow(site: Site, plan, tracker: Tracker):
    tracker.receipts([receipt("chp", 500.0), receipt("chp", 400.0, "refused_lease")])
    assert tracker.observe(with_power(as_planned(site, plan), "chp", "electricity", 0.0)) is None
    assert tracker.apart == ()
    tracker.receipts([receipt("chp", 500.0)])
    later = with_power(as_planned(site, plan, 25), "chp", "electricity", 0.0)
    assert [f.place for f in tracker.observe(later).findings] == ["chp"]


def test_a_reason_is_given_once_a_quarter_hour_also_against_a_new_plan(site: Site, plan, tracker: Tracker):
    tracker.receipts([receipt("battery", 500.0, "unreachable")])
    assert tracker.observe(as_planned(site, plan, 16)) is not None
    assert tracker.observe(as_planned(site, plan, 17)) is None
    tracker.plan(plan)
    assert tracker.observe(as_planned(site, plan, 18)) is None
    assert [f.place for f in tracker.apart] == ["battery"]
    assert tracker.observe(as_planned(site, plan, 31)) is not None


def test_sun_below_its_limit_is_no_disobedience(site: Site, plan, tracker: Tracker):
    tracker.receipts([receipt("pv", 2000.0)])
    assert tracker.observe(as_planned(site, plan)) is None


def test_a_store_that_is_not_where_the_plan_counts_on_it(site: Site, plan, tracker: Tracker):
    snapshot = as_planned(site, plan)
    stored = snapshot.stored_kwh.copy()
    stored.loc[{"asset": "tank"}] = 500.0
    found = tracker.observe(dataclasses.replace(snapshot, stored_kwh=stored))
    assert found is not None
    assert found.findings[0].place == "tank"
    assert "holds 500 kWh where the plan counts on" in found.reason


def test_much_more_import_than_planned(site: Site, plan, tracker: Tracker):
    found = tracker.observe(with_power(as_planned(site, plan), "pcc", "electricity", 3000.0))
    assert found is not None
    assert "pcc: imports 3000 kW where the plan expects" in found.reason
