"""Capacity that is held ready can be called at any instant, and what was planned for later still stands afterwards."""

from dataclasses import replace

import numpy as np
import pytest

from models.trading import MarketTerms
from optimizers.offers.build import offers_of
from optimizers.offers.day import MarketDay
from optimizers.offers.paths import PricePaths
from tests.optimizers.problems import battery, consumer, engine, gas, grid, hours, problem_of, reserve, site_of
from twin.calls import replay_calls

STEPS = 24
SERIES = {"mill_electricity_kw": 120.0, "mill_heat_kw": 80.0}


def problem(**terms):
    contracts = [
        reserve("up", ["battery", "chp"], direction="up", price_per_kw_h=0.05, spinning=True, **terms),
        reserve("down", ["battery"], direction="down", price_per_kw_h=0.05, **terms),
    ]
    site = site_of(
        [grid(), gas(), battery(), engine(ramp_kw_per_min=50.0), consumer("electricity", "heat")], reserves=contracts
    )
    return problem_of(site, hours(STEPS), SERIES)


def replayed(case, dispatcher, seed):
    prices = 0.5 + 0.4 * np.random.default_rng(seed).standard_normal(STEPS)
    plan = dispatcher.dispatch(replace(case, market=MarketTerms(prices, 0.05)))
    assert float(plan.reserve_kw.sum()) > 100
    return plan, replay_calls(plan, case.site, {"battery": 50.0})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_call_can_be_answered_and_the_day_goes_on(dispatcher, seed):
    _, found = replayed(problem(sustain_h=1.0), dispatcher, seed)
    assert found.calls == 2 * STEPS * 4
    assert found.failed == 0, found.findings


def test_capacity_without_energy_behind_it_fails(dispatcher):
    naive = problem(sustain_h=0.01)
    plan, _ = replayed(naive, dispatcher, 1)
    honest = problem(sustain_h=1.0).site
    found = replay_calls(plan, honest, {"battery": 50.0})
    assert found.failed > 20
    assert {f.place for f in found.findings} <= {"up", "down"}
    assert all("cannot feed" in f.message and "UTC" in f.message for f in found.findings)


def test_a_store_that_recovers_may_hold_more_but_its_plan_breaks_otherwise(dispatcher):
    kept, _ = replayed(problem(sustain_h=1.0), dispatcher, 2)
    recovering = problem(sustain_h=1.0, recovers=True)
    more, found = replayed(recovering, dispatcher, 2)
    assert found.failed == 0, found.findings
    assert more.total_cost <= kept.total_cost + 1e-6
    stubborn = replay_calls(more, problem(sustain_h=1.0).site, {"battery": 50.0})
    assert stubborn.failed > 0


def test_capacity_is_offered_beside_energy_at_rising_prices(dispatcher):
    case = problem(sustain_h=1.0)
    day = MarketDay(case, 0.05, dispatcher)
    rng = np.random.default_rng(4)
    energy = 0.5 + 0.3 * rng.standard_normal((12, STEPS))
    capacity = np.abs(0.05 + 0.05 * rng.standard_normal((12, STEPS)))
    paths = PricePaths(energy, energy.mean(axis=0), {"up": capacity})
    offers = offers_of(day, paths, day.optima(paths))
    assert len(offers.reserve) == STEPS
    assert {c.kind for c in offers.reserve} == {"reserve"}
    for curve in offers.reserve:
        quantities = [s.quantity_wh for s in curve.steps]
        assert quantities == sorted(quantities)
        assert quantities[0] >= 0
    dearer = PricePaths(energy, energy.mean(axis=0), {"up": capacity + 0.1})
    assert day.optima(dearer).held_kw["up"].sum() >= day.optima(paths).held_kw["up"].sum() - 1e-6
