"""The estimator beside the live plant: readings in, one consistent state of all carriers out, with a verdict on every sensor."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from models.carriers import Carrier
from models.components import Consumer, GasSupply, GridConnection, HeatPump
from models.networks.data import PipeNetwork
from models.ports import Quality, Reading
from models.site import Site
from models.station import Port
from twin.estimate.meters import SiteMeasurements
from twin.estimate.pipelaw import heat_rows
from twin.estimate.plugoffset import Offset, PlugOffset
from twin.estimate.site import SiteEstimate, SiteEstimator
from twin.estimate.wiring import NOMINAL_AIR_DEGC

POWERS: dict[str, Carrier] = {f"{c}_kw": c for c in Carrier if c is not Carrier.WATER}
TRUSTED = (Quality.GOOD, Quality.UNCERTAIN)
LONGEST_STEP_S = 3600.0
"""After a longer gap the water under way is anybody's guess, so the parcel model starts anew."""


class LiveEstimator:
    """Keeps what an estimate needs from one instant to the next: the last state, and the water under way in each pipe network.

    ``gains`` are what calibration found meters' readings are to be multiplied by; ``friction_known`` and ``volume_known`` name the networks
    whose friction and whose pipe volume it found, so that their pressures, and temperatures behind slow water, may be trusted.
    """

    def __init__(
        self,
        site: Site,
        gains: Mapping[Port, float] | None = None,
        friction_known: Collection[str] = (),
        volume_known: Collection[str] = (),
    ) -> None:
        self.site = site
        self.measured = SiteMeasurements({}, {})
        """What the last estimate was made from."""
        self._gains = dict(gains or {})
        warmed = (Carrier.HEAT, site.networks.heat), (Carrier.COLD, site.networks.cold)
        self._pipes = {n.id: (carrier, n) for carrier, networks in warmed for n in networks}
        self._volume_known = frozenset(volume_known)
        self._plugs = self._still_water()
        self._estimator = SiteEstimator(site, friction_known)
        self._last: SiteEstimate | None = None
        self._at: datetime | None = None

    def update(self, readings: Iterable[Reading], now: datetime) -> SiteEstimate:
        """Return the estimate at ``now``; readings that are stale, bad or filled in take no part."""
        measured = measurements(self.site, readings)
        powers = {port: kw * self._gains.get(port, 1.0) for port, kw in measured.powers_kw.items()}
        measured = replace(measured, powers_kw=powers)
        self.measured = replace(measured, offsets=self._offsets(measured, now))
        self._last = self._estimator.estimate(self.measured, self._last)
        self._at = now
        return self._last

    def _still_water(self) -> dict[str, PlugOffset]:
        known = self._volume_known
        return {n: PlugOffset(heat_rows(network), volume_known=n in known) for n, (_, network) in self._pipes.items()}

    def _offsets(self, measured: SiteMeasurements, now: datetime) -> dict[str, Offset]:
        """Move every pipe network's water on to ``now`` and return what it adds to measured temperatures."""
        if self._at is None or not 0 < (now - self._at).total_seconds() <= LONGEST_STEP_S:
            self._plugs = self._still_water()
            return {}
        step_s = (now - self._at).total_seconds()
        found: dict[str, Offset] = {}
        for name, (carrier, network) in self._pipes.items():
            taken = dict(_taken(self.site, network, carrier, measured))
            supply = measured.network.get(f"{network.plant_junction}.supply_degc", network.supply_degc)
            found |= self._plugs[name].advance(taken, supply, {}, step_s)
        return found


def _taken(
    site: Site, network: PipeNetwork, carrier: Carrier, measured: SiteMeasurements
) -> Iterator[tuple[str, float]]:
    for consumer in site.of_kind(Consumer):
        for demand in consumer.demands:
            if demand.carrier is carrier and demand.node in network.consumers:
                yield demand.node, max(-measured.powers_kw.get((consumer.id, carrier), 0.0), 0.0)


def measurements(site: Site, readings: Iterable[Reading]) -> SiteMeasurements:
    """Return trusted readings as the estimator's measurements; everything else is left for the estimate to find."""
    asset_of = {d.id: site.asset(d.asset) for d in site.devices}
    values = {
        (asset_of[r.device].id, r.quantity): r.value for r in readings if r.device in asset_of and r.quality in TRUSTED
    }
    powers = {(asset, POWERS[q]): v for (asset, q), v in values.items() if q in POWERS}
    powers = {k: v for k, v in powers.items() if k[1] in site.asset(k[0]).ports()}
    network = dict(_network_values(site, values))
    air = next((values[p.id, "air_degc"] for p in site.of_kind(HeatPump) if (p.id, "air_degc") in values), None)
    return SiteMeasurements(powers, network, NOMINAL_AIR_DEGC if air is None else air)


def _network_values(site: Site, values: Mapping[tuple[str, str], float]) -> Iterator[tuple[str, float]]:
    """Yield what meters say about network elements: voltages at buses, temperatures at junctions, pressure at the gas source."""
    slack = {n.slack_bus for n in site.networks.electricity}
    sources = {n.source_junction for n in site.networks.gas}
    for asset in site.assets:
        ports = asset.ports()
        bus, junction, gas = (ports.get(c) for c in (Carrier.ELECTRICITY, Carrier.HEAT, Carrier.GAS))
        volts = values.get((asset.id, "voltage_pu"))
        if volts is not None and bus is not None and (bus in slack) == isinstance(asset, GridConnection):
            yield f"{bus}.vm_pu", volts
        supply, back = values.get((asset.id, "supply_degc")), values.get((asset.id, "return_degc"))
        if isinstance(asset, Consumer) and junction is not None and supply is not None:
            yield f"{junction}.supply_degc", supply
            if back is not None and supply - back > 1.0:
                yield f"{junction}.delta_k", supply - back
        dp = values.get((asset.id, "dp_kpa"))
        if isinstance(asset, Consumer) and junction is not None and dp is not None:
            yield f"{junction}.dp_kpa", dp
        pressure = values.get((asset.id, "pressure_kpa"))
        if isinstance(asset, GasSupply) and gas in sources and pressure is not None:
            yield f"{gas}.pressure_kpa", pressure
