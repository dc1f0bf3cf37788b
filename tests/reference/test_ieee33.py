import numpy as np
import pytest
import xarray as xr
from reference_cases import case

from models.networks.electricity import solve_electricity
from models.networks.electricity.importers import from_pandapower

pytestmark = pytest.mark.cases


def test_losses_and_voltages_of_the_baran_wu_feeder():
    from pandapower import networks

    expected = case("ieee33_bw")["expected"]
    grid = from_pandapower(networks.case33bw())
    series = [xr.DataArray(list(x.values()), dims="bus", coords={"bus": list(x)}) for x in (grid.p_kw, grid.q_kvar)]
    flow = solve_electricity(grid.network, *series).isel(time=0)
    assert flow.loss_kw.item() == pytest.approx(expected["losses_kw"], abs=1e-3)
    assert flow.loss_kw.item() == pytest.approx(202.677, abs=1e-3)
    assert flow.vm_pu.min().item() == pytest.approx(0.91309, abs=1e-5)
    np.testing.assert_allclose(flow.vm_pu, expected["vm_pu"], atol=1e-9)
    assert flow.slack_p_kw.item() / 1e3 == pytest.approx(expected["slack_p_mw"], abs=1e-8)
