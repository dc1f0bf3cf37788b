"""Where each quantity of a device comes from in the emulated plant: the truth that its instruments then show with their errors."""

import math
import re
from collections.abc import Callable

from hil.emulators.plant import EmulatedPlant
from hil.maps.bind import rated_kw
from models.carriers import Carrier
from models.components import AnyAsset, Chp, GridConnection, Meter, Pv, Store, Wind
from models.networks.data import GasNetwork, PipeNetwork

Gauge = Callable[[], float]
WATER_KWH_PER_M3_K = 1.163
GAS_KWH_PER_M3 = 9.97
"""Lower heating value of natural gas H at base conditions."""
NOMINAL_HZ = 50.0
SWING_HZ = 0.015
PHASE = re.compile(r"(voltage|current|power|reactive)_l[123]_(v|a|kw|kvar)")
PHASE_V = 230.94
"""Phase to neutral at rated voltage."""
COUNTERS = {
    "electricity_import_kwh": (Carrier.ELECTRICITY, True),
    "electricity_export_kwh": (Carrier.ELECTRICITY, False),
    "heat_kwh": (Carrier.HEAT, None),
    "cold_kwh": (Carrier.COLD, None),
    "gas_kwh": (Carrier.GAS, None),
    "hydrogen_kwh": (Carrier.HYDROGEN, None),
    "water_m3": (Carrier.WATER, None),
}
"""Counter → its carrier, and whether it counts what an asset draws (True), feeds (False) or both."""


def gauge(plant: EmulatedPlant, asset_id: str, quantity: str) -> Gauge | None:
    """Return how to read a quantity of an asset from the plant, None where the asset has no such quantity."""
    asset = plant.own_site.asset(asset_id)
    if isinstance(asset, Meter):
        other_carrier = quantity.split("_")[0] in {c.value for c in Carrier} - {asset.carrier.value}
        return None if other_carrier else gauge(plant, asset.asset, quantity)
    return (
        _power(plant, asset, quantity)
        or _counter(plant, asset, quantity)
        or _content(plant, asset, quantity)
        or _electric(plant, asset, quantity)
        or _phase(plant, asset, quantity)
        or _pipes(plant, asset, quantity)
        or _state(plant, asset, quantity)
        or _rating(plant, asset, quantity)
    )


def _power(plant: EmulatedPlant, asset: AnyAsset, quantity: str) -> Gauge | None:
    name, _, unit = quantity.partition("_")
    if unit == "kw" and name in asset.ports():
        port = asset.id, Carrier(name)
        return lambda: plant.power_kw(port)
    if quantity == "water_m3_per_h" and Carrier.WATER in asset.ports():
        return lambda: plant.power_kw((asset.id, Carrier.WATER))
    if quantity == "gas_m3_per_h" and Carrier.GAS in asset.ports():
        return lambda: abs(plant.power_kw((asset.id, Carrier.GAS))) / GAS_KWH_PER_M3
    if quantity == "available_kw":
        return lambda: plant.conditions.available_kw.get(asset.id, 0.0)
    if quantity == "baseline_kw":
        return lambda: -plant.conditions.baseline_kw.get(asset.id, 0.0)
    return None


def _counter(plant: EmulatedPlant, asset: AnyAsset, quantity: str) -> Gauge | None:
    if quantity not in COUNTERS:
        return None
    carrier, drawn = COUNTERS[quantity]
    if carrier not in asset.ports():
        return None
    port = asset.id, carrier
    if drawn is None:
        return lambda: plant.fed_kwh.get(port, 0.0) + plant.drawn_kwh.get(port, 0.0)
    # what the public grid feeds in is the site's import
    book = plant.drawn_kwh if drawn is not isinstance(asset, GridConnection) else plant.fed_kwh
    return lambda: book.get(port, 0.0)


def _content(plant: EmulatedPlant, asset: AnyAsset, quantity: str) -> Gauge | None:
    if isinstance(asset, Store) and quantity == "stored_share":
        return lambda: plant.stored_kwh[asset.id] / asset.energy_kwh
    if quantity == "stored_kwh" and asset.id in plant.parks:
        return lambda: plant.parks[asset.id].need_kwh
    if quantity == "stored_kwh" and asset.id in plant.stored_kwh:
        return lambda: plant.stored_kwh[asset.id]
    if quantity == "vehicles" and asset.id in plant.parks:
        return lambda: float(plant.parks[asset.id].plugged)
    return None


def _electric(plant: EmulatedPlant, asset: AnyAsset, quantity: str) -> Gauge | None:
    node = asset.ports().get(Carrier.ELECTRICITY)
    if node is None:
        return None
    network = next((n.network for n in plant.site.nodes if n.id == node and n.network), "")
    if quantity == "voltage_pu":
        return lambda: plant.voltage_pu(network, node)
    if quantity == "frequency_hz":
        return lambda: NOMINAL_HZ + SWING_HZ * math.sin(plant.lived_s / 137.0)
    if quantity == "reactive_kvar":
        return lambda: plant.reactive_kvar(asset.id)
    if quantity == "current_a":
        bus = next(
            (b for n in plant.site.networks.electricity for b in n.buses if (n.id, b.id) == (network, node)), None
        )
        volts = math.sqrt(3) * (bus.vn_kv if bus else 0.4)
        return lambda: (
            math.hypot(plant.power_kw((asset.id, Carrier.ELECTRICITY)), plant.reactive_kvar(asset.id))
            / (volts * max(plant.voltage_pu(network, node), 0.1))
        )
    return None


def _phase(plant: EmulatedPlant, asset: AnyAsset, quantity: str) -> Gauge | None:
    """Return one phase of an asset that loads all three alike."""
    found = PHASE.fullmatch(quantity)
    if found is None:
        return None
    whole, share = {
        "voltage": ("voltage_pu", PHASE_V),
        "current": ("current_a", 1.0),
        "power": ("electricity_kw", 1 / 3),
        "reactive": ("reactive_kvar", 1 / 3),
    }[found[1]]
    source = _power(plant, asset, whole) or _electric(plant, asset, whole)
    return None if source is None else lambda: share * source()


def _pipes(plant: EmulatedPlant, asset: AnyAsset, quantity: str) -> Gauge | None:
    if quantity == "air_degc":
        name = getattr(asset, "air_profile", None) or next(
            (s for s in plant.actuals.names if s.endswith("air_degc")), ""
        )
        return lambda: plant.series.get(name, 15.0)
    network = _network_of(plant, asset)
    if isinstance(network, GasNetwork):
        fixed = {"supply_degc": network.gas_degc, "pressure_kpa": network.source_pressure_kpa}
        return _constant(fixed[quantity]) if quantity in fixed else None
    if network is None:
        return None
    port = asset.id, Carrier(network.carrier)
    water = _water(plant, network, asset.ports()[port[1]])
    sources: dict[str, Gauge] = {
        "flow_m3_per_h": lambda: (
            abs(plant.power_kw(port)) / (WATER_KWH_PER_M3_K * max(abs(water()[0] - water()[1]), 1.0))
        ),
        "volume_m3": lambda: (
            (plant.fed_kwh.get(port, 0.0) + plant.drawn_kwh.get(port, 0.0))
            / (WATER_KWH_PER_M3_K * abs(network.supply_degc - network.return_degc))
        ),
        "supply_degc": lambda: water()[0],
        "return_degc": lambda: water()[1],
        "pressure_kpa": lambda: network.return_pressure_kpa,
        "dp_kpa": _dp(plant, network, asset.ports()[port[1]]),
    }
    return sources.get(quantity)


def _dp(plant: EmulatedPlant, network: PipeNetwork, node: str) -> Gauge:
    """Return how to read the pressure difference at a node; the plant's where the node is no junction."""
    pipes = next(p for p in plant.pipes if p.network.id == network.id)
    return lambda: pipes.dp_kpa(node if node in pipes.row else network.plant_junction)


def _water(plant: EmulatedPlant, network: PipeNetwork, node: str) -> Callable[[], tuple[float, float]]:
    """Return how to read supply and return temperature at a node; the plant's where the node is no junction."""
    pipes = next(p for p in plant.pipes if p.network.id == network.id)
    junction = node if node in pipes.row else network.plant_junction
    return lambda: pipes.degc(junction)


def _network_of(plant: EmulatedPlant, asset: AnyAsset) -> PipeNetwork | GasNetwork | None:
    """Return the pipe network that an asset's temperatures belong to: heat before cold before gas, the controlled carrier first."""
    ports = asset.ports()
    order = [asset.control, Carrier.HEAT, Carrier.COLD, Carrier.GAS]
    networks = {Carrier(c): n for c, n in plant.own_site.networks}
    found = next((networks[c] for c in order if c in ports and c in networks and c is not Carrier.ELECTRICITY), None)
    return found if isinstance(found, PipeNetwork | GasNetwork) else None


def _state(plant: EmulatedPlant, asset: AnyAsset, quantity: str) -> Gauge | None:
    unit = plant.units.get(asset.id)
    if unit is None:
        return None
    port = asset.id, asset.control
    states: dict[str, Gauge] = {
        "running": lambda: float(abs(plant.power_kw(port)) > 0 or (isinstance(asset, Chp) and unit.running)),
        "starts": lambda: float(unit.starts),
        "operating_h": lambda: unit.operating_s / 3600.0,
        "status_code": lambda: _status_code(plant, asset),
        "state_code": lambda: _state_code(plant, asset),
        "wind_speed": lambda: _wind_speed(plant, asset),
    }
    return states.get(quantity)


def _status_code(plant: EmulatedPlant, asset: AnyAsset) -> float:
    """Return 0 off, 1 ready, 2 starting, 3 running, 4 disturbance."""
    if asset.id in plant.out_of_service:
        return 4.0
    if plant.power_kw((asset.id, asset.control)):
        return 3.0
    return 2.0 if plant.units[asset.id].running else 1.0


def _state_code(plant: EmulatedPlant, asset: AnyAsset) -> float:
    """Return an inverter's operating state (SunSpec St), or a heat pump's 0 standing, 1 heating, 4 fault."""
    power = plant.power_kw((asset.id, asset.control))
    if asset.id in plant.out_of_service:
        return 7.0 if isinstance(asset, Pv) else 4.0
    if not isinstance(asset, Pv):
        return float(power > 0)
    if power <= 0:
        return 2.0
    return 5.0 if power < plant.conditions.available_kw.get(asset.id, 0.0) else 4.0


def _wind_speed(plant: EmulatedPlant, asset: AnyAsset) -> float:
    """Return the wind speed in m/s that the available power stands for, on the cubic curve between 3 and 13 m/s."""
    if not isinstance(asset, Wind):
        return 0.0
    share = plant.conditions.available_kw.get(asset.id, 0.0) / asset.rated_kw
    return float((3.0**3 + min(max(share, 0.0), 1.0) * (13.0**3 - 3.0**3)) ** (1.0 / 3.0))


def _rating(plant: EmulatedPlant, asset: AnyAsset, quantity: str) -> Gauge | None:
    stated = plant.site.asset(asset.id)
    if quantity == "rated_kw":
        return _constant(rated_kw(stated))
    if quantity == "rated_kwh" and isinstance(stated, Store):
        return _constant(stated.energy_kwh)
    if quantity == "health_share" and isinstance(stated, Store) and isinstance(asset, Store):
        return _constant(min(asset.energy_kwh / stated.energy_kwh, 1.0))
    return _constant(0.0) if quantity == "info_code" else None


def _constant(value: float) -> Gauge:
    return lambda: value
