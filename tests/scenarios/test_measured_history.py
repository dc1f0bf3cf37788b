"""A history of what was measured: minutes become step means, and what nobody measured is the profile's."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from models.actuals import Actuals
from models.forecast.measured import MeasuredHistory
from models.horizon import HOUR, QUARTER, Horizon
from models.site.file import load_site
from scenarios.sites import park_path

START = datetime(2015, 7, 15, 2, 0, tzinfo=UTC)
HOURLY = Horizon.uniform(START, START + 2 * HOUR, HOUR)


class Flat:
    """A fallback that is 5 always."""

    def means(self, horizon):
        coords = {"series": ["load_kw", "price_per_kwh"], "time": horizon.times}
        return xr.DataArray(np.full((2, len(horizon)), 5.0), coords, ("series", "time"))


@pytest.fixture
def history():
    return MeasuredHistory(Flat(), kept=timedelta(days=1))


def measure(history, start, minutes, value):
    for k in range(minutes):
        history.add(start + timedelta(minutes=k), {"load_kw": value(k)})


def test_what_was_measured_replaces_the_fallback_and_nothing_else_does(history):
    measure(history, START, 60, lambda k: float(k))
    found = history.means(HOURLY)
    assert found.sel(series="load_kw").to_numpy() == pytest.approx([29.5, 5.0])
    assert found.sel(series="price_per_kwh").to_numpy() == pytest.approx([5.0, 5.0])
    assert history.since == START


def test_a_step_that_was_hardly_measured_stays_the_fallback(history):
    measure(history, START, 29, lambda _: 100.0)
    assert float(history.means(HOURLY).sel(series="load_kw")[0]) == 5.0
    measure(history, START + timedelta(minutes=29), 1, lambda _: 100.0)
    assert float(history.means(HOURLY).sel(series="load_kw")[0]) == 100.0


def test_many_measurements_of_one_minute_weigh_as_one(history):
    for second in range(0, 60, 10):
        history.add(START + timedelta(seconds=second), {"load_kw": 10.0})
    measure(history, START + timedelta(minutes=1), 14, lambda _: 25.0)
    quarter = Horizon.uniform(START, START + QUARTER)
    assert float(history.means(quarter).sel(series="load_kw")[0]) == pytest.approx((10 + 14 * 25) / 15)


def test_numbers_that_are_none_are_left_out_and_old_minutes_are_forgotten(history):
    measure(history, START, 60, lambda k: float("nan") if k % 2 else 8.0)
    assert float(history.means(HOURLY).sel(series="load_kw")[0]) == 8.0
    measure(history, START + timedelta(days=1), 60, lambda _: 9.0)
    assert float(history.means(HOURLY).sel(series="load_kw")[0]) == 5.0


def test_edges_are_whole_minutes(history):
    with pytest.raises(ValueError, match="whole minute"):
        history.means(Horizon.uniform(START + timedelta(seconds=3), START + timedelta(seconds=903)))


def test_calm_actuals_are_the_profile_without_invented_bursts():
    park = load_site(park_path())
    wild, calm = (Actuals(park, 1, calm=c) for c in (False, True))
    series, end = "electricity_metal1_kw", START + 6 * HOUR
    hours = Horizon.uniform(START, end, HOUR)
    assert calm.means(hours).sel(series=series).to_numpy() == pytest.approx(
        wild.means(hours).sel(series=series).to_numpy()
    )
    steps = [np.abs(np.diff(a.minute(series, START, end))).max() for a in (calm, wild)]
    assert steps[0] < 0.2 * steps[1]
    xr.testing.assert_identical(calm.means(hours), Actuals(park, 2, calm=True).means(hours))
