"""pandapipes' own nets: their tables for our importer, and their solutions with the time these take."""

import warnings
from collections.abc import Sequence
from typing import Any

import pandapipes
import pandapipes.networks
from serve import serve

warnings.simplefilter("ignore")
Answer = dict[str, Any]
NETS: dict[str, Any] = {}
NORMAL_K = 273.15


def heat_net(heat_w: float) -> Answer:
    """Make ready the heat net with its consumers' own flows and a heat that each takes; return its tables."""
    net = pandapipes.networks.schutterwald_heat()
    NETS["heat"] = net
    NETS["flow"], NETS["heat_w"] = net.heat_consumer["controlled_mdot_kg_per_s"].copy(), heat_w
    pump = net.circ_pump_pressure.iloc[0]
    return {
        "height_m": {str(i): h for i, h in net.junction.height_m.items()},
        "pipes": net.pipe[
            [
                "from_junction",
                "to_junction",
                "length_km",
                "inner_diameter_mm",
                "k_mm",
                "u_w_per_m2k",
                "loss_coefficient",
            ]
        ].values.tolist(),
        "joined": net.valve[net.valve.opened][["junction", "element"]].values.tolist(),
        "consumers": net.heat_consumer[["from_junction", "to_junction"]].values.tolist(),
        "ground_degc": float(net.pipe.text_k.iloc[0]) - 273.15,
        "flow_junction": int(pump.flow_junction),
        "flow_bar": float(pump.p_flow_bar),
        "lift_bar": float(pump.plift_bar),
        "flow_degc": float(pump.t_flow_k) - 273.15,
    }


def heat_solve(shares: Sequence[float]) -> Answer:
    """Solve the heat net for one step after another at shares of flow and heat; return the last solution."""
    net = NETS["heat"]
    for share in shares:
        net.heat_consumer["controlled_mdot_kg_per_s"] = NETS["flow"] * share
        net.heat_consumer["qext_w"] = NETS["heat_w"] * share
        pandapipes.pipeflow(net, mode="sequential", friction_model="nikuradse")
    found = net.res_heat_consumer
    return {
        "flow_kg_per_s": found.mdot_from_kg_per_s.tolist(),
        "back_degc": (found.t_outlet_k - 273.15).tolist(),
        "supply_degc": (found.t_from_k - 273.15).tolist(),
        "dp_kpa": ((found.p_from_bar - found.p_to_bar) * 100).tolist(),
        "plant_return_degc": float(net.res_circ_pump_pressure.t_from_k.iloc[0]) - 273.15,
    }


def gas_net() -> Answer:
    """Make ready the gas net; return its tables."""
    net = pandapipes.networks.schutterwald_gas()
    NETS["gas"] = net
    NETS["sinks"] = net.sink.mdot_kg_per_s.copy()
    fluid, feed = net.fluid, net.ext_grid.iloc[0]
    return {
        "height_m": {str(i): h for i, h in net.junction.height_m.items()},
        "pipes": net.pipe[
            ["from_junction", "to_junction", "length_km", "inner_diameter_mm", "k_mm", "loss_coefficient"]
        ].values.tolist(),
        "sinks": net.sink[["junction", "mdot_kg_per_s"]].values.tolist(),
        "source": int(feed.junction),
        "source_bar": float(feed.p_bar),
        "kelvin": float(feed.t_k),
        "normal_kg_per_m3": float(fluid.get_density(NORMAL_K)),
        "viscosity_pa_s": float(fluid.get_viscosity(float(feed.t_k))),
        "compressibility": [float(fluid.get_compressibility(0.0)), float(fluid.get_compressibility(10.0))],
    }


def gas_solve(shares: Sequence[float]) -> Answer:
    """Solve the gas net for one step after another, every sink taking a share of its usual flow; return the last solution."""
    net = NETS["gas"]
    for share in shares:
        net.sink["mdot_kg_per_s"] = NETS["sinks"] * share
        pandapipes.pipeflow(net, friction_model="nikuradse")
    return {
        "gauge_kpa": (net.res_junction.p_bar * 100).tolist(),
        "flow_kg_per_s": net.res_pipe.mdot_from_kg_per_s.tolist(),
    }


serve({f.__name__: f for f in (heat_net, heat_solve, gas_net, gas_solve)})
