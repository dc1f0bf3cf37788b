"""Joint futures keep quantiles and correlation; every forecast is found again by its origin; drift is noticed."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from models.forecast import Forecast
from models.forecast.archive import ForecastArchive
from models.forecast.bands import conformal, stretch
from models.forecast.grid import instant_of
from models.forecast.own import Bands
from models.forecast.recent import remember, signs
from models.forecast.scenarios import reduced, shuffled
from models.horizon import Horizon
from tests.forecast.test_own_forecast import START

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def bands_of(steps: int = 24, series: int = 2, start_number: int = START) -> Bands:
    start = instant_of(start_number)
    horizon = Horizon.uniform(start, start + timedelta(hours=steps), timedelta(hours=1))
    coords = {"series": [f"s{k}_kw" for k in range(series)], "time": horizon.times}
    point = xr.DataArray(np.full((series, steps), 100.0), coords, ("series", "time"))
    away = np.array([-16.4, -12.8, -6.7, 0.0, 6.7, 12.8, 16.4])  # a normal law of standard deviation 10
    values = xr.DataArray(
        point.to_numpy()[:, :, None] + away, {**coords, "quantile": list(LEVELS)}, ("series", "time", "quantile")
    )
    return Bands(Forecast(start, horizon, point, "made up"), values)


def errors_of(paths: int = 400, steps: int = 24) -> np.ndarray:
    """Two series that move together (0.8) and keep 0.9 of an error for the next hour."""
    rng = np.random.default_rng(0)
    shocks = rng.standard_normal((paths, 2, steps))
    shocks[:, 1] = 0.8 * shocks[:, 0] + 0.6 * shocks[:, 1]
    run = np.empty_like(shocks)
    run[:, :, 0] = shocks[:, :, 0]
    for k in range(1, steps):
        run[:, :, k] = 0.9 * run[:, :, k - 1] + np.sqrt(1 - 0.81) * shocks[:, :, k]
    return run


def test_paths_have_the_forecast_s_quantiles_and_the_past_s_correlation() -> None:
    errors = errors_of()
    found = shuffled(bands_of(), errors)
    assert np.allclose(np.quantile(found, 0.9, axis=0), 112.8, atol=0.5)
    assert np.allclose(np.quantile(found, 0.25, axis=0), 93.3, atol=0.5)
    across = np.corrcoef(found[:, 0, 12], found[:, 1, 12])[0, 1]
    along = np.corrcoef(found[:, 0, 12], found[:, 0, 13])[0, 1]
    assert across == pytest.approx(np.corrcoef(errors[:, 0, 12], errors[:, 1, 12])[0, 1], abs=0.03)
    assert along == pytest.approx(np.corrcoef(errors[:, 0, 12], errors[:, 0, 13])[0, 1], abs=0.03)


def test_few_futures_keep_mean_and_most_of_the_correlation() -> None:
    values = shuffled(bands_of(), errors_of())
    members, probability = reduced(values, 12, seed=0)
    assert probability.sum() == pytest.approx(1.0)
    mean = np.einsum("p,psk->sk", probability, values[members])
    assert np.allclose(mean, values.mean(axis=0), atol=4.0)
    few = np.average(values[members, 0].mean(axis=1) * values[members, 1].mean(axis=1), weights=probability)
    few -= np.prod([np.average(values[members, s].mean(axis=1), weights=probability) for s in (0, 1)])
    assert few > 0  # what moves together still does


def test_one_future_is_the_likeliest_and_certain() -> None:
    members, probability = reduced(shuffled(bands_of(), errors_of(50)), 1, seed=0)
    assert len(members) == 1
    assert probability.tolist() == [1.0]


def test_a_forecast_is_found_again_by_when_it_was_made(tmp_path: Path) -> None:
    archive = ForecastArchive(tmp_path)
    for number in (START, START + 4, START + 8):
        archive.keep(bands_of(start_number=number))
    at = bands_of(start_number=START + 5).forecast.made_at
    known = archive.known_at(at)
    assert known is not None
    assert known.forecast.made_at == bands_of(start_number=START + 4).forecast.made_at
    assert known.values.equals(bands_of(start_number=START + 4).values)
    assert known.forecast.horizon == bands_of(start_number=START + 4).forecast.horizon
    assert archive.known_at(at - timedelta(days=1)) is None


def test_conformal_quantiles_are_a_rank_further_out_and_never_beyond_the_sample() -> None:
    scores = np.arange(9.0)
    assert conformal(scores, (0.1, 0.5, 0.9)).tolist() == [0.0, 4.0, 8.0]
    assert conformal(scores, (0.001, 0.999)).tolist() == [0.0, 8.0]


def test_an_error_that_lasts_is_remembered_and_one_that_does_not_is_not() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((1, 1, 4000))
    lasting = np.empty_like(noise)
    lasting[..., 0] = 0.0
    for k in range(1, 4000):
        lasting[..., k] = 0.95 * lasting[..., k - 1] + noise[..., k]
    memory = remember(np.concatenate([lasting, noise], axis=1))
    latest = np.full((2, 2), 1.0)
    ahead = memory.correction(latest, np.array([0, 20, 500]))
    assert ahead[0, 0] == pytest.approx(0.95, abs=0.06)
    assert 0.15 < ahead[0, 1] < 0.55
    assert abs(ahead[1, 0]) < 0.12
    assert ahead[:, 2].tolist() == [0.0, 0.0]


def test_the_signs_of_an_error_skip_what_is_missing() -> None:
    found = signs(np.array([[1.0, np.nan, 3.0]]))
    assert found[0, :, 0].tolist() == [1.0, 0.0, 3.0]
    assert found[0, 2, 1] == pytest.approx(2.0)


def test_bands_are_stretched_until_they_hold_the_last_days_by_class() -> None:
    rng = np.random.default_rng(3)
    errors = np.concatenate([rng.normal(0.0, 2.0, (2, 672)), rng.normal(0.0, 1.0, (1, 672))])
    high = np.full((3, 672), 1.2816)
    found = stretch(errors, -high, high, ["heat", "heat", "cold"])
    assert found[0] == found[1] == pytest.approx(2.0, rel=0.1)
    assert found[2] == pytest.approx(1.0, rel=0.1)
    assert 0.78 < np.mean(np.abs(errors) <= high * found[:, None]) < 0.82


def test_a_band_that_says_zero_for_sure_and_a_short_history_stretch_nothing() -> None:
    nothing, few = np.zeros((1, 672)), np.full((1, 40), 5.0)
    assert stretch(nothing, nothing, nothing, ["pv"]) == [1.0]
    assert stretch(few, -np.ones((1, 40)), np.ones((1, 40)), ["pv"]) == [1.0]
