"""Small nets that pandapipes ships with the pressures that STANET and OpenModelica found for them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.peers import Peer
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_most

PACKAGES = ("numba", "numpy", "xarray")
KWH_PER_KG = 13.1
FOLDERS = (
    ("STANET gas", "stanet_test_networks/gas_cases", "p_stanet", 2e-3),
    ("STANET water", "stanet_test_networks/water_cases", "p_stanet", 1e-2),
    ("OpenModelica water", "openmodelica_test_networks/water_cases_colebrook", "p_om", 1e-2),
    ("OpenModelica water, Swamee-Jain", "openmodelica_test_networks/water_cases_swamee-jain", "p_om", 1e-2),
)
"""Title, folder, column of the pressures, and the share of the gauge pressure that pandapipes' own tests allow at most."""
NOT_MET = 0.1
"""A net that pandapipes itself misses by more than this is described otherwise than it was solved."""


@case("networks", "shipped nets", packages=PACKAGES)
def shipped(bench: Bench) -> Iterable[Row]:
    """Compare pressures with those that two other programs found; nets with pumps or several sources of water are left out."""
    with Peer("pipes") as peer:
        for title, folder, column, allowed in FOLDERS:
            nets = peer.ask("shipped", folder=folder, column=column)["result"]
            gaps = {net["name"]: _gap(net) for net in nets if net["own_gap"] < NOT_MET}
            theirs = max(net["own_gap"] for net in nets if net["own_gap"] < NOT_MET)
            worst = max(gaps, key=lambda name: gaps[name])
            phase = f"{title}, {len(gaps)} of {len(nets)} nets, largest gap in gauge pressure ({worst})"
            yield bench.figure(gaps[worst], "share", reference=theirs, target=value_at_most(allowed), phase=phase)


def _gap(net: Mapping[str, Any]) -> float:
    """Return the largest gap of a junction's gauge pressure, relative to it."""
    from benchmarks.pipe_nets import ambient_kpa

    ours = _gas(net) if net["gas"] else _water(net)
    height = net["tables"]["height_m"]
    gauge = {j: float(ours.sel(junction=j)) - ambient_kpa(height[j]) for j in net["gauge_bar"]}
    gaps: list[float] = [abs(gauge[j] / (bar * 100) - 1) for j, bar in net["gauge_bar"].items()]
    return max(gaps)


def _gas(net: Mapping[str, Any]) -> xr.DataArray:
    from benchmarks.pipe_nets import gas_network
    from models.networks.gas import solve_gas

    network = gas_network(net["tables"], net["friction"])
    drawn = _drawn(net["tables"], network.consumers, KWH_PER_KG * 3600)
    return solve_gas(network, drawn)["pressure_kpa"].isel(time=0)


def _water(net: Mapping[str, Any]) -> xr.DataArray:
    from benchmarks.pipe_nets import water_network
    from models.networks.fluids import Fluid
    from models.networks.water import solve_water

    tables = net["tables"]
    network, density, viscosity = water_network(tables, net["friction"]), tables["kg_per_m3"], tables["viscosity_pa_s"]
    fluid = Fluid(density, density, viscosity, viscosity, 4190.0)
    drawn = _drawn(tables, network.consumers, 3600 / density)
    return solve_water(network, drawn, fluid=fluid)["pressure_kpa"].isel(time=0)


def _drawn(tables: Mapping[str, Any], consumers: tuple[str, ...], per_kg_per_s: float) -> xr.DataArray:
    drawn = dict.fromkeys(consumers, 0.0)
    for junction, flow in tables["sinks"]:
        drawn[str(int(junction))] += flow * per_kg_per_s
    return xr.DataArray(np.array(list(drawn.values())), {"consumer": list(drawn)}, ("consumer",))
