"""Read grids from pandapower nets and MATPOWER cases.

Values that a file leaves empty are filled and reported as findings; parts that the model does not know are reported as
errors, so nothing disappears silently.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from models.findings import Finding, error, warning
from models.networks.data import (
    Bus,
    ElectricNetwork,
    Line,
    Shunt,
    Switch,
    Transformer,
    VoltageControl,
)
from models.networks.electricity.gaps import fill_gaps

KIND = {"b": "bus", "l": "line", "t": "transformer"}
UNKNOWN_TABLES = ("trafo3w", "xward", "ward", "motor", "dcline", "asymmetric_load", "asymmetric_sgen", "tcsc", "svc")


@dataclass(frozen=True, slots=True)
class ImportedGrid:
    """A grid and the powers that its file holds beside it."""

    network: ElectricNetwork
    p_kw: Mapping[str, float]
    """Power fed into each bus; loads are negative."""
    q_kvar: Mapping[str, float]
    findings: tuple[Finding, ...]


def read_pandapower(path: Path) -> ImportedGrid:
    """Return the grid of a pandapower JSON file."""
    import pandapower as pp

    return from_pandapower(pp.from_json(str(path)), path.stem)


def from_pandapower(net: Any, name: str = "grid") -> ImportedGrid:
    """Return the grid of a pandapower net, ids made from names and made unique by the row number where needed."""
    tables, gaps = fill_gaps(net)
    net = SimpleNamespace(**tables)
    findings = [*gaps, *_unknown_parts(net), *_unknown_loads(net)]
    bus = bus_names(net)
    line, transformer = _ids(net.line, "line"), _ids(net.trafo, "transformer")
    network = ElectricNetwork(
        id=name,
        buses=tuple(_bus(i, row, bus, findings) for i, row in _rows(net.bus)),
        lines=tuple(_line(i, row, bus, line) for i, row in _rows(net.line)) + _impedances(net, bus),
        transformers=tuple(_transformer(i, row, bus, transformer, findings) for i, row in _rows(net.trafo)),
        switches=(*_switches(net, bus, line, transformer, findings), *_joined_grids(net, bus)),
        shunts=tuple(_shunt(i, row, bus, net.bus.vn_kv) for i, row in _rows(net.shunt) if row["in_service"]),
        voltage_controls=tuple(
            VoltageControl(id=f"generator {i}", bus=bus[row["bus"]], vm_pu=float(row["vm_pu"]))
            for i, row in _rows(net.gen)
            if row["in_service"]
        ),
        slack_bus=bus[net.ext_grid.bus.iloc[0]],
        slack_vm_pu=float(net.ext_grid.vm_pu.iloc[0]),
        slack_angle_deg=float(net.ext_grid.va_degree.iloc[0]),
        frequency_hz=float(net.f_hz),
    )
    return ImportedGrid(network, _power(net, bus, "p_mw"), _power(net, bus, "q_mvar"), tuple(findings))


def bus_names(net: Any) -> dict[Any, str]:
    """Return the id that every bus of a pandapower net gets, by its row number."""
    return _ids(net.bus, "bus")


def _rows(table: pd.DataFrame) -> list[tuple[Any, Mapping[str, Any]]]:
    return [
        (i, {str(k): v for k, v in row.items()}) for i, row in zip(table.index, table.to_dict("records"), strict=True)
    ]


def _ids(table: pd.DataFrame, kind: str) -> dict[Any, str]:
    names = [
        str(n) if isinstance(n, str) and n else f"{kind} {i}" for i, n in zip(table.index, table["name"], strict=True)
    ]
    twice = {n for n in names if names.count(n) > 1}
    return {i: f"{n} #{i}" if n in twice else n for i, n in zip(table.index, names, strict=True)}


def _unknown_parts(net: Any) -> list[Finding]:
    """Return an error for every table with rows that the model cannot hold."""
    found = [
        error(name, f"holds {len(table)} elements of a kind that is not supported; model them by lines and buses")
        for name in UNKNOWN_TABLES
        if (table := getattr(net, name, None)) is not None and len(table)
    ]
    if len(net.ext_grid[["vm_pu", "va_degree"]].drop_duplicates()) > 1:
        found.append(error("ext_grid", "holds grids of different voltage; keep one and model the others as generators"))
    return found


def _joined_grids(net: Any, bus: Mapping[Any, str]) -> tuple[Switch, ...]:
    """Return switches that join further public grids to the first; equal voltages make that the same circuit."""
    first, *others = (bus[b] for b in net.ext_grid.bus)
    return tuple(Switch(id=f"grid {i}", bus=first, element=b, kind="bus") for i, b in enumerate(others, start=1))


def _unknown_loads(net: Any) -> list[Finding]:
    shares = [c for c in net.load.columns if str(c).startswith("const_")]
    used = [c for c in shares if net.load[c].ne(0).any()]
    return [warning("load", f"{c} is not zero; loads are taken as constant power", str(c)) for c in used]


def _number(row: Mapping[str, Any], key: str, default: float) -> float:
    value = row.get(key)
    return default if value is None or pd.isna(value) else float(value)


def _bus(i: Any, row: Mapping[str, Any], bus: Mapping[Any, str], findings: list[Finding]) -> Bus:
    if not row["in_service"]:
        findings.append(
            warning(f"bus.{bus[i]}", "is out of service; open its switches to keep it without voltage", bus[i])
        )
    low, high = _number(row, "min_vm_pu", 0.9), _number(row, "max_vm_pu", 1.1)
    return Bus(id=bus[i], vn_kv=float(row["vn_kv"]), vm_min_pu=low or 0.9, vm_max_pu=high)


def _line(i: Any, row: Mapping[str, Any], bus: Mapping[Any, str], line: Mapping[Any, str]) -> Line:
    return Line(
        id=line[i],
        from_bus=bus[row["from_bus"]],
        to_bus=bus[row["to_bus"]],
        length_km=float(row["length_km"]),
        r_ohm_per_km=float(row["r_ohm_per_km"]),
        x_ohm_per_km=float(row["x_ohm_per_km"]),
        c_nf_per_km=_number(row, "c_nf_per_km", 0.0),
        g_us_per_km=_number(row, "g_us_per_km", 0.0),
        current_max_ka=_number(row, "max_i_ka", 1e3) * _number(row, "df", 1.0),
        parallel=int(_number(row, "parallel", 1)),
        in_service=bool(row["in_service"]),
    )


def _impedances(net: Any, bus: Mapping[Any, str]) -> tuple[Line, ...]:
    """Return symmetric impedance elements as lines of one kilometre."""
    lines = []
    for i, row in _rows(net.impedance):
        ohm = net.bus.vn_kv.at[row["from_bus"]] ** 2 / row["sn_mva"]
        lines.append(
            Line(
                id=f"impedance {i}",
                from_bus=bus[row["from_bus"]],
                to_bus=bus[row["to_bus"]],
                length_km=1.0,
                r_ohm_per_km=float(row["rft_pu"] * ohm),
                x_ohm_per_km=float(row["xft_pu"] * ohm),
                current_max_ka=1e3,
                in_service=bool(row["in_service"]),
            )
        )
    return tuple(lines)


def _transformer(
    i: Any, row: Mapping[str, Any], bus: Mapping[Any, str], ids: Mapping[Any, str], findings: list[Finding]
) -> Transformer:
    neutral = _number(row, "tap_neutral", 0.0)
    changer = row.get("tap_changer_type")
    if _number(row, "tap_step_degree", 0.0) or changer in ("Ideal", "Tabular"):
        findings.append(
            error(f"transformer.{ids[i]}", "has a phase-shifting tap; only ratio taps are supported", ids[i])
        )
    if row["vk_percent"] <= 0:
        findings.append(
            error(f"transformer.{ids[i]}", f"has a short-circuit voltage of {row['vk_percent']:g} %; expected above 0")
        )
    active = changer == "Ratio" or "tap_changer_type" not in row
    return Transformer(
        id=ids[i],
        hv_bus=bus[row["hv_bus"]],
        lv_bus=bus[row["lv_bus"]],
        rated_mva=float(row["sn_mva"]),
        vn_hv_kv=float(row["vn_hv_kv"]),
        vn_lv_kv=float(row["vn_lv_kv"]),
        vk_percent=float(row["vk_percent"]),
        vkr_percent=float(row["vkr_percent"]),
        iron_loss_kw=_number(row, "pfe_kw", 0.0),
        no_load_current_percent=_number(row, "i0_percent", 0.0),
        shift_deg=_number(row, "shift_degree", 0.0),
        tap_side="lv" if row.get("tap_side") == "lv" else "hv",
        tap_pos=_number(row, "tap_pos", neutral) if active else neutral,
        tap_neutral=neutral,
        tap_step_percent=_number(row, "tap_step_percent", 0.0),
        parallel=int(_number(row, "parallel", 1)),
        in_service=bool(row["in_service"]),
    )


def _switches(
    net: Any,
    bus: Mapping[Any, str],
    line: Mapping[Any, str],
    transformer: Mapping[Any, str],
    findings: list[Finding],
) -> Sequence[Switch]:
    element = {"b": bus, "l": line, "t": transformer}
    switches = []
    for i, row in _rows(net.switch):
        if row["et"] not in element:
            findings.append(error(f"switch.{i}", f"is of kind {row['et']!r}, which is not supported"))
            continue
        kind: Any = KIND[row["et"]]
        at = element[row["et"]][row["element"]]
        switches.append(
            Switch(id=f"switch {i}", bus=bus[row["bus"]], element=at, kind=kind, closed=bool(row["closed"]))
        )
    return switches


def _shunt(i: Any, row: Mapping[str, Any], bus: Mapping[Any, str], vn_kv: Mapping[Any, float]) -> Shunt:
    """Return a shunt with its power at the bus's rated voltage, which need not be its own."""
    at_kv = vn_kv[row["bus"]]
    scale = -1e3 * _number(row, "step", 1.0) * (at_kv / _number(row, "vn_kv", at_kv)) ** 2
    return Shunt(id=f"shunt {i}", bus=bus[row["bus"]], p_kw=row["p_mw"] * scale, q_kvar=row["q_mvar"] * scale)


def _power(net: Any, bus: Mapping[Any, str], column: str) -> dict[str, float]:
    """Return the sum of loads (negative), static and voltage-holding generators per bus in kW or kvar."""
    total: dict[str, float] = {}
    for table, sign in (("load", -1e3), ("sgen", 1e3), ("gen", 1e3), ("storage", -1e3)):
        for _, row in _rows(getattr(net, table)):
            if row["in_service"] and column in row:
                at = bus[row["bus"]]
                total[at] = total.get(at, 0.0) + sign * float(row[column]) * _number(row, "scaling", 1.0)
    return total
