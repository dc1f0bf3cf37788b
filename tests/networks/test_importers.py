import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sample_networks import ring

from models.errors import DataError
from models.findings import Severity
from models.networks.electricity import solve_electricity
from models.networks.electricity.importers import from_pandapower, read_pandapower
from models.networks.electricity.matpower import read_matpower
from models.networks.electricity.reference import set_power, to_pandapower
from models.networks.electricity.simbench import from_simbench
from models.networks.status import Status

THREE_BUSES = """
function mpc = three
mpc.version = '2';
mpc.baseMVA = 100;  % one line, one tapped transformer, one generator that holds its voltage
mpc.bus = [
  1  3  0    0    0  0   1  1.00  0  110  1  1.1  0.9;
  2  2  20   5    0  0   1  1.00  0  110  1  1.1  0.9;
  7  1  40   10   1  19  1  1.00  0  20   1  1.1  0.9;
];
mpc.gen = [
  1  0   0  300  -300  1.02  100  1  250  0;
  2  30  0  300  -300  1.01  100  1  250  0;
];
mpc.branch = [
  1  2  0.010  0.085  0.176  250  250  250  0     0   1  -360  360;
  2  7  0.005  0.092  0      0    0    0    0.98  30  1  -360  360;
];
"""


def solve(grid) -> xr.Dataset:
    series = [xr.DataArray(list(x.values()), dims="bus", coords={"bus": list(x)}) for x in (grid.p_kw, grid.q_kvar)]
    return solve_electricity(grid.network, *series).isel(time=0)


def test_a_grid_comes_back_from_pandapower_as_it_went_there():
    back = from_pandapower(to_pandapower(ring()), "ring").network
    assert back.lines == ring().lines
    assert back.transformers == ring().transformers
    assert [b.id for b in back.buses] == [b.id for b in ring().buses]


def test_a_pandapower_file_with_gaps_and_unknown_parts_says_so(tmp_path):
    import pandapower as pp

    net = to_pandapower(ring())
    net.line["df"] = np.nan
    pp.create_ward(net, 1, ps_mw=0.1, qs_mvar=0, pz_mw=0, qz_mvar=0)
    path = tmp_path / "grid.json"
    pp.to_json(net, str(path))
    grid = read_pandapower(path)
    assert grid.network.lines[0].current_max_ka == pytest.approx(0.3)
    said = [(f.severity, f.place) for f in grid.findings]
    assert said == [(Severity.WARNING, "line.df"), (Severity.ERROR, "ward")]
    assert "empty in 4 of 4 rows; 1 is taken" in grid.findings[0].message


def test_a_matpower_case_solves_as_its_author_means(tmp_path):
    path = tmp_path / "three.m"
    path.write_text(THREE_BUSES)
    grid = read_matpower(path)
    flow = solve(grid)
    assert flow.status == Status.OK
    assert flow.vm_pu.sel(bus=["1", "2"]).to_numpy().tolist() == pytest.approx([1.02, 1.01])
    v = flow.vm_pu.to_numpy() * np.exp(1j * np.radians(flow.angle_deg.to_numpy()))
    line, half = 1 / complex(0.010, 0.085), 0.176j / 2
    tap, series = 0.98 * np.exp(1j * np.pi / 6), 1 / complex(0.005, 0.092)
    y = np.array(
        [
            [line + half, -line, 0],
            [-line, line + half + series / abs(tap) ** 2, -series / np.conj(tap)],
            [0, -series / tap, series + 0.01 + 0.19j],
        ]
    )
    s = v * np.conj(y @ v) * 100
    assert s[1].real == pytest.approx(10, abs=1e-6)
    assert s[2] == pytest.approx(-40 - 10j, abs=1e-6)
    assert flow.slack_p_kw.item() == pytest.approx(s[0].real * 1e3, abs=1e-3)


def test_a_case_without_reference_or_branches_is_refused_at_once(tmp_path):
    path = tmp_path / "broken.m"
    path.write_text("mpc.bus = [1 1 0 0 0 0 1 1 0 110 1 1.1 0.9];\nmpc.gen = [1 0 0 1 -1 1 100 1 1 0];")
    with pytest.raises(DataError) as caught:
        read_matpower(path)
    assert len(caught.value.findings) == 2


def test_a_simbench_grid_brings_its_year_and_says_what_was_empty():
    net = to_pandapower(ring())
    set_power(net, ring(), {"a": -100.0, "c": -200.0}, {"a": -10.0})
    net.load = net.sgen.rename_axis(None).assign(p_mw=-net.sgen["p_mw"], q_mvar=-net.sgen["q_mvar"])
    net.load["const_z_p_percent"], net.load.loc[1, "scaling"] = np.nan, 0.5
    net.sgen = net.sgen.iloc[:0]
    net.profiles = {"load": pd.DataFrame({"time": ["31.12.2016 23:30", "31.12.2016 23:45"]})}
    found = from_simbench(net, {("load", "p_mw"): pd.DataFrame({0: [0.05, 0.2], 1: [0.1, 0.4]})}, "small")
    assert found.p_kw.sel(bus="a").to_numpy().tolist() == pytest.approx([-50.0, -200.0])
    assert found.p_kw.sel(bus="c").to_numpy().tolist() == pytest.approx([-50.0, -200.0])
    assert found.q_kvar.sel(bus="a").to_numpy().tolist() == pytest.approx([-10.0, -10.0])
    assert found.p_kw["time"].to_numpy()[-1] == np.datetime64("2016-12-31T23:45")
    assert [f.place for f in found.grid.findings] == ["load.const_z_p_percent"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pandapower's own, of its older cases
def test_a_grid_of_high_voltage_is_solved_in_stages():
    import pandapower as pp
    import pandapower.networks as pn

    net = pn.case300()
    flow = solve(from_pandapower(net))
    pp.runpp(net, calculate_voltage_angles=True, tolerance_mva=1e-9)
    assert flow.status == Status.OK
    assert flow.vm_pu.to_numpy() == pytest.approx(net.res_bus.vm_pu.to_numpy(), abs=1e-8)
