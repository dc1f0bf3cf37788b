"""What a site's meters give at one instant: which rows, how far each may be off, and weak nominal rows where nobody measures."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from models.carriers import Carrier
from models.networks.data import ElectricNetwork, GasNetwork, PipeNetwork
from models.station import Port
from twin.estimate.plugoffset import Offset
from twin.estimate.problem import Origin, Sensor
from twin.estimate.wiring import NOMINAL_AIR_DEGC, Wiring

SIGMA: Mapping[str, tuple[float, float]] = {
    "electricity_kw": (0.005, 2.0),
    "power_kw": (0.005, 2.0),
    "reactive_kvar": (0.01, 3.0),
    "from_power_kw": (0.005, 5.0),
    "to_power_kw": (0.005, 5.0),
    "from_reactive_kvar": (0.01, 5.0),
    "to_reactive_kvar": (0.01, 5.0),
    "vm_pu": (0.003, 0.0),
    "heat_kw": (0.02, 3.0),
    "cold_kw": (0.02, 3.0),
    "gas_kw": (0.0075, 2.0),
    "gate_kw": (0.005, 2.0),
    "flow_kg_per_s": (0.01, 0.01),
    "supply_degc": (0.0, 0.35),
    "delta_k": (0.0, 0.15),
    "dp_kpa": (0.01, 1.0),
    "supply_kpa": (0.0, 2.5),
    "return_kpa": (0.0, 2.5),
    "pressure_kpa": (0.0, 0.5),
}
"""One standard deviation: share of the value plus a constant, in the quantity's unit; half of typical class limits, a judgement."""
PSEUDO: Mapping[str, float] = {
    "vm_pu": 0.01,
    "delta_k": 5.0,
    "supply_degc": 1.0,
    "supply_kpa": 20.0,
    "return_kpa": 20.0,
}
LOSS_FACTOR_SIGMA = {"heat": 0.15, "cold": 0.03}
FRICTION_SHARE = {True: 0.01, False: 0.15}
"""How far a modelled pressure loss may be off, by whether its friction was calibrated: an uncalibrated one looks like a broken sensor."""
REACTIVE_PSEUDO_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class SiteMeasurements:
    """What was measured at one instant, in house units.

    ``powers_kw`` by (asset, carrier), positive feeds the network. ``network`` by ``element.quantity`` as the carriers' rows name them
    (``bus_4.vm_pu``, ``heat_food.supply_degc``). ``air_degc`` drives the heat pumps' characteristics. ``offsets`` are what water under
    way adds to measured temperatures, by the same names.
    """

    powers_kw: Mapping[Port, float]
    network: Mapping[str, float]
    air_degc: float = NOMINAL_AIR_DEGC
    offsets: Mapping[str, Offset] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """A sensor and what it shows."""

    sensor: Sensor
    value: float


def network_sensors(wiring: Wiring, measured: SiteMeasurements) -> Iterator[tuple[str, list[Measured]]]:
    """Yield every network's rows by its id: what is measured there, and weak nominal values of what the rows need beside it."""
    networks = wiring.site.networks
    for grid in networks.electricity:
        yield grid.id, _electric_sensors(wiring, grid, measured)
    for carrier, pipes in ((Carrier.HEAT, networks.heat), (Carrier.COLD, networks.cold)):
        for network in pipes:
            yield network.id, _pipe_sensors(wiring, network, carrier, measured)
    for gas in networks.gas:
        yield gas.id, _gas_sensors(wiring, gas, measured)


def sensor(element: str, quantity: str, value: float, accuracy: str = "") -> Sensor:
    """Return a sensor with the spread of its class, which its quantity names where nothing else is said."""
    share, constant = SIGMA[accuracy or quantity]
    return Sensor(element, quantity, share * abs(value) + constant)


def _measured(measured: SiteMeasurements, elements: Iterable[str]) -> list[Measured]:
    """Return the network quantities that were measured at some elements."""
    known = set(elements)
    split = ((*name.rpartition("."), value) for name, value in measured.network.items())
    return [
        _steady(sensor(element, quantity, value), value, measured.offsets.get(f"{element}.{quantity}"))
        for element, _, quantity, value in split
        if element in known
    ]


def _steady(sensor: Sensor, value: float, offset: Offset | None) -> Measured:
    """Return a row as steady flow would show it."""
    if offset is None:
        return Measured(sensor, value)
    return Measured(replace(sensor, sigma=offset.widened(sensor.sigma)), value - offset.correction_k)


def _with_friction(row: Measured, network: PipeNetwork, *, known: bool) -> Measured:
    """Return a pressure difference trusted as far as the friction on its way is known; other rows as they are."""
    if row.sensor.quantity != "dp_kpa":
        return row
    lost = network.pump_lift_kpa - row.value
    sigma = float(np.hypot(row.sensor.sigma, FRICTION_SHARE[known] * lost))
    return Measured(replace(row.sensor, sigma=sigma), row.value)


def _with_pseudo(rows: list[Measured], wanted: Mapping[tuple[str, str], float]) -> list[Measured]:
    """Return the rows with a weak pseudo row at its nominal value wherever a wanted quantity is not measured."""
    known = {r.sensor.name for r in rows}
    missing = [
        Measured(Sensor(element, quantity, PSEUDO[quantity], Origin.BELIEF), nominal)
        for (element, quantity), nominal in wanted.items()
        if f"{element}.{quantity}" not in known
    ]
    return [*rows, *missing]


def _electric_sensors(wiring: Wiring, network: ElectricNetwork, measured: SiteMeasurements) -> list[Measured]:
    """Return the grid's rows; a bus whose reactive power nobody meters gets it from the consumers' power factors."""
    buses = {b.id for b in network.buses}
    branches = {line.id for line in network.lines} | {t.id for t in network.transformers}
    rows = _measured(measured, buses | branches)
    known = {r.sensor.name for r in rows}
    for bus in wiring.at_node[Carrier.ELECTRICITY]:
        if bus in buses and bus != network.slack_bus and f"{bus}.reactive_kvar" not in known:
            guess = _reactive_guess(wiring, bus, measured)
            rows.append(
                Measured(Sensor(bus, "reactive_kvar", REACTIVE_PSEUDO_SHARE * abs(guess) + 5.0, Origin.BELIEF), guess)
            )
    return _with_pseudo(rows, {(network.slack_bus, "vm_pu"): network.slack_vm_pu})


def _reactive_guess(wiring: Wiring, bus: str, measured: SiteMeasurements) -> float:
    """Return the reactive power that consumers' power factors suggest at a bus, kvar, positive feeds the grid."""
    here = wiring.tan_phi.get(bus, ())
    return sum(tan_phi * measured.powers_kw.get((asset, Carrier.ELECTRICITY), 0.0) for asset, tan_phi in here)


def _pipe_sensors(wiring: Wiring, network: PipeNetwork, carrier: Carrier, measured: SiteMeasurements) -> list[Measured]:
    """Return a heat or cold network's rows: metered quantities, consumers' powers where no flow is metered, weak nominal values."""
    rows = [
        _with_friction(r, network, known=network.id in wiring.friction_known)
        for r in _measured(measured, [*network.consumers, network.plant_junction])
    ]
    known = {r.sensor.name for r in rows}
    sign = -1.0 if carrier is Carrier.HEAT else 1.0
    for asset, junction in wiring.consumers[carrier]:
        here = junction in network.consumers and f"{junction}.flow_kg_per_s" not in known
        if here and (asset, carrier) in measured.powers_kw:
            taken = sign * measured.powers_kw[asset, carrier]
            rows.append(Measured(sensor(junction, "heat_kw", taken), taken))
    plant = network.plant_junction
    wanted = {(c, "delta_k"): network.supply_degc - network.return_degc for c in network.consumers}
    wanted[plant, "supply_degc"] = network.supply_degc
    wanted[plant, "supply_kpa"] = network.return_pressure_kpa + network.pump_lift_kpa
    wanted[plant, "return_kpa"] = network.return_pressure_kpa
    factor = Measured(Sensor(network.id, "loss_factor", LOSS_FACTOR_SIGMA[carrier], Origin.BELIEF), 1.0)
    return [*_with_pseudo(rows, wanted), factor]


def _gas_sensors(wiring: Wiring, network: GasNetwork, measured: SiteMeasurements) -> list[Measured]:
    rows = _measured(measured, [*network.consumers, network.source_junction])
    for asset, junction in wiring.consumers[Carrier.GAS]:
        if junction in network.consumers and (asset, Carrier.GAS) in measured.powers_kw:
            taken = -measured.powers_kw[asset, Carrier.GAS]
            rows.append(Measured(sensor(junction, "gas_kw", taken), taken))
    if f"{network.source_junction}.pressure_kpa" not in {r.sensor.name for r in rows}:
        nominal = network.source_pressure_kpa
        rows.append(Measured(Sensor(network.source_junction, "pressure_kpa", 5.0, Origin.BELIEF), nominal))
    return rows
