"""The whole site as one estimate: its networks and its equipment side by side, tied at their nodes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from models.carriers import Carrier
from models.components import GasSupply
from models.site import Site
from models.station import Port
from twin.estimate.cleaning import estimate
from twin.estimate.converters import UnitRows
from twin.estimate.coupled import CoupledRows, LinkedRows
from twin.estimate.meters import SiteMeasurements, network_sensors, sensor
from twin.estimate.problem import Estimate, Sensor
from twin.estimate.wiring import UNITS, Wiring


@dataclass(frozen=True, slots=True)
class SiteEstimate:
    """The estimated site: ``values`` holds every state by name, ``powers_kw`` the reconciled port powers by (asset, carrier)."""

    estimate: Estimate
    values: Mapping[str, float]
    powers_kw: Mapping[Port, float]


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
    ports = wiring.running(measured.powers_kw)
    rows = dict(network_sensors(wiring, measured))
    parts: dict[str, LinkedRows] = {
        name: replace(bare, sensors=tuple(r.sensor for r in rows[name])) for name, bare in wiring.bare.items()
    }
    parts[UNITS] = units = _units(wiring, measured, ports)
    values = {r.sensor.name: r.value for own in rows.values() for r in own}
    values |= {s.name: _unit_value(s, units, measured) for s in units.sensors}
    return CoupledRows(parts, wiring.ties(ports)), values


def _units(wiring: Wiring, measured: SiteMeasurements, ports: tuple[Port, ...]) -> UnitRows:
    gates = {g.id for g in wiring.site.of_kind(GasSupply)}
    powers = measured.powers_kw
    meters = [sensor(a, f"{c}_kw", powers[a, c], "gate_kw" if a in gates else "") for a, c in ports if (a, c) in powers]
    laws = wiring.sheets_of(ports, measured.air_degc)
    return UnitRows.of(ports, meters, laws, {port: powers.get(port, 0.0) for port in ports})


def _unit_value(sensor: Sensor, units: UnitRows, measured: SiteMeasurements) -> float:
    """Return a meter's value, or 0 for a characteristic, which is met."""
    if sensor.name in units.characteristics:
        return 0.0
    return measured.powers_kw[sensor.element, Carrier(sensor.quantity.removesuffix("_kw"))]
