"""Power flow of a year and of all outages beside a loop of pandapower's Newton, results compared in the same run."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_most, value_at_most

LOOP_STEPS = 96
PACKAGES = ("pandapower", "numba", "numpy")


@case("networks", "electricity year CIGRE MV", size=35_040, quick_size=96, packages=PACKAGES)
def cigre_year(bench: Bench) -> Iterable[Row]:
    """Time a year of quarter hours on the CIGRE MV grid against the loop, scaled from 96 steps."""
    import pandapower.networks as pn

    return _year(bench, pn.create_cigre_network_mv(with_der="pv_wind"), 1 / 1000)


@case("networks", "electricity year Oberrhein MV", size=35_040, quick_size=96, packages=PACKAGES)
def oberrhein_year(bench: Bench) -> Iterable[Row]:
    """Time a year of quarter hours on a 179-bus medium-voltage grid against the loop, scaled from 96 steps."""
    import pandapower.networks as pn

    return _year(bench, pn.mv_oberrhein(), 1 / 500)


def _year(bench: Bench, net: Any, goal: float) -> Iterable[Row]:
    from models.networks.electricity import solve_electricity
    from models.networks.electricity.importers import from_pandapower

    grid = from_pandapower(net)
    shares = np.random.default_rng(7).uniform(0.2, 1.0, bench.size)
    p_kw, q_kvar = (_series(x, shares) for x in (grid.p_kw, grid.q_kvar))
    loop_steps = min(LOOP_STEPS, bench.size)
    voltages, loop_s = _runpp_loop(net, shares[:loop_steps])
    ours_s, flow = _median_of(lambda: solve_electricity(grid.network, p_kw, q_kvar), bench.repeats)
    reference = loop_s / loop_steps * bench.size
    yield bench.figure(ours_s, "s", reference=reference, target=ratio_at_most(goal))
    gap = np.abs(flow.vm_pu.transpose("time", "bus").to_numpy()[:loop_steps] - voltages)
    yield bench.figure(float(np.nanmax(gap)), "pu", target=value_at_most(1e-8), phase=f"{bench.phase}, voltage gap")


@case("networks", "outages case118", size=1, packages=PACKAGES)
def outages(bench: Bench) -> Iterable[Row]:
    """Time all single outages of the IEEE 118-bus grid against the loop, scaled from 24 of them."""
    import pandapower as pp
    import pandapower.networks as pn

    from models.networks.electricity import n1
    from models.networks.electricity.importers import from_pandapower

    net = pn.case118()
    grid = from_pandapower(net)
    one = np.ones(1)
    p_kw, q_kvar = _series(grid.p_kw, one), _series(grid.q_kvar, one)
    lines = [line.id for line in grid.network.lines][: len(net.line)]
    sample = range(0, len(lines), max(1, len(lines) // 24))
    pp.runpp(net, calculate_voltage_angles=True)
    lowest, began = {}, time.perf_counter()
    for k in sample:
        net.line.loc[net.line.index[k], "in_service"] = False
        pp.runpp(net, calculate_voltage_angles=True, tolerance_mva=1e-9)
        lowest[lines[k]] = float(net.res_bus.vm_pu.min())
        net.line.loc[net.line.index[k], "in_service"] = True
    reference = (time.perf_counter() - began) / len(sample) * len(lines)
    ours_s, failed = _median_of(lambda: n1(grid.network, p_kw, q_kvar, lines), bench.repeats)
    yield bench.figure(ours_s * 1e3, "ms", reference=reference * 1e3, target=ratio_at_most(1 / 300))
    found = failed.vm_min_pu.isel(time=0)
    gap = max(abs(found.sel(outage=k).item() - v) for k, v in lowest.items() if failed.status.sel(outage=k).item() == 0)
    yield bench.figure(gap, "pu", target=value_at_most(1e-8), phase=f"{bench.phase}, voltage gap")


@case("networks", "replay and slopes of a day", size=96, packages=PACKAGES)
def replay(bench: Bench) -> Row:
    """Time a day's power flow with all its slopes against one runpp."""
    import pandapower as pp
    import pandapower.networks as pn

    from models.networks.electricity import sensitivities, solve_electricity
    from models.networks.electricity.importers import from_pandapower

    net = pn.create_cigre_network_mv(with_der="pv_wind")
    grid = from_pandapower(net)
    shares = np.random.default_rng(7).uniform(0.2, 1.0, bench.size)
    p_kw, q_kvar = (_series(x, shares) for x in (grid.p_kw, grid.q_kvar))

    def ours() -> object:
        return sensitivities(grid.network, solve_electricity(grid.network, p_kw, q_kvar))

    ours()
    return bench.pair(ours, lambda: pp.runpp(net, calculate_voltage_angles=True), target=ratio_at_most(3))


def _series(per_bus: Any, shares: np.ndarray) -> xr.DataArray:
    values = shares[:, None] * np.array(list(per_bus.values()))
    return xr.DataArray(values, dims=("time", "bus"), coords={"bus": list(per_bus)})


def _runpp_loop(net: Any, shares: np.ndarray) -> tuple[np.ndarray, float]:
    """Return voltages (step, bus) and the seconds that the loop took after one warm-up."""
    import pandapower as pp

    tables = [(t, net[t][["p_mw", "q_mvar"]].to_numpy(copy=True)) for t in ("load", "sgen") if len(net[t])]
    pp.runpp(net, calculate_voltage_angles=True)
    voltages = np.empty((len(shares), len(net.bus)))
    began = time.perf_counter()
    for k, share in enumerate(shares):
        for table, base in tables:
            net[table]["p_mw"], net[table]["q_mvar"] = base[:, 0] * share, base[:, 1] * share
        pp.runpp(net, calculate_voltage_angles=True, tolerance_mva=1e-9)
        voltages[k] = net.res_bus.vm_pu.to_numpy()
    return voltages, time.perf_counter() - began


def _median_of(work: Callable[[], xr.Dataset], repeats: int) -> tuple[float, xr.Dataset]:
    """Return the median seconds after a warm-up, and the result."""
    result = work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds)), result
