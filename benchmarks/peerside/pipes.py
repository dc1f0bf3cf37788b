"""pandapipes' own nets: their tables for our importer, and their solutions with the time these take."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandapipes
import pandapipes.networks
from serve import serve

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)  # its nets lack a molar mass, which only compressors would need
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
        "held_kg_per_s": found.mdot_from_kg_per_s.tolist(),
        "pipe_kg_per_s": net.res_pipe.mdot_from_kg_per_s.tolist(),
        "valve_kg_per_s": net.res_valve[net.valve.opened].mdot_from_kg_per_s.tolist(),
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
    return gas_tables(net)


def gas_tables(net: Any) -> Answer:
    """Return the tables of a net: heights, pipes, sinks, the first source, further ones, and the gas."""
    fluid, feed = net.fluid, net.ext_grid.iloc[0]
    return {
        **plain_tables(net),
        "kelvin": float(feed.t_k),
        "normal_kg_per_m3": float(fluid.get_density(NORMAL_K)),
        "viscosity_pa_s": float(fluid.get_viscosity(float(feed.t_k))),
        "compressibility": [float(fluid.get_compressibility(0.0)), float(fluid.get_compressibility(10.0))],
    }


def plain_tables(net: Any) -> Answer:
    """Return what liquids and gases have in common."""
    sinks = net.sink[["junction", "mdot_kg_per_s"]].values.tolist() if "sink" in net else []
    feeds = [[j, -m] for j, m in net.source[["junction", "mdot_kg_per_s"]].values] if "source" in net else []
    return {
        "height_m": {str(i): h for i, h in net.junction.height_m.items()},
        "pipes": net.pipe[
            ["from_junction", "to_junction", "length_km", "inner_diameter_mm", "k_mm", "loss_coefficient"]
        ].values.tolist(),
        "sinks": sinks + feeds,
        "source": int(net.ext_grid.junction.iloc[0]),
        "source_bar": float(net.ext_grid.p_bar.iloc[0]),
        "further": net.ext_grid[["junction", "p_bar"]].iloc[1:].values.tolist(),
    }


def shipped(folder: str, column: str) -> list[Answer]:
    """Return the tables of the nets below a folder of pandapipes, with another program's pressures in ``column``.

    A valve that is shut is left out, one that is open is a short pipe; nets with pumps are left out, as are several sources of
    a liquid.
    """
    found = []
    for path in sorted((Path(pandapipes.__file__).parent / "networks" / "network_files" / folder).rglob("*.json")):
        net = pandapipes.from_json(str(path))
        gas = net.fluid.is_gas
        if len(net.get("pump", ())) or (len(net.ext_grid) > 1 and not gas):
            continue
        tables = gas_tables(net) if gas else plain_tables(net) | liquid_of(net)
        valves = net.valve[net.valve.opened] if len(net.get("valve", ())) else ()
        tables["joined"] = [
            [v.junction, v.element, v.inner_diameter_mm, v.loss_coefficient]
            for _, v in getattr(valves, "iterrows", list)()
        ]
        theirs = net.junction[column].dropna()
        law = friction_of(path)
        pandapipes.pipeflow(net, mode="hydraulics", friction_model=law.replace("_", "-"), max_iter_hyd=100)
        gap = float((net.res_junction.p_bar[theirs.index] / theirs - 1).abs().max())
        gauge = {str(j): p for j, p in theirs.items()}
        found.append(
            {"name": path.stem, "friction": law, "tables": tables, "gauge_bar": gauge, "gas": gas, "own_gap": gap}
        )
    return found


def friction_of(path: Path) -> str:
    """Return the friction law that a net was made for, by its name."""
    if "swamee-jain" in str(path):
        return "swamee_jain"
    return "nikuradse" if path.stem.endswith("_N") else "colebrook"


def liquid_of(net: Any) -> Answer:
    """Return the liquid's density and viscosity at the temperature of the source."""
    kelvin = float(net.ext_grid.t_k.iloc[0])
    return {
        "kg_per_m3": float(net.fluid.get_density(kelvin)),
        "viscosity_pa_s": float(net.fluid.get_viscosity(kelvin)),
    }


def gas_solve(shares: Sequence[float], exact: bool = False) -> Answer:
    """Solve the gas net for one step after another, every sink taking a share of its usual flow; return the last solution.

    ``exact`` asks for flows beyond the usual tolerance, to compare with.
    """
    net = NETS["gas"]
    tolerance = {"tol_m": 1e-12, "tol_p": 1e-10, "max_iter_hyd": 50} if exact else {}
    for share in shares:
        net.sink["mdot_kg_per_s"] = NETS["sinks"] * share
        pandapipes.pipeflow(net, friction_model="nikuradse", **tolerance)
    return {
        "gauge_kpa": (net.res_junction.p_bar * 100).tolist(),
        "flow_kg_per_s": net.res_pipe.mdot_from_kg_per_s.tolist(),
    }


serve({f.__name__: f for f in (heat_net, heat_solve, gas_net, gas_solve, shipped)})
