"""What came of a run: its figures with units, every power over time, the networks' states, and where it all came from."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from models.errors import DataError
from models.findings import Finding, Severity, error

RECORD = "result.json"
ARRAYS = "run.zarr"
FORMAT = "jouletwin-result/1"


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure by which runs are compared."""

    title: str
    title_zh: str
    unit: str
    better: str
    """``lower``, ``higher`` or "" where neither is better in itself."""
    digits: int = 0

    def title_in(self, language: str) -> str:
        """Return the title in a language, en or zh."""
        return self.title_zh if language == "zh" else self.title


COST = "{currency}"
"""Unit of money until the site says which."""
HEADLINES = ("total_cost", "present_cost")
"""What a run is judged by first: what it cost, or what building and running costs over the years."""
KPIS: Mapping[str, Kpi] = {
    "total_cost": Kpi("Total cost", "总成本", COST, "lower"),
    "cost_energy": Kpi("Electricity bought", "购电费", COST, "lower"),
    "cost_export": Kpi("Electricity sold", "售电收入", COST, "lower"),
    "cost_demand": Kpi("Demand charge", "需量电费", COST, "lower"),
    "cost_demand_response": Kpi("Demand response, negative where it earns", "需求响应费用", COST, "lower"),
    "cost_gas": Kpi("Gas", "燃气费", COST, "lower"),
    "cost_operation": Kpi("Maintenance, starts, wear", "运维、启停与损耗", COST, "lower"),
    "cost_co2": Kpi("CO2 price", "碳成本", COST, "lower"),
    "cost_unserved": Kpi("Unserved energy", "失负荷成本", COST, "lower"),
    "cost_stored": Kpi("Energy taken from stores", "储能净消耗价值", COST, "lower"),
    "co2_kg": Kpi("CO2 emitted", "二氧化碳排放", "kg", "lower"),
    "peak_kw": Kpi("Peak import, 15-min mean", "最大需量(15分钟)", "kW", "lower"),
    "import_kwh": Kpi("Electricity imported", "购入电量", "kWh", ""),
    "export_kwh": Kpi("Electricity exported", "上网电量", "kWh", ""),
    "gas_kwh": Kpi("Gas burnt", "耗气量", "kWh", ""),
    "self_use_share": Kpi("Own sun and wind used", "新能源自用率", "%", "higher", 1),
    "self_supply_share": Kpi("Self-supply with electricity", "电力自给率", "%", "higher", 1),
    "curtailed_kwh": Kpi("Sun and wind curtailed", "弃风弃光", "kWh", "lower"),
    "unserved_kwh": Kpi("Unserved energy", "失负荷电量", "kWh", "lower"),
    "served_share": Kpi("Demand served", "供能可靠率", "%", "higher", 3),
    "comfort_h": Kpi("Hours short of heat or cold", "冷热不足小时", "h", "lower", 1),
    "dumped_kwh": Kpi("Heat blown off", "弃热量", "kWh", "lower"),
    "loss_kwh": Kpi("Network losses, all carriers", "网损(全部介质)", "kWh", "lower"),
    "loading_max_share": Kpi("Highest line or transformer loading", "最大线路/变压器负载率", "%", "lower", 1),
    "vm_min_pu": Kpi("Lowest voltage", "最低电压", "pu", "", 3),
    "vm_max_pu": Kpi("Highest voltage", "最高电压", "pu", "", 3),
    "supply_min_degc": Kpi("Heat: lowest supply temperature at a consumer", "供热:用户最低供水温度", "°C", "higher", 1),
    "dp_min_kpa": Kpi("Heat: lowest pressure difference at a consumer", "供热:用户最小压差", "kPa", "", 0),
    "cold_dp_min_kpa": Kpi("Cold: lowest pressure difference at a consumer", "供冷:用户最小压差", "kPa", "", 0),
    "violations": Kpi("Network limits broken", "网络越限数", "", "lower"),
    "engine_starts": Kpi("Engine starts", "机组启动次数", "", "lower"),
    "engine_hours": Kpi("Engine full-load hours", "机组满发小时", "h", ""),
    "heat_pump_hours": Kpi("Heat pump full-load hours", "热泵满发小时", "h", ""),
    "chiller_hours": Kpi("Chiller full-load hours", "制冷机满发小时", "h", ""),
    "battery_cycles": Kpi("Battery full cycles", "电池等效循环", "", "", 2),
    "outage_h": Kpi("Hours out of service, all units", "停运小时", "h", "lower", 1),
    "present_cost": Kpi("Present cost over the years", "全周期现值成本", COST, "lower"),
    "investment": Kpi("Present cost of equipment", "设备投资现值", COST, ""),
    "npv": Kpi("Net present value against nothing built", "净现值(相对不建设)", COST, "higher"),
    "annuity": Kpi("Net present value as a yearly sum", "等额年值", f"{COST}/a", "higher"),
    "irr_share": Kpi("Internal rate of return", "内部收益率", "%", "higher", 1),
    "payback_years": Kpi("Pay-back time", "投资回收期", "a", "lower", 1),
    "co2_kg_per_year": Kpi("CO2 emitted in a mean year", "年均二氧化碳排放", "kg/a", "lower"),
    "co2_saved_kg_per_year": Kpi("CO2 saved in a mean year", "年均减排量", "kg/a", "higher"),
    "unserved_kwh_per_year": Kpi("Unserved energy in a mean year", "年均失负荷电量", "kWh/a", "lower"),
    "plans_failed": Kpi("Turns without a new plan", "未生成新计划次数", "", "lower"),
}


@dataclass(frozen=True, slots=True)
class Result:
    """One run.

    ``kpis`` holds every figure of :data:`KPIS` in its own unit, shares as 0..1. ``arrays`` has ``power_kw``, ``unserved_kw``, ``dumped_kw``
    with dims (asset, carrier, time), ``losses_kw`` (carrier, time) and ``stored_kwh`` (asset, time); ``networks`` each network's state over
    time. ``provenance`` says what it was made from: hashes of inputs, versions, seed.
    """

    case: str
    title: str
    currency: str
    kpis: Mapping[str, float]
    findings: tuple[Finding, ...]
    arrays: xr.Dataset
    networks: Mapping[str, xr.Dataset]
    provenance: Mapping[str, Any]
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Each asset's kind."""
    time_zone: str = "UTC"
    notice: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    story: str = ""
    """What somebody wanted to know."""
    changes: tuple[str, ...] = ()
    """What was changed, in words."""

    def record(self) -> dict[str, Any]:
        """Return everything but the arrays as plain values."""
        return {
            "format": FORMAT,
            "case": self.case,
            "title": self.title,
            "currency": self.currency,
            "kpis": dict(self.kpis),
            "units": {name: unit_of(name, self.currency) for name in self.kpis},
            "kinds": dict(self.kinds),
            "time_zone": self.time_zone,
            "notice": self.notice,
            "values": dict(self.values),
            "findings": [[f.severity.value, f.place, f.message] for f in self.findings],
            "events": list(self.events),
            "story": self.story,
            "changes": list(self.changes),
            "provenance": dict(self.provenance),
        }

    def save(self, folder: Path) -> Path:
        """Write the run into a folder of its own and return it; a folder that is there holds either all of it or nothing new."""
        making = folder.with_name(f".{folder.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        # the older format says how text is stored; the newer one does not yet
        self.arrays.to_zarr(making / ARRAYS, mode="w", consolidated=False, zarr_format=2)
        for name, state in self.networks.items():
            plain(state).to_zarr(making / ARRAYS, group=f"networks/{name}", mode="a", consolidated=False, zarr_format=2)
        (making / RECORD).write_text(json.dumps(self.record(), ensure_ascii=False, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        making.rename(folder)
        return folder


def load_result(folder: Path) -> Result:
    """Return a run that was saved.

    Raises
    ------
    DataError
        When the folder holds no run, or one that cannot be read.
    """
    record = load_record(folder)
    try:
        with xr.open_zarr(folder / ARRAYS, consolidated=False) as opened:
            arrays = opened.load()
        names = sorted(p.name for p in (folder / ARRAYS / "networks").glob("*") if p.is_dir())
        networks = {n: xr.open_zarr(folder / ARRAYS, group=f"networks/{n}", consolidated=False).load() for n in names}
    except (OSError, KeyError, ValueError) as fault:
        raise DataError(
            [error(str(folder / ARRAYS), f"the arrays cannot be read ({fault}); run the case again")]
        ) from fault
    found = tuple(Finding(Severity(s), place, message) for s, place, message in record["findings"])
    return Result(
        case=record["case"],
        title=record["title"],
        currency=record["currency"],
        kpis=record["kpis"],
        findings=found,
        arrays=arrays,
        networks=networks,
        provenance=record["provenance"],
        kinds=record["kinds"],
        time_zone=record["time_zone"],
        notice=record["notice"],
        values=record["values"],
        events=tuple(record["events"]),
        story=record.get("story", ""),
        changes=tuple(record.get("changes", ())),
    )


def load_record(folder: Path) -> dict[str, Any]:
    """Return a run's figures without its arrays; raises DataError when there is no such run."""
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise DataError([error(str(path), f"is not there ({fault.strerror}); run the case first")]) from fault
    except ValueError as fault:
        raise DataError([error(str(path), f"is no result ({fault}); run the case again")]) from fault
    if not isinstance(record, dict) or record.get("format") != FORMAT or not isinstance(record.get("kpis"), dict):
        raise DataError([error(str(path), f"is no result of format {FORMAT}; run the case again")])
    return record


def plain(data: xr.Dataset) -> xr.Dataset:
    """Return a dataset as files can hold it: text instead of objects."""
    fixed = data.copy()
    for name, variable in data.variables.items():
        if variable.dtype == object:
            fixed[name] = variable.astype(str)
    return fixed


def unit_of(name: str, currency: str) -> str:
    """Return a figure's unit, with the site's currency for money."""
    return KPIS[name].unit.format(currency=currency) if name in KPIS else ""


def words_of(name: str, value: float, currency: str) -> str:
    """Return a figure as people read it, with its unit."""
    kpi = KPIS[name]
    shown = round(100.0 * value if kpi.unit == "%" else value, kpi.digits) + 0.0  # no minus before a zero
    return f"{shown:,.{kpi.digits}f} {unit_of(name, currency)}".strip()
