"""Forecasts on record beside what was measured afterwards: errors of first steps and later ones, as far as anything was measured."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from models.forecast import Forecast
from models.horizon import QUARTER, Horizon
from scenarios.judging import judged
from service.commands.replay import forecast_words
from twin.log import Kind, SqliteLog
from twin.packing import pack, pack_forecast, unpack_forecast

START = datetime(2015, 7, 15, 4, tzinfo=UTC)


def forecast(at: datetime, load_kw: list[float], unseen: float = 1.0) -> Forecast:
    horizon = Horizon.uniform(at, at + len(load_kw) * QUARTER)
    table = np.array([load_kw, [unseen] * len(load_kw)])
    values = xr.DataArray(table, {"series": ["load_kw", "price"], "time": horizon.times}, ("series", "time"))
    return Forecast(at, horizon, values, "test")


@pytest.fixture
def log(tmp_path):
    """An hour in which 100 kW were measured every minute, and two forecasts of it."""
    written = SqliteLog(tmp_path / "log.sqlite")
    for minute in range(60):
        at = START + timedelta(minutes=minute)
        if minute in (0, 15):
            made = forecast(at, [110.0, 130.0, 100.0, 100.0, 100.0, 100.0])
            written.append(at, Kind.FORECAST, pack_forecast(made))
        written.append(at, Kind.MEASURED, pack({"load_kw": 100.0}))
    written.commit()
    return written


def test_a_forecast_is_kept_with_its_origin():
    made = forecast(START, [110.0, 130.0])
    kept = unpack_forecast(pack_forecast(made))
    assert (kept.made_at, kept.horizon, kept.source) == (made.made_at, made.horizon, made.source)
    xr.testing.assert_identical(kept.values.drop_vars("time"), made.values.rename("forecast").drop_vars("time"))


def test_errors_are_told_apart_by_lead_and_count_only_what_was_measured(log):
    count, found = judged(log, START, START + timedelta(hours=1))
    assert count == 2
    assert [j.series for j in found] == ["load_kw"]
    assert found[0].near == pytest.approx(10.0)
    # quarters measured behind the first one: 30 and twice 0 of the first forecast, 30 and 0 of the second
    assert found[0].far == pytest.approx(60.0 / 5)
    assert found[0].size == pytest.approx(100.0)


def test_only_the_window_s_own_forecasts_are_judged_and_words_say_when_there_is_nothing(log):
    count, found = judged(log, START + timedelta(minutes=10), START + timedelta(hours=1))
    assert count == 1
    assert found[0].far == pytest.approx(15.0)
    assert "off by 10.0 % of what came" in forecast_words(log, START, START + timedelta(hours=1))
    empty = forecast_words(log, START + timedelta(minutes=20), START + timedelta(hours=1))
    assert empty == "0 forecasts on record; too little was measured afterwards to judge them"
