"""Heat and gas networks beside pandapipes on its own nets of a town, results compared in the same run."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.measure import Pair, Timed, measure, measure_pair
from benchmarks.peers import Peer
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_most, value_at_most

PACKAGES = ("numba", "numpy", "xarray")
HEAT_W, RETURN_DEGC = 30_000.0, 40.0
LOOP_STEPS = 10
STEPS, PEER_STEPS = 20, 3
"""Single steps that are taken in a row and averaged: ours, and the peers' who need a hundred times as long."""
KWH_PER_KG = 13.1
DIMS = ("consumer", "time")


@case("networks", "heat town", size=8760, quick_size=24, packages=PACKAGES)
def heat(bench: Bench) -> Iterable[Row]:
    """Time one step and a year of hours of a heat net with 44 consumers, hydraulics and temperatures; pandapipes' year scaled from 10 steps.

    In the step consumers hold pandapipes' flows; in the year their flows follow from the heat they take, which takes longer.
    """
    from benchmarks.pipe_nets import heat_network
    from models.networks.heat import solve_heat

    with Peer("pipes") as peer:
        network = heat_network(peer.ask("heat_net", heat_w=HEAT_W)["result"], RETURN_DEGC)
        theirs = peer.ask("heat_solve", shares=[1.0])["result"]
        one = _demand(network.consumers, np.array([HEAT_W / 1e3]))
        flow = xr.DataArray(np.array(theirs["held_kg_per_s"])[:, None], {"consumer": list(network.consumers)}, DIMS)

        def step() -> xr.Dataset:
            return solve_heat(network, one, flow_kg_per_s=flow)

        yield from _heat_gaps(bench, step().isel(time=0), theirs, network.consumers)
        pair = measure_pair(in_a_row(step), lambda: _peer_steps(peer, "heat_solve", PEER_STEPS), repeats=bench.repeats)
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
        theirs = peer.ask("gas_solve", shares=[1.0], exact=True)["result"]
        one = _shared(usual, np.ones(1))
        yield from _gas_gaps(bench, solve_gas(network, one).isel(time=0), theirs, tables)
        pair = measure_pair(
            in_a_row(lambda: solve_gas(network, one)),
            lambda: _peer_steps(peer, "gas_solve", PEER_STEPS),
            repeats=bench.repeats,
        )
        yield _step(bench, pair, 1 / 80)
        shares = np.random.default_rng(7).uniform(0.3, 1.0, bench.size)
        year = _shared(usual, shares)
        loop = peer.ask("gas_solve", shares=shares[:LOOP_STEPS].tolist())["seconds"]
        yield _year(bench, measure(lambda: solve_gas(network, year), repeats=bench.repeats), loop, 1 / 150)


@case("networks", "linepack town", size=96, quick_size=4, packages=PACKAGES)
def linepack(bench: Bench) -> Iterable[Row]:
    """Time quarter hours of the gas net with gas stored in its pipes, offtakes swinging; no peer has such a step."""
    from benchmarks.pipe_nets import gas_network
    from models.networks.gas import solve_gas
    from models.networks.linepack import advance_gas, start_gas

    with Peer("pipes") as peer:
        tables = peer.ask("gas_net")["result"]
    network, usual = gas_network(tables), _offtake(tables)
    state = start_gas(network, solve_gas(network, _shared(usual, np.full(1, 0.7))))
    day = _shared(usual, 0.7 + 0.3 * np.sin(np.arange(bench.size) / 15))
    one = day.isel(time=[bench.size // 2])
    _, moved = advance_gas(network, state, day, step_s=900.0)
    phase, worst = f"{bench.phase}, {bench.size} steps", float(moved.residual_kg_per_s.max())
    yield bench.figure(worst, "kg/s", target=value_at_most(1e-9), phase=f"{phase}, worst node balance")
    yield bench.figure(float((moved.status != 0).sum()), "steps", target=value_at_most(0), phase=f"{phase}, failed")
    yield bench.time(
        lambda: advance_gas(network, state, one, step_s=900.0),
        target=value_at_most(5),
        phase=f"{bench.phase}, one step",
    )


@case("networks", "twin step", packages=(*PACKAGES, "pandapower", "simbench"))
def twin_step(bench: Bench) -> Row:
    """Time a step of three networks, a rural grid and heat and gas of a town, beside pandapower and two pipe flows."""
    import pandapower

    from benchmarks.networks_electricity import SIMBENCH_CODE, simbench_net
    from benchmarks.pipe_nets import gas_network, heat_network
    from models.networks.electricity import solve_electricity
    from models.networks.gas import solve_gas
    from models.networks.heat import solve_heat

    net, (grid, p_kw, q_kvar) = simbench_net()
    p_kw, q_kvar = p_kw.isel(time=[0]), q_kvar.isel(time=[0])
    with Peer("pipes") as peer:
        warm = heat_network(peer.ask("heat_net", heat_w=HEAT_W)["result"], RETURN_DEGC)
        tables = peer.ask("gas_net")["result"]
        held = peer.ask("heat_solve", shares=[1.0])["result"]["held_kg_per_s"]
        flow = xr.DataArray(np.array(held)[:, None], {"consumer": list(warm.consumers)}, DIMS)
        town, offtake = gas_network(tables), _shared(_offtake(tables), np.ones(1))
        heat_kw = _demand(warm.consumers, np.array([HEAT_W / 1e3]))

        def ours() -> None:
            solve_electricity(grid, p_kw, q_kvar)
            solve_heat(warm, heat_kw, flow_kg_per_s=flow)
            solve_gas(town, offtake)

        def theirs() -> Timed:
            spent = in_a_row(lambda: pandapower.runpp(net), PEER_STEPS)()
            pipes = (_peer_steps(peer, solve, PEER_STEPS) for solve in ("heat_solve", "gas_solve"))
            return Timed(spent + sum(pipes))

        phase = f"{bench.phase}, {SIMBENCH_CODE}, heat and gas town"
        return bench.pair(in_a_row(ours), theirs, target=ratio_at_most(1 / 40), phase=phase)


def in_a_row(step: Callable[[], object], count: int = STEPS) -> Callable[[], Timed]:
    """Return a function that takes some steps one after the other, as a twin does, and gives the mean seconds of one.

    Alone between two long runs of the peer, a step of half a millisecond measures how fast the processor fetches its memory anew.
    """

    def work() -> Timed:
        start = time.perf_counter()
        for _ in range(count):
            step()
        return Timed((time.perf_counter() - start) / count)

    return work


def _peer_steps(peer: Peer, name: str, count: int) -> Timed:
    """Return the mean seconds of a peer's step, some taken one after the other."""
    return Timed(peer.timed(name, shares=[1.0] * count) / count)


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
    flow = np.abs(np.abs(ours.flow_kg_per_s.to_numpy()) - np.abs(_by_pipe(ours, theirs))).max()
    degc = np.abs(at.supply_degc.to_numpy() - theirs["supply_degc"]).max()
    dp = np.abs(at.dp_kpa.to_numpy() / np.array(theirs["dp_kpa"]) - 1).max()
    yield bench.figure(float(degc), "K", target=value_at_most(0.02), phase="heat town, gap in supply temperature")
    yield bench.figure(float(dp), "share", target=value_at_most(1e-4), phase="heat town, gap in pressure difference")
    yield bench.figure(float(flow), "kg/s", target=value_at_most(1e-8), phase="heat town, gap in flow")


def _by_pipe(ours: xr.Dataset, theirs: dict[str, Any]) -> np.ndarray:
    """Return their flows in the order of our pipes and valves."""
    known = {f"p{k}": m for k, m in enumerate(theirs["pipe_kg_per_s"])}
    known |= {f"v{k}": m for k, m in enumerate(theirs["valve_kg_per_s"])}
    return np.array([known[str(pipe)] for pipe in ours["pipe"].to_numpy()])


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
