"""From a plan to set-points: what is held down, what is left free, and nothing between standing and lowest load."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from models.dispatch import Plan, SolverReport
from models.forecast import Forecast
from models.horizon import Horizon
from models.site.file import load_site
from scenarios.problem import Horizons
from scenarios.setpoints import COMMANDED, setpoints_kw
from scenarios.sites import park_path

PARK = load_site(park_path())
START = datetime(2015, 7, 15, 2, 0, tzinfo=UTC)
HORIZON = Horizon.uniform(START, START + timedelta(minutes=30))


def planned(**powers):
    """Return a plan of two steps with control powers of some assets in its second step, and a forecast of half sun and wind."""
    assets, carriers = [a.id for a in PARK.assets], ["electricity", "heat", "gas", "cold"]
    coords = {"asset": assets, "carrier": carriers, "time": HORIZON.times}
    power = xr.DataArray(np.zeros((len(assets), 4, 2)), coords, ("asset", "carrier", "time"))
    for name, value in powers.items():
        power.loc[{"asset": name, "carrier": PARK.asset(name).control.value, "time": HORIZON.times[1]}] = value
    empty = xr.DataArray(np.zeros((0, 2)), {"asset": [], "time": HORIZON.times}, ("asset", "time"))
    report = SolverReport("rule", 0.0, 0.0, 0.0, 0.0, 0.0)
    plan = Plan("p", START, HORIZON, power, empty, empty, empty, {}, empty, report)
    series = ["pv_pu", "wind_pu"]
    values = xr.DataArray(np.full((2, 2), 0.5), {"series": series, "time": HORIZON.times}, ("series", "time"))
    return setpoints_kw(PARK, plan, Forecast(START, HORIZON, values, "test"), START + timedelta(minutes=20))


def test_every_commanded_asset_is_told_and_no_other():
    assert set(planned()) == {a.id for a in PARK.assets if isinstance(a, COMMANDED)}
    assert not {"grid", "gas", "hot_tank", "cold_tank", "metal1"} & set(planned())


def test_a_field_that_is_not_curtailed_is_left_free():
    told = planned(pv_food=750.0, pv_office=200.0, wind=1000.0)
    assert told["pv_food"] == 1500.0
    assert told["wind"] == 2000.0
    assert told["pv_office"] == 200.0  # 300 kW expected, 200 kW wanted


@pytest.mark.parametrize(("wanted", "told"), [(0.01, 0.0), (170.0, 174.99), (700.02, 700.0), (400.0, 400.0)])
def test_an_engine_stands_or_runs_within_its_range(wanted, told):
    assert planned(chp1=wanted)["chp1"] == told


@pytest.mark.parametrize(("wanted", "told"), [(60.0, 0.0), (120.0, 180.0), (900.0, 900.0)])
def test_a_chiller_is_never_told_less_than_its_lowest_load(wanted, told):
    assert planned(chiller1=wanted)["chiller1"] == told


def test_drawing_assets_keep_their_sign():
    told = planned(battery=-300.0, ev_office=-40.0, cold_rooms=-25.0)
    assert (told["battery"], told["ev_office"], told["cold_rooms"]) == (-300.0, -40.0, -25.0)


def test_a_plan_that_does_not_reach_so_far_is_refused():
    with pytest.raises(ValueError, match="covers"):
        setpoints_kw(PARK, *_plan_and_forecast(), HORIZON.end)


def _plan_and_forecast():
    empty = xr.DataArray(np.zeros((0, 2)), {"asset": [], "time": HORIZON.times}, ("asset", "time"))
    report = SolverReport("rule", 0.0, 0.0, 0.0, 0.0, 0.0)
    plan = Plan("p", START, HORIZON, empty, empty, empty, empty, {}, empty, report)
    return plan, Forecast(START, HORIZON, empty, "test")


def test_horizons_end_with_a_run_that_is_judged_by_itself():
    until = datetime(2015, 7, 15, 16, 0, tzinfo=UTC)
    rolling = Horizons()
    assert len(rolling.starting(START)) == 36
    ending = Horizons(until=until)
    for minutes in range(0, 14 * 60, 15):
        at = START + timedelta(minutes=minutes)
        horizon = ending.starting(at)
        assert (horizon.start, horizon.end) == (at, until)
        assert len(horizon) <= 36
    assert Horizons(until=until + timedelta(days=3)).starting(START).end == START + timedelta(hours=24)
