"""A plan as a file: netCDF for arrays, Parquet, CSV and Excel for tables, JSON for programs."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import xarray as xr

from models.dispatch import Plan, PlanCheck
from service.api.operations.schemas import PlanOut
from service.commands.files import write_as
from service.memory import MadePlan


def write_plan(made: MadePlan, path: Path) -> None:
    """Write a plan in the format that the file's ending names: ``.nc``, ``.parquet``, ``.csv``, ``.xlsx`` or ``.json``.

    Raises
    ------
    SetupError
        If the ending is another one or the file cannot be written.
    """
    write_as(WRITERS, made, path)


def plan_dataset(plan: Plan, check: PlanCheck | None) -> xr.Dataset:
    """Return a plan as one dataset: dims (asset, carrier, time); costs and solver in the attributes."""
    found = xr.Dataset(
        {
            "power_kw": plan.power_kw,
            "unserved_kw": plan.unserved_kw,
            "stored_kwh": plan.stored_kwh.rename(asset="store"),
            "running": plan.running.rename(asset="unit"),
            "price_per_kwh": plan.price_per_kwh.rename(carrier="priced_carrier"),
        }
    )
    if plan.reserve_kw is not None:
        found["reserve_kw"] = plan.reserve_kw.rename(asset="provider")
    if plan.reactive_kvar is not None:
        found["reactive_kvar"] = plan.reactive_kvar.rename(asset="converter")
    if plan.supply_degc is not None:
        found["supply_degc"] = plan.supply_degc
    if check is not None:
        found["losses_kw"] = check.losses_kw.rename(carrier="lossy_carrier")
    return found.assign_attrs(
        id=plan.id,
        made_at=plan.made_at.isoformat(),
        source=plan.source,
        status=plan.solver.status,
        gap_share=plan.solver.gap_share,
        cost=json.dumps(dict(plan.cost)),
        total_cost=plan.total_cost,
        sign="positive power feeds the network; time names the start of each step, UTC",
    )


def plan_table(plan: Plan) -> pd.DataFrame:
    """Return a plan as a table: one row per step, one column per port, store and unit, units in the names."""
    power = plan.power_kw.transpose("asset", "carrier", "time")
    columns: dict[str, object] = {"step_h": plan.horizon.step_h}
    for asset in power["asset"].values:
        for carrier in power["carrier"].values:
            values = power.sel(asset=asset, carrier=carrier).values
            if values.any():
                columns[f"{asset}.{carrier}_kw"] = values
    for store in plan.stored_kwh["asset"].values:
        columns[f"{store}.stored_kwh"] = plan.stored_kwh.sel(asset=store).values
    for unit in plan.running["asset"].values:
        columns[f"{unit}.running"] = plan.running.sel(asset=unit).values
    columns |= _further_columns(plan)
    return pd.DataFrame(columns, index=pd.Index(plan.horizon.times.tz_localize("UTC"), name="start_utc"))


def _further_columns(plan: Plan) -> dict[str, object]:
    """Return what only some plans have: capacity held ready, reactive power, supply temperatures."""
    found: dict[str, object] = {}
    if plan.reserve_kw is not None:
        for contract in plan.reserve_kw["contract"].values:
            held = plan.reserve_kw.sel(contract=contract).transpose("asset", "time")
            names = zip(held["asset"].values, held.values, strict=True)
            found |= {f"{asset}.{contract}_held_kw": kw for asset, kw in names if kw.any()}
    if plan.reactive_kvar is not None:
        for asset in plan.reactive_kvar["asset"].values:
            found[f"{asset}.reactive_kvar"] = plan.reactive_kvar.sel(asset=asset).values
    if plan.supply_degc is not None:
        for network in plan.supply_degc["network"].values:
            found[f"{network}.supply_degc"] = plan.supply_degc.sel(network=network).values
    return found


def _netcdf(made: MadePlan, path: Path) -> None:
    plan_dataset(made.plan, made.check).to_netcdf(path, engine="scipy")


def _csv(made: MadePlan, path: Path) -> None:
    plan_table(made.plan).to_csv(path, float_format="%.6g")


def _parquet(made: MadePlan, path: Path) -> None:
    table = plan_table(made.plan)
    table.attrs = {"plan": made.plan.id, "cost": dict(made.plan.cost), "status": made.plan.solver.status}
    table.to_parquet(path)


def _excel(made: MadePlan, path: Path) -> None:
    plan, check = made.plan, made.check
    powers = plan_table(plan)
    powers.index = pd.Index(plan.horizon.times, name="start_utc")  # a sheet knows no zones
    cost = pd.DataFrame({"part": list(plan.cost), "cost": list(plan.cost.values())})
    prices = plan.price_per_kwh.transpose("time", "carrier").to_pandas()
    found = [*plan.findings, *(check.findings if check else ())]
    words = pd.DataFrame(
        [(f.severity.value, f.place, f.message) for f in found], columns=["severity", "place", "message"]
    )
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        for name, table, index in (
            ("plan", powers, True),
            ("prices", prices, True),
            ("cost", cost, False),
            ("findings", words, False),
        ):
            table.to_excel(book, sheet_name=name, index=index)


def _json(made: MadePlan, path: Path) -> None:
    path.write_text(PlanOut.of(made).model_dump_json(indent=1), encoding="utf-8")


WRITERS: Mapping[str, Callable[[MadePlan, Path], None]] = {
    ".nc": _netcdf,
    ".parquet": _parquet,
    ".csv": _csv,
    ".xlsx": _excel,
    ".json": _json,
}
