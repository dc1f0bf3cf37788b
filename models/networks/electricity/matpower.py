"""Read grids from MATPOWER case files (version 2)."""

import re
from collections.abc import Mapping
from pathlib import Path

from models.errors import DataError
from models.findings import Finding, error, warning
from models.networks.data import Bus, ElectricNetwork, Line, Shunt, Transformer, VoltageControl
from models.networks.electricity.importers import ImportedGrid

Rows = list[list[float]]
REFERENCE, HELD = 3, 2
"""Bus types."""


def read_matpower(path: Path) -> ImportedGrid:
    """Return the grid of a MATPOWER case; ids are the bus numbers and ``<kind> <row>``.

    Branches with a ratio become transformers of 100 % rated power where no rating is given. Line charging becomes
    capacitance at 50 Hz, so the case's susceptance is kept.

    Raises
    ------
    DataError
        When the file has no bus, generator or branch table, or not exactly one reference bus.
    """
    text = re.sub(r"%.*", "", path.read_text())
    tables = {name: _table(text, name) for name in ("bus", "gen", "branch")}
    base_mva = float(re.findall(r"mpc\.baseMVA\s*=\s*([\d.eE+-]+)", text)[0]) if "mpc.baseMVA" in text else 100.0
    slack = [row for row in tables["bus"] if row[1] == REFERENCE]
    missing = [error(str(path), f"has no table mpc.{name}") for name, rows in tables.items() if not rows]
    if len(slack) != 1:
        missing.append(error(str(path), f"has {len(slack)} reference buses (type 3); exactly one is needed"))
    if missing:
        raise DataError(missing)
    return _grid(path.stem, tables, base_mva, _name(slack[0][0]))


def _table(text: str, name: str) -> Rows:
    found = re.search(rf"mpc\.{name}\s*=\s*\[(.*?)\]", text, re.DOTALL)
    lines = re.split(r"[;\n]", found.group(1)) if found else []
    return [[float(x) for x in re.split(r"[\s,]+", line.strip())] for line in lines if line.strip()]


def _name(number: float) -> str:
    return f"{number:.0f}"


def _grid(name: str, tables: Mapping[str, Rows], base_mva: float, slack: str) -> ImportedGrid:
    findings: list[Finding] = []
    vn_kv = {_name(row[0]): row[9] or 1.0 for row in tables["bus"]}
    held = {_name(row[0]) for row in tables["bus"] if row[1] == HELD}
    on = [row for row in tables["gen"] if row[7] > 0]
    set_pu = {_name(row[0]): row[5] for row in on}
    branches = list(enumerate(tables["branch"]))
    network = ElectricNetwork(
        id=name,
        buses=tuple(_bus(row) for row in tables["bus"]),
        lines=tuple(_line(i, row, vn_kv, base_mva) for i, row in branches if not _has_ratio(row, vn_kv)),
        transformers=tuple(
            _transformer(i, row, vn_kv, base_mva, findings) for i, row in branches if _has_ratio(row, vn_kv)
        ),
        shunts=tuple(
            Shunt(id=f"shunt {_name(row[0])}", bus=_name(row[0]), p_kw=-1e3 * row[4], q_kvar=1e3 * row[5])
            for row in tables["bus"]
            if row[4] or row[5]
        )
        + _line_shunts(branches, vn_kv, base_mva),
        voltage_controls=tuple(
            VoltageControl(id=f"generator {b}", bus=b, vm_pu=v) for b, v in set_pu.items() if b in held
        ),
        slack_bus=slack,
        slack_vm_pu=set_pu.get(slack, 1.0),
        slack_angle_deg=next(row[8] for row in tables["bus"] if _name(row[0]) == slack),
    )
    p_kw = {_name(row[0]): -1e3 * row[2] for row in tables["bus"]}
    q_kvar = {_name(row[0]): -1e3 * row[3] for row in tables["bus"]}
    for row in on:
        if _name(row[0]) != slack:
            p_kw[_name(row[0])] += 1e3 * row[1]
            q_kvar[_name(row[0])] += 1e3 * row[2]
    return ImportedGrid(network, p_kw, q_kvar, tuple(findings))


def _bus(row: list[float]) -> Bus:
    return Bus(id=_name(row[0]), vn_kv=row[9] or 1.0, vm_min_pu=row[12] or 0.9, vm_max_pu=row[11] or 1.1)


def _has_ratio(row: list[float], vn_kv: Mapping[str, float]) -> bool:
    """Return whether a branch is a transformer: it has a ratio or shift, or joins two voltages."""
    return row[8] not in (0.0, 1.0) or row[9] != 0 or vn_kv[_name(row[0])] != vn_kv[_name(row[1])]


def _line(i: int, row: list[float], vn_kv: Mapping[str, float], base_mva: float) -> Line:
    kv = vn_kv[_name(row[0])]
    ohm = kv**2 / base_mva
    farad = row[4] / ohm / (2 * 3.141592653589793 * 50.0)
    return Line(
        id=f"branch {i + 1}",
        from_bus=_name(row[0]),
        to_bus=_name(row[1]),
        length_km=1.0,
        r_ohm_per_km=row[2] * ohm,
        x_ohm_per_km=row[3] * ohm,
        c_nf_per_km=max(farad, 0.0) * 1e9,
        current_max_ka=(row[5] or 1e6) / (3**0.5 * kv),
        in_service=row[10] > 0,
    )


def _transformer(
    i: int, row: list[float], vn_kv: Mapping[str, float], base_mva: float, findings: list[Finding]
) -> Transformer:
    """Return a branch with ratio; its impedance is at the to side, as MATPOWER has it."""
    name, start, end = f"branch {i + 1}", _name(row[0]), _name(row[1])
    rated = row[5] or base_mva
    if row[3] < 0:
        findings.append(
            warning(name, "has a negative reactance, which a transformer cannot have; its size is taken", name)
        )
    return Transformer(
        id=name,
        hv_bus=start,
        lv_bus=end,
        rated_mva=rated,
        vn_hv_kv=vn_kv[start] * (row[8] or 1.0),
        vn_lv_kv=vn_kv[end],
        vk_percent=abs(complex(row[2], row[3])) * rated / base_mva * 100,
        vkr_percent=row[2] * rated / base_mva * 100,
        shift_deg=row[9],
        in_service=row[10] > 0,
    )


def _line_shunts(
    branches: list[tuple[int, list[float]]], vn_kv: Mapping[str, float], base_mva: float
) -> tuple[Shunt, ...]:
    """Return the charging of branches with ratio as shunts at both ends; a nameplate has no place for it."""
    shunts = []
    for i, row in branches:
        if _has_ratio(row, vn_kv) and row[4] and row[10] > 0:
            half = row[4] / 2 * base_mva * 1e3
            ratio = row[8] or 1.0
            shunts.append(Shunt(id=f"charging {i + 1} from", bus=_name(row[0]), q_kvar=half / ratio**2))
            shunts.append(Shunt(id=f"charging {i + 1} to", bus=_name(row[1]), q_kvar=half))
    return tuple(shunts)
