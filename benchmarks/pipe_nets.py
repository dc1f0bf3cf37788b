"""pandapipes' tables as our networks."""

from collections.abc import Iterable, Mapping, Sequence
from math import pi
from typing import Any

from models.networks.data import Friction, GasNetwork, Junction, Pipe, PipeNetwork, PressureSource
from models.networks.fluids import GAS_CONSTANT_J_PER_MOL_K

ATMOSPHERE_KPA = 101.325
NORMAL_K = 273.15


def ambient_kpa(height_m: float) -> float:
    """Return the air pressure at a height, by the barometric formula that pandapipes uses."""
    return float(ATMOSPHERE_KPA * (1 - height_m * 0.0065 / 288.15) ** 5.255)


def heat_network(tables: Mapping[str, Any], return_degc: float) -> PipeNetwork:
    """Return the supply side of a heat net; the return side lies beside it and is alike."""
    reached = _reach(tables["flow_junction"], [*tables["pipes"], *tables["joined"]])
    pipes = [
        Pipe(
            id=f"p{k}",
            from_junction=str(int(a)),
            to_junction=str(int(b)),
            length_m=km * 1e3,
            inner_diameter_mm=mm,
            roughness_mm=rough,
            heat_loss_w_per_m_k=u * pi * mm / 1e3,
            loss_coefficient=zeta,
        )
        for k, (a, b, km, mm, rough, u, zeta) in enumerate(tables["pipes"])
        if a in reached
    ]
    pipes += [_joint(f"v{k}", a, b) for k, (a, b) in enumerate(tables["joined"]) if a in reached]
    return PipeNetwork(
        id="heat",
        carrier="heat",
        junctions=tuple(Junction(id=str(j), height_m=tables["height_m"][str(j)]) for j in sorted(reached)),
        pipes=tuple(pipes),
        plant_junction=str(tables["flow_junction"]),
        consumers=tuple(str(int(a)) for a, _ in tables["consumers"]),
        supply_degc=tables["flow_degc"],
        return_degc=return_degc,
        ground_degc=tables["ground_degc"],
        pump_lift_kpa=tables["lift_bar"] * 100,
        return_pressure_kpa=(tables["flow_bar"] - tables["lift_bar"]) * 100 + ATMOSPHERE_KPA,
        friction="nikuradse",
    )


def gas_network(tables: Mapping[str, Any], friction: Friction = "nikuradse") -> GasNetwork:
    """Return a gas net; its density law follows from the density at normal conditions and the linear compressibility."""
    height = tables["height_m"]
    zero, at_ten = tables["compressibility"]
    molar = tables["normal_kg_per_m3"] * GAS_CONSTANT_J_PER_MOL_K * NORMAL_K / (ATMOSPHERE_KPA * 1e3) * 1e3
    source = str(tables["source"])
    pipes = _plain_pipes(tables)
    pipes += [_valve(f"v{k}", *valve) for k, valve in enumerate(tables.get("joined", ()))]
    further = ((str(int(j)), bar) for j, bar in tables.get("further", ()))
    return GasNetwork(
        id="gas",
        junctions=tuple(Junction(id=j, height_m=h) for j, h in height.items()),
        pipes=tuple(pipes),
        further_sources=tuple(
            PressureSource(junction=j, pressure_kpa=bar * 100 + ambient_kpa(height[j])) for j, bar in further
        ),
        source_junction=source,
        source_pressure_kpa=tables["source_bar"] * 100 + ambient_kpa(height[source]),
        consumers=tuple(dict.fromkeys(str(int(j)) for j, _ in tables["sinks"])),
        pressure_min_kpa=101.0,
        gas_degc=tables["kelvin"] - NORMAL_K,
        molar_mass_g_per_mol=molar,
        viscosity_upa_s=tables["viscosity_pa_s"] * 1e6,
        friction=friction,
        equation_of_state="linear",
        compressibility=zero,
        compressibility_slope_per_mpa=at_ten - zero,
    )


def water_network(tables: Mapping[str, Any], friction: Friction) -> PipeNetwork:
    """Return a water net whose source stands at its pressure."""
    valves = [_valve(f"v{k}", *valve) for k, valve in enumerate(tables["joined"])]
    height = tables["height_m"]
    source = str(tables["source"])
    return PipeNetwork(
        id="water",
        carrier="water",
        junctions=tuple(Junction(id=j, height_m=h) for j, h in height.items()),
        pipes=(*_plain_pipes(tables), *valves),
        plant_junction=source,
        consumers=tuple(dict.fromkeys(str(int(j)) for j, _ in tables["sinks"])),
        pump_lift_kpa=0.0,
        return_pressure_kpa=tables["source_bar"] * 100 + ambient_kpa(height[source]),
        friction=friction,
    )


def _plain_pipes(tables: Mapping[str, Any]) -> list[Pipe]:
    return [
        Pipe(
            id=f"p{k}",
            from_junction=str(int(a)),
            to_junction=str(int(b)),
            length_m=km * 1e3,
            inner_diameter_mm=mm,
            roughness_mm=rough,
            loss_coefficient=zeta,
        )
        for k, (a, b, km, mm, rough, zeta) in enumerate(tables["pipes"])
    ]


def _valve(name: str, first: float, last: float, mm: float, zeta: float) -> Pipe:
    return Pipe(
        id=name,
        from_junction=str(int(first)),
        to_junction=str(int(last)),
        length_m=0.0,
        inner_diameter_mm=mm,
        loss_coefficient=zeta,
    )


def _joint(name: str, first: int, last: int) -> Pipe:
    return Pipe(id=name, from_junction=str(int(first)), to_junction=str(int(last)), length_m=0.0, inner_diameter_mm=200)


def _reach(start: int, ends: Iterable[Sequence[float]]) -> set[int]:
    """Return the junctions that pipes and open valves join to the first one."""
    near: dict[int, list[int]] = {}
    for first, last, *_ in ends:
        near.setdefault(int(first), []).append(int(last))
        near.setdefault(int(last), []).append(int(first))
    found, queue = {start}, [start]
    while queue:
        for other in near.get(queue.pop(), []):
            if other not in found:
                found.add(other)
                queue.append(other)
    return found
