"""Linear grids for planning: transfer shares and feeder voltages against the AC power flow and pandapower."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import cable, ring

from models.errors import DataError
from models.networks.data import Bus, ElectricNetwork, Switch, VoltageControl
from models.networks.electricity import lindistflow, linear_flow, ptdf, solve_electricity
from models.networks.electricity.importers import from_pandapower
from models.site import load_site
from scenarios.sites import park_path

OPEN = Switch(id="open", bus="a", element="da", kind="line", closed=False)


def powers(per_bus: dict[str, float]) -> xr.DataArray:
    return xr.DataArray([list(per_bus.values())], dims=("time", "bus"), coords={"bus": list(per_bus)})


@pytest.mark.parametrize("name", ["case9", "case33bw", "case118"])
def test_transfer_shares_equal_pandapowers(name):
    import pandapower as pp
    import pandapower.networks as pn
    from pandapower.pypower.makePTDF import makePTDF

    net = getattr(pn, name)()
    pp.rundcpp(net)
    case = net._ppc["internal"]
    theirs = makePTDF(case["baseMVA"], case["bus"], case["branch"], using_sparse_solver=False)
    theirs = theirs[:, net._pd2ppc_lookups["bus"][net.bus.index]]
    live = net.line["in_service"].to_numpy()
    ours = ptdf(from_pandapower(net).network).to_numpy()[: len(net.line)]
    assert ours[live] == pytest.approx(theirs[: live.sum()], abs=1e-12)
    assert not ours[~live].any()


def test_transfer_shares_are_what_a_little_power_moves_in_an_unloaded_ring():
    shares = ptdf(ring(), ["c"])
    up, down = (solve_electricity(ring(), powers({"c": s})) for s in (1.0, -1.0))
    moved = ((up.p_from_kw - down.p_from_kw) / 2).isel(time=0)
    assert (
        np.abs(moved.to_numpy() - shares.sel(source="c").to_numpy()).max() < 0.02
    )  # resistances and losses are left out
    assert float(shares.sel(source="c", branch="t1")) == pytest.approx(-1.0)


def test_all_power_of_a_feeder_passes_its_transformer():
    shares = ptdf(ring(OPEN))
    assert shares.sel(branch="t1", source=["a", "b", "c", "d"]).to_numpy() == pytest.approx(-1.0)
    assert shares.sel(source="grid").to_numpy() == pytest.approx(0.0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-800, 800), min_size=8, max_size=8))
def test_feeder_voltages_stay_near_the_power_flow_and_above_it(values):
    buses = ("a", "b", "c", "d")
    p, q = powers(dict(zip(buses, values[:4], strict=True))), powers(dict(zip(buses, values[4:], strict=True)))
    flow, guess = solve_electricity(ring(OPEN), p, q), linear_flow(ring(OPEN), p, q)
    off = (guess["vm_pu"] - flow["vm_pu"]).to_numpy()
    assert off.min() > -1e-5  # losses only ever lower a voltage; charging at another voltage is the rest
    assert off.max() < 2e-3


def test_feeder_slopes_equal_the_power_flows_at_no_load():
    rows, h = lindistflow(ring(OPEN), ["d"]), 0.5
    for name, at in (("vm2_by_p", 0), ("vm2_by_q", 1)):
        moved = []
        for sign in (h, -h):
            given_powers = [powers({"d": 0.0}), powers({"d": 0.0})]
            given_powers[at] = powers({"d": sign})
            moved.append(solve_electricity(ring(OPEN), *given_powers)["vm_pu"].isel(time=0).to_numpy() ** 2)
        slope = (moved[0] - moved[1]) / 2 / h
        assert rows[name].sel(source="d").to_numpy() == pytest.approx(slope, rel=0.05)


def test_the_parks_voltages_are_within_a_hundredth():
    network = load_site(park_path()).networks.electricity[0]
    buses = [b.id for b in network.buses if b.id != network.slack_bus]
    rng = np.random.default_rng(4)
    p = xr.DataArray(rng.uniform(-800, 300, (24, len(buses))), dims=("time", "bus"), coords={"bus": buses})
    off = np.abs(linear_flow(network, p, 0.3 * p)["vm_pu"] - solve_electricity(network, p, 0.3 * p)["vm_pu"])
    assert float(off.max()) < 0.0085


def test_a_grid_that_is_no_feeder_is_refused_with_every_reason():
    network = ring(voltage_controls=(VoltageControl(id="g", bus="c", vm_pu=1.0),))
    with pytest.raises(DataError) as caught:
        lindistflow(network)
    assert [f.place for f in caught.value.findings] == ["ring[g]", "ring"]
    assert "vm_pu" not in linear_flow(network, powers({"a": -100.0}))


def test_buses_without_a_path_have_no_shares():
    island = ElectricNetwork(
        id="island",
        buses=tuple(Bus(id=b, vn_kv=10.0) for b in ("s", "a", "x", "y")),
        lines=(cable("sa", "s", "a"), cable("xy", "x", "y")),
        slack_bus="s",
    )
    shares, rows = ptdf(island), lindistflow(island)
    assert np.isnan(shares.sel(source=["x", "y"])).all()
    assert np.isfinite(shares.sel(source="a")).all()
    assert np.isnan(rows["vm2_by_p"].sel(bus="x")).all()
