"""Heat and gas networks beside pandapipes on its own nets of a town, results compared in the same run."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.measure import Pair, measure, measure_pair
from benchmarks.peers import Peer
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_most, value_at_most

PACKAGES = ("numba", "numpy", "xarray")
HEAT_W, RETURN_DEGC = 30_000.0, 40.0
LOOP_STEPS = 10
KWH_PER_KG = 13.1
DIMS = ("consumer", "time")


@case("networks", "heat town", size=8760, quick_size=24, packages=PACKAGES)
def heat(bench: Bench) -> Iterable[Row]:
    """Time one step and a year of hours of a heat net with 44 consumers, hydraulics and temperatures; pandapipes' year scaled from 10 steps."""
    from benchmarks.pipe_nets import heat_network
    from models.networks.heat import solve_heat

    with Peer("pipes") as peer:
        network = heat_network(peer.ask("heat_net", heat_w=HEAT_W)["result"], RETURN_DEGC)
        theirs = peer.ask("heat_solve", shares=[1.0])["result"]
        back = xr.DataArray(np.array(theirs["back_degc"])[:, None], {"consumer": list(network.consumers)}, DIMS)
        one = _demand(network.consumers, np.array([HEAT_W / 1e3]))

        def step() -> xr.Dataset:
            return solve_heat(network, one, return_degc=back)

        yield from _heat_gaps(bench, step().isel(time=0), theirs, network.consumers)
        pair = measure_pair(step, lambda: peer.timed("heat_solve", shares=[1.0]), repeats=bench.repeats)
        yield _step(bench, pair, 1 / 200)
        shares = np.random.default_rng(7).uniform(0.5, 1.0, bench.size)
        year = _demand(network.consumers, HEAT_W / 1e3 * shares)
        loop = peer.ask("heat_solve", shares=shares[:LOOP_STEPS].tolist())["seconds"]
        yield _year(bench, measure(lambda: solve_heat(network, year), repeats=bench.repeats), loop, 1 / 500)


@case("networks", "gas town", size=8760, quick_size=24, packages=PACKAGES)
def gas(bench: Bench) -> Iterable[Row]:
    """Time one step and a year of hours of a gas net with 2,559 junctions; pandapipes' year scaled from 10 steps."""
    from benchmarks.pipe_nets import gas_network
    from models.networks.gas import solve_gas

    with Peer("pipes") as peer:
        tables = peer.ask("gas_net")["result"]
        network = gas_network(tables)
        usual = _offtake(tables)
        theirs = peer.ask("gas_solve", shares=[1.0])["result"]
        one = _shared(usual, np.ones(1))
        yield from _gas_gaps(bench, solve_gas(network, one).isel(time=0), theirs, tables)
        pair = measure_pair(
            lambda: solve_gas(network, one), lambda: peer.timed("gas_solve", shares=[1.0]), repeats=bench.repeats
        )
        yield _step(bench, pair, 1 / 80)
        shares = np.random.default_rng(7).uniform(0.3, 1.0, bench.size)
        year = _shared(usual, shares)
        loop = peer.ask("gas_solve", shares=shares[:LOOP_STEPS].tolist())["seconds"]
        yield _year(bench, measure(lambda: solve_gas(network, year), repeats=bench.repeats), loop, 1 / 150)


def _step(bench: Bench, pair: Pair, goal: float) -> Row:
    ours, theirs = pair.ours_median_s * 1e3, pair.reference_median_s * 1e3
    return bench.figure(ours, "ms", reference=theirs, target=ratio_at_most(goal), phase=f"{bench.phase}, one step")


def _year(bench: Bench, ours_s: float, loop_s: float, goal: float) -> Row:
    reference = loop_s / LOOP_STEPS * bench.size
    return bench.figure(
        ours_s, "s", reference=reference, target=ratio_at_most(goal), phase=f"{bench.phase}, {bench.size} steps"
    )


def _heat_gaps(bench: Bench, ours: xr.Dataset, theirs: dict[str, Any], consumers: tuple[str, ...]) -> Iterable[Row]:
    at = ours.sel(junction=list(consumers))
    flow = np.abs(ours.consumer_flow_kg_per_s.to_numpy() - theirs["flow_kg_per_s"]).max()
    degc = np.abs(at.supply_degc.to_numpy() - theirs["supply_degc"]).max()
    dp = np.abs(at.dp_kpa.to_numpy() / np.array(theirs["dp_kpa"]) - 1).max()
    yield bench.figure(float(degc), "K", target=value_at_most(0.02), phase="heat town, gap in supply temperature")
    yield bench.figure(float(dp), "share", target=value_at_most(1e-4), phase="heat town, gap in pressure difference")
    yield bench.figure(float(flow), "kg/s", target=value_at_most(1e-3), phase="heat town, gap in flow")


def _gas_gaps(bench: Bench, ours: xr.Dataset, theirs: dict[str, Any], tables: dict[str, Any]) -> Iterable[Row]:
    from benchmarks.pipe_nets import ambient_kpa

    place = [str(j) for j in tables["height_m"]]
    theirs_kpa = np.array(theirs["gauge_kpa"]) + [ambient_kpa(h) for h in tables["height_m"].values()]
    gap = np.abs(ours.pressure_kpa.sel(junction=place).to_numpy() / theirs_kpa - 1).max()
    flow = np.abs(ours.flow_kg_per_s.to_numpy()[: len(tables["pipes"])] - theirs["flow_kg_per_s"]).max()
    yield bench.figure(float(gap), "share", target=value_at_most(1e-4), phase="gas town, gap in pressure")
    yield bench.figure(float(flow), "kg/s", target=value_at_most(1e-8), phase="gas town, gap in flow")


def _demand(consumers: tuple[str, ...], kw: np.ndarray) -> xr.DataArray:
    values = np.repeat(kw[None, :], len(consumers), axis=0)
    return xr.DataArray(values, {"consumer": list(consumers)}, DIMS)


def _offtake(tables: dict[str, Any]) -> dict[str, float]:
    """Return kW by junction."""
    found: dict[str, float] = {}
    for junction, flow in tables["sinks"]:
        found[str(int(junction))] = found.get(str(int(junction)), 0.0) + flow * KWH_PER_KG * 3600
    return found


def _shared(usual: dict[str, float], shares: np.ndarray) -> xr.DataArray:
    values = np.array(list(usual.values()))[:, None] * shares
    return xr.DataArray(values, {"consumer": list(usual)}, DIMS)
