"""Small grids that several tests use."""

from models.networks.data import (
    Bus,
    Compressor,
    ElectricNetwork,
    GasNetwork,
    Junction,
    Line,
    Pipe,
    PipeNetwork,
    Switch,
    Transformer,
)


def cable(name: str, start: str, end: str, km: float = 1.0, **changes: object) -> Line:
    values = {"r_ohm_per_km": 0.16, "x_ohm_per_km": 0.11, "c_nf_per_km": 210.0, "current_max_ka": 0.3} | changes
    return Line(id=name, from_bus=start, to_bus=end, length_km=km, **values)


def ring(*switches: Switch, **changes: object) -> ElectricNetwork:
    """A 110/10 kV transformer (Dyn5, tapped) feeding a ring of four stations."""
    stations = ("a", "b", "c", "d")
    values = {
        "id": "ring",
        "buses": (Bus(id="grid", vn_kv=110.0), *(Bus(id=s, vn_kv=10.0) for s in stations)),
        "lines": (
            cable("ab", "a", "b", 2.0),
            cable("bc", "b", "c", 1.5),
            cable("cd", "c", "d", 2.5, parallel=2, g_us_per_km=0.4),
            cable("da", "d", "a", 3.0),
        ),
        "transformers": (
            Transformer(
                id="t1",
                hv_bus="grid",
                lv_bus="a",
                rated_mva=25.0,
                vn_hv_kv=112.0,
                vn_lv_kv=10.5,
                vk_percent=12.0,
                vkr_percent=0.4,
                iron_loss_kw=14.0,
                no_load_current_percent=0.07,
                shift_deg=150.0,
                tap_pos=-2.0,
                tap_step_percent=1.5,
            ),
        ),
        "switches": switches,
        "slack_bus": "grid",
        "slack_vm_pu": 1.02,
    } | changes
    return ElectricNetwork(**values)


def tube(name: str, start: str, end: str, metres: float, mm: float = 80.0, **changes: object) -> Pipe:
    values = {"roughness_mm": 0.05, "heat_loss_w_per_m_k": 0.3} | changes
    return Pipe(id=name, from_junction=start, to_junction=end, length_m=metres, inner_diameter_mm=mm, **values)


def district(*, meshed: bool = False, wall_kj_per_m_k: float = 0.0, **changes: object) -> PipeNetwork:
    """A plant, a 600 m main to k, from there x, y (drawn against the flow) and z; meshed closes x to z."""
    wall = {"wall_kj_per_m_k": wall_kj_per_m_k}
    pipes = [
        tube("main", "plant", "k", 600, 100, **wall),
        tube("kx", "k", "x", 250, **wall),
        tube("yk", "y", "k", 150, **wall),
        tube("yz", "y", "z", 300, 65, **wall),
    ]
    if meshed:
        pipes.append(tube("xz", "x", "z", 200, 50, **wall))
    values = {
        "id": "district",
        "carrier": "heat",
        "junctions": tuple(Junction(id=j) for j in ("plant", "k", "x", "y", "z")),
        "pipes": tuple(pipes),
        "plant_junction": "plant",
        "consumers": ("x", "y", "z"),
        "supply_degc": 85.0,
        "return_degc": 55.0,
    } | changes
    return PipeNetwork(**values)


def gas_town(*, height_m: float = 0.0, station: bool = False, **changes: object) -> GasNetwork:
    """A gate feeding a ring of a, b and c at ``height_m``; a station may sit in front of it."""
    entry = "gate" if not station else "behind"
    junctions = [Junction(id="gate"), *(Junction(id=j, height_m=height_m) for j in ("a", "b", "c"))]
    values = {
        "id": "town",
        "junctions": tuple(junctions) + ((Junction(id="behind"),) if station else ()),
        "pipes": (
            tube("ga", entry, "a", 900),
            tube("ab", "a", "b", 700),
            tube("cb", "c", "b", 400, 60),
            tube("ca", "c", "a", 600, 60),
        ),
        "compressors": (Compressor(id="s", from_junction="gate", to_junction="behind"),) if station else (),
        "source_junction": "gate",
        "source_pressure_kpa": 300.0,
        "consumers": ("a", "b", "c"),
    } | changes
    return GasNetwork(**values)
