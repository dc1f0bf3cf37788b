"""The history counts energy exactly, forgets what is too old and never invents what was not measured."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from models.state import Snapshot
from service.history import BIN, History

START = datetime(2015, 7, 15, 0, 0, tzinfo=UTC)


def snapshot(at, battery_kw, stored_kwh=1000.0):
    power = xr.DataArray(
        [[battery_kw, np.nan]], {"asset": ["battery"], "carrier": ["electricity", "heat"]}, ("asset", "carrier")
    )
    stored = xr.DataArray([stored_kwh], {"asset": ["battery"]}, ("asset",))
    return Snapshot(at, power, stored)


def column(history, span, of):
    return getattr(span, of)[:, history.assets.index("battery"), 0]


def test_constant_power_gives_its_energy(park):
    history = History(park)
    for second in range(0, 3601, 10):
        history.add(snapshot(START + timedelta(seconds=second), 600.0))
    span = history.span(START, START + timedelta(hours=1))
    assert column(history, span, "fed_kwh").sum() == pytest.approx(600.0)
    np.testing.assert_allclose(column(history, span, "mean_kw"), 600.0)


def test_a_turn_from_charging_to_discharging_counts_both_ways(park):
    history = History(park)
    for minute, kw in [(0, -600.0), (30, -600.0), (30.01, 600.0), (60, 600.0)]:
        for step in range(1):
            history.add(snapshot(START + timedelta(minutes=minute + step), kw))
    span = history.span(START, START + timedelta(hours=1))
    assert column(history, span, "fed_kwh").sum() == 0.0  # half an hour apart is too far to join
    history = History(park)
    for minute in range(61):
        history.add(snapshot(START + timedelta(minutes=minute), -600.0 if minute <= 30 else 600.0))
    span = history.span(START, START + timedelta(hours=1))
    assert column(history, span, "fed_kwh").sum() == pytest.approx(290.0)
    assert column(history, span, "drawn_kwh").sum() == pytest.approx(300.0)


def test_a_gap_stays_a_gap(park):
    history = History(park)
    for minute in (0, 5, 10, 60, 65):
        history.add(snapshot(START + timedelta(minutes=minute), 120.0))
    span = history.span(START, START + timedelta(hours=1, minutes=5))
    means = column(history, span, "mean_kw")
    assert np.isfinite(means).tolist() == [True, True] + [False] * 10 + [True]
    assert column(history, span, "fed_kwh").sum() == pytest.approx(30.0)


def test_the_ring_forgets_what_is_older_than_it_keeps(park):
    history = History(park, timedelta(hours=1))
    for minute in range(180):
        history.add(snapshot(START + timedelta(minutes=minute), 60.0))
    span = history.span(START, START + timedelta(hours=3))
    assert len(span.starts) == timedelta(hours=1) // BIN
    assert span.starts[-1] == START + timedelta(hours=3) - BIN
    assert column(history, span, "fed_kwh").sum() == pytest.approx(59.0)


def test_an_older_snapshot_changes_nothing(park):
    history = History(park)
    history.add(snapshot(START, 60.0))
    history.add(snapshot(START + timedelta(minutes=5), 60.0))
    before = history.span(START, START + timedelta(minutes=10)).fed_kwh
    history.add(snapshot(START + timedelta(minutes=2), 9999.0))
    np.testing.assert_array_equal(history.span(START, START + timedelta(minutes=10)).fed_kwh, before)


def test_contents_are_the_last_seen_in_the_bin(park):
    history = History(park)
    history.add(snapshot(START, 0.0, 1000.0))
    history.add(snapshot(START + timedelta(minutes=4), 0.0, 990.0))
    span = history.span(START, START + timedelta(minutes=10))
    row = span.stored_kwh[:, history.assets.index("battery")]
    assert row[0] == 990.0
    assert np.isnan(row[1])
