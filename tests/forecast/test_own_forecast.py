"""The race, the choice and what is said about it, on small histories with known structure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from models.forecast.backtest import pairs
from models.forecast.candidates import BASELINES, BOOSTED, WEEK, answers
from models.forecast.drift import drifted
from models.forecast.features import features
from models.forecast.grid import PER_DAY, Quarters, instant_of, number_of
from models.forecast.margins import NetBand, net_errors_kw
from models.forecast.own import OwnForecaster
from models.forecast.training import Trained, Trainer, load_trained, save_trained, world_of
from models.forecast.weather import NoWeather
from models.horizon import QUARTER, Horizon
from models.site import Site
from models.site.file import load_site
from tests.sites import write_tiny

START = number_of(datetime(2026, 3, 1, 16, tzinfo=UTC))
DAYS = 58
NAMES = ("load_weekly_kw", "load_warm_kw", "load_flat_kw", "load_noise_kw", "air_degc")


class TableHistory:
    """A history from a table; remembers the latest quarter-hour that anybody asked for."""

    def __init__(self, table: Quarters) -> None:
        self.table, self.read_until = table, 0

    def means(self, horizon: Horizon) -> xr.DataArray:
        numbers = np.arange(number_of(horizon.start), number_of(horizon.end))
        self.read_until = max(self.read_until, int(numbers[-1]) + 1)
        coords = {"series": list(self.table.names), "time": horizon.times}
        return xr.DataArray(self.table.at(numbers), coords, ("series", "time"))


def made_up(days: int = DAYS, seed: int = 0) -> Quarters:
    rng = np.random.default_rng(seed)
    count = days * PER_DAY
    hour = np.arange(count) / 4.0
    day = np.arange(count) // PER_DAY
    weekly = (
        100
        + 50 * np.sin(2 * np.pi * hour / 24)
        + np.array([0, 0, 5, 0, 8, -40, -60])[day % 7]
        + rng.normal(0, 1, count)
    )
    air = 10 + 6 * np.repeat(rng.normal(0, 1, days), PER_DAY) + 4 * np.sin(2 * np.pi * hour / 24)
    warm = np.clip(20 - air, 0, None) * 10 + rng.normal(0, 2, count).clip(-4)
    return Quarters(
        NAMES, START, np.array([weekly, np.clip(warm, 0, None), np.full(count, 7.0), rng.uniform(5, 9, count), air])
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return load_site(write_tiny(tmp_path_factory.mktemp("site")))


@pytest.fixture(scope="module")
def trained(site: Site) -> Trained:
    return Trainer(site, made_up(), NoWeather()).train()


@pytest.fixture
def forecaster(site: Site, trained: Trained) -> OwnForecaster:
    return OwnForecaster(site, TableHistory(made_up(DAYS + 14)), trained, NoWeather())


def day_after(days: int) -> Horizon:
    start = instant_of(START + days * PER_DAY)
    return Horizon.uniform(start, start + timedelta(days=1))


def test_the_choice_is_never_worse_than_the_best_baseline_on_the_back_test(trained: Trained) -> None:
    best = np.nanmin([trained.test.error[b] for b in BASELINES], axis=0)
    assert (trained.test.chosen_error <= best + 1e-9).all()
    assert (trained.skill() >= -1e-9).all()


def test_what_repeats_every_week_is_left_to_last_week_or_better(trained: Trained) -> None:
    assert trained.test.chosen_error[0] <= trained.test.error[WEEK][0]


def test_a_constant_series_is_forecast_as_that_and_said_so(trained: Trained, forecaster: OwnForecaster) -> None:
    assert any(f.place == "load_flat_kw" and "always 7" in f.message for f in trained.findings)
    found = forecaster.bands(day_after(DAYS + 2))
    assert np.allclose(found.values.sel(series="load_flat_kw"), 7.0)


def test_a_class_that_a_table_has_no_series_of_is_passed_over(site: Site, trained: Trained) -> None:
    table, learned = made_up(), trained.learned
    assert learned is not None
    more = replace(learned, boosted={**learned.boosted, "steam": next(iter(learned.boosted.values()))})
    found = features(table, world_of(site, table, NoWeather(), trained.country), *pairs(np.array([table.end]), 1))
    plain, passed = (answers(found, NAMES, known)[BOOSTED] for known in (learned, more))
    assert np.isfinite(plain[0]).all()
    assert np.array_equal(plain, passed, equal_nan=True)


def test_a_shuffled_future_changes_nothing(site: Site, trained: Trained) -> None:
    table, now = made_up(DAYS + 14), START + (DAYS + 3) * PER_DAY
    mixed = table.values.copy()
    behind = mixed[:, now - START :]
    mixed[:, now - START :] = np.random.default_rng(1).permuted(behind, axis=1)
    horizon = day_after(DAYS + 3)
    both = []
    for values in (table.values, mixed):
        own = OwnForecaster(site, TableHistory(Quarters(NAMES, START, values)), trained, NoWeather())
        own.forecast(day_after(DAYS + 2))
        both.append(own.bands(horizon).values.to_numpy())
    assert np.array_equal(both[0], both[1])


def test_training_until_a_day_does_not_see_behind_it(site: Site) -> None:
    table = made_up(30)
    longer = np.concatenate([table.values, np.random.default_rng(2).uniform(0, 500, (5, PER_DAY))], axis=1)
    one = Trainer(site, table, NoWeather()).train()
    two = Trainer(site, Quarters(NAMES, START, longer).before(table.end), NoWeather()).train()
    assert one.chosen == two.chosen
    assert np.array_equal(one.test.chosen_error, two.test.chosen_error)
    assert np.array_equal(one.spread.quantile, two.spread.quantile)


def test_nothing_behind_the_horizon_s_start_is_read(forecaster: OwnForecaster) -> None:
    horizon = day_after(DAYS + 5)
    forecaster.forecast(horizon)
    assert isinstance(forecaster.history, TableHistory)
    assert forecaster.history.read_until <= number_of(horizon.start)


def test_what_was_measured_just_now_moves_the_next_hours(forecaster: OwnForecaster) -> None:
    horizon = day_after(DAYS + 4)
    plain = forecaster.forecast(horizon).values.sel(series="load_warm_kw").to_numpy()
    moved = forecaster.forecast(horizon, {"load_warm_kw": plain[0] + 80.0}).values.sel(series="load_warm_kw").to_numpy()
    assert moved[0] > plain[0] + 5.0
    assert abs(moved[-1] - plain[-1]) < abs(moved[0] - plain[0])


def test_the_band_of_eighty_percent_holds_about_eighty(forecaster: OwnForecaster) -> None:
    inside, table = [], made_up(DAYS + 14)
    for k in range(0, 9 * PER_DAY, 56):
        start = instant_of(START + DAYS * PER_DAY + k)
        horizon = Horizon.uniform(start, start + timedelta(days=1))
        band = forecaster.bands(horizon).values
        truth = table.at(np.arange(number_of(start), number_of(start) + PER_DAY))
        rows = [0, 1, 3]
        inside.append((truth[rows] >= band.to_numpy()[rows, :, 0]) & (truth[rows] <= band.to_numpy()[rows, :, 2]))
    assert 0.72 < np.mean(inside) < 0.88


def test_a_cautious_forecast_moves_the_loads_that_the_import_follows_and_no_further_than_their_quantile(
    site: Site, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.forecast.own.CAUTIOUS", 0.8)
    names = ("el_mill_kw", *NAMES[1:])
    table = Quarters(names, START, made_up(DAYS + 14).values)
    own = OwnForecaster(site, TableHistory(table), replace(trained, names=names), NoWeather())
    horizon = day_after(DAYS + 4)
    plain, cautious = own.forecast(horizon).values.to_numpy(), own.cautious(horizon).values.to_numpy()
    quantile = own.bands(horizon, levels=(0.2, 0.8)).values.to_numpy()[:, :, 1]
    assert np.array_equal(cautious[1:], plain[1:])
    assert (cautious[0] >= plain[0]).all()
    assert (cautious[0] <= np.maximum(quantile[0], plain[0]) + 1e-9).all()
    assert cautious[0].mean() > plain[0].mean()


def test_steps_of_any_length_are_means_of_the_quarter_hours(forecaster: OwnForecaster) -> None:
    fine = day_after(DAYS + 6)
    mixed = Horizon.quarters_then_hours(fine.start, quarters=4, hours=23)
    quarters, hours = (forecaster.forecast(h).values.to_numpy() for h in (fine, mixed))
    assert np.allclose(quarters[:, :4], hours[:, :4])
    assert np.allclose(quarters[:, 4:].reshape(len(NAMES), -1, 4).mean(axis=2), hours[:, 4:])


def test_a_forecast_of_two_weeks_has_a_value_everywhere(forecaster: OwnForecaster) -> None:
    start = day_after(DAYS).start
    found = forecaster.forecast(Horizon.uniform(start, start + timedelta(days=14), 4 * QUARTER))
    found.require(NAMES)


@pytest.mark.parametrize("days", [1, 12])
def test_a_short_history_is_said_and_still_forecast(site: Site, days: int) -> None:
    short = Trainer(site, made_up(days), NoWeather()).train()
    assert any(f.place == "load_weekly_kw" and "days are known" in f.message for f in short.findings)
    own = OwnForecaster(site, TableHistory(made_up(days)), short, NoWeather())
    found = own.bands(day_after(days))
    found.forecast.require(NAMES)
    assert (found.values.diff("quantile") >= -1e-9).all()


def test_gaps_negative_loads_spikes_and_steps_are_named_at_once(site: Site) -> None:
    table = made_up()
    values = table.values.copy()
    values[0, 3000:3500] = np.nan
    values[1, 100:110] = -5.0
    values[3, 200] = 1e6
    values[2] = np.where(np.arange(values.shape[1]) < (DAYS - 7) * PER_DAY, 10.0, 40.0) + np.random.default_rng(
        3
    ).normal(0, 0.1, values.shape[1])
    found = Trainer(site, Quarters(NAMES, START, values), NoWeather())
    words = {f.place: str(f) for f in found.cleaned.findings}
    assert "125 h in a row" in words["load_weekly_kw"]
    assert "10 quarter-hours are below zero" in words["load_warm_kw"]
    assert "beyond" in words["load_noise_kw"]
    assert "within the last week" in words["load_flat_kw"]
    own = OwnForecaster(site, TableHistory(Quarters(NAMES, START, values)), found.train(), NoWeather())
    ahead = own.forecast(day_after(DAYS)).values.sel(series="load_flat_kw")
    assert float(abs(ahead - 40.0).max()) < 2.0


def test_what_was_learned_is_kept_and_read_back(trained: Trained, tmp_path) -> None:
    save_trained(trained, tmp_path / "learned")
    assert load_trained(tmp_path / "learned").chosen == trained.chosen


def test_a_revised_value_is_read_again_with_the_next_issue(site: Site, trained: Trained) -> None:
    table = made_up(DAYS + 4)
    history = TableHistory(table)
    own = OwnForecaster(site, history, trained, NoWeather())
    horizon = day_after(DAYS + 2)
    own.forecast(horizon)
    late = number_of(horizon.start) - 40 - START
    table.values[0, late : late + 8] += 30.0
    before = own.recent_errors()[0].copy()
    own.forecast(Horizon.uniform(horizon.start + 12 * QUARTER, horizon.end))
    after = own.recent_errors()[0]
    assert np.nansum(np.abs(after)) > np.nansum(np.abs(before)) + 200.0


def test_drift_is_told_with_the_way_it_goes(site: Site, trained: Trained) -> None:
    table, horizon = made_up(DAYS + 14), day_after(DAYS + 12)
    own = OwnForecaster(site, TableHistory(table), trained, NoWeather())
    own.forecast(horizon)
    assert not [f for f in drifted(own) if f.place == "load_weekly_kw"]
    moved = table.values.copy()
    moved[0, (DAYS + 5) * PER_DAY :] += 40.0
    own = OwnForecaster(site, TableHistory(Quarters(NAMES, START, moved)), trained, NoWeather())
    own.forecast(horizon)
    told = [f for f in drifted(own) if f.place == "load_weekly_kw"]
    assert told
    assert "Train again" in told[0].message


def test_the_margin_is_what_errors_exceed_the_forecast_by_on_average_and_reality_far_off_is_noticed(
    site: Site, trained: Trained
) -> None:
    named = replace(trained, names=("el_mill_kw", *NAMES[1:]))
    table = made_up(DAYS + 4)
    own = OwnForecaster(site, TableHistory(Quarters(named.names, START, table.values)), named, NoWeather())
    horizon = day_after(DAYS + 2)
    expected = own.forecast(horizon).values.sel(series="el_mill_kw").to_numpy()
    band = NetBand(own, site)
    errors = net_errors_kw(own, {"el_mill_kw": 1.0})
    assert band.margin_kw() == pytest.approx(errors[errors > 0].sum() / errors.size)
    assert 0.0 < band.margin_kw() < np.quantile(errors, 0.8)
    at = horizon.start
    assert not band.left(at, {"el_mill_kw": float(expected[0]) + 1.0})
    assert band.left(at, {"el_mill_kw": float(expected[0]) + 90.0})
    assert not band.left(at - timedelta(days=3), {"el_mill_kw": 1e4})  # nothing was said of that instant
