"""Offers from price paths: curves that rise, profiles that are the cheapest, and a day that keeps what was traded."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ProblemError
from models.trading import MarketTerms
from optimizers.offers.build import OfferSettings, offers_of
from optimizers.offers.curves import Points, curve_steps, rising
from optimizers.offers.day import BOTH_WAYS_KW, MarketDay
from optimizers.offers.margin import newsvendor_kwh
from optimizers.offers.paths import PricePaths
from optimizers.offers.profiles import chosen
from tests.optimizers.problems import battery, consumer, engine, gas, grid, hours, problem_of, site_of

STEPS = 6
FEE = 0.1


@pytest.fixture(scope="module")
def problem():
    site = site_of([grid(), gas(), battery(), engine(), consumer("electricity", "heat")])
    load = [60.0, 90.0, 150.0, 120.0, 80.0, 70.0]
    return problem_of(site, hours(STEPS), {"mill_electricity_kw": load, "mill_heat_kw": 80.0})


@pytest.fixture(scope="module")
def day(problem, dispatcher):
    return MarketDay(problem, FEE, dispatcher)


def paths(count=12, seed=3, base=0.5, spread=0.3):
    made = base + spread * np.random.default_rng(seed).standard_normal((count, STEPS))
    return PricePaths(made, made.mean(axis=0))


@given(st.lists(st.tuples(st.floats(-1, 2), st.floats(-500, 500)), min_size=1, max_size=40), st.integers(1, 20))
def test_curves_rise_in_few_steps_and_keep_the_mean(pairs, most):
    price, quantity = np.array(pairs).T
    nothing = np.zeros(len(price))
    steps = curve_steps(Points(price, quantity, nothing, nothing), most=most)
    assert len(steps) <= most
    assert [s.price_micro for s in steps] == sorted({s.price_micro for s in steps}) or len(steps) > len(
        {s.price_micro for s in steps}
    )
    assert all(a.quantity_wh <= b.quantity_wh for a, b in pairwise(steps))
    assert sum(s.support for s in steps) == len(price)
    mean_wh = sum(s.support * s.quantity_wh for s in steps) / len(price)
    assert mean_wh == pytest.approx(1e3 * quantity.mean(), abs=1.0)


@given(st.lists(st.floats(-500, 500), min_size=2, max_size=30))
def test_what_rises_already_stays_as_it_is(values):
    quantity = np.sort(values)
    nothing = np.zeros(len(values))
    blocks = rising(Points(np.arange(len(values), dtype=float), quantity, nothing, nothing))
    fitted = np.concatenate([np.full(b.count, b.mean) for b in blocks])
    assert fitted == pytest.approx(quantity, abs=1e-9)


def test_every_path_has_its_own_optimum(day, problem, dispatcher):
    some = paths(5)
    optima = day.optima(some)
    for k in range(len(some)):
        alone = replace(problem, market=MarketTerms(some.energy_per_kwh[k], FEE), demand=None, integer_h=0.0)
        plan = dispatcher.dispatch(alone)
        assert optima.cost[k] == pytest.approx(plan.total_cost, rel=1e-6)
        assert optima.marginal_per_kwh[k].mean() == pytest.approx(
            float(plan.price_per_kwh.sel(carrier="electricity").mean()), abs=0.3
        )
    assert optima.beside + (optima.bought_kwh * some.energy_per_kwh).sum(axis=1) == pytest.approx(optima.cost)


def test_marginal_costs_are_what_one_more_kwh_costs(day, problem, dispatcher):
    some, step, more = paths(3), 2, 1.0
    values = problem.forecast.values.copy()
    values.loc[{"series": "mill_electricity_kw"}] += more * (np.arange(STEPS) == step)
    higher = MarketDay(replace(problem, forecast=replace(problem.forecast, values=values)), FEE, dispatcher)
    told, found = day.optima(some), higher.optima(some)
    rise = (found.cost - told.cost) / more
    assert np.all(rise >= told.marginal_per_kwh[:, step] - 1e-6)
    assert np.all(rise <= found.marginal_per_kwh[:, step] + 1e-6)


def test_equal_paths_give_the_schedule_itself(day):
    one = paths(1)
    same = PricePaths(np.repeat(one.energy_per_kwh, 8, axis=0), one.expected_per_kwh)
    optima = day.optima(same)
    offers = offers_of(day, same, optima)
    assert [len(c.steps) for c in offers.curves] == [1] * STEPS
    assert offers.cleared_wh(one.expected_per_kwh) / -1e3 == pytest.approx(optima.bought_kwh[0], abs=1e-3)
    assert len(offers.profiles) == 1


def test_no_store_charges_and_discharges_at_once_when_energy_is_paid_for(day):
    dumping = PricePaths(np.full((2, STEPS), -2.0), np.full(STEPS, -2.0))
    x = day.optima(dumping).x
    charge, discharge = x[:, day.columns("battery", "charge_kw")], x[:, day.columns("battery", "discharge_kw")]
    assert np.minimum(charge, discharge).max() <= BOTH_WAYS_KW


def test_stored_energy_is_worth_what_it_will_fetch(problem, dispatcher):
    day = MarketDay(problem, 0.0, dispatcher)
    prices = np.array([[0.1, 0.1, 0.1, 1.0, 1.0, 0.1]])
    optima = day.optima(PricePaths(prices, prices[0]))
    assert np.all(optima.stored_per_kwh[0, :3] > 0.1)
    assert np.all(optima.stored_per_kwh[0, :3] <= 1.0 + 1e-6)


def test_the_group_holds_the_cheapest_day_of_those_chosen(day):
    some = paths(10)
    optima = day.optima(some)
    offers = offers_of(day, some, optima, OfferSettings(profiles=4))
    for k in range(len(some)):
        prices = some.energy_per_kwh[k]
        costs = [p.cost_micro / 1e6 - float(prices @ np.array(p.quantity_wh)) / 1e3 for p in offers.profiles]
        best = offers.best_profile(prices)
        assert best.cost_micro / 1e6 - float(prices @ np.array(best.quantity_wh)) / 1e3 == pytest.approx(
            min(costs), abs=1e-4
        )
    everyone = chosen(some.energy_per_kwh, optima.bought_kwh, optima.beside, 99)
    value = some.energy_per_kwh @ optima.bought_kwh.T + optima.beside
    assert value[:, everyone].min(axis=1) == pytest.approx(optima.cost, rel=1e-6)


def test_margins_follow_the_dearer_side():
    errors = np.random.default_rng(1).normal(0, 10, (500, STEPS))
    assert np.all(newsvendor_kwh(errors, 0.15, 0.15) == 0)
    assert np.all(newsvendor_kwh(errors, 0.3, 0.05) > 5)
    assert np.all(newsvendor_kwh(errors, 0.05, 0.3) < -5)
    with pytest.raises(ValueError, match="neither may earn"):
        newsvendor_kwh(errors, -0.1, 0.2)


def test_a_margin_is_bought_at_every_price(day):
    some = paths()
    optima = day.optima(some)
    plain = offers_of(day, some, optima)
    with_margin = offers_of(day, some, optima, OfferSettings(margin_kwh=np.full(STEPS, 7.0)))
    more = with_margin.cleared_wh(some.expected_per_kwh) - plain.cleared_wh(some.expected_per_kwh)
    assert more.tolist() == [-7000] * STEPS


def test_what_was_traded_is_kept_unless_deviating_pays(day, problem, dispatcher):
    traded = day.optima(paths(1)).bought_kwh[0]
    market = MarketTerms(np.full(STEPS, 0.5), FEE, traded, short_per_kwh=5.0, long_per_kwh=5.0)
    plan = dispatcher.dispatch(replace(problem, market=market))
    net = plan.power_kw.sel(asset="grid", carrier="electricity").to_numpy()
    assert net == pytest.approx(traded, abs=1e-3)
    assert plan.cost["imbalance"] == pytest.approx(0.0, abs=1e-6)
    assert plan.cost["energy"] + plan.cost["export"] == pytest.approx(market.energy_cost(net, problem.horizon.step_h))
    too_far = replace(market, bought_kw=traded + 900.0)
    away = dispatcher.dispatch(replace(problem, market=too_far))
    net = away.power_kw.sel(asset="grid", carrier="electricity").to_numpy()
    assert away.cost["imbalance"] == pytest.approx(too_far.deviation_cost(net, problem.horizon.step_h))
    assert away.cost["imbalance"] > 100


def test_everything_wrong_with_paths_and_terms_is_said_at_once(day, problem, dispatcher):
    broken = np.full((4, STEPS), 0.5)
    broken[1, 2] = np.nan
    bad = PricePaths(broken, np.zeros(STEPS + 1), {"spin": np.zeros((4, STEPS)), "more": np.full((3, STEPS), 1e9)})
    with pytest.raises(ProblemError) as told:
        day.optima(bad)
    places = [f.place for f in told.value.findings]
    assert places == [
        "paths.energy",
        "paths.reserve more",
        "paths.expected",
        "paths.reserve more",
        "paths.reserve spin",
    ]
    market = MarketTerms(np.full(STEPS - 1, 0.5), float("nan"), np.full(STEPS, np.nan), short_per_kwh=-1.0)
    with pytest.raises(ProblemError) as told:
        dispatcher.dispatch(replace(problem, market=market))
    assert [f.place for f in told.value.findings] == [
        "market.price_per_kwh", "market.bought_kw", "market.short_per_kwh", "market.fee_per_kwh",
    ]  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_dearer_energy_is_never_bought_more(day, seed):
    offers = offers_of(day, (some := paths(15, seed)), day.optima(some))
    low, high = offers.cleared_wh(np.full(STEPS, 0.2)), offers.cleared_wh(np.full(STEPS, 0.9))
    assert np.all(low <= high)
