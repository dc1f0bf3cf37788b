"""The same small hub sized by PyPSA and by oemof.solph: grid, sun, battery, heat pump and gas boiler over one stretch of hours."""

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import highspy
import pandas as pd
from serve import serve

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
Hub = dict[str, Any]


def pypsa_hub(hub: Hub) -> dict[str, Any]:
    """Size the hub with PyPSA; return cost and sizes."""
    import pypsa

    network = pypsa.Network()
    network.set_snapshots(pd.RangeIndex(len(hub["load_kw"])))
    for bus in ("electricity", "heat", "gas"):
        network.add("Bus", bus)
    network.add("Generator", "grid", bus="electricity", p_nom=hub["grid_kw"], marginal_cost=hub["price"])
    network.add("Generator", "gas", bus="gas", p_nom=1e6, marginal_cost=hub["gas_price"])
    network.add(
        "Generator", "pv", bus="electricity", p_nom_extendable=True, p_max_pu=hub["sun_pu"], capital_cost=hub["pv_cost"]
    )
    network.add("Load", "load", bus="electricity", p_set=hub["load_kw"])
    network.add("Load", "warmth", bus="heat", p_set=hub["heat_kw"])
    network.add(
        "StorageUnit", "battery", bus="electricity", p_nom_extendable=True, max_hours=hub["hours"], cyclic_state_of_charge=True,
        efficiency_store=hub["one_way"], efficiency_dispatch=hub["one_way"], standing_loss=hub["loss"],
        capital_cost=hub["battery_cost"] * hub["hours"],
    )  # fmt: skip
    # a link's size is what it draws, so a kW of heat costs as much as the kW drawn for it
    network.add(
        "Link", "pump", bus0="electricity", bus1="heat", p_nom_extendable=True, efficiency=hub["cop"],
        capital_cost=hub["pump_cost"] * hub["cop"],
    )  # fmt: skip
    network.add(
        "Link", "boiler", bus0="gas", bus1="heat", p_nom_extendable=True, efficiency=hub["boiler"],
        capital_cost=hub["boiler_cost"] * hub["boiler"],
    )  # fmt: skip
    network.optimize(solver_name="highs", solver_options={"output_flag": False, "threads": 1})
    return {
        "cost": float(network.objective),
        "pv_kw": float(network.generators.p_nom_opt["pv"]),
        "battery_kwh": float(network.storage_units.p_nom_opt["battery"] * hub["hours"]),
        "pump_kw": float(network.links.p_nom_opt["pump"] * hub["cop"]),
        "boiler_kw": float(network.links.p_nom_opt["boiler"] * hub["boiler"]),
    }


def oemof_hub(hub: Hub) -> dict[str, Any]:
    """Size the hub with oemof.solph; return cost."""
    from oemof import solph

    invest, flow = solph.Investment, solph.Flow
    index = pd.date_range("2015-01-01", periods=len(hub["load_kw"]) + 1, freq="h")
    system = solph.EnergySystem(timeindex=index, infer_last_interval=False)
    power, heat, gas = (solph.Bus(label=name) for name in ("electricity", "heat", "gas"))
    system.add(power, heat, gas)
    grid = flow(nominal_capacity=hub["grid_kw"], variable_costs=hub["price"])
    roof = flow(nominal_capacity=invest(ep_costs=hub["pv_cost"]), max=hub["sun_pu"])
    warm_pump = flow(nominal_capacity=invest(ep_costs=hub["pump_cost"]))
    warm_boiler = flow(nominal_capacity=invest(ep_costs=hub["boiler_cost"]))
    system.add(
        solph.components.Source(label="grid", outputs={power: grid}),
        solph.components.Source(label="gas_supply", outputs={gas: flow(variable_costs=hub["gas_price"])}),
        solph.components.Source(label="pv", outputs={power: roof}),
        solph.components.Sink(label="load", inputs={power: flow(fix=hub["load_kw"], nominal_capacity=1)}),
        solph.components.Sink(label="warmth", inputs={heat: flow(fix=hub["heat_kw"], nominal_capacity=1)}),
        solph.components.Converter(
            label="pump", inputs={power: flow()}, outputs={heat: warm_pump}, conversion_factors={power: 1 / hub["cop"]}
        ),
        solph.components.Converter(
            label="boiler", inputs={gas: flow()}, outputs={heat: warm_boiler}, conversion_factors={gas: 1 / hub["boiler"]}
        ),
        solph.components.GenericStorage(
            label="battery", inputs={power: flow(nominal_capacity=invest())}, outputs={power: flow(nominal_capacity=invest())},
            nominal_capacity=invest(ep_costs=hub["battery_cost"]), balanced=True, loss_rate=hub["loss"],
            inflow_conversion_factor=hub["one_way"], outflow_conversion_factor=hub["one_way"],
            invest_relation_input_capacity=1 / hub["hours"], invest_relation_output_capacity=1 / hub["hours"],
        ),
    )  # fmt: skip
    model = solph.Model(system)
    return {"cost": _solved(model)}


def _solved(model: Any) -> float:
    """Solve through a file: Pyomo's capture of HiGHS's output can deadlock (Pyomo issue 3908)."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "hub.lp")
        model.write(path)
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        highs.readModel(path)
    highs.run()
    return float(highs.getInfo().objective_function_value)


serve({"pypsa": pypsa_hub, "oemof": oemof_hub})
