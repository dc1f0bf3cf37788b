"""What really happens keeps the profile's energy, repeats with its seed and moves inside the hour."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from models.actuals import Actuals, glide, without_means
from models.carriers import Carrier
from models.components import Consumer, Demand, HeatPump, Pv, Wind
from models.errors import SiteError
from models.horizon import Horizon
from models.site import Location, Networks, ProfileFile, Site

START = datetime(2015, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def year(days: int = 365) -> pd.DataFrame:
    hour = np.arange(24 * days)
    sun = np.clip(np.sin((hour % 24 - 6) / 12 * np.pi), 0, None)
    return pd.DataFrame(
        {
            "start_utc": pd.date_range("2015-01-01", periods=len(hour), freq="1h").strftime("%Y-%m-%dT%H:%M:%SZ"),
            "works_kw": np.where(hour // 24 % 7 < 5, 900.0, 300.0) + 100 * np.sin(hour),
            "heat_kw": 500.0 + 300 * np.cos(hour / 24),
            "sun_pu": sun * np.where(hour // 24 % 3 == 0, 0.85, 0.45),
            "gust_pu": 0.5 + 0.4 * np.sin(hour / 5),
            "air_degc": 5.0 + 10 * np.sin(hour / 30),
            "exchange_per_kwh": 0.3 + 0.1 * (hour % 24 > 12),
        }
    )


def make_site(folder: Path, table: pd.DataFrame | None = None, step_s: int = 3600) -> Site:
    (year() if table is None else table).to_csv(folder / "profiles.csv", index=False)
    assets = (
        Consumer(
            id="works",
            demands=(
                Demand(carrier=Carrier.ELECTRICITY, node="e", profile="works_kw"),
                Demand(carrier=Carrier.HEAT, node="h", profile="heat_kw"),
            ),
        ),
        Pv(id="pv", electricity_node="e", peak_kw=1000.0, profile="sun_pu"),
        Wind(id="wind", electricity_node="e", rated_kw=500.0, profile="gust_pu"),
        HeatPump(
            id="pump",
            electricity_node="e",
            heat_node="h",
            heat_max_kw=500.0,
            cop_rated=3.0,
            rated_air_degc=7.0,
            supply_degc=70.0,
            air_profile="air_degc",
        ),
    )
    return Site(
        name="actual",
        title="Actual",
        notice="made up for tests",
        currency="CNY",
        location=Location(latitude_deg=36.0, longitude_deg=117.0),
        nodes=(),
        assets=assets,
        networks=Networks(),
        contracts=(),
        customers=(),
        devices=(),
        profiles=ProfileFile(file="profiles.csv", step_s=step_s),
        folder=folder,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("actuals"))


@pytest.fixture(scope="module")
def actuals(site: Site) -> Actuals:
    return Actuals(site, seed=7)


def test_every_hour_keeps_the_profiles_mean(actuals: Actuals) -> None:
    start = START + 40 * DAY
    means = actuals.means(Horizon.uniform(start, start + 3 * DAY, HOUR))
    expected = year().drop(columns="start_utc").iloc[40 * 24 : 43 * 24].to_numpy().T
    np.testing.assert_allclose(means.to_numpy(), expected, atol=1e-9)
    assert means.dims == ("series", "time")
    assert means.series.values.tolist() == list(actuals.names)


def test_loads_clouds_and_gusts_move_and_prices_hold(actuals: Actuals) -> None:
    noon = START + 41 * DAY + timedelta(hours=11)  # a day of broken clouds
    spread = {
        name: np.std(np.diff(actuals.minute(name, noon, noon + 2 * HOUR)))
        / max(abs(actuals.minute(name, noon, noon + 2 * HOUR).mean()), 1.0)
        for name in actuals.names
    }
    assert spread["works_kw"] > 3 * spread["heat_kw"]
    assert spread["gust_pu"] > spread["heat_kw"]
    assert spread["sun_pu"] > 0.01
    assert set(np.round(actuals.minute("exchange_per_kwh", noon, noon + 4 * HOUR), 12)) == {0.3, 0.4}
    assert np.abs(np.diff(actuals.minute("air_degc", noon, noon + 5 * DAY))).max() < 0.4


def test_a_clear_day_has_fewer_clouds_than_a_broken_one(actuals: Actuals) -> None:
    def roughness(day: int) -> float:
        sun = actuals.minute("sun_pu", START + day * DAY + 11 * HOUR, START + day * DAY + 13 * HOUR)
        return float(np.std(np.diff(sun)) / sun.mean())

    assert roughness(42) < 0.2 * roughness(43)
    night = actuals.minute("sun_pu", START + 43 * DAY, START + 43 * DAY + 5 * HOUR)
    assert night.max() == 0.0


def test_peaks_inside_the_hour_are_harder_than_the_profile(actuals: Actuals) -> None:
    start = START + 40 * DAY
    hourly = actuals.means(Horizon.uniform(start, start + 5 * DAY, HOUR)).sel(series="works_kw")
    quarters = actuals.means(Horizon.uniform(start, start + 5 * DAY)).sel(series="works_kw")
    assert float(quarters.max()) > float(hourly.max()) * 1.005


def test_same_seed_same_bytes_whatever_was_asked_before(site: Site, actuals: Actuals) -> None:
    start = START + 100 * DAY + timedelta(hours=7)
    again = Actuals(site, seed=7)
    again.minute("works_kw", START, START + 30 * DAY)
    assert (
        again.minutes(start, start + DAY).to_numpy().tobytes()
        == actuals.minutes(start, start + DAY).to_numpy().tobytes()
    )
    other = Actuals(site, seed=8).minutes(start, start + DAY)
    assert not np.array_equal(other.to_numpy(), actuals.minutes(start, start + DAY).to_numpy())


def test_a_series_does_not_depend_on_which_others_there_are(site: Site, actuals: Actuals, tmp_path: Path) -> None:
    fewer = make_site(tmp_path, year().drop(columns="exchange_per_kwh"))
    start = START + 9 * DAY
    one = Actuals(fewer, seed=7).minute("gust_pu", start, start + DAY)
    np.testing.assert_array_equal(one, actuals.minute("gust_pu", start, start + DAY))


def test_midnight_is_no_seam(actuals: Actuals) -> None:
    steps = np.abs(np.diff(actuals.minute("gust_pu", START + 50 * DAY, START + 60 * DAY)))
    at_midnight = steps[1439::1440]
    assert at_midnight.mean() < 3 * steps.mean()


def test_a_later_year_takes_the_same_weekday_near_the_same_date(actuals: Actuals) -> None:
    for moment in (
        datetime(2026, 7, 15, tzinfo=UTC),
        datetime(2028, 3, 1, tzinfo=UTC),
        datetime(2014, 11, 2, tzinfo=UTC),
    ):
        mean = float(actuals.means(Horizon.uniform(moment, moment + DAY, DAY)).sel(series="works_kw")[0])
        # the profile works on the first five days of each week from Thursday 2015-01-01
        working = (moment - START).days % 7 < 5
        assert (mean > 700) == working


def test_a_short_profile_repeats(tmp_path: Path) -> None:
    short = Actuals(make_site(tmp_path, year(2)), seed=1)
    later = Horizon.uniform(START + 10 * DAY, START + 11 * DAY, HOUR)
    first = Horizon.uniform(START, START + DAY, HOUR)
    np.testing.assert_allclose(short.means(later).to_numpy(), short.means(first).to_numpy(), atol=1e-9)


def test_times_off_the_minute_and_odd_steps_are_refused(actuals: Actuals, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whole minute"):
        actuals.minute("works_kw", START + timedelta(seconds=30), START + HOUR)
    with pytest.raises(KeyError):
        actuals.minute("nowhere_kw", START, START + HOUR)
    part = year(2).iloc[:-1]
    with pytest.raises(SiteError, match="whole days"):
        Actuals(make_site(tmp_path, part), seed=1)


def test_at_is_the_minute_around_the_instant(actuals: Actuals) -> None:
    instant = START + 77 * DAY + timedelta(hours=9, minutes=4, seconds=40)
    assert (
        actuals.at(instant)["works_kw"]
        == actuals.minute("works_kw", instant.replace(second=0), instant + timedelta(seconds=20))[0]
    )


def test_a_site_without_profiles_has_no_series(site: Site) -> None:
    bare = Actuals(replace(site, assets=(), profiles=None), seed=1)
    assert bare.names == ()
    assert bare.minutes(START, START + HOUR).shape == (0, 60)
    assert isinstance(bare.means(Horizon.uniform(START, START + HOUR)), xr.DataArray)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1e4), min_size=3, max_size=30), st.sampled_from([1, 5, 15, 60]))
def test_a_glide_keeps_means_and_sign(means: list[float], step_min: int) -> None:
    line = glide(np.array([means]), step_min, np.array([False]))
    assert line.min() >= -1e-9
    np.testing.assert_allclose(line.reshape(-1, step_min).mean(axis=1), means[1:-1], rtol=1e-9, atol=1e-9)
    if step_min > 1:
        inner = without_means(line, step_min)[0, step_min:-step_min].reshape(-1, step_min)
        np.testing.assert_allclose(inner.mean(axis=1), 0, atol=1e-9)
