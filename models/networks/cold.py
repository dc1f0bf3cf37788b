"""Steady state of a cold network: the heat kernel with a supply colder than the return and its own liquid."""

import xarray as xr

from models.networks.data import PipeNetwork
from models.networks.fluids import Fluid
from models.networks.heat import solve_thermal


def solve_cold(
    network: PipeNetwork,
    demand_kw: xr.DataArray,
    supply_degc: xr.DataArray | float | None = None,
    *,
    feed_in_kw: xr.DataArray | None = None,
    feed_in_degc: xr.DataArray | float | None = None,
    return_degc: xr.DataArray | float | None = None,
    flow_kg_per_s: xr.DataArray | None = None,
    ground_degc: xr.DataArray | float | None = None,
    fluid: Fluid | None = None,
) -> xr.Dataset:
    """Return flows, temperatures and pressures of every step; see ``solve_heat``, whose dims and names it shares.

    ``demand_kw``, ``plant_kw`` and ``feed_in_kw`` count cold, positive numbers; ``loss_kw`` is the cold that the ground
    takes (negative where the ground is colder than the water).
    """
    return solve_thermal(
        network, -1.0, demand_kw, supply_degc, feed_in_kw, feed_in_degc, return_degc, flow_kg_per_s, ground_degc, fluid
    )
