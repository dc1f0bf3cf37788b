import numpy as np
import pytest
import xarray as xr
from sample_networks import ring

from models.networks.data import VoltageControl
from models.networks.electricity import sensitivities, solve_electricity

STATIONS = ["a", "b", "c", "d"]
P_KW = xr.DataArray([[-400.0, -2500.0, 900.0, -1800.0]], dims=("time", "bus"), coords={"bus": STATIONS})
Q_KVAR = xr.DataArray([[0.0, -700.0, 10.0, -300.0]], dims=("time", "bus"), coords={"bus": STATIONS})
HELD = ring(voltage_controls=(VoltageControl(id="g", bus="c", vm_pu=1.03),))


CASES = [
    pytest.param(network, bus, power, id=f"{name}-{bus}-{power}")
    for name, network in (("loads", ring()), ("held", HELD))
    for bus in STATIONS
    for power in ("p", "q")
    if (name, bus, power) != ("held", "c", "q")  # reactive power at a held voltage is an answer, not an input
]


@pytest.mark.parametrize(("network", "bus", "power"), CASES)
def test_slopes_equal_central_differences(network, bus, power):
    slope = sensitivities(network, solve_electricity(network, P_KW, Q_KVAR)).sel(source=bus)
    step = xr.where(P_KW.bus == bus, 1.0, 0.0)
    up, down = (
        solve_electricity(network, P_KW + s * step * (power == "p"), Q_KVAR + s * step * (power == "q"))
        for s in (1, -1)
    )
    for name, quantity in (("vm", "vm_pu"), ("loading", "loading_share"), ("loss", "loss_kw")):
        expected = (up[quantity] - down[quantity]) / 2
        np.testing.assert_allclose(slope[f"{name}_by_{power}"], expected, rtol=1e-4, atol=1e-9)


def test_the_slack_answers_to_nothing_and_sources_can_be_chosen():
    slope = sensitivities(ring(), solve_electricity(ring(), P_KW), sources=["grid", "b"])
    assert slope.source.to_numpy().tolist() == ["grid", "b"]
    assert (slope.sel(source="grid").vm_by_p == 0).all()
    assert slope.loss_by_p.sel(source="grid").item() == 0
    assert slope.loss_by_p.sel(source="b").item() < 0


def test_a_failed_step_has_no_slopes_and_its_neighbour_keeps_them():
    p = xr.concat([P_KW.isel(time=0), P_KW.isel(time=0) * 1e4], "time")
    slope = sensitivities(ring(), solve_electricity(ring(), p))
    assert slope.vm_by_p.isel(time=0).notnull().all()
    assert slope.vm_by_p.isel(time=1).isnull().all()
