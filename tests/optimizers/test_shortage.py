"""A day that cannot be served: what is short, which limits make it, by how much they have to give, and what contradicts what."""

from dataclasses import replace

import pytest

from optimizers.shortage import explain_shortage
from tests.optimizers.problems import battery, consumer, engine, gas, grid, hours, problem_of, site_of

BOILER = {"id": "boiler", "kind": "gas_boiler", "ports": ["heat", "gas"], "heat_max_kw": 100, "efficiency": 0.9}


@pytest.fixture
def short(dispatcher):
    plant = site_of([grid(import_max_kw=100), battery(), consumer("electricity")])
    problem = problem_of(plant, hours(3), {"mill_electricity_kw": [80.0, 260.0, 90.0]}, stored={"battery": 0.0})
    return problem, explain_shortage(problem, dispatcher)


def test_what_is_short_is_what_no_plan_can_avoid(short, dispatcher):
    problem, found = short
    # 20 kW of room before: 18 kWh stored, 16.2 of them given back in the hour that asks for 160 kW more
    assert found.short_kwh == pytest.approx(160 - 20 * 0.81)
    assert "electricity" in found.findings[0].place
    assert "144 kW at 2015-01-05 17:00 UTC" in found.findings[0].message
    plan = dispatcher.dispatch(problem)
    assert float(plan.unserved_kw.sum()) == pytest.approx(found.short_kwh, rel=1e-6)


def test_the_sums_alone_say_when_supply_is_too_small(short):
    (finding,) = short[1].precheck
    assert "260 kW are asked at 2015-01-05 17:00 UTC" in finding.message
    assert "gives at most 150 kW together; 110 kW more are needed" in finding.message


def test_limits_say_what_more_of_them_brings_and_how_much_is_needed(short, dispatcher):
    problem, found = short
    relief = next(r for r in found.reliefs if r.asset == "grid")
    assert relief.quantity == "import_kw"
    # a kW more helps by itself in the second hour and through the battery in the first
    assert relief.worth == pytest.approx(1.81)
    wider = site_of([grid(import_max_kw=100 + relief.needed), battery(), consumer("electricity")])
    left = explain_shortage(replace(problem, site=wider), dispatcher).short_kwh
    assert left < 1.0 or left < 0.5 * found.short_kwh
    assert "one kW more throughout avoids 1.81 kWh of shortage" in relief.sentence


def test_the_worst_instant_names_only_what_contradicts(short):
    words = short[1].conflict
    assert any("electricity: demand and losses are to be met at 2015-01-05 17:00 UTC" in w for w in words)
    assert any("grid: import at most 100 kW" in w for w in words)
    assert not any("export" in w for w in words)


def test_a_day_that_can_be_served_has_nothing_to_explain(dispatcher):
    plant = site_of([grid(), gas(), BOILER, engine(), consumer("electricity", "heat")])
    problem = problem_of(plant, hours(2), {"mill_electricity_kw": 80.0, "mill_heat_kw": 60.0})
    found = explain_shortage(problem, dispatcher)
    assert (found.short_kwh, found.findings, found.reliefs, found.conflict) == (0.0, (), (), ())
    assert found.precheck == ()


def test_heat_that_cannot_be_had_is_told_before_anything_is_solved(dispatcher):
    plant = site_of([grid(), gas(), BOILER, engine(), consumer("electricity", "heat")])
    problem = problem_of(plant, hours(2), {"mill_electricity_kw": 80.0, "mill_heat_kw": [60.0, 400.0]})
    found = explain_shortage(problem, dispatcher)
    (finding,) = found.precheck
    assert finding.place == "heat"
    assert finding.limit == pytest.approx(210.0)
    assert {r.asset for r in found.reliefs} >= {"boiler", "chp"}
