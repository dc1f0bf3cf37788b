import numpy as np
import pytest
import xarray as xr
from sample_networks import district, gas_town, ring

from models.carriers import Carrier
from models.errors import DataError
from models.networks.coupled import Port, Tie, solve_coupled
from models.networks.status import Status

E, H, G = Carrier.ELECTRICITY, Carrier.HEAT, Carrier.GAS
NETWORKS = {E: ring(), H: district(), G: gas_town()}


def nodes(**values: list[float]) -> xr.DataArray:
    return xr.DataArray(list(values.values()), dims=("node", "time"), coords={"node": list(values)})


FED = {
    E: nodes(b=[-2500.0, -500.0], d=[-1800.0, -100.0]),
    H: nodes(x=[-300.0, -30.0], y=[-500.0, -50.0], z=[-200.0, -200.0]),
    G: nodes(a=[-100.0, 0.0]),
}

HEAT_PUMP = Tie(
    id="heat pump",
    driver=Port(carrier=H, node="plant"),
    followers=(Port(carrier=E, node="c", per_kw=-1 / 3.0),),
    slack_share=0.4,
)
CHP = Tie(
    id="chp",
    driver=Port(carrier=H, node="plant"),
    followers=(Port(carrier=E, node="b", per_kw=0.9), Port(carrier=G, node="b", per_kw=-2.2)),
    slack_share=0.6,
)


def assert_balanced(flow) -> None:
    assert np.abs(flow.balance_kw.gap).max() < 1e-5
    assert all((state.status == Status.OK).all() for state in flow.states.values())


def test_machines_on_the_heat_slack_carry_its_load_into_the_other_carriers():
    flow = solve_coupled(NETWORKS, FED, [HEAT_PUMP, CHP])
    assert_balanced(flow)
    heat = flow.states[H].plant_kw.to_numpy()
    np.testing.assert_allclose(flow.tie_kw.sel(tie="chp"), 0.6 * heat, rtol=1e-9)
    np.testing.assert_allclose(flow.balance_kw.slack.sel(carrier="heat"), 0, atol=1e-6)
    np.testing.assert_allclose(flow.states[G].source_kw, 2.2 * 0.6 * heat - FED[G].sel(node="a").to_numpy(), rtol=1e-9)
    grid = flow.states[E]
    drawn = -FED[E].sum("node").to_numpy() + heat * (0.4 / 3 - 0.6 * 0.9)
    np.testing.assert_allclose(grid.slack_p_kw, drawn + grid.loss_kw.to_numpy(), rtol=1e-9)


def test_an_islanded_site_closes_the_circle_between_heat_and_electricity():
    heat = district(feed_in_junctions=("z",))
    gas_turbine = Tie(
        id="turbine",
        driver=Port(carrier=E, node="grid"),
        followers=(Port(carrier=H, node="z", per_kw=0.2),),
    )
    steam = Tie(
        id="steam",
        driver=Port(carrier=H, node="plant"),
        followers=(Port(carrier=E, node="c", per_kw=-0.4, offset_kw=600.0),),
    )
    fed = {E: nodes(b=[-900.0, -500.0], d=[-700.0, -100.0]), H: nodes(x=[-300.0, -80.0], y=[-500.0, -80.0])}
    flow = solve_coupled({E: ring(), H: heat}, fed, [gas_turbine, steam])
    assert_balanced(flow)
    assert flow.rounds <= 10
    turbine, back = flow.tie_kw.sel(tie="turbine").to_numpy(), flow.tie_kw.sel(tie="steam").to_numpy()
    np.testing.assert_allclose(turbine, flow.states[E].slack_p_kw, rtol=1e-9)
    np.testing.assert_allclose(back, flow.states[H].plant_kw, rtol=1e-9)
    np.testing.assert_allclose(flow.balance_kw.slack, 0, atol=1e-5)


def test_a_set_power_is_kept_and_the_slack_covers_the_rest():
    heat = district(feed_in_junctions=("z",))
    chp = Tie(id="chp", driver=Port(carrier=H, node="z"), followers=(Port(carrier=E, node="b", per_kw=0.9),))
    power = xr.DataArray([[150.0, 20.0]], dims=("tie", "time"), coords={"tie": ["chp"]})
    fed = {E: FED[E], H: nodes(x=[-300.0, -80.0], y=[-500.0, -80.0])}
    flow = solve_coupled({E: ring(), H: heat}, fed, [chp], tie_kw=power)
    assert_balanced(flow)
    np.testing.assert_array_equal(flow.tie_kw, power)
    outside = flow.balance_kw.slack.sel(carrier="heat").to_numpy()
    np.testing.assert_allclose(outside - flow.states[H].loss_kw.to_numpy(), [650, 140], rtol=1e-9)


def test_a_machine_without_its_network_is_named():
    with pytest.raises(DataError, match="chp: needs a gas network"):
        solve_coupled({E: ring(), H: district()}, FED, [CHP])
