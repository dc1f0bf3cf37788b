"""The whole site as one estimate: which rows its meters give, which laws its nodes give."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from models.carriers import Carrier
from models.components import AnyAsset, Consumer, GasSupply, GridConnection, Store
from models.networks.data import ElectricNetwork, GasNetwork, PipeNetwork
from models.networks.fluids import liquid
from models.site import Site
from twin.estimate.cleaning import estimate
from twin.estimate.converters import Characteristic, UnitRows, characteristics
from twin.estimate.coupled import CoupledRows, Link, LinkedRows, Term
from twin.estimate.electricity import ElectricRows
from twin.estimate.gas import GasRows
from twin.estimate.heat import HeatRows
from twin.estimate.pipelaw import gas_quadratic, pipe_law
from twin.estimate.plugoffset import Offset
from twin.estimate.problem import Estimate, Origin, Sensor

UNITS = "units"
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
MOVING_KW = 1.0
"""A converter below this is taken as standing and leaves the estimate."""


@dataclass(frozen=True, slots=True)
class SiteMeasurements:
    """What was measured at one instant, in house units.

    ``powers_kw`` by (asset, carrier), positive feeds the network. ``network`` by ``element.quantity`` as the carriers' rows name them
    (``bus_4.vm_pu``, ``heat_food.supply_degc``). ``air_degc`` drives the heat pumps' characteristics. ``offsets`` are what water under
    way adds to measured temperatures, by the same names.
    """

    powers_kw: Mapping[tuple[str, Carrier], float]
    network: Mapping[str, float]
    air_degc: float = 15.0
    offsets: Mapping[str, Offset] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SiteEstimate:
    """The estimated site: ``values`` holds every state by name, ``powers_kw`` the reconciled port powers by (asset, carrier)."""

    estimate: Estimate
    values: Mapping[str, float]
    powers_kw: Mapping[tuple[str, Carrier], float]


@dataclass(frozen=True, slots=True)
class Wiring:
    """Who hangs where on a site: assets by node, consumers' junctions, ports that lie in a network."""

    site: Site
    at_node: Mapping[Carrier, Mapping[str, tuple[str, ...]]]
    consumers: Mapping[Carrier, tuple[tuple[str, str], ...]]
    """(asset, node) of every demand."""
    tan_phi: Mapping[str, tuple[tuple[str, float], ...]]
    """By bus: consumers there with their reactive over real power."""
    ports: tuple[tuple[str, Carrier, Carrier, bool], ...]
    """Asset, carrier, control carrier, and whether the port is a state even at rest."""
    friction_known: frozenset[str] = frozenset()
    """Networks whose friction was calibrated."""

    @classmethod
    def of(cls, site: Site, friction_known: Collection[str] = ()) -> "Wiring":
        """Return the wiring of a site."""
        inside = {n.id for n in site.nodes if n.network is not None}
        demands = [(c.id, d) for c in site.of_kind(Consumer) for d in c.demands]
        tan_phi: dict[str, tuple[tuple[str, float], ...]] = {}
        for asset, d in demands:
            if d.carrier is Carrier.ELECTRICITY:
                tan_phi[d.node] = (*tan_phi.get(d.node, ()), (asset, d.tan_phi))
        return cls(
            site,
            {c: _at_nodes(site, c) for c in Carrier},
            {c: tuple((asset, d.node) for asset, d in demands if d.carrier is c) for c in Carrier},
            tan_phi,
            tuple(p for a in site.assets for p in _possible_ports(a, inside)),
            frozenset(friction_known),
        )


class SiteEstimator:
    """Estimates one site again and again; what does not change between instants is worked out once."""

    def __init__(self, site: Site, friction_known: Collection[str] = ()) -> None:
        self.wiring = Wiring.of(site, friction_known)

    def estimate(self, measured: SiteMeasurements, before: SiteEstimate | None = None) -> SiteEstimate:
        """Return the state of all carriers that explains the measurements; ``before`` gives a warm start when the same units run."""
        model, values = site_rows(self.wiring, measured)
        z = np.array([values[sensor.name] for sensor in model.sensors])
        start = model.start()
        if before is not None:
            start = np.array([before.values.get(n, x) for n, x in zip(model.state_names, start, strict=True)])
        found = estimate(model, z, start)
        states = dict(zip(model.state_names, (float(v) for v in found.fit.x), strict=True))
        named = {(asset, carrier): f"{asset}.{carrier}_kw" for asset, carrier, _, _ in self.wiring.ports}
        return SiteEstimate(found, states, {port: states[name] for port, name in named.items() if name in states})


def site_rows(wiring: Wiring, measured: SiteMeasurements) -> tuple[CoupledRows, dict[str, float]]:
    """Return the coupled model of a site for what is measured now, and the measured value of every row by the sensor's name."""
    networks = wiring.site.networks
    ports = dict.fromkeys(_ports(wiring, measured))
    parts: dict[str, LinkedRows] = {}
    rows: list[Measured] = []
    links: list[Link] = []
    for network in networks.electricity:
        own = _electric_sensors(wiring, network, measured)
        parts[network.id] = replace(_grid_rows(network, _empty_buses(wiring, network)), sensors=_sensors(own))
        links += _bus_links(wiring, network, ports)
        rows += own
    for carrier, pipes in ((Carrier.HEAT, networks.heat), (Carrier.COLD, networks.cold)):
        for pipe_network in pipes:
            own = _pipe_sensors(wiring, pipe_network, carrier, measured)
            parts[pipe_network.id] = replace(heat_rows(pipe_network), sensors=_sensors(own))
            links.append(_plant_link(wiring, pipe_network, carrier, ports))
            rows += own
    for gas in networks.gas:
        own = _gas_sensors(wiring, gas, measured)
        parts[gas.id] = replace(_gas_rows(gas), sensors=_sensors(own))
        links += _gas_links(wiring, gas, ports)
        rows += own
    units = _units(wiring, measured, ports)
    parts[UNITS] = units
    values = {r.sensor.name: r.value for r in rows}
    values |= {s.name: _unit_value(s, units, measured) for s in units.sensors}
    return CoupledRows(parts, tuple(links)), values


@lru_cache(maxsize=16)
def heat_rows(network: PipeNetwork) -> HeatRows:
    """Return a network's rows without sensors; equal networks share one result."""
    return HeatRows.of(network, (), pipe_law(network), liquid(network).heat_j_per_kg_k / 1e3)


@lru_cache(maxsize=16)
def _gas_rows(network: GasNetwork) -> GasRows:
    return GasRows.of(network, (), gas_quadratic(network))


@lru_cache(maxsize=16)
def _grid_rows(network: ElectricNetwork, empty: tuple[str, ...]) -> ElectricRows:
    return ElectricRows.of(network, (), empty)


def _sensors(rows: Sequence["Measured"]) -> tuple[Sensor, ...]:
    return tuple(r.sensor for r in rows)


@dataclass(frozen=True, slots=True)
class Measured:
    """A sensor and what it shows."""

    sensor: Sensor
    value: float


def _units(wiring: Wiring, measured: SiteMeasurements, ports: Mapping[tuple[str, Carrier], object]) -> UnitRows:
    running = {asset for asset, _ in ports}
    laws = [law for a in wiring.site.assets if a.id in running for law in characteristics(a, measured.air_degc)]
    gates = {g.id for g in wiring.site.of_kind(GasSupply)}
    meters = [
        _sensor(a, f"{c}_kw", measured.powers_kw[a, c], "gate_kw" if a in gates else "")
        for a, c in ports
        if (a, c) in measured.powers_kw
    ]
    known = [law for law in laws if _all_in(law, ports)]
    return UnitRows.of(ports, meters, known, {port: measured.powers_kw.get(port, 0.0) for port in ports})


def _unit_value(sensor: Sensor, units: UnitRows, measured: SiteMeasurements) -> float:
    """Return a meter's value, or 0 for a characteristic, which is met."""
    if sensor.name in units.characteristics:
        return 0.0
    return measured.powers_kw[sensor.element, Carrier(sensor.quantity.removesuffix("_kw"))]


def _possible_ports(asset: AnyAsset, inside: set[str]) -> Iterable[tuple[str, Carrier, Carrier, bool]]:
    """Yield the ports that may become states: equipment on networks, and consumers' electricity."""
    always = isinstance(asset, Consumer | GridConnection | GasSupply | Store)
    for carrier, node in asset.ports().items():
        if node in inside and (carrier is Carrier.ELECTRICITY or not isinstance(asset, Consumer)):
            yield asset.id, carrier, asset.control, always


def _ports(wiring: Wiring, measured: SiteMeasurements) -> Iterable[tuple[str, Carrier]]:
    """Yield the ports that are states now: converters only while they run."""
    for asset, carrier, control, always in wiring.ports:
        if always or abs(measured.powers_kw.get((asset, control), 0.0)) > MOVING_KW:
            yield asset, carrier


def _all_in(law: Characteristic, ports: Mapping[tuple[str, Carrier], object]) -> bool:
    return (law.asset, law.output) in ports and (law.asset, law.driver) in ports


def _sensor(element: str, quantity: str, value: float, accuracy: str = "") -> Sensor:
    """Return a sensor with the spread of its class, which its quantity names where nothing else is said."""
    share, constant = SIGMA[accuracy or quantity]
    return Sensor(element, quantity, share * abs(value) + constant)


def _measured(measured: SiteMeasurements, elements: Iterable[str]) -> list[Measured]:
    """Return the network quantities that were measured at some elements."""
    known = set(elements)
    split = ((*name.rpartition("."), value) for name, value in measured.network.items())
    return [
        _steady(_sensor(element, quantity, value), value, measured.offsets.get(f"{element}.{quantity}"))
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


def _empty_buses(wiring: Wiring, network: ElectricNetwork) -> tuple[str, ...]:
    loaded = wiring.at_node[Carrier.ELECTRICITY]
    return tuple(b.id for b in network.buses if b.id not in loaded and b.id != network.slack_bus)


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
            rows.append(Measured(_sensor(junction, "heat_kw", taken), taken))
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
            rows.append(Measured(_sensor(junction, "gas_kw", taken), taken))
    if f"{network.source_junction}.pressure_kpa" not in {r.sensor.name for r in rows}:
        nominal = network.source_pressure_kpa
        rows.append(Measured(Sensor(network.source_junction, "pressure_kpa", 5.0, Origin.BELIEF), nominal))
    return rows


def _at_nodes(site: Site, carrier: Carrier) -> dict[str, tuple[str, ...]]:
    """Return the assets at every node of a carrier."""
    found: dict[str, tuple[str, ...]] = {}
    for asset in site.assets:
        node = asset.ports().get(carrier)
        if node is not None:
            found[node] = (*found.get(node, ()), asset.id)
    return found


def _bus_links(wiring: Wiring, network: ElectricNetwork, ports: Mapping[tuple[str, Carrier], object]) -> list[Link]:
    """Return one law per bus: what the grid takes in there is what its assets feed."""
    buses = {b.id for b in network.buses}
    return [
        Link(bus, (Term(network.id, f"{bus}.power_kw"), *_terms(assets, Carrier.ELECTRICITY, ports, -1.0)))
        for bus, assets in wiring.at_node[Carrier.ELECTRICITY].items()
        if bus in buses
    ]


def _terms(
    assets: Iterable[str], carrier: Carrier, ports: Mapping[tuple[str, Carrier], object], factor: float
) -> tuple[Term, ...]:
    return tuple(Term(UNITS, f"{a}.{carrier}_kw", factor) for a in assets if (a, carrier) in ports)


def _plant_link(
    wiring: Wiring, network: PipeNetwork, carrier: Carrier, ports: Mapping[tuple[str, Carrier], object]
) -> Link:
    """Return the law of a plant: what its units feed goes into the pipes (cold counts as heat taken out)."""
    assets = wiring.at_node[carrier].get(network.plant_junction, ())
    factor = -1.0 if carrier is Carrier.HEAT else 1.0
    return Link(
        network.plant_junction,
        (Term(network.id, f"{network.plant_junction}.heat_kw"), *_terms(assets, carrier, ports, factor)),
    )


def _gas_links(wiring: Wiring, network: GasNetwork, ports: Mapping[tuple[str, Carrier], object]) -> list[Link]:
    """Return one law per junction with equipment: its offtake is what the units burn; at the source, what the supply gives."""
    links = []
    for junction, assets in wiring.at_node[Carrier.GAS].items():
        terms = _terms(assets, Carrier.GAS, ports, -1.0 if junction == network.source_junction else 1.0)
        known = junction in network.consumers or junction == network.source_junction
        stands = all((a, Carrier.GAS) not in ports for a in assets)
        burns = not any(junction == node for _, node in wiring.consumers[Carrier.GAS])
        if known and burns and (terms or stands):
            links.append(Link(junction, (Term(network.id, f"{junction}.gas_kw"), *terms)))
    return links
