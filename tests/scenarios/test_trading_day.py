"""A whole trading day of a small site: one id from the forecast to the ledger, which sums to zero, and capacity beside the energy."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from market.ledger import check_chain
from market.prices import emulated_prices
from market.settlement import Part
from models.site.file import load_site
from scenarios.planners import planner_for
from scenarios.trading.day import trade_day
from scenarios.trading.trace import STAGES, check_trace
from scenarios.trading.traded import TradeSettings
from tests.sites import document, profiles, write_tiny

DAY = date(2015, 1, 12)
MAPS = {
    "grid": "janitza_umg604",
    "gas": "gas_flow_corrector",
    "pv": "sunspec_pv_inverter",
    "chp": "gas_engine_chp",
    "boiler": "gas_boiler_controller",
    "chiller": "compression_chiller",
    "battery": "sunspec_battery",
    "tank": "hot_tank_transmitter",
    "mill": "multi_energy_meter",
}


def table():
    """Return twenty days of the tiny site's profiles, every day a little different."""
    two = profiles()
    days = 10
    start = pd.date_range("2015-01-01", periods=days * len(two), freq="1h")
    found = pd.concat([two] * days, ignore_index=True)
    found["start_utc"] = [f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in start]
    found["el_mill_kw"] *= 1.0 + 0.1 * np.sin(np.arange(len(found)) / 17.0)
    return found


@pytest.fixture(scope="module")
def traded(tmp_path_factory):
    doc = document()
    doc["devices"] = [
        {"id": name, "asset": name, "map": kind, "port": 15_100 + k} for k, (name, kind) in enumerate(MAPS.items())
    ]
    doc["contracts"].append(
        {"id": "spin", "kind": "reserve", "party": "grid company", "providers": ["battery"], "price_per_kw_h": 0.05, "most_kw": 40}
    )  # fmt: skip
    site = load_site(write_tiny(tmp_path_factory.mktemp("tiny"), doc, table()))
    planner, days = planner_for(site), {}
    prices = emulated_prices(DAY - timedelta(days=60), 62, 1)
    try:
        for form in ("curves", "profiles"):
            settings = TradeSettings(paths=5, steps=5, form=form, proven=False)
            days[form] = trade_day(site, DAY, prices, planner, planner.dispatcher, settings)
    finally:
        planner.close()
    return days


@pytest.mark.parametrize("form", ["curves", "profiles"])
def test_a_day_leads_from_the_forecast_to_a_ledger_that_sums_to_zero(traded, form):
    day = traded[form]
    assert day.ok
    assert [link.stage for link in day.trace.links] == list(STAGES)
    assert not list(check_trace(day.trace.id, day.trace.links))
    assert all(t.trace.startswith(day.trace.id) for t in day.portfolio.trades)
    invoiced = [] if day.invoice is None else [day.run.id]
    assert [t.trace for t in day.ledger.transactions if t.run != day.run.id] == invoiced
    assert day.run.id.startswith(day.trace.id)
    assert sum(day.ledger.balances.values()) == 0
    assert not list(check_chain(day.ledger.transactions))
    assert len(day.operated.diary.receipts) > 0
    assert day.account.result == pytest.approx(sum(day.account.parts.values()))


def test_a_profile_is_taken_whole_and_a_curve_hour_by_hour(traded):
    position = traded["profiles"].portfolio.position_wh().tolist()
    lot = 1_000
    offered = [[round(q / lot) * lot for q in p.quantity_wh] for p in traded["profiles"].offers.profiles]
    assert position in offered
    curve = traded["curves"]
    assert curve.portfolio.position_wh().tolist() != position
    came = np.array(curve.result.price_micro) / 1e9
    wanted = curve.offers.cleared_wh(came)
    assert np.abs(curve.portfolio.position_wh() - wanted).max() <= lot


def test_capacity_beside_energy_is_held_and_paid(traded):
    day = traded["curves"]
    paid = [i for i in day.run.items if i.part is Part.CAPACITY]
    assert paid
    assert all(0 < i.quantity <= 40_000 for i in paid)
    assert not [i for i in day.run.items if i.part is Part.SHORTFALL]
    assert day.account.parts[Part.CAPACITY.value] == pytest.approx(sum(i.amount_micro for i in paid) / 1e6)
