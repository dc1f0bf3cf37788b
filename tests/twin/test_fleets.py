"""Vehicles that come, charge and go."""

from datetime import UTC, datetime

from models.components import EvFleet, EvGroup
from models.fleets import arrivals, mean_plugged, need_after, plugged

OFFICE = EvFleet(
    id="cars",
    electricity_node="n",
    charger_kw=7.0,
    groups=(EvGroup(vehicles=10, arrive_h=8.0, depart_h=17.0, energy_kwh=20.0),),
)
DEPOT = EvFleet(
    id="vans",
    electricity_node="n",
    charger_kw=20.0,
    workdays_only=False,
    groups=(EvGroup(vehicles=5, arrive_h=18.0, depart_h=6.0, energy_kwh=60.0),),
)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2015, 7, day, hour, minute, tzinfo=UTC)  # 13 July 2015 was a Monday


def test_the_office_fleet_is_there_on_working_days_in_local_time():
    assert plugged(OFFICE, at(13, 0), "Asia/Shanghai") == 10  # 08:00 in Shanghai
    assert plugged(OFFICE, at(13, 9), "Asia/Shanghai") == 0  # 17:00, gone
    assert plugged(OFFICE, at(18, 2), "Asia/Shanghai") == 0  # Saturday


def test_arriving_vehicles_bring_their_need_once():
    assert need_after(OFFICE, 0.0, at(13, 7, 45), at(13, 8), "UTC") == 200.0
    assert need_after(OFFICE, 150.0, at(13, 8), at(13, 8, 15), "UTC") == 150.0
    assert len(list(arrivals(OFFICE, at(13, 0), at(20, 0), "UTC"))) == 5


def test_what_was_not_charged_leaves_with_the_vehicles():
    assert need_after(OFFICE, 30.0, at(13, 16, 45), at(13, 17), "UTC") == 0.0


def test_an_overnight_fleet_keeps_its_need_past_midnight():
    assert need_after(DEPOT, 0.0, at(13, 17), at(13, 18), "UTC") == 300.0
    assert need_after(DEPOT, 100.0, at(13, 23, 45), at(14, 0), "UTC") == 100.0
    assert plugged(DEPOT, at(14, 5), "UTC") == 5


def test_the_mean_over_a_step_counts_the_minutes_that_vehicles_are_there():
    assert mean_plugged(OFFICE, at(13, 7, 30), at(13, 8, 30), "UTC") == 5.0
    assert mean_plugged(DEPOT, at(13, 17), at(14, 5), "UTC") == 5.0 * 11 / 12
    assert mean_plugged(OFFICE, at(17, 16), at(18, 9), "UTC") == 10.0 / 17  # one hour of Friday, nothing of Saturday
