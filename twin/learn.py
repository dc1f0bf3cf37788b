"""What a stretch of readings teaches about a site: every slow job that its meters allow, and in words what they do not."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import xarray as xr

from models.carriers import Carrier
from models.components import Consumer, Meter
from models.errors import DataError
from models.findings import Finding, error
from models.networks.data import PipeNetwork
from models.networks.plugflow import advance_pipes, start_state
from models.ports import Reading
from models.site import Site
from twin.calibrate import (
    Array,
    Calibration,
    calibrate_conversion,
    calibrate_friction,
    calibrate_gains,
    calibrate_loss,
    calibrate_volume,
)
from twin.calibrated import with_volume
from twin.estimate.converters import characteristics
from twin.estimate.heat import HeatRows
from twin.estimate.live import LiveEstimator
from twin.estimate.meters import SiteMeasurements
from twin.estimate.pipelaw import heat_rows
from twin.estimate.site import SiteEstimate
from twin.estimate.wiring import MOVING_KW

GAIN_SD = {Carrier.ELECTRICITY: 0.0025, Carrier.HEAT: 0.01, Carrier.COLD: 0.012, Carrier.GAS: 0.007}
"""Gain of one meter: class 0.5 (IEC 62053-22), class 2 (EN 1434), class 1.5 (EN 1359), halves of their limits."""
NOISE_SHARE = 0.004
LOSS_SHARE = 0.2
"""How far the network's losses may be off in a balance of meters."""
BALANCE_KW = 3.0
QUIET_OFFSET_K = 0.3
"""Water under way by more than this spoils an arrival temperature."""
MOVED_K = 1.0
"""A supply temperature that moves less than this shows no delays."""
FLOW_K = 3.0


@dataclass(frozen=True, slots=True)
class Instant:
    """What was measured at an instant, and the state that explains it."""

    at: datetime
    measured: SiteMeasurements
    found: SiteEstimate


@dataclass(frozen=True, slots=True)
class Learning:
    """What was learned, and for every job that could not run why not."""

    calibrations: tuple[Calibration, ...]
    missing: tuple[Finding, ...]


def observe(site: Site, readings: Iterable[tuple[datetime, Sequence[Reading]]]) -> list[Instant]:
    """Return the estimates of a row of instants, each warm from the one before."""
    estimator = LiveEstimator(site)
    seen = []
    for at, shown in readings:
        found = estimator.update(shown, at)
        seen.append(Instant(at, estimator.measured, found))
    return seen


def learn(site: Site, history: Sequence[Instant]) -> Learning:
    """Run every job on a history; a job without its meters is a finding and stops no other."""
    found: list[Calibration] = []
    missing: list[Finding] = []
    for job in _jobs(site, history):
        try:
            found.append(job())
        except DataError as problem:
            missing += problem.findings
    return Learning(tuple(found), tuple(missing))


def _jobs(site: Site, history: Sequence[Instant]) -> Iterator[Callable[[], Calibration]]:
    window = history[0].at, history[-1].at
    yield lambda: _conversion(site, history, window)
    for carrier in GAIN_SD:
        if any(carrier in a.ports() for a in site.assets):
            yield lambda c=carrier: _gains(site, history, window, c)  # type: ignore[misc] # the default binds the carrier
    for network in (*site.networks.heat, *site.networks.cold):
        water = Water.of(site, network, history)
        yield lambda w=water: _friction(w, window)  # type: ignore[misc] # as above
        yield lambda w=water: _loss(w, window)  # type: ignore[misc] # as above
        yield lambda w=water: _volume(w, window)  # type: ignore[misc] # as above


def _conversion(site: Site, history: Sequence[Instant], window: tuple[datetime, datetime]) -> Calibration:
    expected: dict[str, Array] = {}
    shown: dict[str, Array] = {}
    for k, instant in enumerate(history):
        powers = instant.measured.powers_kw
        for asset in site.assets:
            for law in characteristics(asset, instant.measured.air_degc):
                driver = powers.get((asset.id, law.driver), 0.0)
                name = f"{asset.id}.{law.quantity}"
                for table in (expected, shown):
                    table.setdefault(name, np.full(len(history), np.nan))
                if abs(driver) > MOVING_KW:
                    expected[name][k] = np.polynomial.polynomial.polyval(driver, law.coefficients)
                    shown[name][k] = powers.get((asset.id, law.output), np.nan)
    return calibrate_conversion(expected, shown, window)


def _gains(site: Site, history: Sequence[Instant], window: tuple[datetime, datetime], carrier: Carrier) -> Calibration:
    ports = [(a.id, carrier) for a in site.assets if carrier in a.ports() and not isinstance(a, Meter)]
    meters = {
        f"{asset}.{carrier}_kw": np.array([i.measured.powers_kw.get((asset, carrier), np.nan) for i in history])
        for asset, _ in ports
    }
    loss = np.array([_lost_kw(site, i.found, carrier) for i in history])
    noise = np.sqrt(sum((NOISE_SHARE * np.nan_to_num(m)) ** 2 for m in meters.values()))
    sigma = np.sqrt(noise**2 + (LOSS_SHARE * loss) ** 2 + BALANCE_KW**2)
    return calibrate_gains(meters, loss, window, sigma=sigma, prior_sd=GAIN_SD[carrier], subject=carrier.value)


def _lost_kw(site: Site, found: SiteEstimate, carrier: Carrier) -> float:
    """Return what a carrier's networks lose: what its units feed less what its consumers get; gas is not lost."""
    if carrier is Carrier.GAS:
        return 0.0
    fed = sum(v for (_, c), v in found.powers_kw.items() if c is carrier)
    pipes = site.networks.heat if carrier is Carrier.HEAT else site.networks.cold if carrier is Carrier.COLD else ()
    got = sum(
        heat_rows(n).heat_capacity_kj_per_kg_k * found.values[f"{c}.flow_kg_per_s"] * abs(found.values[f"{c}.delta_k"])
        for n in pipes
        for c in n.consumers
    )
    return fed - got


@dataclass(frozen=True, slots=True)
class Water:
    """What the meters of one heat or cold network showed, shape (snapshot,) or (snapshot, consumer); NaN where nothing was measured."""

    rows: HeatRows
    times: tuple[datetime, ...]
    taken_kw: Array
    supply_degc: Array
    delta_k: Array
    dp_kpa: Array
    lift_kpa: Array
    source_degc: Array
    offset_k: Array
    """How far water under way keeps an arrival temperature from steady state."""

    @classmethod
    def of(cls, site: Site, network: PipeNetwork, history: Sequence[Instant]) -> "Water":
        """Return the readings of a network."""
        rows, plant = heat_rows(network), network.plant_junction
        carrier = Carrier(network.carrier)

        def of_consumers(quantity: str) -> Array:
            return np.array(
                [[i.measured.network.get(f"{c}.{quantity}", np.nan) for c in network.consumers] for i in history]
            )

        def of_plant(quantity: str) -> Array:
            return np.array([i.measured.network.get(f"{plant}.{quantity}", np.nan) for i in history])

        asset_at = {d.node: c.id for c in site.of_kind(Consumer) for d in c.demands if d.carrier is carrier}
        taken = [
            [abs(i.measured.powers_kw.get((asset_at.get(c, ""), carrier), np.nan)) for c in network.consumers]
            for i in history
        ]
        offsets = [
            [o.correction_k if (o := i.measured.offsets.get(f"{c}.supply_degc")) else 0.0 for c in network.consumers]
            for i in history
        ]
        return cls(
            rows=rows,
            times=tuple(i.at for i in history),
            taken_kw=np.array(taken),
            supply_degc=of_consumers("supply_degc"),
            delta_k=of_consumers("delta_k"),
            dp_kpa=of_consumers("dp_kpa"),
            lift_kpa=of_plant("supply_kpa") - of_plant("return_kpa"),
            source_degc=of_plant("supply_degc"),
            offset_k=np.array(offsets),
        )

    @property
    def flow_kg_per_s(self) -> Array:
        """Flow of every consumer from its heat and its temperature difference."""
        delta = np.where(np.abs(self.delta_k) > FLOW_K, np.abs(self.delta_k), np.nan)
        return np.asarray(self.taken_kw / (self.rows.heat_capacity_kj_per_kg_k * delta))


def _friction(water: Water, window: tuple[datetime, datetime]) -> Calibration:
    network = water.rows.network
    measured = {c: water.dp_kpa[:, i] for i, c in enumerate(network.consumers) if np.isfinite(water.dp_kpa[:, i]).any()}
    if not measured or water.rows.chords:
        words = "no consumer's pressure difference is measured (dp_kpa), so friction stays as stated"
        loops = "has loops, where flows depend on the friction that is looked for; it stays as stated"
        raise DataError([error(f"friction {network.id}", loops if measured else words)])
    lift = np.where(np.isfinite(water.lift_kpa), water.lift_kpa, network.pump_lift_kpa)
    return calibrate_friction(water.rows, water.flow_kg_per_s, measured, lift, window)


def _loss(water: Water, window: tuple[datetime, datetime]) -> Calibration:
    network, rows = water.rows.network, water.rows
    measured_source = np.isfinite(water.source_degc).all()
    source = water.source_degc if measured_source else np.full(len(water.times), network.supply_degc)
    names, count = [f"{c}.supply_degc" for c in network.consumers], rows.count
    tables = np.full((3, *water.supply_degc.shape), np.nan)
    for k, flow in enumerate(water.flow_kg_per_s):
        if np.isfinite(flow).all() and not rows.chords:
            x = np.concatenate([flow, np.nan_to_num(water.delta_k[k]), [source[k], 0.0, 0.0, 1.0]])
            expected = rows.quantities(names, x)
            tables[:, k] = (
                water.supply_degc[k] - water.offset_k[k] - expected.value,
                expected.slope[:, 2 * count + 3],
                expected.slope[:, 2 * count],
            )
    misfit, by_factor, by_source = tables
    misfit[np.abs(water.offset_k) > QUIET_OFFSET_K] = np.nan
    return calibrate_loss(
        misfit, by_factor, by_source, window, subject=network.id, source_sd_k=0.2 if measured_source else 1.0
    )


def _volume(water: Water, window: tuple[datetime, datetime]) -> Calibration:
    network = water.rows.network
    swing = float(np.ptp(water.source_degc)) if np.isfinite(water.source_degc).all() else 0.0
    steps = {(b - a).total_seconds() for a, b in zip(water.times, water.times[1:], strict=False)}
    if swing < MOVED_K or len(steps) != 1 or not np.isfinite(water.taken_kw).all():
        words = f"the plant's measured supply temperature moves by {swing:.1f} K; {MOVED_K:g} K in even steps show the delays"
        raise DataError([error(f"pipe volume {network.id}", words, value=swing, limit=MOVED_K)])
    time = {"time": np.array([np.datetime64(t.replace(tzinfo=None), "ns") for t in water.times])}
    coords = {"consumer": list(network.consumers), **time}
    taken = xr.DataArray(water.taken_kw.T, coords, ("consumer", "time"))
    source = xr.DataArray(water.source_degc, time, ("time",))
    back = xr.DataArray((water.supply_degc - water.delta_k).T, coords, ("consumer", "time"))
    back = back.fillna(network.return_degc)

    def predict(factor: float) -> Array:
        wider = with_volume(network, factor)
        _, moved = advance_pipes(wider, start_state(wider), taken, source, step_s=steps_s, return_degc=back)
        return np.asarray(moved["supply_degc"].sel(junction=list(network.consumers)).transpose("time", "junction"))

    (steps_s,) = steps
    return calibrate_volume(predict, water.supply_degc, window, subject=network.id)
