"""One day of an energy hub in PyPSA and in oemof.solph: the same series and equipment, built and solved as their users do."""

import logging
import warnings
from typing import Any

import pandas as pd
from serve import serve

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
Hub = dict[str, Any]


def pypsa_solve(hub: Hub) -> float:
    """Build the hub in PyPSA, solve it with HiGHS and return its cost."""
    import pypsa

    n = pypsa.Network()
    n.set_snapshots(pd.date_range("2015-01-01", periods=hub["steps"], freq="15min"))
    n.snapshot_weightings.loc[:, :] = hub["step_h"]
    for bus in ("el", "heat", "cold", "gas"):
        n.add("Bus", bus)
    series = {k: pd.Series(v, index=n.snapshots) for k, v in hub["series"].items()}
    for bus in ("el", "heat", "cold"):
        n.add("Load", f"load_{bus}", bus=bus, p_set=series[bus])
    # the connection as a size to be paid for is the demand charge
    n.add("Generator", "import", bus="el", p_nom_extendable=True, p_nom_max=hub["import_kw"],
          capital_cost=hub["demand_price"], marginal_cost=series["price"])  # fmt: skip
    n.add("Generator", "export", bus="el", p_nom=hub["import_kw"], sign=-1, marginal_cost=-hub["export_price"])
    n.add("Generator", "sun", bus="el", p_nom=1.0, p_max_pu=series["sun"], marginal_cost=0.0)
    n.add("Generator", "gate", bus="gas", p_nom=hub["gas_kw"], marginal_cost=hub["gas_price"])
    n.add("Generator", "radiator", bus="heat", p_nom=1e5, sign=-1)
    chp = hub["chp"]
    n.add("Link", "chp", bus0="gas", bus1="el", bus2="heat", p_nom=chp["fuel_kw"], efficiency=chp["electric"],
          efficiency2=chp["thermal"], marginal_cost=chp["om"] * chp["electric"])  # fmt: skip
    n.add("Link", "boiler", bus0="gas", bus1="heat", p_nom=hub["boiler_kw"] / 0.925, efficiency=0.925)
    n.add(
        "Link",
        "pump",
        bus0="el",
        bus1="heat",
        p_nom=1e5,
        efficiency=series["cop"],
        p_max_pu=hub["pump_kw"] / 1e5 / series["cop"],
    )
    n.add("Link", "chiller", bus0="el", bus1="cold", p_nom=hub["chiller_kw"] / 4.55, efficiency=4.55)
    for name, bus, store in (
        ("battery", "el", hub["battery"]),
        ("tank", "heat", hub["tank"]),
        ("ice", "cold", hub["ice"]),
    ):
        floor = pd.Series(0.0, index=n.snapshots)
        floor.iloc[-1] = store["start_kwh"] / store["energy_kwh"]
        n.add("Bus", name)
        n.add("Store", name, bus=name, e_nom=store["energy_kwh"], e_initial=store["start_kwh"], e_min_pu=floor)
        n.add("Link", f"{name}_in", bus0=bus, bus1=name, p_nom=store["power_kw"], efficiency=store["efficiency"])
        n.add("Link", f"{name}_out", bus0=name, bus1=bus, p_nom=store["power_kw"] / store["efficiency"],
              efficiency=store["efficiency"])  # fmt: skip
    n.optimize(
        solver_name="highs", solver_options={"output_flag": False, "threads": 1}, include_objective_constant=False
    )
    return float(n.objective)


def oemof_solve(hub: Hub) -> float:
    """Build the hub in oemof.solph, solve it with HiGHS and return its cost."""
    import pyomo.environ as pyo
    from oemof import solph

    start = pd.date_range("2015-01-01", periods=hub["steps"] + 1, freq="15min")
    system = solph.EnergySystem(timeindex=start, infer_last_interval=False)
    bus = {b: solph.Bus(label=b) for b in ("el", "heat", "cold", "gas")}
    series, flow = hub["series"], solph.Flow
    parts: list[Any] = [
        solph.components.Sink(label=f"load_{b}", inputs={bus[b]: flow(fix=series[b], nominal_capacity=1)})
        for b in ("el", "heat", "cold")
    ]
    parts += bus.values()
    connection = solph.Investment(ep_costs=hub["demand_price"], maximum=hub["import_kw"])
    parts += [
        solph.components.Source(
            label="import", outputs={bus["el"]: flow(nominal_capacity=connection, variable_costs=series["price"])}
        ),
        solph.components.Sink(
            label="export",
            inputs={bus["el"]: flow(nominal_capacity=hub["import_kw"], variable_costs=-hub["export_price"])},
        ),
        solph.components.Source(label="sun", outputs={bus["el"]: flow(nominal_capacity=1, maximum=series["sun"])}),
        solph.components.Source(
            label="gate", outputs={bus["gas"]: flow(nominal_capacity=hub["gas_kw"], variable_costs=hub["gas_price"])}
        ),
        solph.components.Sink(label="radiator", inputs={bus["heat"]: flow()}),
    ]
    chp, pump = hub["chp"], hub["pump_kw"]
    most = [pump / c for c in series["cop"]]
    parts += [
        solph.components.Converter(
            label="chp",
            inputs={bus["gas"]: flow(nominal_capacity=chp["fuel_kw"])},
            outputs={bus["el"]: flow(variable_costs=chp["om"]), bus["heat"]: flow()},
            conversion_factors={bus["el"]: chp["electric"], bus["heat"]: chp["thermal"]},
        ),
        solph.components.Converter(
            label="boiler",
            inputs={bus["gas"]: flow()},
            outputs={bus["heat"]: flow(nominal_capacity=hub["boiler_kw"])},
            conversion_factors={bus["heat"]: 0.925},
        ),
        solph.components.Converter(
            label="pump",
            inputs={bus["el"]: flow(nominal_capacity=1, maximum=most)},
            outputs={bus["heat"]: flow()},
            conversion_factors={bus["heat"]: series["cop"]},
        ),
        solph.components.Converter(
            label="chiller",
            inputs={bus["el"]: flow()},
            outputs={bus["cold"]: flow(nominal_capacity=hub["chiller_kw"])},
            conversion_factors={bus["cold"]: 4.55},
        ),
    ]
    for name, b, store in (
        ("battery", "el", hub["battery"]),
        ("tank", "heat", hub["tank"]),
        ("ice", "cold", hub["ice"]),
    ):
        parts.append(
            solph.components.GenericStorage(
                label=name,
                inputs={bus[b]: flow(nominal_capacity=store["power_kw"])},
                outputs={bus[b]: flow(nominal_capacity=store["power_kw"])},
                nominal_capacity=store["energy_kwh"],
                initial_storage_level=store["start_kwh"] / store["energy_kwh"],
                balanced=True,
                inflow_conversion_factor=store["efficiency"],
                outflow_conversion_factor=store["efficiency"],
            )
        )
    system.add(*parts)
    model = solph.Model(system)
    pyo.SolverFactory("highs").solve(model)
    return float(model.objective())


serve({"pypsa": pypsa_solve, "oemof": oemof_solve})
