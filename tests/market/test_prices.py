"""Prices: files in words or not at all, forecasts that know only the past, futures that stay together."""

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest

from market.prices import PriceHistory, emulated_prices, on_horizon, read_prices
from models.errors import DataError
from models.horizon import HOUR, QUARTER, Horizon

FIRST = date(2015, 1, 1)
ZONE = "Asia/Shanghai"


def written(path, rows):
    path.write_text("time,price_per_mwh\n" + "\n".join(f"{t},{p}" for t, p in rows))
    return path


def test_a_file_of_whole_days_is_read_as_local_days(tmp_path):
    start = datetime(2015, 1, 1, tzinfo=timezone(timedelta(hours=8)))
    rows = [((start + k * HOUR).isoformat(), 100 + k) for k in range(-3, 50)]
    found = read_prices(written(tmp_path / "p.csv", rows), ZONE)
    assert found.first == FIRST
    assert found.by_day.shape == (2, 24)
    assert found.of(FIRST)[0] == pytest.approx(0.1)
    with pytest.raises(DataError, match="hold 2015-01-01 to 2015-01-02; 2015-01-03 is outside"):
        found.of(date(2015, 1, 3))


def test_everything_wrong_with_a_file_is_said_at_once(tmp_path):
    rows = [
        ("2015-01-01T00:00:00Z", 1), ("2015-01-01T01:00:00Z", "nan"), ("2015-01-01T01:00:00Z", 3), ("noon", 4),
        ("2015-01-01T05:00:00Z", ""), ("2015-01-01T06:00:00Z", 7),
    ]  # fmt: skip
    with pytest.raises(DataError) as told:
        read_prices(written(tmp_path / "p.csv", rows), ZONE)
    words = [str(f) for f in told.value.findings]
    assert [f.place for f in told.value.findings] == [
        "line 3",
        "line 4",
        "line 5",
        "line 6",
        "2015-01-01T01:00:00+00:00",
    ], words
    with pytest.raises(DataError, match="cannot be read"):
        read_prices(tmp_path / "absent.csv", ZONE)
    with pytest.raises(DataError, match="holds no prices"):
        read_prices(written(tmp_path / "empty.csv", []), ZONE)


def test_a_forecast_knows_only_the_days_before():
    history = emulated_prices(FIRST, 120, 3)
    changed = PriceHistory(FIRST, history.by_day.copy(), "changed")
    changed.by_day[90:] += 7.0
    day = FIRST + timedelta(days=90)
    told, again = history.ahead(day, 20), changed.ahead(day, 20)
    assert np.array_equal(told.expected, again.expected)
    assert np.array_equal(told.paths, again.paths)
    assert told.paths.shape == (20, 24)
    with pytest.raises(DataError, match="needs 37 days before it"):
        history.ahead(FIRST + timedelta(days=20), 20)


def test_a_forecast_beats_yesterday():
    history = emulated_prices(FIRST, 200, 3)
    days = range(100, 190)
    missed = [history.ahead(FIRST + timedelta(days=k), 1).expected - history.by_day[k] for k in days]
    naive = [history.by_day[k - 1] - history.by_day[k] for k in days]
    assert np.abs(missed).mean() < np.abs(naive).mean()
    assert (history.by_day < 0).any()


def test_prices_hold_within_their_hour():
    start = datetime(2015, 1, 1, tzinfo=timezone(timedelta(hours=8)))
    hourly = np.arange(24.0)
    found = on_horizon(hourly, Horizon.uniform(start, start + 24 * HOUR, QUARTER))
    assert found.tolist() == np.repeat(hourly, 4).tolist()
