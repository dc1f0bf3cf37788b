"""Problems that contradict themselves: every finding at once, before a solver starts, with place and words."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from models.dispatch import DemandTerms, EmissionBudget, EndTerm, ReductionEvent
from models.errors import ProblemError
from models.findings import errors_in
from models.site.file import parse_site
from models.state import UnitState
from models.tariffs.terms import BilledSoFar
from optimizers.checks import check
from tests.optimizers.problems import START, battery, consumer, engine, gas, grid, hours, problem_of, reserve, site_of
from tests.sites import document

HOUR = timedelta(hours=1)
NAN = float("nan")
SITE = site_of(
    [grid(), gas(), engine(), battery(), consumer("electricity", "heat")], reserves=[reserve("spin", ["chp"])]
)
RIGHT = problem_of(SITE, hours(3), {"mill_electricity_kw": 100.0, "mill_heat_kw": 20.0})


def over_time(dim, name, value):
    return xr.DataArray(np.full((1, 3), value), {dim: [name], "time": RIGHT.horizon.times}, (dim, "time"))


def call(start_h, end_h, baseline_kw=100.0, **more):
    return ReductionEvent(START + start_h * HOUR, START + end_h * HOUR, baseline_kw, 50.0, **more)


WRONG = {
    "demand": ({"demand": DemandTerms(NAN, -4.0)}, ["has a price of nan", "peak so far of -4"]),
    "demand_windows.evening": ({"demand_windows": {"evening": DemandTerms(3.0)}}, ["no tariff of the site has a peak window"]),
    "co2_price_per_kg": ({"co2_price_per_kg": NAN}, ["not a number"]),
    "co2_cap": ({"co2_cap": EmissionBudget(NAN, -1.0)}, ["not a number", "must cost something"]),
    "billed.rest_kwh": ({"billed": BilledSoFar(rest_kwh=-3.0)}, ["from 0 on"]),
    "billed.net_kwh.energy_0": ({"billed": BilledSoFar(net_kwh={"energy_0": NAN})}, ["not a number"]),
    "unserved_price_per_kwh": ({"unserved_price_per_kwh": 0.1}, ["would rather leave demand unmet"]),
    "gap_share": ({"gap_share": 1.5}, ["expected 0 up to 1"]),
    "integer_h": ({"integer_h": NAN}, ["from 0 on"]),
    "events": ({"events": (call(0, 2), call(1, 3))}, ["overlap"]),
    "events[0]": ({"events": (call(2, 1, NAN),)}, ["not after its start", "must be numbers"]),
    "events[1]": ({"events": (call(0, 1), call(1, 2, price_per_kwh=-9.0))}, ["would earn more than delivering"]),
    "reserve_kw": ({"reserve_kw": over_time("contract", "nope", -1.0)}, ["no reserve contract nope", "from 0 on"]),
    "ends.nope": ({"ends": {"nope": EndTerm(1.0)}}, ["no asset nope"]),
    "available_share": ({"available_share": over_time("asset", "nope", 2.0)}, ["no asset nope", "between 0 and 1"]),
    "losses_kw": ({"losses_kw": over_time("carrier", "heat", -4.0)}, ["never loses less than nothing"]),
    "chp": ({"initial": replace(RIGHT.initial, units={"chp": UnitState(True, NAN)})}, ["expected 0 or more"]),
}  # fmt: skip


@pytest.mark.parametrize("place", WRONG)
def test_each_contradiction_is_named_with_its_place(place):
    changes, words = WRONG[place]
    with pytest.raises(ProblemError) as raised:
        check(replace(RIGHT, **changes))
    said = " | ".join(f.message for f in errors_in(raised.value.findings) if f.place == place)
    for word in words:
        assert word in said


def test_all_contradictions_are_found_at_once():
    changes = {k: v for c, _ in WRONG.values() for k, v in c.items() if k not in ("events", "demand_windows")}
    broken = problem_of(SITE, hours(3), {"mill_electricity_kw": [1.0, NAN, -3.0]}, stored={"battery": 500.0})
    with pytest.raises(ProblemError) as raised:
        check(replace(broken, **(changes | {"initial": broken.initial})))
    places = {f.place for f in raised.value.findings}
    assert {
        "mill_electricity_kw",
        "mill_heat_kw",
        "battery",
        "demand",
        "co2_cap",
        "unserved_price_per_kwh",
        "losses_kw",
    } <= places


def test_what_only_surprises_is_a_warning():
    far = call(48, 50)
    found = check(replace(RIGHT, events=(far,), ends={"battery": EndTerm(300.0)}))
    assert {f.place for f in found} == {"events[0]", "battery"}


def test_contradictory_contracts_in_a_site_file_are_named_together(tmp_path):
    doc = document()
    tariff = doc["contracts"][0]["tariff"]
    tariff["net_metering"] = True
    tariff["blocks"] = [{"adder_per_kwh": 0, "up_to_kwh": 5}, {"adder_per_kwh": 1, "up_to_kwh": 3}]
    tariff["peak_windows"] = [{"name": "demand", "price_per_kw_month": 3, "windows": [{"start_h": 1, "end_h": 2}]}]
    doc["contracts"] += [reserve("spare", ["boiler", "nope"], required_kw=10, most_kw=5), reserve("chp", ["chp"])]
    fleet = {"id": "cars", "kind": "ev_fleet", "electricity_node": "bus", "charger_kw": 11, "v2g_kwh": 5}
    doc["assets"].append({**fleet, "groups": [{"vehicles": 1, "arrive_h": 8, "depart_h": 9, "energy_kwh": 2}] * 2})
    _, findings = parse_site(doc, tmp_path)
    places = [f.place for f in errors_in(findings)]
    assert places.count("contracts[spare].providers") == 2
    named = {
        "contracts[power].tariff.net_metering", "contracts[power].tariff.blocks", "contracts[power].tariff.peak_windows",
        "contracts[spare].required_kw", "contracts[chp]", "assets[cars].v2g_kwh",
    }  # fmt: skip
    assert named <= set(places)


def test_a_price_without_a_currency_is_named(tmp_path):
    doc = document()
    del doc["currency"]
    doc["contracts"][0]["tariff"]["bands"][0]["price_per_kwh"] = NAN
    _, findings = parse_site(doc, tmp_path)
    places = {f.place: f.message for f in errors_in(findings)}
    assert "is missing" in places["currency"]
    assert "nan" in places["contracts[power].tariff.bands[0].price_per_kwh"]
