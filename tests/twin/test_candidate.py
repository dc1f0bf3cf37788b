"""The power flow of what a set-point would bring about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.carriers import Carrier
from models.ports import Command
from models.site import load_site
from scenarios.sites import park_path
from twin.candidate import Candidates, electricity_kw

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def park():
    return load_site(park_path())


def weakened(site, share):
    """Return the park with the thermal limit of every line at a share of what it is."""
    grids = tuple(
        replace(g, lines=tuple(replace(x, current_max_ka=share * x.current_max_ka) for x in g.lines))
        for g in site.networks.electricity
    )
    return replace(site, networks=replace(site.networks, electricity=grids))


def battery_of(site):
    return next(d for d in site.devices if site.asset(d.asset).kind == "battery")


def wanted(device, kw):
    return Command("c1", device.id, "setpoint_kw", kw, NOW, "planner", NOW + timedelta(hours=1))


def quiet(site):
    return {(a.id, Carrier.ELECTRICITY): 0.0 for a in site.assets if Carrier.ELECTRICITY in a.ports()}


def test_a_set_point_that_the_grid_carries_passes(park):
    candidates = Candidates(park)
    candidates.present(quiet(park))
    assert candidates.objection(wanted(battery_of(park), 200.0)) is None


def test_nothing_is_said_before_the_state_is_known(park):
    assert Candidates(weakened(park, 1e-3)).objection(wanted(battery_of(park), 200.0)) is None


def test_a_set_point_that_overloads_a_line_is_refused_in_words_and_stopping_is_not(park):
    site = weakened(park, 0.01)
    device = battery_of(site)
    candidates = Candidates(site)
    candidates.present(quiet(site))
    words = candidates.objection(wanted(device, 400.0))
    assert "of its thermal limit" in words
    assert f"with {device.asset} at 400 kW" in words
    assert candidates.objection(wanted(device, 0.0)) is None


def test_what_is_already_beyond_its_limit_may_get_better(park):
    site = weakened(park, 0.01)
    device = battery_of(site)
    powers = quiet(site) | {(device.asset, Carrier.ELECTRICITY): 500.0}
    candidates = Candidates(site)
    candidates.present(powers)
    assert candidates.objection(wanted(device, 300.0)) is None
    assert candidates.objection(wanted(device, 450.0)) is not None


def test_a_limit_says_nothing_of_what_the_sun_does(park):
    pv = next(a for a in park.assets if a.kind == "pv")
    pump = next(a for a in park.assets if a.kind == "heat_pump")
    assert electricity_kw(pv, 100.0) is None
    assert electricity_kw(pump, 300.0) == pytest.approx(-300.0 / pump.cop_rated)
