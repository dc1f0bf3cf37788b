"""Parameters come back from readings that were made with other ones, with an uncertainty that means something."""

from datetime import UTC, datetime

import numpy as np
import pytest
import xarray as xr

from models.errors import DataError
from models.networks.fluids import liquid
from models.networks.plugflow import advance_pipes, start_state
from models.site import load_site
from scenarios.sites import park_path
from twin.calibrate import (
    Calibration,
    calibrate_conversion,
    calibrate_friction,
    calibrate_gains,
    calibrate_loss,
    calibrate_volume,
)
from twin.estimate.heat import HeatRows
from twin.estimate.pipelaw import pipe_law

WINDOW = (datetime(2015, 1, 1, tzinfo=UTC), datetime(2015, 1, 2, tzinfo=UTC))


@pytest.fixture(scope="module")
def rows():
    network = load_site(park_path()).networks.heat[0]
    return HeatRows.of(network, [], pipe_law(network), liquid(network).heat_j_per_kg_k / 1e3)


def snapshots(rows, seed, count=96):
    """Return consumer flows over a day and the pressure differences that pipes with other friction leave."""
    rng = np.random.default_rng(seed)
    true = np.exp(rng.normal(0, 0.2, len(rows.paths.pipes)))
    flow = rng.uniform(0.5, 8.0, (count, rows.count))
    pipe = flow @ rows.incidence.T
    drop = true * (rows.law.quadratic * np.abs(pipe) + rows.law.linear) * pipe
    dp = 400.0 - 2.0 * drop @ rows.incidence + rng.normal(0, 1.0, (count, rows.count))
    return true, flow, dp, drop


def test_path_friction_is_learned_from_four_pressure_sensors(rows):
    true, flow, dp, _ = snapshots(rows, 1)
    consumers = list(rows.network.consumers)
    sensors = [consumers[i] for i in (0, 3, 6, 9)]
    learned = calibrate_friction(
        rows, flow, {c: dp[:, consumers.index(c)] for c in sensors}, np.full(len(flow), 400.0), WINDOW
    )
    factors = np.array([p.factor for p in learned.learned])
    assert learned.residual_sigma == pytest.approx(1.0, abs=0.15)
    pipe = flow @ rows.incidence.T
    nominal = (rows.law.quadratic * np.abs(pipe) + rows.law.linear) * pipe
    for c in sensors:
        way = rows.incidence[:, consumers.index(c)]
        assert (nominal * factors) @ way == pytest.approx((nominal * true) @ way, abs=2.0)
    measured = np.any([rows.incidence[:, consumers.index(c)] > 0 for c in sensors], axis=0)
    unseen = [p for p, m in zip(learned.learned, measured, strict=True) if not m]
    assert all(p.factor == pytest.approx(1.0) and p.informed_share == pytest.approx(0.0, abs=1e-9) for p in unseen)


def test_stated_uncertainty_of_friction_covers_the_truth(rows):
    consumers = list(rows.network.consumers)
    scores = []
    for seed in range(8):
        true, flow, dp, _ = snapshots(rows, seed, 48)
        dps = {c: dp[:, i] for i, c in enumerate(consumers)}
        learned = calibrate_friction(rows, flow, dps, np.full(len(flow), 400.0), WINDOW)
        scores += [(p.factor - t) / p.sd for p, t in zip(learned.learned, true, strict=True)]
    assert np.mean(np.abs(scores) < 2.0) > 0.88


def test_too_few_complete_snapshots_are_refused_in_words(rows):
    _, flow, dp, _ = snapshots(rows, 1, 30)
    dp[10:, 0] = np.nan
    with pytest.raises(DataError, match="10 complete snapshots, at least 24"):
        calibrate_friction(rows, flow, {rows.network.consumers[0]: dp[:, 0]}, np.full(30, 400.0), WINDOW)


def test_heat_loss_is_told_apart_from_thermometers_that_are_off():
    rng = np.random.default_rng(2)
    scores = []
    for _ in range(40):
        true, count = 1 + rng.normal(0, 0.1), 300
        by_factor = -rng.uniform(0.2, 1.2, (1, 10)) * rng.uniform(0.5, 2.0, (count, 1))
        misfit = (true - 1) * by_factor + rng.normal(0, 0.2, (1, 10)) + rng.normal(0, 0.1, (count, 10)) + 0.4
        misfit[rng.random(misfit.shape) < 0.2] = np.nan
        learned = calibrate_loss(misfit, by_factor, np.ones_like(misfit), WINDOW, subject="heat").learned[0]
        scores.append((learned.factor - true) / learned.sd)
    assert 0.6 < np.std(scores) < 1.5
    assert learned.informed_share > 0.5


def test_without_arrival_temperatures_heat_loss_stays_as_stated():
    nothing = np.full((96, 3), np.nan)
    with pytest.raises(DataError, match="0 arrival temperatures"):
        calibrate_loss(nothing, nothing, nothing, WINDOW)


def test_a_meter_with_a_wrong_gain_becomes_an_advisory_and_good_ones_do_not():
    rng = np.random.default_rng(3)
    true = rng.uniform(1.0, 6.0, (8, 600))
    meters = {f"m{i}": -true[i] * (1.10 if i == 2 else 1.0) * (1 + rng.normal(0, 0.005, 600)) for i in range(8)}
    meters["plant"] = true.sum(axis=0) + 0.5
    learned = calibrate_gains(meters, np.full(600, 0.5), WINDOW, sigma=np.full(600, 0.05), prior_sd=0.01)
    assert [p.name for p in learned.learned if p.suspicious] == ["m2"]
    assert learned.factors()["m2"] == pytest.approx(1 / 1.10, abs=0.02)


def test_a_balance_that_misses_a_meter_is_refused_and_not_spread_over_the_others():
    rng = np.random.default_rng(5)
    meters = {"a": rng.uniform(10, 20, 100), "b": -rng.uniform(5, 9, 100)}
    with pytest.raises(DataError, match="one is missing"):
        calibrate_gains(meters, np.zeros(100), WINDOW, sigma=np.full(100, 0.1), prior_sd=0.01)


def test_a_worn_boiler_and_a_good_chiller_are_told_apart():
    rng = np.random.default_rng(4)
    heat = rng.uniform(500, 3000, 96)
    cold = np.where(rng.random(96) < 0.5, 0.0, rng.uniform(300, 1800, 96))
    nominal = {"boiler": heat / 0.925, "chiller": cold / 4.55, "idle": np.zeros(96)}
    measured = {
        "boiler": heat / 0.925 * 1.06 * (1 + rng.normal(0, 0.02, 96)),
        "chiller": cold / 4.55 * (1 + rng.normal(0, 0.02, 96)),
        "idle": np.zeros(96),
    }
    learned = calibrate_conversion(nominal, measured, WINDOW)
    assert learned.factors()["boiler"] == pytest.approx(1.06, abs=0.01)
    assert learned.factors()["chiller"] == pytest.approx(1.0, abs=0.01)
    assert "idle" not in learned.factors()


def test_delays_give_the_pipe_volume_away(rows):
    network = rows.network
    steps = 24
    time = np.arange(steps).astype("datetime64[m]").astype("datetime64[ns]")
    demand = xr.DataArray(
        np.full((rows.count, steps), 300.0), {"consumer": list(network.consumers), "time": time}, ("consumer", "time")
    )
    supply = xr.DataArray(85.0 + 8.0 * (np.arange(steps) >= 4), {"time": time}, ("time",))

    def predict(factor: float) -> np.ndarray:
        import dataclasses

        wider = tuple(
            dataclasses.replace(p, inner_diameter_mm=p.inner_diameter_mm * factor**0.5) for p in network.pipes
        )
        scaled = dataclasses.replace(network, pipes=wider)
        _, moved = advance_pipes(scaled, start_state(scaled), demand, supply, step_s=300.0)
        return moved.supply_degc.sel(junction=list(network.consumers)).values

    noise = np.random.default_rng(6).normal(0, 0.35, (rows.count, steps))
    learned = calibrate_volume(predict, predict(1.12) + noise, WINDOW).learned[0]
    assert learned.factor == pytest.approx(1.12, abs=max(3 * learned.sd, 0.01))
    assert learned.sd < 0.05


def test_a_calibration_survives_its_file_and_keeps_its_name():
    made = calibrate_conversion({"boiler": np.full(5, 10.0)}, {"boiler": np.full(5, 11.0)}, WINDOW)
    again = Calibration.from_json(made.to_json())
    assert again == made
    assert again.revision == made.revision
