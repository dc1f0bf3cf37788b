"""Lives of units and vehicles, drawn from a seed."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.horizon import HOUR, Horizon
from models.site import Site
from twin.simulate import (
    Controller,
    Happening,
    Outage,
    Reliability,
    Simulation,
    WorkOrder,
    available_share,
    carried_out,
    draw_outages,
    usual_reliability,
)

MONDAY = datetime(2015, 7, 13, tzinfo=UTC)
YEAR = Horizon.uniform(MONDAY, MONDAY + timedelta(days=364), HOUR)


def year_of(site: Site, seed: int, habits: dict[str, Reliability] | None = None) -> tuple[Outage, ...]:
    return draw_outages(site, YEAR.start, YEAR.end, seed, habits)


def test_the_same_seed_is_the_same_fate(site: Site):
    one, again, other = (year_of(site, seed) for seed in (7, 7, 8))
    assert one == again
    assert one != other


def test_one_assets_fate_does_not_depend_on_the_others(site: Site):
    alone, together = year_of(site, 7, {"chp": Reliability()}), year_of(site, 7)
    assert [o for o in together if o.asset == "chp"] == list(alone)


def test_outages_come_as_often_and_last_as_long_as_said(site: Site):
    outages = year_of(site, 1, {"chp": Reliability(mean_up_h=40.0, mean_repair_h=10.0)})
    assert float(available_share(outages, YEAR).mean()) == pytest.approx(0.8, abs=0.06)
    assert len(outages) == pytest.approx(364 * 24 / 50.0, rel=0.25)


def test_a_step_in_which_a_unit_stands_for_a_while_is_available_in_part():
    outages = [Outage("chp", MONDAY + 0.25 * HOUR, MONDAY + 2.5 * HOUR), Outage("pump", MONDAY - HOUR, MONDAY + HOUR)]
    share = available_share(outages, Horizon.uniform(MONDAY, MONDAY + 4 * HOUR, HOUR))
    assert share.sel(asset="chp").to_numpy() == pytest.approx([0.25, 0.0, 0.5, 1.0])
    assert share.sel(asset="pump").to_numpy() == pytest.approx([0.0, 1.0, 1.0, 1.0])


def test_a_crew_does_one_thing_after_the_other_and_another_crew_does_not_wait():
    orders = [
        WorkOrder("chp", "engines", MONDAY + 2 * HOUR, 3.0),
        WorkOrder("boiler", "engines", MONDAY + 3 * HOUR, 1.0),
        WorkOrder("pump", "cooling", MONDAY + 3 * HOUR, 1.0),
        WorkOrder("tank", "engines", MONDAY + 12 * HOUR, 2.0),
    ]
    stands = {o.asset: ((o.start - MONDAY) / HOUR, (o.end - MONDAY) / HOUR) for o in carried_out(reversed(orders))}
    assert stands == {"chp": (2.0, 5.0), "boiler": (5.0, 6.0), "pump": (3.0, 4.0), "tank": (12.0, 14.0)}
    assert carried_out([]) == ()


def test_known_outages_and_chance_ones_end_when_the_last_of_them_ends(site: Site):
    twice = [Outage("chp", MONDAY - HOUR, MONDAY + HOUR), Outage("chp", MONDAY + 0.5 * HOUR, MONDAY + 2 * HOUR)]
    simulation = Simulation(site, MONDAY, 1, outages=[*twice, Outage("boiler", MONDAY - 2 * HOUR, MONDAY - HOUR)])
    standing = []
    for minutes in (1, 61, 121):
        simulation.run(MONDAY + timedelta(minutes=minutes))
        standing.append(set(simulation.out_of_service))
    assert standing == [{"chp"}, {"chp"}, set()]


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
