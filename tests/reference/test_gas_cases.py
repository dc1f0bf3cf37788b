from typing import Any

import numpy as np
import pytest
import xarray as xr
from reference_cases import case

from models.networks.data import Compressor, GasNetwork, Junction, Pipe, PressureSource
from models.networks.fluids import GasLaw, gas_law
from models.networks.gas import solve_gas
from models.networks.status import Status

pytestmark = pytest.mark.cases

# The cases' author uses R / M = 1.0000307 times ours; the specific gravity of 0.6 is kept.
MOLAR_MASS = 0.6 * 28.9625
IDEAL = 0.9999693199339813


def network_of(data: Any) -> tuple[GasNetwork, xr.DataArray]:
    parts, bounds = data["network"], data["bc"]
    slack = {k: p / 1e3 for k, p in bounds["boundary_pslack"].items()}
    first, *others = slack
    flows = bounds["boundary_nonslack_flow"]
    network = GasNetwork(
        id="case",
        junctions=tuple(Junction(id=k) for k in parts["nodes"]),
        pipes=tuple(
            Pipe(
                id=f"p{k}",
                from_junction=str(p["fr_node"]),
                to_junction=str(p["to_node"]),
                length_m=p["length"],
                inner_diameter_mm=p["diameter"] * 1e3,
                friction_factor=p["friction_factor"],
            )
            for k, p in parts["pipes"].items()
        ),
        compressors=tuple(
            Compressor(
                id=f"c{k}",
                from_junction=str(c["fr_node"]),
                to_junction=str(c["to_node"]),
                ratio=bounds["boundary_compressor"][k]["value"],
            )
            for k, c in parts["compressors"].items()
        ),
        source_junction=first,
        source_pressure_kpa=slack[first],
        further_sources=tuple(PressureSource(junction=k, pressure_kpa=slack[k]) for k in others),
        consumers=tuple(flows),
        lower_heating_value_kwh_per_kg=1 / 3.6,  # 1 kW = 1 g/s
        gas_degc=288.706 - 273.15,
        molar_mass_g_per_mol=MOLAR_MASS,
        equation_of_state="cnga",
    )
    return network, xr.DataArray(list(flows.values()), dims="consumer", coords={"consumer": list(flows)}) * 1e3


LAWS = {
    "exact_sol_ideal": (IDEAL, 0.0),
    "exact_sol_simple_cnga": (1.00300865, 2.96848838e-8),
    "exact_sol_full_cnga": None,
}


@pytest.mark.parametrize("name", ["gas_8_node", "gas_gaslib_40_multiple_slacks"])
@pytest.mark.parametrize("solution", LAWS)
def test_pressures_and_flows_are_the_published_exact_ones(name: str, solution: str):
    data = case(name)
    network, demand = network_of(data)
    specific = gas_law(network).specific_j_per_kg
    law = LAWS[solution]
    flow = solve_gas(network, demand, law=None if law is None else GasLaw(specific, *law, linear=False)).isel(time=0)
    assert flow.status == Status.OK
    expected = data[solution]
    for kind, ours, allowed in (
        (
            "nodal_pressure",
            {k: flow.pressure_kpa.sel(junction=k).item() * 1e3 for k in expected["nodal_pressure"]},
            1e-4,
        ),
        ("pipe_flow", {k: flow.flow_kg_per_s.sel(pipe=f"p{k}").item() for k in expected["pipe_flow"]}, 1e-3),
        (
            "compressor_flow",
            {k: flow.flow_kg_per_s.sel(pipe=f"c{k}").item() for k in expected["compressor_flow"]},
            1e-3,
        ),
    ):
        theirs = np.array(list(expected[kind].values()))
        np.testing.assert_allclose(list(ours.values()), theirs, rtol=allowed, atol=allowed * np.abs(theirs).max())
