"""Networks as plain data in house units.

Every type is frozen, takes keywords only and carries its valid range as ``annotated_types`` constraints, so a reader of
site files (pydantic) checks the same limits that are written here. Nothing in this module computes.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

Id = Annotated[str, MinLen(1)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Friction = Literal["colebrook", "swamee_jain", "nikuradse", "hofer"]
"""How the friction factor follows from Reynolds number and roughness, see ``models.networks.friction``."""
Degrees = Annotated[float, Gt(-273.15), Le(400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bus:
    """A busbar: everything at one electric potential."""

    id: Id
    vn_kv: Positive
    """Rated voltage between phases."""
    vm_min_pu: Positive = 0.95
    vm_max_pu: Positive = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line or cable, modelled as one pi section at 50 Hz."""

    id: Id
    from_bus: Id
    to_bus: Id
    length_km: Positive
    r_ohm_per_km: NotNegative
    x_ohm_per_km: float
    c_nf_per_km: NotNegative = 0.0
    g_us_per_km: NotNegative = 0.0
    current_max_ka: Positive
    """Thermal limit of one circuit."""
    parallel: Annotated[int, Ge(1)] = 1
    in_service: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """A two-winding transformer as its nameplate describes it."""

    id: Id
    hv_bus: Id
    lv_bus: Id
    rated_mva: Positive
    vn_hv_kv: Positive
    vn_lv_kv: Positive
    vk_percent: Positive
    vkr_percent: NotNegative
    iron_loss_kw: NotNegative = 0.0
    no_load_current_percent: NotNegative = 0.0
    shift_deg: float = 0.0
    """How far the low-voltage side lags the high-voltage side (150 for Dyn5)."""
    tap_side: Literal["hv", "lv"] = "hv"
    tap_pos: float = 0.0
    tap_neutral: float = 0.0
    tap_step_percent: float = 0.0
    parallel: Annotated[int, Ge(1)] = 1
    in_service: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A switch between a bus and another bus, or at the end of a line or transformer."""

    id: Id
    bus: Id
    element: Id
    """The other bus, or the line or transformer that ends at ``bus``."""
    kind: Literal["bus", "line", "transformer"]
    closed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Shunt:
    """A constant admittance at a bus; feeds ``p_kw`` and ``q_kvar`` at rated voltage (a reactor has ``q_kvar`` < 0)."""

    id: Id
    bus: Id
    p_kw: float = 0.0
    q_kvar: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageControl:
    """A generator that holds the voltage of its bus with whatever reactive power that takes."""

    id: Id
    bus: Id
    vm_pu: Positive = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectricNetwork:
    """An electric network fed by a public grid at ``slack_bus``."""

    id: Id
    buses: Annotated[tuple[Bus, ...], MinLen(1)]
    lines: tuple[Line, ...] = ()
    transformers: tuple[Transformer, ...] = ()
    switches: tuple[Switch, ...] = ()
    shunts: tuple[Shunt, ...] = ()
    voltage_controls: tuple[VoltageControl, ...] = ()
    slack_bus: Id
    slack_vm_pu: Positive = 1.0
    slack_angle_deg: float = 0.0
    frequency_hz: Positive = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Junction:
    """Where pipes meet."""

    id: Id
    height_m: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe:
    """A pipe run. In a heat or cold network it stands for two alike tubes, supply and return, in one trench."""

    id: Id
    from_junction: Id
    to_junction: Id
    length_m: NotNegative
    """Zero joins the two junctions into one."""
    inner_diameter_mm: Positive
    roughness_mm: NotNegative = 0.1
    heat_loss_w_per_m_k: NotNegative = 0.0
    """Of one tube, per kelvin between the fluid and the ground."""
    loss_coefficient: NotNegative = 0.0
    """Sum of the dimensionless losses of bends, tees and fittings (zeta)."""
    wall_kj_per_m_k: NotNegative = 0.0
    """Heat stored in the tube wall per metre and kelvin."""
    friction_factor: Positive | None = None
    """Darcy factor when it is known and constant; otherwise it follows from roughness and Reynolds number."""
    open: bool = True
    """False while a valve in the pipe is shut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pump:
    """A booster pump whose lift falls with the square of its flow."""

    id: Id
    from_junction: Id
    to_junction: Id
    lift_kpa: NotNegative
    """Lift without flow."""
    lift_drop_kpa_s2_per_kg2: NotNegative = 0.0
    """Lift lost per squared kg/s."""
    efficiency: Annotated[float, Gt(0), Le(1)] = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class PressureSource:
    """A further junction where gas or water enters or leaves at a set absolute pressure."""

    junction: Id
    pressure_kpa: Positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Regulator:
    """A valve that keeps the pressure behind it from rising above what it holds; below that it is open."""

    id: Id
    from_junction: Id
    to_junction: Id
    outlet_pressure_kpa: Positive
    """Absolute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipeNetwork:
    """A heat, cold or water network; consumers and plants are junctions."""

    id: Id
    carrier: Literal["heat", "cold", "water"]
    junctions: Annotated[tuple[Junction, ...], MinLen(1)]
    pipes: tuple[Pipe, ...] = ()
    pumps: tuple[Pump, ...] = ()
    regulators: tuple[Regulator, ...] = ()
    """Of a water network; pressures of heat and cold are held by pumps."""
    plant_junction: Id
    """Holds the pressure and covers what nobody else feeds."""
    further_sources: tuple[PressureSource, ...] = ()
    """Of a water network: reservoirs and mains that stand at a pressure."""
    feed_in_junctions: tuple[Id, ...] = ()
    """Plants with a set power."""
    consumers: tuple[Id, ...] = ()
    supply_degc: Degrees = 85.0
    return_degc: Degrees = 55.0
    """What consumers send back."""
    ground_degc: Degrees = 10.0
    pump_lift_kpa: NotNegative = 400.0
    """Pressure difference between supply and return at the plant, at most."""
    pump_control: Literal["lift", "worst_consumer"] = "lift"
    """What the plant's pump holds: its lift, or ``dp_min_kpa`` at the consumer that has the least."""
    return_pressure_kpa: Positive = 300.0
    """Absolute pressure of the return at the plant."""
    dp_min_kpa: NotNegative = 50.0
    """Pressure difference every consumer needs."""
    velocity_max_m_per_s: Positive = 3.0
    friction: Friction = "colebrook"
    glycol_share: Annotated[float, Ge(0), Le(0.6)] = 0.0
    """Mass share of propylene glycol in the water."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compressor:
    """A compressor or regulator; it holds the ratio of outlet to inlet pressure unless it is told to hold something else."""

    id: Id
    from_junction: Id
    to_junction: Id
    ratio: Positive = 1.0
    """Above one for a compressor, below for a regulator."""
    outlet_pressure_kpa: Positive | None = None
    """Absolute pressure that it holds behind itself."""
    flow_kg_per_s: float | None = None
    """Flow that it lets through, whatever the pressures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GasNetwork:
    """A gas network fed at ``source_junction``; pressures are absolute."""

    id: Id
    junctions: Annotated[tuple[Junction, ...], MinLen(1)]
    pipes: tuple[Pipe, ...] = ()
    compressors: tuple[Compressor, ...] = ()
    source_junction: Id
    source_pressure_kpa: Positive
    further_sources: tuple[PressureSource, ...] = ()
    consumers: tuple[Id, ...] = ()
    pressure_min_kpa: Positive = 200.0
    velocity_max_m_per_s: Positive = 20.0
    lower_heating_value_kwh_per_kg: Positive = 13.1
    gas_degc: Degrees = 15.0
    molar_mass_g_per_mol: Positive = 16.8
    viscosity_upa_s: Positive = 11.0
    """Dynamic viscosity in micropascal seconds."""
    friction: Friction = "colebrook"
    equation_of_state: Literal["constant", "linear", "cnga"] = "constant"
    """``constant`` takes ``compressibility``; ``linear`` falls with pressure; ``cnga`` is California's gas formula."""
    compressibility: Positive = 1.0
    compressibility_slope_per_mpa: float = 0.0
    """Change of the compressibility factor per MPa, for ``linear``."""
