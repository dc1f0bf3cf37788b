import math

import numpy as np
import pytest
from reference_cases import case

from models.networks.fluids import density_kg_per_m3, heat_capacity_j_per_kg_k
from models.networks.parcels import flow_through

pytestmark = pytest.mark.cases


def test_a_measured_temperature_front_arrives_when_and_as_warm_as_measured():
    data = case("pipe_transport_case1")
    p = data["parameters"]
    rows = np.array(data["inputs"], dtype=float)
    inlet, measured, flow, ambient = rows[:, 3], rows[:, 4], rows[:, 5] / 3600, rows[:, 6]
    density, cp = density_kg_per_m3(45.0), heat_capacity_j_per_kg_k(45.0)
    inner, outer = p["inner_diameter_m"] / 2, p["outer_diameter_m"] / 2
    shell = outer + p["insulation_thickness_m"]
    resistance = math.log(shell / outer) / p["insulation_k_W_mK"] + 1 / (shell * p["external_convection_W_m2K"])
    content = math.pi * inner**2 * p["length_m"] * density
    rate = 2 * math.pi / resistance * p["length_m"] / (content * cp)
    copper_kg = math.pi * (outer**2 - inner**2) * p["length_m"] * 8960 * 385 / cp
    mass, degc = np.zeros(400), np.zeros(400)
    mass[0], degc[0], count, wall = content, measured[0], 1, measured[0]
    out = np.empty(len(rows))
    for i in range(len(rows)):
        count, out[i], _ = flow_through(mass, degc, count, flow[i], inlet[i], ambient[i], rate, 1.0, True)
        settled = out[i] + (wall - out[i]) * math.exp(-flow[i] / copper_kg)
        out[i] -= copper_kg * (settled - wall) / flow[i]
        wall = settled
    rmse = float(np.sqrt(np.mean((out - measured) ** 2)))
    assert rmse <= 0.4
