"""Compile every loop once, so that nobody waits for the compiler later.

Compiled code stays on disk (see ``models.networks.jit``). Each function here makes one tiny call of every kind that the
product makes: a loop is compiled for the types of its arguments, not for the size of a network.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import as_completed

import numpy as np
import xarray as xr

from models.networks.data import (
    Bus,
    Compressor,
    ElectricNetwork,
    GasNetwork,
    Junction,
    Line,
    Pipe,
    PipeNetwork,
)
from models.networks.kept import forget, keep
from models.processes import worker_pool

STEP_S = 60.0


def warm(report: Callable[[str], None] = lambda _: None, *, processes: int = 2) -> None:
    """Compile the loops of all carriers, in up to ``processes`` child processes at once.

    ``report`` is told in words when a part is ready. Takes some twenty seconds of two cores.
    """
    forget()
    with worker_pool(min(processes, len(PARTS))) as pool:
        running = {pool.submit(work): words for work, words in PARTS}
        for done in as_completed(running):
            done.result()
            report(running[done])
    keep()


def warm_pipes() -> None:
    """Compile heat, cold and water networks: steady state and water under way."""
    from models.networks.cold import solve_cold
    from models.networks.heat import solve_heat
    from models.networks.hydraulics import drop, tubes_of
    from models.networks.plugflow import advance_pipes, start_state
    from models.networks.water import solve_water

    heat, cold, water = _pipes("heat", 80.0, 50.0), _pipes("cold", 6.0, 12.0), _pipes("water", 12.0, 12.0)
    advance_pipes(heat, start_state(heat), _drawn(heat.consumers, 1), step_s=STEP_S)
    solve_heat(heat, _drawn(heat.consumers, 1))
    solve_cold(cold, _drawn(cold.consumers, 1))
    solve_water(water, _drawn(water.consumers, 1))
    drop(1.0, 0, tubes_of(heat.pipes), 0, 1e-3)  # asked for a single pipe by the estimator


def warm_gas() -> None:
    """Compile gas networks: steady state with and without stations, and linepack."""
    from models.networks.gas import solve_gas
    from models.networks.linepack import advance_gas, start_gas

    plain, station = _gas(), _gas(station=True)
    drawn = _drawn(plain.consumers, 1)
    solve_gas(plain, drawn)
    solve_gas(station, drawn)
    advance_gas(plain, start_gas(plain), drawn, step_s=STEP_S)


def warm_grid() -> None:
    """Compile electric networks: power flow, outages and slopes."""
    from models.networks.electricity import n1, sensitivities, solve_electricity

    grid = _grid()
    drawn = -_drawn(("b",), 1).rename(consumer="bus")
    sensitivities(grid, solve_electricity(grid, drawn))
    n1(grid, drawn)


PARTS: Sequence[tuple[Callable[[], None], str]] = (
    (warm_pipes, "heat, cold and water networks"),
    (warm_grid, "electric networks"),
    (warm_gas, "gas networks"),
)
"""The longest first."""


def _drawn(places: Sequence[str], steps: int) -> xr.DataArray:
    return xr.DataArray(np.full((len(places), steps), 10.0), {"consumer": list(places)}, ("consumer", "time"))


def _junctions(*ids: str) -> tuple[Junction, ...]:
    return tuple(Junction(id=i) for i in ids)


def _ring(start: str) -> tuple[Pipe, ...]:
    """Return three pipes in a ring, so that loops are closed too."""
    ends = ((start, "b"), ("b", "c"), (start, "c"))
    return tuple(
        Pipe(id=f"{i}{j}", from_junction=i, to_junction=j, length_m=100.0, inner_diameter_mm=80.0) for i, j in ends
    )


def _pipes(carrier: str, supply_degc: float, return_degc: float) -> PipeNetwork:
    return PipeNetwork(
        id=carrier,
        carrier=carrier,  # type: ignore[arg-type] # one of the three words
        junctions=_junctions("a", "b", "c"),
        pipes=_ring("a"),
        plant_junction="a",
        consumers=("b", "c"),
        supply_degc=supply_degc,
        return_degc=return_degc,
    )


def _gas(*, station: bool = False) -> GasNetwork:
    return GasNetwork(
        id="gas",
        junctions=_junctions("a", "b", "c", "gate"),
        pipes=_ring("a" if station else "gate"),
        compressors=(Compressor(id="s", from_junction="gate", to_junction="a"),) if station else (),
        source_junction="gate",
        source_pressure_kpa=300.0,
        consumers=("b", "c"),
    )


def _grid() -> ElectricNetwork:
    cable = Line(
        id="ab",
        from_bus="a",
        to_bus="b",
        length_km=1.0,
        r_ohm_per_km=0.2,
        x_ohm_per_km=0.1,
        current_max_ka=0.3,
    )
    return ElectricNetwork(
        id="grid", buses=(Bus(id="a", vn_kv=10.0), Bus(id="b", vn_kv=10.0)), lines=(cable,), slack_bus="a"
    )
