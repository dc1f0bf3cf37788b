"""Measured and planned meet at now; in the past stands the plan that held then."""

from datetime import timedelta

import numpy as np
import pytest

from models.carriers import Carrier
from service.memory import Memory
from service.views.money import rate_now
from service.views.tiles import key_figures
from service.views.timeline import asset_line, planned_between, timeline

HALF_DAY, DAY = timedelta(hours=12), timedelta(hours=24)


def test_measured_reaches_now_and_the_plan_goes_on(running):
    now = running.memory.snapshot.at
    lines = timeline(running.memory, now, HALF_DAY, DAY)
    electricity = next(c for c in lines.carriers if c.carrier is Carrier.ELECTRICITY)
    measured = electricity.measured_kw["pv"]
    assert np.isfinite(measured[1:-1]).all()
    assert np.nanmax(measured) > 1000
    planned = electricity.planned_kw["pv"]
    end = lines.planned_start + len(planned) * lines.planned_step
    assert end == running.memory.plan.plan.horizon.end
    assert np.isfinite(planned).all()


def test_the_past_shows_the_plan_that_held_then(running):
    plans = list(reversed(running.memory.plans()))
    assert len(plans) == 2
    first, second = plans
    start = first.plan.horizon.start
    planned = planned_between(running.memory, running.memory.snapshot.at, start, start + DAY)
    switch = (second.plan.made_at - start) // timedelta(minutes=15)
    np.testing.assert_array_equal(planned.power_kw[switch - 1], first.power_kw[switch - 1])
    np.testing.assert_array_equal(planned.power_kw[switch], second.power_kw[0])


def test_without_a_plan_nothing_is_planned(park, running):
    memory = Memory(park)
    memory.take_snapshot(running.memory.snapshot)
    lines = timeline(memory, memory.snapshot.at, HALF_DAY, DAY)
    assert all(len(v) == 0 for c in lines.carriers for v in c.planned_kw.values())


def test_one_asset_shows_its_commands_oldest_first(running):
    line = asset_line(running.memory, "battery", running.memory.snapshot.at, HALF_DAY, DAY)
    assert line.carrier is Carrier.ELECTRICITY
    assert [c.at for c in line.commanded] == sorted(c.at for c in line.commanded)
    assert {c.setpoint_kw for c in line.commanded} == {-900.0, 1200.0}


def test_cost_now_is_import_times_price_plus_gas(running):
    memory, snapshot = running.memory, running.memory.snapshot
    power = memory.history.matrix(snapshot.power_kw)
    rate = rate_now(memory.site, memory.history, power, memory.prices.at(snapshot.at))
    grid_kw = float(snapshot.power_kw.sel(asset="grid", carrier="electricity"))
    gas_kw = float(snapshot.power_kw.sel(asset="gas", carrier="gas"))
    here = memory.prices.at(snapshot.at)["power"]
    assert here.sent_out == pytest.approx(memory.site.contract("power").tariff.export_price_per_kwh)
    price = here.bought if grid_kw > 0 else here.sent_out
    gas = memory.site.contract("natural_gas").price_per_kwh
    assert rate.cost == pytest.approx(grid_kw * price + gas_kw * gas)


def test_key_figures_tell_stores_plan_and_quality(running):
    figures = key_figures(running.memory, running.memory.snapshot)
    assert {s.kind for s in figures.stores} == {"battery", "hot_tank", "cold_store"}
    assert all(0 <= s.stored_share <= 1 for s in figures.stores)
    assert figures.plan.check_ok
    assert figures.plan.findings == 1
    assert 0.9 < figures.values_good_share < 1.0
    assert figures.today.cost > 0
