"""Horizons are half-open and in UTC; tariffs read local hours and charge the peak."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from models.errors import ForecastError
from models.forecast import Forecast
from models.horizon import Horizon, from_index, to_index
from models.tariffs.terms import optimizer_terms
from models.tariffs.time_of_use import (
    BillingPeriod,
    PriceBand,
    TimeOfUseTariff,
    Window,
    calendar_month,
)
from models.tariffs.written import from_time_of_use

MIDNIGHT_CN = datetime(2015, 7, 14, 16, tzinfo=UTC)
TARIFF = TimeOfUseTariff(
    bands=(
        PriceBand(name="flat", price_per_kwh=0.6, windows=(Window(start_h=0, end_h=24),)),
        PriceBand(name="valley", price_per_kwh=0.4, windows=(Window(start_h=23, end_h=7),)),
        PriceBand(name="peak", price_per_kwh=0.9, windows=(Window(start_h=10, end_h=13), Window(start_h=17, end_h=22))),
        PriceBand(name="sharp", price_per_kwh=1.1, windows=(Window(start_h=11, end_h=13, months=(7, 8)),)),
    ),
    demand_price_per_kw_month=36.5,
)


def prices(horizon):
    return optimizer_terms(from_time_of_use(TARIFF, "Asia/Shanghai"), horizon).import_per_kwh


def test_two_days_join_without_an_overlap():
    day = Horizon.uniform(MIDNIGHT_CN, MIDNIGHT_CN + timedelta(days=1))
    assert len(day) == 96
    assert day.times[-1] == to_index(day.end) - timedelta(minutes=15)
    assert from_index(day.times[0]) == day.start


def test_a_horizon_of_quarters_then_hours_covers_a_day_in_36_steps():
    horizon = Horizon.quarters_then_hours(MIDNIGHT_CN)
    assert len(horizon) == 36
    assert horizon.step_h.sum() == pytest.approx(24)
    assert horizon.step_h.tolist() == [0.25] * 16 + [1.0] * 20


def test_a_time_without_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        Horizon((datetime(2015, 1, 1), datetime(2015, 1, 2)))  # noqa: DTZ001 - the fault under test


def test_edges_must_rise_and_steps_must_fit():
    with pytest.raises(ValueError, match="rise"):
        Horizon((MIDNIGHT_CN, MIDNIGHT_CN))
    with pytest.raises(ValueError, match="whole number"):
        Horizon.uniform(MIDNIGHT_CN, MIDNIGHT_CN + timedelta(minutes=20))


def test_edges_in_local_time_are_kept_in_utc():
    local = MIDNIGHT_CN.astimezone(timezone(timedelta(hours=8)))
    assert Horizon((local, local + timedelta(hours=1))).start == MIDNIGHT_CN
    assert Horizon((local, local + timedelta(hours=1))).start.tzinfo is UTC


def test_a_july_day_has_its_bands_at_local_hours():
    price = prices(Horizon.uniform(MIDNIGHT_CN, MIDNIGHT_CN + timedelta(days=1)))
    by_hour = price.reshape(24, 4).mean(axis=1)
    assert by_hour[[0, 6, 7, 10, 11, 12, 13, 17, 22, 23]].tolist() == pytest.approx(
        [0.4, 0.4, 0.6, 0.9, 1.1, 1.1, 0.6, 0.9, 0.6, 0.4]
    )


def test_an_hour_across_two_bands_pays_the_mean_by_minutes():
    start = MIDNIGHT_CN + timedelta(hours=6, minutes=15)
    price = prices(Horizon((start, start + timedelta(hours=1))))
    assert price == pytest.approx([0.75 * 0.4 + 0.25 * 0.6])


def test_a_short_billing_period_pays_its_share_of_the_month():
    day = BillingPeriod(MIDNIGHT_CN, MIDNIGHT_CN + timedelta(days=1))
    assert day.month_share == pytest.approx(12 / 365)
    month = calendar_month(MIDNIGHT_CN, "Asia/Shanghai")
    assert (month.start, month.end) == (datetime(2015, 6, 30, 16, tzinfo=UTC), datetime(2015, 7, 31, 16, tzinfo=UTC))
    assert month.month_share == 1.0


def test_a_forecast_names_every_series_it_lacks():
    import xarray as xr

    horizon = Horizon.uniform(MIDNIGHT_CN, MIDNIGHT_CN + timedelta(hours=1))
    values = xr.DataArray(
        np.array([[1.0, np.nan, 1.0, 1.0]]),
        dims=("series", "time"),
        coords={"series": ["a_kw"], "time": horizon.times},
    )
    forecast = Forecast(MIDNIGHT_CN, horizon, values, "test")
    with pytest.raises(ForecastError) as caught:
        forecast.require(["a_kw", "b_kw"])
    assert [f.place for f in caught.value.findings] == ["b_kw", "a_kw"]
