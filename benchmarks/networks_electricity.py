"""Power flow of a year and of all outages beside a loop of pandapower's Newton, results compared in the same run."""

import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_most, value_at_most

LOOP_STEPS = 96
OUTAGES_LOOPED = 24
SIMBENCH_CODE = "1-MV-rural--0-sw"
PACKAGES = ("pandapower", "numba", "numpy")


@case("networks", "electricity year CIGRE MV", size=35_040, quick_size=96, packages=PACKAGES)
def cigre_year(bench: Bench) -> Iterable[Row]:
    """Time a year of quarter hours on the CIGRE MV grid against the loop, scaled from 96 steps."""
    import pandapower.networks as pn

    return _year(bench, pn.create_cigre_network_mv(with_der="pv_wind"), 1 / 1000)


@case("networks", "electricity year SimBench MV rural", size=35_040, quick_size=96, packages=(*PACKAGES, "simbench"))
def simbench_year(bench: Bench) -> Iterable[Row]:
    """Time a year of SimBench's own profiles on 1-MV-rural--0-sw against the loop, scaled from 96 steps."""
    net, series = simbench_net()
    p_kw, q_kvar = (s.isel(time=slice(0, bench.size)) for s in series[1:])
    return _beside_loop(bench, net, _simbench_steps(net), series[0], p_kw, q_kvar, 1 / 500)


@cache
def simbench_net() -> tuple[Any, tuple[Any, xr.DataArray, xr.DataArray]]:
    """Return the net, and our grid with its series; loading takes ten seconds, so once for all phases."""
    import simbench

    from models.networks.electricity.simbench import from_simbench

    net = simbench.get_simbench_net(SIMBENCH_CODE)
    net.absolute = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    found = from_simbench(net, net.absolute, SIMBENCH_CODE)
    return net, (found.grid.network, found.p_kw, found.q_kvar)


def _simbench_steps(net: Any) -> Callable[[int], None]:
    def go_to(step: int) -> None:
        for (table, column), values in net.absolute.items():
            if values.shape[1]:
                net[table][column] = values.iloc[step].to_numpy()

    return go_to


def _year(bench: Bench, net: Any, goal: float) -> Iterable[Row]:
    from models.networks.electricity.importers import from_pandapower

    grid = from_pandapower(net)
    shares = np.random.default_rng(7).uniform(0.2, 1.0, bench.size)
    p_kw, q_kvar = (_series(x, shares) for x in (grid.p_kw, grid.q_kvar))
    return _beside_loop(bench, net, _scaled_steps(net, shares), grid.network, p_kw, q_kvar, goal)


def _scaled_steps(net: Any, shares: np.ndarray) -> Callable[[int], None]:
    tables = [(t, net[t][["p_mw", "q_mvar"]].to_numpy(copy=True)) for t in ("load", "sgen") if len(net[t])]

    def go_to(step: int) -> None:
        for table, base in tables:
            net[table]["p_mw"], net[table]["q_mvar"] = base[:, 0] * shares[step], base[:, 1] * shares[step]

    return go_to


def _beside_loop(
    bench: Bench,
    net: Any,
    go_to: Callable[[int], None],
    network: Any,
    p_kw: xr.DataArray,
    q_kvar: xr.DataArray,
    goal: float,
) -> Iterable[Row]:
    """Yield our time from labelled series to labelled results beside the loop's, and how far voltages are apart."""
    from models.networks.electricity import solve_electricity

    loop_steps = min(LOOP_STEPS, bench.size)
    voltages, loop_s = _runpp_loop(net, go_to, loop_steps)
    ours_s, flow = _median_of(lambda: solve_electricity(network, p_kw, q_kvar), bench.repeats)
    yield bench.figure(ours_s, "s", reference=loop_s / loop_steps * bench.size, target=ratio_at_most(goal))
    gap = np.abs(flow.vm_pu.transpose("time", "bus").to_numpy()[:loop_steps] - voltages)
    yield bench.figure(float(np.nanmax(gap)), "pu", target=value_at_most(1e-8), phase=f"{bench.phase}, voltage gap")
    if not bench.quick:
        series_s = _run_timeseries(net, go_to, loop_steps) / loop_steps * bench.size
        words = f"{bench.phase}, beside run_timeseries"
        yield bench.figure(ours_s, "s", reference=series_s, target=ratio_at_most(1 / 60), phase=words)


def _run_timeseries(net: Any, go_to: Callable[[int], None], steps: int) -> float:
    """Return the seconds of pandapower's own time series over the same steps, with its recycling on."""
    import pandas as pd
    from pandapower.control import ConstControl
    from pandapower.timeseries import DFData, OutputWriter, run_timeseries

    for table in ("load", "sgen"):
        for column in ("p_mw", "q_mvar"):
            if len(net[table]):
                values = []
                for step in range(steps):
                    go_to(step)
                    values.append(net[table][column].to_numpy(copy=True))
                source, rows = DFData(pd.DataFrame(values, columns=net[table].index)), net[table].index
                ConstControl(
                    net,
                    table,
                    column,
                    rows,
                    profile_name=rows,
                    data_source=source,
                    recycle={"bus_pq": True, "trafo": False, "gen": False},
                )
    writer = OutputWriter(net, range(steps), log_variables=[("res_bus", "vm_pu"), ("res_line", "loading_percent")])
    began = time.perf_counter()
    run_timeseries(net, range(steps), verbose=False, calculate_voltage_angles=True)
    spent = time.perf_counter() - began
    net.controller.drop(net.controller.index, inplace=True)
    del writer
    return spent


@case("networks", "outages SimBench MV rural", size=1, packages=(*PACKAGES, "simbench"))
def radial_outages(bench: Bench) -> Iterable[Row]:
    """Time all single line outages of a radial medium-voltage grid against the loop, scaled from 24 of them."""
    net, (network, p_kw, q_kvar) = simbench_net()
    _simbench_steps(net)(48)
    step = {"time": slice(48, 49)}
    return _outages(bench, net, network, p_kw.isel(step), q_kvar.isel(step), 1 / 150)


@case("networks", "outages case118", size=1, packages=PACKAGES)
def outages(bench: Bench) -> Iterable[Row]:
    """Time all single outages of the IEEE 118-bus grid against the loop, scaled from 24 of them."""
    import pandapower.networks as pn

    from models.networks.electricity.importers import from_pandapower

    net = pn.case118()
    grid = from_pandapower(net)
    one = np.ones(1)
    return _outages(bench, net, grid.network, _series(grid.p_kw, one), _series(grid.q_kvar, one), 1 / 300)


def _outages(
    bench: Bench, net: Any, network: Any, p_kw: xr.DataArray, q_kvar: xr.DataArray, goal: float
) -> Iterable[Row]:
    """Yield our time for all single line outages beside the loop's, and how far the lowest voltages are apart."""
    import pandapower as pp

    from models.networks.electricity import n1

    lines = [line.id for line in network.lines][: len(net.line)]
    sample = range(0, len(lines), max(1, len(lines) // OUTAGES_LOOPED))
    pp.runpp(net, calculate_voltage_angles=True)
    lowest, began = {}, time.perf_counter()
    for k in sample:
        net.line.loc[net.line.index[k], "in_service"] = False
        pp.runpp(net, calculate_voltage_angles=True, tolerance_mva=1e-9)
        lowest[lines[k]] = float(net.res_bus.vm_pu.min())
        net.line.loc[net.line.index[k], "in_service"] = True
    reference = (time.perf_counter() - began) / len(sample) * len(lines)
    ours_s, failed = _median_of(lambda: n1(network, p_kw, q_kvar, lines), bench.repeats)
    yield bench.figure(ours_s * 1e3, "ms", reference=reference * 1e3, target=ratio_at_most(goal))
    found = failed.vm_min_pu.isel(time=0)
    gap = max(abs(found.sel(outage=k).item() - v) for k, v in lowest.items())
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


def _runpp_loop(net: Any, go_to: Callable[[int], None], steps: int) -> tuple[np.ndarray, float]:
    """Return voltages (step, bus) and the seconds that the loop took after one warm-up."""
    import pandapower as pp

    pp.runpp(net, calculate_voltage_angles=True)
    voltages = np.empty((steps, len(net.bus)))
    began = time.perf_counter()
    for step in range(steps):
        go_to(step)
        pp.runpp(net, calculate_voltage_angles=True, tolerance_mva=1e-9)
        voltages[step] = net.res_bus.vm_pu.to_numpy()
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
