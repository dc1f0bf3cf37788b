"""Lives of units and vehicles, drawn from a seed."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.horizon import HOUR, Horizon
from models.site import Site
from twin.simulate import Controller, Happening, Reliability, Simulation, draw_outages, usual_reliability

MONDAY = datetime(2015, 7, 13, tzinfo=UTC)
YEAR = Horizon.uniform(MONDAY, MONDAY + timedelta(days=364), HOUR)


def test_the_same_seed_is_the_same_fate(site: Site):
    one, again, other = (draw_outages(site, YEAR, seed) for seed in (7, 7, 8))
    assert one.events == again.events
    np.testing.assert_array_equal(one.available_share, again.available_share)
    assert one.events != other.events


def test_one_assets_fate_does_not_depend_on_the_others(site: Site):
    alone = draw_outages(site, YEAR, 7, {"chp": Reliability()})
    together = draw_outages(site, YEAR, 7)
    assert [e for e in together.events if e.asset == "chp"] == list(alone.events)


def test_outages_come_as_often_and_last_as_long_as_said(site: Site):
    habits = {"chp": Reliability(mean_up_h=40.0, mean_repair_h=10.0)}
    fate = draw_outages(site, YEAR, 1, habits)
    assert float(fate.available_share.mean()) == pytest.approx(0.8, abs=0.06)
    failures = [e for e in fate.events if e.what is Happening.FAILS]
    assert len(failures) == pytest.approx(364 * 24 / 50.0, rel=0.25)


def test_a_step_in_which_a_unit_fails_is_available_in_part(site: Site):
    fate = draw_outages(site, YEAR, 3, {"chp": Reliability(mean_up_h=100.0)})
    first = next(e for e in fate.events if e.what is Happening.FAILS)
    at = float(fate.available_share.sel(asset="chp", time=first.at.replace(tzinfo=None), method="ffill"))
    assert 0.0 <= at < 1.0


def test_everything_that_converts_may_fail(site: Site):
    assert set(usual_reliability(site)) == {"chp", "boiler", "pump", "heater", "chiller", "absorber", "electrolyser"}


def test_vehicles_come_around_their_hour_and_leave_on_it(site: Site):
    simulation = Simulation(site, MONDAY, 5)
    simulation.run(MONDAY + timedelta(days=1))
    come = [e for e in simulation.events if e.what is Happening.ARRIVES]
    assert len(come) == 20
    assert sum(e.energy_kwh for e in come) == 400.0
    hours = np.array([e.at.hour + e.at.minute / 60 for e in come])
    assert 7.0 < hours.min() < 8.0 < hours.max() < 9.0
    gone = [e for e in simulation.events if e.what is Happening.LEAVES]
    assert {e.at.hour for e in gone} == {17}
    assert sum(e.energy_kwh for e in gone) == pytest.approx(400.0)  # nobody charged them
    assert simulation.parks["cars"].need_kwh == 0.0


def test_charged_vehicles_take_nothing_along(site: Site):
    simulation = Simulation(site, MONDAY, 5, arrival_spread_h=0.0)
    simulation.run(MONDAY + timedelta(hours=9))
    assert simulation.parks["cars"].plugged == 20
    simulation.charged("cars", 400.0)
    simulation.run(MONDAY + timedelta(hours=18))
    assert sum(e.energy_kwh for e in simulation.events if e.what is Happening.LEAVES) == 0.0


def test_an_engines_controller_keeps_its_ramp_and_its_lowest_load():
    engine = Controller(ramp_kw_per_min=100.0, lowest_kw=200.0, wanted_kw=750.0)
    seen = []
    for _ in range(6):
        engine.move(1.0)
        seen.append(engine.actual_kw)
    assert seen == [300.0, 400.0, 500.0, 600.0, 700.0, 750.0]
    engine.wanted_kw = 0.0
    for _ in range(6):
        engine.move(1.0)
    assert engine.actual_kw == 0.0
    engine.wanted_kw = 90.0
    engine.move(1.0)
    assert engine.actual_kw == 0.0  # below half of its lowest load
