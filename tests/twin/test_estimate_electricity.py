"""The grid's estimate: right slopes, the true state from clean rows, and the liar found."""

import numpy as np
import pytest

from models.networks.data import Bus, ElectricNetwork, Line
from twin.estimate.cleaning import estimate
from twin.estimate.electricity import ElectricRows
from twin.estimate.problem import Sensor, SensorStatus
from twin.estimate.wls import solve_wls


def feeder() -> ElectricNetwork:
    """Return a ring of six 20-kV buses."""
    buses = tuple(Bus(id=f"b{i}", vn_kv=20.0) for i in range(6))
    ends = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 1)]
    lines = tuple(
        Line(
            id=f"l{a}{b}",
            from_bus=f"b{a}",
            to_bus=f"b{b}",
            length_km=2.0,
            r_ohm_per_km=0.5,
            x_ohm_per_km=0.7,
            c_nf_per_km=150.0,
            current_max_ka=0.2,
        )
        for a, b in ends
    )
    return ElectricNetwork(id="ring", buses=buses, lines=lines, slack_bus="b0", slack_vm_pu=1.02)


def sensors() -> list[Sensor]:
    rows = [Sensor(f"b{i}", "power_kw", 5.0) for i in range(2, 6)]
    rows += [Sensor(f"b{i}", "reactive_kvar", 5.0) for i in range(2, 6)]
    rows += [Sensor(f"b{i}", "vm_pu", 0.003) for i in range(6)]
    rows += [Sensor(line, q, 5.0) for line in ("l01", "l23", "l45") for q in ("from_power_kw", "from_reactive_kvar")]
    rows += [Sensor("l51", "to_power_kw", 5.0), Sensor("l51", "to_reactive_kvar", 5.0)]
    return rows


def model() -> ElectricRows:
    return ElectricRows.of(feeder(), sensors(), zero_injection=["b1"])


def true_state(rows: ElectricRows) -> np.ndarray:
    """Return a state with loads at four buses that keeps the laws, found by fitting chosen injections alone."""
    z = np.full(len(rows.sensors), np.nan)
    z[:8] = [-800.0, -500.0, 300.0, -900.0, -200.0, -100.0, 50.0, -250.0]
    z[8] = 1.02
    fit = solve_wls(rows, z, np.isfinite(z))
    assert fit.converged
    return fit.x


def test_slopes_equal_finite_differences():
    rows = model()
    x = true_state(rows)
    for part in (rows.measured, rows.laws):
        slope = part(x).slope
        for state in range(len(x)):
            step = np.zeros(len(x))
            step[state] = 1e-6
            difference = (part(x + step).value - part(x - step).value) / 2e-6
            assert slope[:, state] == pytest.approx(
                difference, rel=1e-5, abs=1e-4 * max(1.0, np.abs(slope).max() * 1e-3)
            )


def test_clean_measurements_give_back_the_true_state():
    rows = model()
    x = true_state(rows)
    result = estimate(rows, rows.measured(x).value)
    assert result.fit.converged
    assert np.max(np.abs(result.fit.x - x)) < 1e-9
    assert result.chi2 < 1e-9
    assert result.unobservable == ()
    assert all(s.status is SensorStatus.OK for s in result.sensors)


@pytest.mark.parametrize("row", [8, 11, 14, 20])
def test_a_gross_error_is_removed_or_named_with_its_group(row):
    rows = model()
    x = true_state(rows)
    rng = np.random.default_rng(row)
    sigma = np.array([s.sigma for s in rows.sensors])
    z = rows.measured(x).value + rng.normal(0, 0.5, len(sigma)) * sigma
    z[row] += 20 * sigma[row]
    result = estimate(rows, z)
    report = result.sensors[row]
    group = {rows.sensors[row].name, *report.tie_group}
    caught = {s.sensor.name for s in result.sensors if s.status in (SensorStatus.REMOVED, SensorStatus.FLAGGED)}
    assert caught & group
    assert caught <= group


def test_three_errors_at_once_are_all_found():
    rows = model()
    x = true_state(rows)
    sigma = np.array([s.sigma for s in rows.sensors])
    z = rows.measured(x).value + np.random.default_rng(7).normal(0, 0.3, len(sigma)) * sigma
    for row in (9, 12, 14):
        z[row] += 25 * sigma[row]
    result = estimate(rows, z)
    removed = {i for i, s in enumerate(result.sensors) if s.status is SensorStatus.REMOVED}
    assert removed == {9, 12, 14}
    assert result.plausible


def test_a_silent_sensor_and_an_unseen_corner_are_reported():
    rows = ElectricRows.of(feeder(), [s for s in sensors() if s.element in ("b0", "b1", "b2", "l01")], ["b1"])
    z = np.full(len(rows.sensors), 0.0)
    z[[i for i, s in enumerate(rows.sensors) if s.quantity == "vm_pu"]] = 1.02
    result = estimate(rows, z)
    assert any(name.startswith("b4") for name in result.unobservable)
    assert not any(name.startswith("b0.vm") for name in result.unobservable)


def test_the_smallest_detectable_error_grows_as_redundancy_falls():
    rows = model()
    result = estimate(rows, rows.measured(true_state(rows)).value)
    for report in result.sensors:
        assert report.detectable * report.redundancy == pytest.approx(5.15 * report.sensor.sigma)
