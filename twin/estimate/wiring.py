"""Who hangs where on a site, and the laws that its nodes give: what flows in at one flows out."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from models.carriers import Carrier
from models.components import AnyAsset, Consumer, GasSupply, GridConnection, HeatPump, Store
from models.networks.data import ElectricNetwork, GasNetwork, PipeNetwork
from models.site import Site
from models.station import Port
from twin.estimate.converters import Characteristic, characteristics
from twin.estimate.coupled import Link, Term, Ties
from twin.estimate.electricity import ElectricRows
from twin.estimate.gas import GasRows
from twin.estimate.heat import HeatRows
from twin.estimate.pipelaw import gas_rows, heat_rows

UNITS = "units"
"""The part of an estimate that holds the equipment's port powers."""
MOVING_KW = 1.0
"""A converter below this is taken as standing and leaves the estimate."""
NOMINAL_AIR_DEGC = 15.0
"""Of the air where no unit measures it."""


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
    friction_known: frozenset[str]
    """Networks whose friction was calibrated."""
    bare: Mapping[str, ElectricRows | HeatRows | GasRows]
    """Rows of every network without sensors, in the order of the estimate."""
    sheets: Mapping[str, tuple[Characteristic, ...]]
    """What every unit's sheet says; heat pumps follow the air and are asked anew."""
    _tied: dict[tuple[Port, ...], Ties] = field(default_factory=dict, init=False, repr=False, compare=False)

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
            dict(_bare_rows(site)),
            {a.id: characteristics(a, NOMINAL_AIR_DEGC) for a in site.assets},
        )

    def running(self, powers_kw: Mapping[Port, float]) -> tuple[Port, ...]:
        """Return the ports that are states at these powers: converters only while they run."""
        return tuple(
            (asset, carrier)
            for asset, carrier, control, always in self.ports
            if always or abs(powers_kw.get((asset, control), 0.0)) > MOVING_KW
        )

    def ties(self, ports: tuple[Port, ...]) -> Ties:
        """Return the laws of all nodes while these ports are states; kept, since mostly the same units run as before."""
        if ports not in self._tied:
            self._tied[ports] = Ties(tuple(_links(self, dict.fromkeys(ports))))
        return self._tied[ports]

    def sheets_of(self, ports: Iterable[Port], air_degc: float) -> list[Characteristic]:
        """Return the characteristics between these ports."""
        known = dict.fromkeys(ports)
        running = {asset for asset, _ in known}
        laws = [law for a in self.site.assets if a.id in running for law in self._sheet(a, air_degc)]
        return [law for law in laws if (law.asset, law.output) in known and (law.asset, law.driver) in known]

    def _sheet(self, asset: AnyAsset, air_degc: float) -> tuple[Characteristic, ...]:
        return characteristics(asset, air_degc) if isinstance(asset, HeatPump) else self.sheets[asset.id]


def _bare_rows(site: Site) -> Iterable[tuple[str, ElectricRows | HeatRows | GasRows]]:
    loaded = _at_nodes(site, Carrier.ELECTRICITY)
    for grid in site.networks.electricity:
        yield (
            grid.id,
            ElectricRows.of(grid, (), [b.id for b in grid.buses if b.id not in loaded and b.id != grid.slack_bus]),
        )
    for pipes in (*site.networks.heat, *site.networks.cold):
        yield pipes.id, heat_rows(pipes)
    for gas in site.networks.gas:
        yield gas.id, gas_rows(gas)


def _possible_ports(asset: AnyAsset, inside: set[str]) -> Iterable[tuple[str, Carrier, Carrier, bool]]:
    """Yield the ports that may become states: equipment on networks, and consumers' electricity."""
    always = isinstance(asset, Consumer | GridConnection | GasSupply | Store)
    for carrier, node in asset.ports().items():
        if node in inside and (carrier is Carrier.ELECTRICITY or not isinstance(asset, Consumer)):
            yield asset.id, carrier, asset.control, always


def _at_nodes(site: Site, carrier: Carrier) -> dict[str, tuple[str, ...]]:
    """Return the assets at every node of a carrier."""
    found: dict[str, tuple[str, ...]] = {}
    for asset in site.assets:
        node = asset.ports().get(carrier)
        if node is not None:
            found[node] = (*found.get(node, ()), asset.id)
    return found


def _links(wiring: Wiring, ports: Mapping[Port, object]) -> Iterable[Link]:
    """Yield one law per node that lies in a network."""
    networks = wiring.site.networks
    for grid in networks.electricity:
        yield from _bus_links(wiring, grid, ports)
    for carrier, pipes in ((Carrier.HEAT, networks.heat), (Carrier.COLD, networks.cold)):
        yield from (_plant_link(wiring, network, carrier, ports) for network in pipes)
    for gas in networks.gas:
        yield from _gas_links(wiring, gas, ports)


def _bus_links(wiring: Wiring, network: ElectricNetwork, ports: Mapping[Port, object]) -> list[Link]:
    """Return one law per bus: what the grid takes in there is what its assets feed."""
    buses = {b.id for b in network.buses}
    return [
        Link(bus, (Term(network.id, f"{bus}.power_kw"), *_terms(assets, Carrier.ELECTRICITY, ports, -1.0)))
        for bus, assets in wiring.at_node[Carrier.ELECTRICITY].items()
        if bus in buses
    ]


def _terms(assets: Iterable[str], carrier: Carrier, ports: Mapping[Port, object], factor: float) -> tuple[Term, ...]:
    return tuple(Term(UNITS, f"{a}.{carrier}_kw", factor) for a in assets if (a, carrier) in ports)


def _plant_link(wiring: Wiring, network: PipeNetwork, carrier: Carrier, ports: Mapping[Port, object]) -> Link:
    """Return the law of a plant: what its units feed goes into the pipes (cold counts as heat taken out)."""
    assets = wiring.at_node[carrier].get(network.plant_junction, ())
    factor = -1.0 if carrier is Carrier.HEAT else 1.0
    return Link(
        network.plant_junction,
        (Term(network.id, f"{network.plant_junction}.heat_kw"), *_terms(assets, carrier, ports, factor)),
    )


def _gas_links(wiring: Wiring, network: GasNetwork, ports: Mapping[Port, object]) -> list[Link]:
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
