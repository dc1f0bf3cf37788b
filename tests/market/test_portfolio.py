"""A portfolio keeps what was traded, exactly; contracts fall into periods without losing a watt-hour; what is open has a price."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.clearing import clear_auction
from market.offer_orders import curve_orders, profile_orders
from market.order_check import require_orders
from market.orders import StepOrder
from market.outcomes import recheck
from market.portfolio import EnergyContract, Portfolio
from market.products import Gate, MarketError, Participant, Product
from market.settlement import Delivery, DifferenceContract, Trade, settle
from models.horizon import HOUR, Horizon
from models.offers import OfferCurve, OfferProof, OfferSet, OfferStep, ProfileOffer

START = datetime(2026, 7, 1, tzinfo=UTC)
PERIODS = 4
HORIZON = Horizon.uniform(START, START + PERIODS * HOUR, HOUR)
PRODUCT = Product("da", "area", START, Gate(START - 16 * HOUR, START - 12 * HOUR), periods=PERIODS)
PEOPLE = (Participant("site", "site"), Participant("rest", "rest"))


def step(price_cny, kwh):
    return OfferStep(round(price_cny * 1e6), round(kwh * 1e3), 0.5, 0.4, 0, 3)


def offers(steps, profiles=()):
    curves = tuple(OfferCurve(a, b, tuple(steps)) for a, b in zip(HORIZON.edges, HORIZON.edges[1:], strict=False))
    return OfferSet(
        "site",
        "CNY",
        "Asia/Shanghai",
        HORIZON,
        curves,
        (),
        tuple(profiles),
        OfferProof("x"),
        "test",
        0,
        (0.0,) * PERIODS,
        0.0,
        {},
    )


def cleared(orders, prices_cny):
    rest = [
        StepOrder(f"rest-{k}-{sign}", "rest", k, sign * 10_000_000, round(p * 1e6))
        for k, p in enumerate(prices_cny)
        for sign in (1, -1)
    ]
    every = [*orders, *rest]
    require_orders(PRODUCT, PEOPLE, every, START - 13 * HOUR)
    result = clear_auction(PRODUCT, every)
    assert not list(recheck(PRODUCT, every, result))
    return result


@given(
    st.integers(-(10**12), 10**12), st.lists(st.floats(0, 100), min_size=1, max_size=96).filter(lambda w: sum(w) > 0)
)
def test_a_contract_falls_into_its_periods_without_losing_a_watt_hour(total, weights):
    found = EnergyContract("c", "other", total, 300_000_000, tuple(weights)).decomposed_wh()
    assert sum(found) == total
    exact = total * np.array(weights) / sum(weights)
    assert np.abs(np.array(found) - exact).max() <= 1.0 + 1e-6 * abs(total) / len(weights)
    assert all(wh * total >= 0 for wh in found)


@pytest.mark.parametrize("weights", [(0.0, 0.0), (1.0, float("nan")), (1.0, -1.0)])
def test_weights_that_say_nothing_are_refused(weights):
    with pytest.raises(MarketError, match="from 0 on and not all 0"):
        EnergyContract("c", "other", 10, 1, weights).decomposed_wh()


@given(
    st.lists(
        st.tuples(st.integers(0, PERIODS - 1), st.integers(-(10**9), 10**9), st.integers(-(10**8), 10**9)), max_size=20
    )
)
def test_positions_are_the_sums_of_all_trades(rows):
    trades = [Trade("site", k, wh, price, f"t{n % 3}") for n, (k, wh, price) in enumerate(rows)]
    portfolio = Portfolio("site", PERIODS).with_trades(trades)
    assert portfolio.position_wh().tolist() == [
        sum(t.quantity_wh for t in trades if t.period == k) for k in range(PERIODS)
    ]
    assert sum(portfolio.by_trace().values()) == int(portfolio.position_wh().sum())


def test_every_stranger_among_trades_is_told_and_none_is_taken():
    portfolio = Portfolio("site", PERIODS)
    with pytest.raises(MarketError) as told:
        portfolio.with_trades([Trade("other", 0, 1, 1, "a"), Trade("site", 9, 1, 1, "b"), Trade("site", 1, 1, 1, "c")])
    assert [f.place for f in told.value.findings] == ["a", "b"]
    with pytest.raises(MarketError, match="covers 2 periods"):
        portfolio.with_contract(DifferenceContract("cfd", "site", "rest", 1, (1, 2)))
    with pytest.raises(MarketError) as told:
        portfolio.exposure(np.zeros(3, np.int64), np.full((2, PERIODS), np.nan), level=1.0)
    assert [f.place for f in told.value.findings] == ["expected_wh", "prices_per_mwh", "level"]


def test_a_contract_for_difference_takes_the_price_away():
    bought = np.full(PERIODS, -2_000_000)
    prices = np.array([[100.0, 500.0, 300.0, -50.0], [400.0, 400.0, 900.0, 50.0]])
    bare = Portfolio("site", PERIODS)
    hedged = bare.with_contract(DifferenceContract("cfd", "site", "rest", 300_000_000, tuple(bought.tolist())))
    free, fixed = bare.exposure(bought, prices), hedged.exposure(bought, prices)
    assert fixed.mean_cost == pytest.approx(fixed.value_at_risk) == pytest.approx(4 * 2 * 300.0)
    assert free.value_at_risk > fixed.value_at_risk
    assert (free.hedged_share, fixed.hedged_share) == (0.0, 1.0)


def test_exposure_is_what_settlement_will_charge():
    portfolio = Portfolio("site", PERIODS).with_trades([Trade("site", 0, -1_500_000, 420_000_000, "t")])
    portfolio = portfolio.with_contract(
        DifferenceContract("cfd", "site", "rest", 350_000_000, (-1_000_000, 0, 0, -500_000))
    )
    metered, prices = np.array([-1_200_000, -800_000, 300_000, -500_000]), np.array([[400.0, 380.0, 390.0, 210.0]])
    micro = tuple(round(p * 1e6) for p in prices[0])
    everyone = {"site": tuple(metered.tolist()), "rest": (0,) * PERIODS}
    items = settle(Delivery(everyone, micro, micro, portfolio.trades, portfolio.differences))
    settled = sum(i.amount_micro for i in items if i.participant == "site") / 1e6
    assert portfolio.exposure(metered, prices).mean_cost == pytest.approx(-settled, abs=1e-6)


def test_curves_clear_at_the_step_that_holds_at_the_price():
    made = offers([step(-50, -900), step(120, -500), step(400, -100), step(800, 250)])
    prices = [90.0, 399.99, 950.0, 120.01]
    result = cleared(curve_orders(made, PRODUCT, "site", "trace"), prices)
    mine = np.sum([o.accepted_wh for o in result.outcomes if o.participant == "site"], axis=0)
    assert mine.tolist() == made.cleared_wh(np.array(prices) / 1e3).tolist() == [-900_000, -500_000, 250_000, -500_000]


def test_of_an_exclusive_group_the_market_takes_the_cheapest_day():
    profiles = [
        ProfileOffer((-100_000, -300_000, 0, 0), 20_000_000, "g"),
        ProfileOffer((0, 0, -200_000, -200_000), 10_000_003, "g"),
    ]
    made = offers([step(0, -100)], profiles)
    for prices in ([100.0, 100.0, 300.0, 300.0], [500.0, 400.0, 100.0, 90.0]):
        orders = profile_orders(made, PRODUCT, "site", "t", worth_per_mwh=20_000.0)
        result = cleared(orders, prices)
        taken = [o.order for o in result.outcomes if o.participant == "site" and any(o.accepted_wh)]
        best = made.best_profile(np.array(prices) / 1e3)
        assert taken == [f"t-profile-{profiles.index(best)}"]


def test_offers_of_another_day_are_no_orders_of_this_product():
    late = Product("da", "area", START + timedelta(days=1), PRODUCT.gate, periods=PERIODS)
    with pytest.raises(MarketError, match="the offer is of"):
        curve_orders(offers([step(0, -1)]), late, "site", "t")
    longer = Product("da", "area", START, PRODUCT.gate, periods=5)
    with pytest.raises(MarketError, match="has 5 periods, the offers have 4"):
        profile_orders(offers([step(0, -1)]), longer, "site", "t", worth_per_mwh=1.0)
