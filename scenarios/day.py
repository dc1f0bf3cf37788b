"""One day of a site under one operator: the optimizing loop or a rule, over loopback Modbus or in process, in virtual time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import xarray as xr

from hil.bridge import Bridge, BridgeStats
from hil.emulators.fleet import Fleet
from hil.emulators.inprocess import InProcessPlant
from hil.emulators.plant import EmulatedPlant
from hil.virtual_time import run_virtual
from models.components import (
    AbsorptionChiller,
    AnyAsset,
    Consumer,
    EvFleet,
    FlexibleLoad,
    GasBoiler,
    GasSupply,
    Pv,
    Wind,
)
from models.findings import Finding
from models.forecast.naive import Forecaster
from models.horizon import require_utc
from models.ports import Clock, Plant, Receipt
from models.site import Site
from models.tariffs.time_of_use import BillingPeriod
from scenarios.events import CommandsSent, Event, Fault, GuardActed, Listener, PlanMade, SnapshotTaken
from scenarios.kpis import Kpis, kpis_of
from scenarios.loop_settings import LoopSettings, at_once, no_margin
from scenarios.operate import OperatingLoop, SnapshotSource, unaccounted
from scenarios.problem import Checker, EndRule, Horizons, Planner
from scenarios.rules import Rule, RulePlanner

DAY = timedelta(days=1)
START_SHARE = 0.5
"""How full every store is when a day begins."""


class JumpingClock:
    """A clock for a run without anything in the background: to sleep is to jump."""

    def __init__(self, epoch: datetime) -> None:
        self._epoch = require_utc(epoch)
        self._passed = timedelta(0)

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return self._epoch + self._passed

    def monotonic(self) -> float:
        """Return the seconds since the epoch of this clock."""
        return self._passed.total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Jump ahead."""
        self._passed += timedelta(seconds=max(seconds, 0.0))


@dataclass(frozen=True, slots=True)
class Operator:
    """Who operates the site: a planner with its forecaster and horizons, and, for plans that are to be checked and floored, who does that."""

    name: str
    planner: Planner
    forecaster: Forecaster
    checker: Checker | None = None
    floor_planner: Planner | None = None
    floor_kw: float = 0.0
    horizons: Horizons = field(default_factory=Horizons)
    margin_kw: Callable[[], float] = no_margin
    trims: bool = False

    def settings(self, period: BillingPeriod) -> LoopSettings:
        """Return the settings of a period that is billed and judged by itself, under a clock that stands while a plan is made."""
        return LoopSettings(
            billing_period=lambda _: period,
            in_background=at_once,
            floor_kw=self.floor_kw,
            margin_kw=self.margin_kw,
            trimmed=self.trims,
            horizons=replace(self.horizons, until=period.end, ends=AS_AT_START),
        )


AS_AT_START = EndRule(target_share=START_SHARE, short_price_per_kwh=1.5)
"""A run that is judged by itself should leave its stores as it found them; what differs is credited at end values."""


def optimizing(
    name: str,
    planner: Planner,
    forecaster: Forecaster,
    checker: Checker | None = None,
    floor_planner: Planner | None = None,
) -> Operator:
    """Return an operator that plans a day ahead and finds its own floor for the demand charge, by ``floor_planner`` where there is one."""
    return Operator(name, planner, forecaster, checker, floor_planner=floor_planner or planner)


def following(site: Site, name: str, rule: Rule, forecaster: Forecaster) -> Operator:
    """Return an operator that follows a rule and looks no further than the present step; its guard holds the rule's own limit."""
    limit_kw = rule.own_peak_kw if rule.demand_limit_kw is None else rule.demand_limit_kw
    return Operator(
        name, RulePlanner(site, rule), forecaster, floor_kw=limit_kw, horizons=Horizons(quarters=1, hours=0)
    )


@dataclass
class Diary:
    """Everything a loop told during a day."""

    receipts: list[Receipt] = field(default_factory=list)
    plans: list[PlanMade] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    snapshots: int = 0
    values_read: int = 0
    guard_turns: int = 0

    def __call__(self, event: Event) -> None:
        """Note one event."""
        if isinstance(event, CommandsSent):
            self.receipts += event.receipts
        elif isinstance(event, PlanMade):
            self.plans.append(event)
        elif isinstance(event, Fault):
            self.faults.append(event)
        elif isinstance(event, GuardActed):
            self.guard_turns += 1
        elif isinstance(event, SnapshotTaken):
            self.snapshots += 1
            self.values_read += len(event.readings)


@dataclass(frozen=True, slots=True)
class DayResult:
    """One operated day.

    ``findings`` are those of the plans' checks, each sentence once; ``unaccounted`` the commands of which nobody knows whether they
    landed; ``differences`` how many read-backs showed something else than was written.
    """

    operator: str
    day: date
    kpis: Kpis
    truth: xr.Dataset
    diary: Diary
    unaccounted: Sequence[Receipt]
    wire: BridgeStats | None = None
    """What went over Modbus; None for a day in process."""

    @property
    def differences(self) -> int:
        """How many commands were read back as something else."""
        return sum(r.code == "differs" for r in self.diary.receipts)

    @property
    def findings(self) -> list[Finding]:
        """What the checks said of the day's plans, each place and severity once."""
        found: dict[tuple[str, str], Finding] = {}
        for made in self.diary.plans:
            for finding in made.check.findings if made.check is not None else ():
                found.setdefault((finding.severity.value, finding.place), finding)
        return list(found.values())


def local_day(site: Site, day: date) -> BillingPeriod:
    """Return a local day as a billing period of its own, in UTC."""
    zone = ZoneInfo(site.location.time_zone)
    start = datetime.combine(day, time(), zone)
    return BillingPeriod(require_utc(start), require_utc(datetime.combine(day + DAY, time(), zone)))


async def operate(
    site: Site,
    operator: Operator,
    plant: Plant,
    clock: Clock,
    synchroniser: SnapshotSource,
    period: BillingPeriod,
    diary: Listener,
    settings: LoopSettings | None = None,
) -> None:
    """Run the loop over a billing period; the caller brings plant and clock."""
    loop = OperatingLoop(
        site,
        plant,
        clock,
        operator.planner,
        operator.forecaster,
        synchroniser,
        checker=operator.checker,
        floor_planner=operator.floor_planner,
        listener=diary,
        settings=settings or operator.settings(period),
    )
    await loop.run(until=period.end)


def run_day(
    site: Site,
    day: date,
    operator: Operator,
    synchroniser: SnapshotSource,
    *,
    seed: int = 1,
    settings: LoopSettings | None = None,
) -> DayResult:
    """Return one local day operated in process: the emulated plant's devices and instruments, without sockets.

    The same ``seed`` gives the same plant, weather and noise, so operators can be compared.
    """
    period = local_day(site, day)
    emulated = EmulatedPlant(site, seed, period.start)
    before = dict(emulated.stored_kwh)
    clock, diary = JumpingClock(period.start), Diary()
    plant = InProcessPlant(site, emulated, clock)
    asyncio.run(operate(site, operator, plant, clock, synchroniser, period, diary, settings))
    return result_of(site, day, operator, emulated, before, period, diary)


def run_day_over_modbus(
    site: Site,
    day: date,
    operator: Operator,
    synchroniser: SnapshotSource,
    *,
    seed: int = 1,
    poll_s: float = 60.0,
    settings: LoopSettings | None = None,
) -> DayResult:
    """Return one local day operated over real loopback Modbus: one server per device, the bridge in between, time virtual.

    What the guard watches and moves is polled every ``poll_s`` seconds, other equipment half as often, customers' meters and the gas
    meter every fifth time, on ports that the machine chooses. The same ``seed`` gives the same plant as :func:`run_day`.
    """
    period = local_day(site, day)
    emulated = EmulatedPlant(site, seed, period.start)
    before, diary = dict(emulated.stored_kwh), Diary()
    polled = with_polls(site, poll_s)

    async def live(clock: Clock) -> BridgeStats:
        async with Fleet(polled, emulated, clock, server="own") as fleet, Bridge(fleet.site, clock) as bridge:
            await operate(site, operator, bridge, clock, synchroniser, period, diary, settings)
            return bridge.stats

    wire = run_virtual(live, period.start)
    return replace(result_of(site, day, operator, emulated, before, period, diary), wire=wire)


def with_polls(site: Site, poll_s: float) -> Site:
    """Return the site with free ports, and polls of ``poll_s`` seconds for what the guard watches and moves; the rest waits longer."""

    def patience(asset: AnyAsset) -> int:
        if isinstance(asset, Consumer | GasSupply):
            return 5
        return 2 if isinstance(asset, Pv | Wind | GasBoiler | AbsorptionChiller | EvFleet | FlexibleLoad) else 1

    patient = {a.id: patience(a) for a in site.assets}
    devices = (replace(d, port=0, poll_s=poll_s * patient[d.asset]) for d in site.devices)
    return replace(site, devices=tuple(devices))


def result_of(
    site: Site,
    day: date,
    operator: Operator,
    emulated: EmulatedPlant,
    stored_before_kwh: dict[str, float],
    period: BillingPeriod,
    diary: Diary,
) -> DayResult:
    """Return the judged day from the plant's log and the loop's diary."""
    emulated.advance(period.end)
    truth = emulated.log.dataset()
    inside = truth.sel(time=slice(None, period.end.replace(tzinfo=None) - timedelta(seconds=1)))
    kpis = kpis_of(site, inside, stored_before_kwh, period)
    return DayResult(operator.name, day, kpis, inside, diary, unaccounted(diary.receipts))
