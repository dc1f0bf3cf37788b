"""A trading day's trace: stages in their order, each carrying the one before; the venue clears at the price that came."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from market.ledger import Ledger
from market.orders import StepOrder
from market.products import MarketError
from market.settlement import Item, Part
from market.settlement_runs import SettlementBook
from models.offers import OfferCurve, OfferProof, OfferSet, OfferStep
from models.site import ReserveContract
from models.site.file import load_site
from models.trading import MarketTerms
from scenarios.day import local_day
from scenarios.offering import TradingDays
from scenarios.sites import park_path
from scenarios.trading.aftermath import certified, invoiced
from scenarios.trading.capacity import awarded
from scenarios.trading.planning import TradingPlanner
from scenarios.trading.result import account
from scenarios.trading.trace import STAGES, Trace, check_trace
from scenarios.trading.venue import REST, Venue
from service.pictures.trading import day_chart

DAY = date(2015, 7, 15)


@pytest.fixture(scope="module")
def site():
    return load_site(park_path())


@pytest.fixture(scope="module")
def days(site):
    from market.prices import emulated_prices

    return TradingDays(site, emulated_prices(DAY - timedelta(days=60), 62, 1), seed=1, fee_per_kwh=0.1)


def whole_trace():
    trace = Trace("park-20150715")
    for k, stage in enumerate(STAGES):
        trace.add(stage, f"made {k}", "words", {"k": k})
    return trace


def test_a_trace_is_whole_only_in_its_order():
    trace = whole_trace()
    assert trace.whole
    assert not list(check_trace(trace.id, trace.links))
    with pytest.raises(ValueError, match="after 0 links comes forecast, not trade"):
        Trace("x").add("trade", "", "", [])


@pytest.mark.parametrize("place", range(len(STAGES)))
def test_a_changed_or_missing_link_is_found(place):
    trace = whole_trace()
    links = list(trace.links)
    links[place] = replace(links[place], content="0" * 64)
    assert any(f"[{place}]" in f.place for f in check_trace(trace.id, links))
    short = trace.links[:place]
    assert [f.message for f in check_trace(trace.id, short)] == [f"{s} is missing" for s in STAGES[place:]]


def test_the_site_clears_at_the_price_that_came_and_moves_nothing(site, days):
    came = days.came(DAY)
    venue = Venue.of(site, days.horizon(DAY), came, 1)
    prices = venue.prices_micro(came)
    orders = [
        StepOrder(f"o{k}", site.name, k, -2_000_000, p + (1 if k % 2 else -1) * 1_000_000) for k, p in enumerate(prices)
    ]
    result, trades = venue.cleared(site.name, orders)
    assert list(result.price_micro) == prices
    assert [t.period for t in trades] == [k for k in range(24) if k % 2]
    assert {t.quantity_wh for t in trades} == {-2_000_000}
    assert all(t.trace == f"o{t.period}" for t in trades)
    assert venue.product.gate.closes_at < datetime.combine(
        DAY, datetime.min.time(), venue.product.gate.closes_at.tzinfo
    )
    with pytest.raises(MarketError, match="ticks"):
        venue.cleared(site.name, [StepOrder("odd", site.name, 0, -1_000, 1)])


def test_plans_of_a_traded_day_see_the_market_of_their_own_steps(days):
    horizon = days.horizon(DAY)
    terms = MarketTerms(np.arange(24.0) / 100, 0.1, np.arange(24.0) * 10, 0.05, 0.05)
    planner = TradingPlanner(None, horizon, terms)  # type: ignore[arg-type] # nothing is planned here
    problem = days.expected(DAY)
    later = replace(
        problem, horizon=type(horizon).quarters_then_hours(horizon.start + timedelta(hours=3), quarters=4, hours=3)
    )
    seen = planner.traded(later).market
    assert seen.price_per_kwh.tolist() == [0.03] * 4 + [0.04, 0.05, 0.06]
    assert seen.bought_kw.tolist() == [30.0] * 4 + [40.0, 50.0, 60.0]
    assert planner.traded(replace(problem, demand=None)).demand is None


def test_an_account_sums_to_what_was_settled_and_spent():
    prices = np.array([0.2, 0.6])
    items = [
        Item("site", Part.TRADES, 0, -1_000_000, 200_000_000, -200_000_000, "t"),
        Item("site", Part.TRADES, 1, 500_000, 600_000_000, 300_000_000, "t"),
        Item("site", Part.REAL_TIME, 1, -100_000, 700_000_000, -70_000_000, ""),
        Item("site", Part.DEVIATION, 1, -100_000, 700_000_000, -10_000_000, ""),
        Item(REST, Part.TRADES, 0, 1, 1, 1, ""),
    ]
    told = account(items, "site", prices, [-1_000_000, 500_000], [-1_000_000, 400_000], {"gas": 50.0}, {}, {})
    assert told.result == pytest.approx(-200 + 300 - 70 - 10 - 50)
    first, second = told.hours
    assert first.timing == pytest.approx(1000 * (0.4 - 0.2))  # bought below the mean price
    assert second.timing == pytest.approx(500 * (0.6 - 0.4))
    assert second.beside == pytest.approx(
        -70 - 10 + 60
    )  # 100 kWh at real time instead of the day-ahead price, and the charge
    assert told.best(1) == [first]
    assert told.worst(1) == [second]


def test_a_day_is_the_local_one(site, days):
    assert days.horizon(DAY).start == local_day(site, DAY).start


def test_what_is_owed_becomes_an_invoice_and_what_is_earned_does_not():
    items = [
        Item("site", Part.TRADES, 0, -1_000_000, 300_000_000, -300_000_000, "t"),
        Item(REST, Part.TRADES, 0, 1, 1, 1, ""),
    ]
    ledger, at = Ledger(), datetime(2015, 7, 16, 4, tzinfo=UTC)
    run = SettlementBook(ledger).settle("day", items, at)
    made = invoiced(ledger, run, "site", at)
    assert (made.amount_micro, made.due) == (300_000_000, date(2015, 7, 30))
    assert ledger.balances["participant:site"] == 0
    assert ledger.balances["receivable:site"] == 300_000_000
    assert sum(ledger.balances.values()) == 0
    assert invoiced(ledger, run, REST, at) is None


def test_whole_megawatt_hours_of_sun_and_wind_are_certified(site, days):
    horizon = days.horizon(DAY)
    names = [a.id for a in site.assets]
    power = np.zeros((len(names), 24 * 60))
    power[names.index("pv_metal1")] = 100.0  # kW all day are 2.4 MWh
    truth = xr.Dataset(
        {"power_kw": (("asset", "carrier", "time"), power[:, None])}, {"asset": names, "carrier": ["electricity"]}
    )
    (held,) = certified(site, truth, horizon, horizon.end)
    assert (held.device, held.count, held.holder) == ("pv_metal1", 2, site.name)


def test_a_traded_day_is_drawn_with_a_bar_for_every_kind():
    told = account([], "site", np.full(24, 0.5), [0] * 24, [0] * 24, {"gas": 50.0, "grid fee": 20.0}, {}, {})
    bottom = day_chart(told, "a day", "CNY").axes[2]
    assert [t.get_text() for t in bottom.get_xticklabels()] == ["gas", "grid\nfee", "result"]
    assert sum(p.get_height() for p in bottom.patches[:-1]) == pytest.approx(told.result)


def test_capacity_that_was_awarded_is_asked_of_plans_and_paid(days):
    horizon = days.horizon(DAY)
    spin = ReserveContract(id="spin", party="grid", providers=("battery",), price_per_kw_h=0.02, most_kw=300.0)
    site = replace(days.site, contracts=(*days.site.contracts, spin))
    steps = (OfferStep(10_000_000, 200_000, 0.0, 0.0, 0, 1), OfferStep(30_000_000, 900_000, 0.0, 0.0, 0, 1))
    edges = horizon.edges
    curves = [OfferCurve(a, b, steps) for a, b in pairwise(edges)]
    held = [replace(c, kind="reserve", contract="spin") for c in curves[:2]]
    offers = OfferSet(
        "park", "CNY", "Asia/Shanghai", horizon, tuple(curves), tuple(held), (), OfferProof("x"), "", 1, (), 0.0, {}
    )  # 20 CNY a MW and hour lie between the steps: 200 kW are offered
    capacity = awarded(site, offers, "t")
    assert capacity.awarded_kw.tolist() == [200.0, 200.0] + [0.0] * 22
    terms = MarketTerms(np.zeros(24), 0.1)
    asked = TradingPlanner(None, horizon, terms, capacity).traded(days.expected(DAY)).reserve_kw  # type: ignore[arg-type] # nothing is planned
    assert asked.sel(contract="spin").to_numpy().tolist() == [200.0, 200.0] + [0.0] * 22
    power = [[[200.0, 150.0, *[0.0] * 22]]]
    kept = SimpleNamespace(
        reserve_kw=xr.DataArray(power, dims=("contract", "asset", "time"), coords={"contract": ["spin"]})
    )
    items = list(capacity.items(kept))
    assert [(i.part, i.period, i.amount_micro) for i in items] == [
        (Part.CAPACITY, 0, 4_000_000),
        (Part.CAPACITY, 1, 4_000_000),
        (Part.SHORTFALL, 1, -2_000_000),  # a quarter is missing, at twice the price
    ]
