"""Snapshots of the park as every meter would show them: true states that obey all laws, and what instruments make of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.carriers import Carrier
from models.site import Site, load_profiles, load_site
from models.station import Station, resolve
from scenarios.sites import park_path
from twin.estimate.coupled import CoupledRows
from twin.estimate.meters import SiteMeasurements
from twin.estimate.problem import Array, Estimate, Origin, SensorStatus
from twin.estimate.site import SiteEstimator, site_rows
from twin.estimate.wiring import MOVING_KW, Wiring

LOSSES_KW = {Carrier.ELECTRICITY: 30.0, Carrier.HEAT: 80.0, Carrier.COLD: 10.0}
STORED_KWH = {"hot_tank": 5000.0, "cold_tank": 2000.0, "battery": 1500.0}
RANGES_KW = {
    "chp1": (500.0, 1000.0),
    "chp2": (500.0, 1000.0),
    "boiler1": (800.0, 3000.0),
    "ashp": (400.0, 1400.0),
    "chiller1": (300.0, 1500.0),
    "chiller2": (300.0, 1500.0),
    "battery": (-400.0, 400.0),
}
RUNNING_SHARE = 0.7
GAS_PRESSURES = 3
CHECKED = 0.5
"""Square root of the residual variance's share from which a sensor counts as checked by others."""


@dataclass(frozen=True, slots=True)
class Case:
    """One hour with every meter: rows, the true state, and what faultless instruments show, shape (row,)."""

    hour: int
    rows: CoupledRows
    x: Array
    shown: Array
    sigma: Array

    def noisy(self, rng: np.random.Generator) -> Array:
        """Return what honest instruments show; nominal values and units are off as far as they are trusted."""
        return np.asarray(self.shown + rng.normal(size=len(self.shown)) * self.sigma)

    @property
    def meters(self) -> Array:
        """Rows with an instrument behind them."""
        return np.array([s.origin is Origin.METER for s in self.rows.sensors])


def park() -> Site:
    """Return the shipped park."""
    return load_site(park_path())


def cases(site: Site, count: int, seed: int) -> Iterator[tuple[int, Case | None]]:
    """Yield random hours of the year with random units running; None where no state was found."""
    rng = np.random.default_rng(seed)
    profiles, station, wiring = load_profiles(site), Station.of(site), Wiring.of(site, _pipe_networks(site))
    for hour in rng.integers(0, len(profiles), count).tolist():
        control = {a: float(rng.uniform(*r)) for a, r in RANGES_KW.items() if rng.random() < RUNNING_SHARE}
        series = {str(k): float(v) for k, v in profiles.iloc[hour].items()}
        balance = resolve(station, station.conditions(series), control, STORED_KWH, 0.25, LOSSES_KW)
        air = next(v for k, v in series.items() if k.endswith("_degc"))
        yield hour, _case(site, wiring, hour, dict(balance.power_kw), air)


def _case(
    site: Site, wiring: Wiring, hour: int, powers_kw: dict[tuple[str, Carrier], float], air_degc: float
) -> Case | None:
    """Return a case whose true state is the estimate from powers alone; its rows then are those of the full placement."""
    estimator = SiteEstimator(site)
    first = estimator.estimate(SiteMeasurements(powers_kw, {}, air_degc))
    if not first.estimate.fit.converged:
        return None
    sparse, _ = site_rows(wiring, SiteMeasurements(powers_kw, {}, air_degc))
    x = np.array([first.values[name] for name in sparse.state_names])
    # a unit that hardly runs is a state in both models or in none
    reconciled = powers_kw | {port: kw for port, kw in first.powers_kw.items() if abs(kw) > 2 * MOVING_KW}
    network = {n: float(v) for names, part, local in _asked(site, sparse, x) for n, v in _values(part, names, local)}
    rows, _ = site_rows(wiring, SiteMeasurements(reconciled, network, air_degc))
    shown = rows.measured(x).value
    return Case(hour, rows, x, shown, np.array([s.sigma for s in rows.sensors]))


def _values(part: object, names: list[str], local: Array) -> Iterator[tuple[str, float]]:
    yield from zip(names, part.quantities(names, local).value, strict=True)  # type: ignore[attr-defined] # every part names its quantities


def _asked(site: Site, rows: CoupledRows, x: Array) -> Iterator[tuple[list[str], object, Array]]:
    """Yield what instruments would measure of every network: voltages and transformers, water at consumers and plants, gas pressures."""
    for _, network in site.networks:
        yield _names(site, network.id), rows.parts[network.id], x[rows.slices[network.id]]


def _names(site: Site, network_id: str) -> list[str]:
    for grid in site.networks.electricity:
        if grid.id == network_id:
            loaded = sorted(
                {n for a in site.assets if (n := a.ports().get(Carrier.ELECTRICITY)) and n != grid.slack_bus}
            )
            buses = {b.id for b in grid.buses}
            at_buses = [f"{b}.{q}" for b in loaded if b in buses for q in ("vm_pu", "reactive_kvar")]
            return at_buses + [f"{t.id}.from_{q}" for t in grid.transformers for q in ("power_kw", "reactive_kvar")]
    for pipes, pressures in [(n, 2) for n in site.networks.heat] + [(n, 1) for n in site.networks.cold]:
        if pipes.id == network_id:
            own = [f"{c}.{q}" for c in pipes.consumers for q in ("flow_kg_per_s", "supply_degc", "delta_k")]
            plant = [
                f"{pipes.plant_junction}.{q}"
                for q in ("flow_kg_per_s", "supply_degc", "delta_k", "supply_kpa", "return_kpa")
            ]
            return own + plant + [f"{c}.dp_kpa" for c in pipes.consumers[-pressures:]]
    gas = next(n for n in site.networks.gas if n.id == network_id)
    return [f"{j}.pressure_kpa" for j in (*gas.consumers[:GAS_PRESSURES], gas.source_junction)]


def _pipe_networks(site: Site) -> list[str]:
    return [n.id for n in (*site.networks.heat, *site.networks.cold)]


def accused(found: Estimate) -> set[str]:
    """Return the sensors that an estimate flags or removes."""
    return {s.sensor.name for s in found.sensors if s.status in (SensorStatus.FLAGGED, SensorStatus.REMOVED)}


def removed(found: Estimate) -> set[str]:
    """Return the sensors that an estimate takes out."""
    return {s.sensor.name for s in found.sensors if s.status is SensorStatus.REMOVED}
