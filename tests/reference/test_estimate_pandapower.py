"""The grid's estimate equals pandapower's constrained weighted least squares on the same measurements."""

import numpy as np
import pytest

from models.networks.electricity.reference import to_pandapower
from tests.twin.test_estimate_electricity import feeder, model, true_state
from twin.estimate.wls import solve_wls


@pytest.mark.filterwarnings("ignore")  # pandapower's own chained assignments
def test_voltages_equal_the_reference_estimator_on_noisy_measurements():
    import pandapower
    from pandapower.estimation import estimate as reference

    rows = model()
    sigma = np.array([s.sigma for s in rows.sensors])
    z = rows.measured(true_state(rows)).value + np.random.default_rng(3).normal(size=len(sigma)) * sigma
    net = to_pandapower(feeder())
    bus = {str(name): int(i) for i, name in net.bus["name"].items()}
    line = {str(name): int(i) for i, name in net.line["name"].items()}
    for sensor, value in zip(rows.sensors, z, strict=True):
        add = {"net": net, "value": value, "std_dev": sensor.sigma}
        if sensor.quantity == "vm_pu":
            pandapower.create_measurement(meas_type="v", element_type="bus", element=bus[sensor.element], **add)
            continue
        end, _, kind = sensor.quantity.rpartition("_")[0].rpartition("_")
        sign = 1.0 if end else -1.0  # pandapower counts what a bus draws
        scaled = {"net": net, "value": sign * value / 1e3, "std_dev": sensor.sigma / 1e3}
        meas_type = "p" if kind == "power" else "q"
        if end:
            pandapower.create_measurement(
                meas_type=meas_type, element_type="line", element=line[sensor.element], side=end, **scaled
            )
        else:
            pandapower.create_measurement(
                meas_type=meas_type, element_type="bus", element=bus[sensor.element], **scaled
            )
    outcome = reference(
        net, init="flat", algorithm="wls_with_zero_constraint", zero_injection=[bus["b1"]], tolerance=1e-10
    )
    assert outcome["success"] if isinstance(outcome, dict) else outcome
    fit = solve_wls(rows, z, np.isfinite(z))
    fit = solve_wls(rows, z, np.isfinite(z), fit.x)
    ours = dict(zip(rows.state_names, fit.x, strict=True))
    for name, index in bus.items():
        assert ours[f"{name}.vm_pu"] == pytest.approx(net.res_bus_est.at[index, "vm_pu"], abs=1e-9)
