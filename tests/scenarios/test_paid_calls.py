"""Calls on demand response from outside: as a change to a case, as an option of the command, settled in what a run costs."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from models.errors import DataError, SiteError
from models.site.file import load_site
from scenarios.cases.case import setting_of
from scenarios.cases.circumstances import DemandResponse
from scenarios.cases.file import load_case
from scenarios.cases.run import run_case
from scenarios.sites import park_path
from service.day_plan import DayAsked, read_events, read_supply

SHORT = """
format: jouletwin-case/1
name: short
title: Six hours of a morning
site: park
start: 2015-07-15
days: 0.25
run: {step: hour}
"""
MIDNIGHT = datetime(2015, 7, 14, 16, tzinfo=UTC)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    path = tmp_path_factory.mktemp("case") / "short.yaml"
    path.write_text(SHORT, encoding="utf-8")
    return load_case(path)


def imported(result):
    return result.arrays["power_kw"].sel(asset="grid", carrier="electricity").to_numpy()


def test_a_paid_call_lowers_the_import_and_is_settled_in_the_cost(short):
    free = run_case(short)
    baseline_kw = float(imported(free)[2:4].mean())
    call = DemandResponse(
        grid="grid", import_max_kw=baseline_kw - 500.0, from_h=2, hours=2, baseline_kw=baseline_kw, price_per_kwh=3.0
    )
    called = run_case(replace(short, changes=(call,)))
    event = setting_of(replace(short, changes=(call,))).calls[0].event(MIDNIGHT)
    during = imported(called)[2:4]
    assert during.max() < baseline_kw - 300.0
    assert free.kpis["cost_demand_response"] == 0.0
    assert called.kpis["cost_demand_response"] == pytest.approx(sum(event.cost(kw, 1.0) for kw in during))
    assert called.kpis["total_cost"] < free.kpis["total_cost"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"price_per_kwh": 1.0}, "needs the baseline_kw"),
        ({"baseline_kw": 50.0, "price_per_kwh": 1.0}, "above the baseline"),
        ({"baseline_kw": 500.0}, "neither price_per_kwh nor penalty_per_kwh"),
    ],
)
def test_a_call_that_says_too_little_is_refused(short, changes, words):
    call = DemandResponse(grid="grid", import_max_kw=100.0, from_h=2, hours=2, **changes)
    with pytest.raises(SiteError, match=words):
        setting_of(replace(short, changes=(call,)))


def test_the_option_reads_calls_and_names_every_one_that_it_cannot():
    ((event,), _) = read_events(["11:00-13:30, 3000 kW - 1500 kW, 0.8/kWh"], MIDNIGHT)
    assert (event.start, event.end) == (MIDNIGHT + timedelta(hours=11), MIDNIGHT + timedelta(hours=13.5))
    assert (event.baseline_kw, event.reduction_kw) == (3000.0, 1500.0)
    assert (event.price_per_kwh, event.penalty_per_kwh) == (0.8, 5.0)
    assert read_events(["1:00-2:00,9kW-1kW,0.8/kWh,2/kWh"], MIDNIGHT)[0][0].penalty_per_kwh == 2.0
    texts = ["noon", "11:00-13:00,x", "1:00-2:00,9kW-1kW,0/kWh", "1:00-2:00,9.9.9kW-1kW,0/kWh"]
    assert len(read_events(texts, MIDNIGHT)[1]) == 3
    asked = DayAsked(date(2015, 7, 15), events=texts, supply="95..80")
    with pytest.raises(DataError) as raised:
        asked.read(load_site(park_path()))
    assert [f.place for f in raised.value.findings] == ["event"] * 3 + ["supply_temperature"]


@pytest.mark.parametrize("text", ["80", "80-95", "95..80", "80..400", "x..y"])
def test_a_range_of_supply_temperatures_is_two_temperatures_of_water(text):
    (allowed, _) = read_supply("80 .. 95.5")
    assert (allowed.least_degc, allowed.most_degc) == (80.0, 95.5)
    assert read_supply("") == (None, [])
    assert read_supply(text)[0] is None
    assert len(read_supply(text)[1]) == 1
