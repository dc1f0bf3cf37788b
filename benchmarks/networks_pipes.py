"""Heat, gas and linepack on a town's worth of pipes, and a year of the same on a district."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_most
from models.networks.data import GasNetwork, Junction, Pipe, PipeNetwork

PACKAGES = ("numba", "numpy", "xarray")


@case("networks", "linepack step", size=2_559, quick_size=100, packages=PACKAGES)
def linepack(bench: Bench) -> Iterable[Row]:
    """Time one implicit step of a branched gas network; its residual is in the second row."""
    from models.networks.gas import solve_gas
    from models.networks.linepack import advance_gas, start_gas

    network = _gas_town(bench.size)
    state = start_gas(network, solve_gas(network, _demand(network.consumers, 1, 30.0)))
    changed = _demand(network.consumers, 1, 40.0)
    yield bench.time(lambda: advance_gas(network, state, changed, step_s=60.0), target=value_at_most(5))
    _, moved = advance_gas(network, state, changed, step_s=60.0)
    residual = moved.residual_kg_per_s.item()
    yield bench.figure(residual, "kg/s", target=value_at_most(1e-9), phase=f"{bench.phase}, residual")


@case("networks", "heat step", size=2_000, quick_size=100, packages=PACKAGES)
def heat_step(bench: Bench) -> Row:
    """Time one steady state of a branched heat network, tables in and xarray out."""
    from models.networks.heat import solve_heat

    network = _heat_town(bench.size)
    demand = _demand(network.consumers, 1, 20.0)
    return bench.time(lambda: solve_heat(network, demand))


@case("networks", "heat year", size=35_040, quick_size=96, packages=PACKAGES)
def heat_year(bench: Bench) -> Row:
    """Time a year of quarter hours on a district of 30 pipes."""
    from models.networks.heat import solve_heat

    network = _heat_town(30)
    demand = _demand(network.consumers, bench.size, 20.0)
    return bench.time(lambda: solve_heat(network, demand), unit="s")


@case("networks", "heat in motion, a day", size=96, quick_size=8, packages=PACKAGES)
def heat_motion(bench: Bench) -> Row:
    """Time a day of plug flow in steps of 15 min on a district of 30 pipes."""
    from models.networks.plugflow import advance_pipes, start_state

    network = _heat_town(30)
    state, demand = start_state(network), _demand(network.consumers, bench.size, 20.0)
    return bench.time(lambda: advance_pipes(network, state, demand, step_s=900.0))


def _demand(consumers: tuple[str, ...], steps: int, mean_kw: float) -> xr.DataArray:
    values = np.random.default_rng(11).uniform(0.3, 1.7, (steps, len(consumers))) * mean_kw
    return xr.DataArray(values, dims=("time", "consumer"), coords={"consumer": list(consumers)})


def _tree(size: int, metres: float, loss: float) -> tuple[tuple[Junction, ...], tuple[Pipe, ...], tuple[str, ...]]:
    """Return a random tree whose pipes are as wide as what lies behind them asks for; its leaves are the consumers."""
    rng = np.random.default_rng(size)
    parent = [int(rng.integers(max(0, i - 12), i)) for i in range(1, size)]
    behind = np.ones(size)
    for i in range(size - 1, 0, -1):
        behind[parent[i - 1]] += behind[i]
    pipes = tuple(
        Pipe(
            id=f"p{i}",
            from_junction=f"j{up}",
            to_junction=f"j{i}",
            length_m=metres,
            inner_diameter_mm=float(30 * behind[i] ** 0.4),
            heat_loss_w_per_m_k=loss,
        )
        for i, up in enumerate(parent, start=1)
    )
    leaves = tuple(f"j{i}" for i in range(1, size) if behind[i] == 1)
    return tuple(Junction(id=f"j{i}") for i in range(size)), pipes, leaves


def _gas_town(size: int) -> GasNetwork:
    junctions, pipes, leaves = _tree(size, 40.0, 0.0)
    return GasNetwork(
        id="town", junctions=junctions, pipes=pipes, source_junction="j0", source_pressure_kpa=900.0, consumers=leaves
    )


def _heat_town(size: int) -> PipeNetwork:
    junctions, pipes, leaves = _tree(size, 20.0, 0.2)
    return PipeNetwork(
        id="town",
        carrier="heat",
        junctions=junctions,
        pipes=pipes,
        plant_junction="j0",
        consumers=leaves,
        pump_lift_kpa=2000.0,
    )
