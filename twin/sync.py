"""Keep the twin in step with the plant: readings become a snapshot in which every value says how far it may be trusted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite

from models.carriers import Carrier
from models.components import GridConnection, HeatPump, Meter, Store
from models.ports import Quality, Reading
from models.site import Site
from models.state import Snapshot, TagState, UnitState
from models.station import Port
from models.tariffs.time_of_use import PeriodFinder, monthly
from twin.billing import Counting, ImportMeter, MeterMemory
from twin.implied import implied_kw, kept_kwh, missing_by_balance
from twin.state import Layout, build_snapshot, powers_of, stored_of, unit_ids

STALE_POLLS = 3.0
"""A value older than so many polls of its device is stale."""
STALE_LEAST_S = 300.0
"""No value is stale sooner: who polls knows best and says so in the reading; this is for sources that never do."""
LOST_AFTER_S = 900.0
"""A value older than this says nothing about the present; the model does better."""
RUNNING_KW = 1.0
WORSE = [Quality.GOOD, Quality.UNCERTAIN, Quality.SUBSTITUTED, Quality.STALE, Quality.BAD]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Value:
    """The best reading of one quantity of an asset."""

    value: float
    quality: Quality
    age_s: float

    @property
    def usable(self) -> bool:
        """Whether the value says anything about the present."""
        return self.quality is not Quality.BAD


@dataclass(frozen=True, slots=True)
class SyncMemory:
    """What a synchroniser carries from one snapshot to the next; ``at`` is None before the first."""

    at: datetime | None
    meter: MeterMemory
    powers: tuple[tuple[str, Carrier, float], ...]
    """(asset, carrier, kW) of the last snapshot."""
    stored_kwh: dict[str, float]
    units: dict[str, UnitState]
    seen: tuple[tuple[str, str, datetime], ...]
    """(asset, quantity) and when it was measured last."""

    def after_a_gap(self, now: datetime) -> "SyncMemory":
        """Return what still holds at ``now``: nobody knows what was imported while nobody looked."""
        if self.at is None or (now - self.at).total_seconds() <= LOST_AFTER_S:
            return self
        return replace(self, meter=replace(self.meter, last_at=None, running=None))


class Synchroniser:
    """Turns readings into snapshots; remembers what readings do not say: hours in state, the billing peak, the last good values.

    A lost value is filled in from, in this order: the asset's own equations, the carrier's balance when it is the only one missing, its
    last value. Stored energy that is lost is carried on by the store's own balance. Everything filled in is marked.
    """

    def __init__(
        self,
        site: Site,
        peak_import_kw: float | None = None,
        initial: Snapshot | None = None,
        billing_period: PeriodFinder | None = None,
    ) -> None:
        self.site = site
        self.layout = Layout.of(site)
        periods = billing_period or monthly(site.location.time_zone)
        self._meter = ImportMeter(periods, peak_import_kw, Counting.of(site))
        self._asset = {a.id: a for a in site.assets}
        self._of_device = {d.id: self._measured(d.asset) for d in site.devices}
        self._stale_s = {d.id: max(STALE_POLLS * d.poll_s, STALE_LEAST_S) for d in site.devices}
        self._units = unit_ids(site)
        self._grids = site.of_kind(GridConnection)
        self._seen: dict[Key, datetime] = {}
        self._at = initial.at if initial else None
        self._power: dict[Port, float] = powers_of(initial) if initial else {}
        self._stored: dict[str, float] = stored_of(initial) if initial else {}
        self._unit_states: dict[str, UnitState] = dict(initial.units) if initial else {}

    @property
    def memory(self) -> SyncMemory:
        """What has to be known to go on from here, exactly as this one would."""
        return SyncMemory(
            self._at,
            self._meter.memory,
            tuple((asset, carrier, kw) for (asset, carrier), kw in self._power.items()),
            dict(self._stored),
            dict(self._unit_states),
            tuple((asset, quantity, at) for (asset, quantity), at in self._seen.items()),
        )

    def recall(self, memory: SyncMemory) -> None:
        """Go on from where another synchroniser of the same site stood."""
        self._at = memory.at
        self._meter.recall(memory.meter)
        self._power = {(asset, carrier): kw for asset, carrier, kw in memory.powers}
        self._stored, self._unit_states = dict(memory.stored_kwh), dict(memory.units)
        self._seen = {(asset, quantity): at for asset, quantity, at in memory.seen}

    def _measured(self, asset: str) -> str:
        """Return whose figures a device reads: a meter reads those of the asset that it is mounted on."""
        found = self._asset[asset]
        return found.asset if isinstance(found, Meter) else asset

    def snapshot(self, readings: Iterable[Reading], now: datetime) -> Snapshot:
        """Return the state of the site at ``now``; readings of unknown devices are ignored."""
        values = self._best(readings, now)
        tags = {k: TagState(v.quality, v.age_s) for k, v in values.items()}
        power = self._powers(values, tags, now)
        stored = self._contents(values, power, tags, now)
        units = self._unit_history(values, power, now)
        self._meter.observe(now, sum(power[g.id, g.control] for g in self._grids))
        made = replace(
            build_snapshot(self.layout, now, power, stored, units=units, tags=tags),
            peak_import_kw=self._meter.peak_kw,
            import_so_far=self._meter.running,
            month=self._meter.month,
        )
        self._at, self._power, self._stored, self._unit_states = now, power, stored, units
        return made

    def _best(self, readings: Iterable[Reading], now: datetime) -> dict[Key, Value]:
        """Return the most trustworthy reading of every quantity, late ones marked stale."""
        best: dict[Key, Value] = {}
        for r in readings:
            asset = self._of_device.get(r.device)
            if asset is None:
                continue
            age_s = _age_s(r.measured_at, now)
            quality = self._quality(r, age_s)
            key = asset, r.quantity
            if key not in best or WORSE.index(quality) < WORSE.index(best[key].quality):
                best[key] = Value(r.value, quality, age_s)
            if quality is not Quality.BAD:
                self._seen[key] = r.measured_at
        return best

    def _quality(self, reading: Reading, age_s: float) -> Quality:
        if reading.quality is Quality.BAD or age_s > LOST_AFTER_S or not isfinite(reading.value):
            return Quality.BAD
        if age_s > self._stale_s[reading.device] and reading.quality is not Quality.SUBSTITUTED:
            return Quality.STALE
        return reading.quality

    def _powers(self, values: Mapping[Key, Value], tags: dict[Key, TagState], now: datetime) -> dict[Port, float]:
        """Return every port's power: measured, or filled in and marked."""
        power: dict[Port, float] = {}
        lost: set[Port] = set()
        for port in self.layout.ports:
            found = values.get((port[0], _quantity(port[1])))
            if found is not None and found.usable:
                power[port] = found.value
            else:
                power[port] = self._power.get(port, 0.0)
                lost.add(port)
        filled = self._fill(power, lost, values, tags)
        for port in filled | lost:
            key = port[0], _quantity(port[1])
            tags[key] = TagState(Quality.SUBSTITUTED, _age_s(self._seen.get(key, now), now))
        return power

    def _fill(
        self, power: dict[Port, float], lost: set[Port], values: Mapping[Key, Value], tags: dict[Key, TagState]
    ) -> set[Port]:
        """Fill lost ports by equations, then by balances; write what the model says of measured ones into their tags."""
        filled: set[Port] = set()
        for asset in self.site.assets:
            control = asset.id, asset.control
            if control in lost or control not in power:
                continue
            for carrier, model_kw in implied_kw(asset, power[control], self._air(asset, values)).items():
                port = asset.id, carrier
                key = asset.id, _quantity(carrier)
                if port in lost:
                    power[port] = model_kw
                    lost.discard(port)
                    filled.add(port)
                elif key in tags:
                    tags[key] = TagState(tags[key].quality, tags[key].age_s, power[port] - model_kw)
        for carrier in self.layout.carriers:
            missing = missing_by_balance(carrier, power, lost.__contains__)
            if missing is not None:
                power[missing[0]] = missing[1]
        return filled

    def _air(self, asset: object, values: Mapping[Key, Value]) -> float | None:
        if not isinstance(asset, HeatPump):
            return None
        found = values.get((asset.id, "air_degc"))
        return found.value if found is not None and found.usable else None

    def _contents(
        self, values: Mapping[Key, Value], power: Mapping[Port, float], tags: dict[Key, TagState], now: datetime
    ) -> dict[str, float]:
        stored: dict[str, float] = {}
        for keeper in self.layout.keepers:
            key, measured = self._content_reading(keeper, values)
            if measured is not None:
                stored[keeper] = measured
                continue
            stored[keeper] = self._carried_on(keeper, values, power, now)
            tags[key] = TagState(Quality.SUBSTITUTED, _age_s(self._seen.get(key, now), now))
        return stored

    def _content_reading(self, keeper: str, values: Mapping[Key, Value]) -> tuple[Key, float | None]:
        """Return the stored energy as the device shows it, in kWh or as a share of its size."""
        asset = self._asset[keeper]
        energy = values.get((keeper, "stored_kwh"))
        if energy is not None and energy.usable:
            return (keeper, "stored_kwh"), energy.value
        share = values.get((keeper, "stored_share"))
        if isinstance(asset, Store) and share is not None:
            return (keeper, "stored_share"), share.value * asset.energy_kwh if share.usable else None
        return (keeper, "stored_kwh"), None

    def _carried_on(
        self, keeper: str, values: Mapping[Key, Value], power: Mapping[Port, float], now: datetime
    ) -> float:
        """Return what a keeper must hold now, from the last snapshot and the mean power since."""
        asset = self._asset[keeper]
        before = self._stored.get(keeper)
        if before is None or self._at is None:
            # nothing is known: a store half full is off by least at worst
            return asset.energy_kwh / 2.0 if isinstance(asset, Store) else 0.0
        port = keeper, asset.control
        mean_kw = (self._power.get(port, power[port]) + power[port]) / 2.0
        baseline = values.get((keeper, "baseline_kw"))
        known = baseline is not None and baseline.usable
        baseline_kw = -baseline.value if baseline is not None and known else -mean_kw
        span = self._at, now
        return kept_kwh(asset, before, mean_kw, span, baseline_kw, self.site.location.time_zone)

    def _unit_history(
        self, values: Mapping[Key, Value], power: Mapping[Port, float], now: datetime
    ) -> dict[str, UnitState]:
        """Return whether units run and for how long, as they tell or as was seen; a unit seen for the first time counts from now."""
        hours = 0.0 if self._at is None else _age_s(self._at, now) / 3600.0
        states = {}
        for unit in self._units:
            told = values.get((unit, "running"))
            control_kw = power.get((unit, self._asset[unit].control), 0.0)
            runs = told.value > 0.5 if told is not None and told.usable else abs(control_kw) > RUNNING_KW
            old = self._unit_states.get(unit)
            same = old is not None and old.running == runs
            seen_h = old.hours_in_state + hours if old is not None and same else 0.0
            count = values.get((unit, "in_state_h"))
            states[unit] = UnitState(runs, count.value if count is not None and count.usable else seen_h)
        return states


def _quantity(carrier: Carrier) -> str:
    return f"{carrier.value}_kw"


def _age_s(measured_at: datetime, now: datetime) -> float:
    return max((now - measured_at).total_seconds(), 0.0)
