"""Naive and perfect forecasts: what they copy from where, and that nothing of the future leaks into the naive one."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from models.actuals import Actuals
from models.carriers import Carrier
from models.forecast.naive import NaiveForecaster, PerfectForecaster, electric_loads
from models.forecast.present import measured_series
from models.horizon import HOUR, Horizon
from models.site.file import load_site
from scenarios.sites import park_path
from twin.state import Layout, build_snapshot, powers_of

START = datetime(2015, 7, 15, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def park():
    return load_site(park_path())


@pytest.fixture(scope="module")
def actuals(park):
    return Actuals(park, 7)


class Ramp:
    """A history whose every series is the hours since 2015: a copy shows at once from when it was taken."""

    def __init__(self, names):
        self.names = names
        self.latest = datetime(1, 1, 1, tzinfo=UTC)

    def means(self, horizon):
        self.latest = max(self.latest, horizon.end)
        hours = [(e - datetime(2015, 1, 1, tzinfo=UTC)) / HOUR for e in horizon.edges[:-1]]
        values = np.tile(hours, (len(self.names), 1))
        return xr.DataArray(values, {"series": list(self.names), "time": horizon.times}, ("series", "time"))


def hours_back(forecast, series, step):
    start = (forecast.horizon.edges[step] - datetime(2015, 1, 1, tzinfo=UTC)) / HOUR
    return start - float(forecast.values.sel(series=series)[step])


def test_electric_loads_are_a_week_old_and_the_rest_a_day(park):
    history = Ramp((*park.series(),))
    forecast = NaiveForecaster(park, history).forecast(Horizon.quarters_then_hours(START))
    assert {hours_back(forecast, "electricity_metal1_kw", k) for k in range(36)} == {168}
    assert {hours_back(forecast, "heat_metal1_kw", k) for k in range(36)} == {24}
    assert {hours_back(forecast, "pv_pu", k) for k in range(36)} == {24}
    assert forecast.made_at == START


def test_nothing_later_than_the_start_is_read_even_for_a_month(park):
    history = Ramp((*park.series(),))
    month = Horizon.uniform(START, START + timedelta(days=30), HOUR)
    forecast = NaiveForecaster(park, history).forecast(month)
    assert history.latest <= START
    assert hours_back(forecast, "heat_metal1_kw", 25) == 48
    assert hours_back(forecast, "electricity_metal1_kw", 169) == 336


def test_the_present_step_is_what_was_measured(park, actuals):
    forecaster = NaiveForecaster(park, actuals)
    horizon = Horizon.quarters_then_hours(START)
    plain = forecaster.forecast(horizon)
    told = forecaster.forecast(horizon, {"pv_pu": 0.123, "unknown_kw": 1.0})
    assert float(told.values.sel(series="pv_pu")[0]) == 0.123
    xr.testing.assert_identical(told.values[:, 1:], plain.values[:, 1:])
    told.require(park.series())


def test_the_perfect_forecast_is_what_happens(park, actuals):
    horizon = Horizon.quarters_then_hours(START)
    forecast = PerfectForecaster(actuals).forecast(horizon)
    np.testing.assert_allclose(forecast.values.to_numpy(), actuals.means(horizon).to_numpy())


def test_all_electric_loads_are_known_once(park):
    names = list(electric_loads(park))
    assert set(names) == {s for s in park.series() if s.startswith("electricity_")}


def test_a_snapshot_gives_back_the_series_behind_it(park):
    layout = Layout.of(park)
    powers = {
        ("warehouse", "electricity"): -85.0,
        ("pv_metal1", "electricity"): 900.0,
        ("pv_food", "electricity"): 700.0,
        ("pv_warehouse", "electricity"): 750.0,
        ("pv_office", "electricity"): 300.0,
        ("pv_hotel", "electricity"): 300.0,
        ("wind", "electricity"): 500.0,
    }
    snapshot = build_snapshot(layout, START, {(a, Carrier(c)): v for (a, c), v in powers.items()}, {})
    found = measured_series(park, powers_of(snapshot), {"pv_food": 700.0, "wind": 500.0})
    assert found["electricity_warehouse_kw"] == pytest.approx(100.0)  # the consumer is 85 % of the series
    assert found["pv_pu"] == pytest.approx((900 + 750 + 300 + 300) / (1800 + 1500 + 600 + 600))  # pv_food is held down
    assert "wind_pu" not in found
    assert "air_degc" not in found
