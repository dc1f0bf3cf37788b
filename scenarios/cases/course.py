"""One run of a case: the operating loop on the twin as a plant, from a setting to the plant's own log."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import xarray as xr

from models.actuals import Actuals
from models.carriers import Carrier
from models.components import GridConnection
from models.forecast.naive import Forecaster, NaiveForecaster, PerfectForecaster
from models.horizon import HOUR, QUARTER, to_index
from models.tariffs.time_of_use import BillingPeriod, PeriodFinder, monthly
from scenarios.cases.case import Case, RunOptions
from scenarios.cases.informed import Circumstances, Foreseeing, Informed
from scenarios.cases.setting import ErringForecaster, Setting, Steps, World
from scenarios.day import AS_AT_START, JumpingClock
from scenarios.events import Event, Fault, SnapshotTaken
from scenarios.loop_settings import LoopSettings, at_once
from scenarios.operate import OperatingLoop
from scenarios.planners import Optimizer, planner_for
from scenarios.problem import Horizons, Planner
from scenarios.rules import RulePlanner
from scenarios.tuning import tune
from twin.inprocess import TwinPlant
from twin.simulate import Outage
from twin.state import powers_of, start_snapshot
from twin.sync import Synchroniser
from twin.verify import Verifier

Progress = Callable[[float, str], None]
"""Told the share that is done and what is being done."""
MONTH = timedelta(days=31)
WHOLE = 100_000
"""More steps than any run has."""
DEADLINE_S = 300.0
"""No plant waits for a what-if: however busy the machine, what comes of it must be the same."""
BEYOND_KW = 1e9
"""A peak that nothing reaches."""


@dataclass(frozen=True, slots=True)
class Lived:
    """What came of a run, or of a part of it: the plant's log (see :class:`models.truth.TruthLog`), outages, and what went wrong."""

    arrays: xr.Dataset
    outages: tuple[Outage, ...]
    faults: tuple[Fault, ...]

    def events(self) -> tuple[str, ...]:
        """Return what happened beside the plan, in words."""
        happened = [
            f"{o.start:%Y-%m-%d %H:%M} UTC {o.asset}: out of service for {(o.end - o.start) / HOUR:.1f} h"
            for o in self.outages
        ]
        faults = [f"{f.at:%Y-%m-%d %H:%M} UTC {f.place}: {f.message}" for f in self.faults]
        return tuple(sorted(happened + faults))


@dataclass
class CaseDiary:
    """What a loop told that a result wants to know; long runs keep no plans."""

    until: datetime
    progress: Progress
    start: datetime
    faults: list[Fault] = field(default_factory=list)
    emitted_kg: float = 0.0
    rates: Mapping[tuple[str, Carrier], float] = field(default_factory=dict)
    _last: datetime | None = None

    def __call__(self, event: Event) -> None:
        """Note one event."""
        if isinstance(event, Fault):
            self.faults.append(event)
        elif isinstance(event, SnapshotTaken):
            self._emit(event)
            self.progress((event.at - self.start) / (self.until - self.start), f"{event.at:%Y-%m-%d %H:%M} UTC")

    def _emit(self, event: SnapshotTaken) -> None:
        """Count what was emitted since the last snapshot."""
        if self._last is not None and self.rates:
            power = powers_of(event.snapshot)
            rate = sum(max(power[port], 0.0) * kg for port, kg in self.rates.items())
            self.emitted_kg += rate * ((event.at - self._last) / HOUR)
        self._last = event.at


class CaseCourse:
    """One run from its setting to its log.

    One that is to ``begin`` inside the run's stretch of time, only to come to a state that does not depend on its start, takes the peak of
    the billing period that is under way as given.
    """

    def __init__(self, case: Case, setting: Setting, progress: Progress, begin: datetime | None = None) -> None:
        self.case, self.setting, self.options = case, setting, case.run
        site = setting.site
        self.period = case.period(site.location.time_zone)
        whole_months = self.period.end - self.period.start > MONTH
        self.billing: PeriodFinder = monthly(site.location.time_zone) if whole_months else self._one_period
        actuals = Actuals(site, case.run.seed, calm=not case.run.lively)
        beginning = case.beginning
        outside = actuals if beginning is None else beginning.world(actuals, case.days)
        self.world = World(outside, setting.shifts)
        self.known = setting.standing(self.period.start)
        self.begin = begin or self.period.start
        initial = (beginning.snapshot if beginning else start_snapshot)(site, self.begin)
        self.clock = JumpingClock(self.begin)
        self.plant = TwinPlant(
            site,
            Steps(self.world, self.options.step_s),
            self.clock,
            initial,
            seed=case.run.seed,
            reliability=setting.failures,
            outages=self.known,
            arrival_spread_h=setting.arrival_spread_h,
            step_s=self.options.step_s,
        )
        self.stored_before_kwh = dict(self.plant.held_kwh)
        counted = site.of_kind(GridConnection) if setting.co2_cap_kg_per_day is not None else ()
        rates = {(g.id, Carrier.ELECTRICITY): g.co2_kg_per_kwh for g in counted}
        self.diary = CaseDiary(self.period.end, progress, self.begin, rates=rates)
        peak_kw = None if begin is None else BEYOND_KW
        self.synchroniser = Synchroniser(site, peak_kw, initial=initial, billing_period=self.billing)

    def _one_period(self, _: datetime) -> BillingPeriod:
        return self.period

    @property
    def proven(self) -> bool:
        """Whether the twin judges plans before they are acted on."""
        return self.options.proof == "each_plan" and self.options.mode == "operate"

    @property
    def outages(self) -> tuple[Outage, ...]:
        """Every outage that lies in the run, by plan or by chance."""
        return tuple(o for o in self.plant.simulation.outages(self.period.end) if o.end > o.start)

    def operate(self, go: "Callable[[OperatingLoop], Awaitable[None]] | None" = None) -> None:
        """Run the loop until the period ends, or as ``go`` does, and let the plant finish its last step."""
        planner = self._planner()
        try:
            asyncio.run(self._to_the_end(self._loop(planner), go))
        finally:
            close = getattr(planner, "close", None)
            if close is not None:
                close()

    async def _to_the_end(self, loop: OperatingLoop, go: "Callable[[OperatingLoop], Awaitable[None]] | None") -> None:
        await (go(loop) if go is not None else loop.run(until=self.period.end))
        await self.clock.sleep(1.0)  # the plant books a step when the next one begins
        await self.plant.read()

    def _loop(self, planner: Planner) -> OperatingLoop:
        rule = self.setting.control != "optimizer"
        settings = LoopSettings(
            poll=timedelta(seconds=self.options.step_s),
            replan=max(timedelta(seconds=self.options.step_s), QUARTER),
            horizons=horizons_of(self.options, self.period.end, rule=rule),
            billing_period=self.billing,
            in_background=at_once,
            guarded=self.options.step == "minute",
            tracked=self.proven,
        )
        longer = self.period.end - self.period.start > timedelta(days=1)
        return OperatingLoop(
            self.setting.site,
            self.plant,
            self.clock,
            planner,
            self._forecaster(),
            self.synchroniser,
            checker=Verifier(self.setting.site) if self.proven and not rule else None,
            listener=self.diary,
            settings=settings,
            floor_planner=planner if longer and not rule and self.options.mode == "operate" else None,
        )

    def _forecaster(self) -> Forecaster:
        inner: Forecaster
        if self.options.forecast == "perfect" or self.options.mode == "optimise":
            inner = PerfectForecaster(self.world)
        else:
            inner = NaiveForecaster(self.setting.site, self.world)
        exact = not self.setting.noises or self.options.mode == "optimise"
        return inner if exact else ErringForecaster(inner, self.setting.noises, self.options.seed)

    def _planner(self) -> Planner:
        site = self.setting.site
        if self.setting.control != "optimizer":
            common, tuned = tune(site, self.world, self.period.start)
            return RulePlanner(site, common if self.setting.control == "common rule" else tuned)
        known = Circumstances(
            self.setting, self.period, self.billing, self.known, self.plant, lambda: self.diary.emitted_kg, self.proven
        )
        each_plan = self.options.proof == "each_plan"
        informed = Informed(
            planner_for(site, deadline_s=DEADLINE_S) if each_plan else Optimizer(deadline_s=DEADLINE_S), known
        )
        return Foreseeing(informed) if self.options.mode == "optimise" else informed

    def lived(self) -> Lived:
        """Return what has come of the run so far."""
        last = np.datetime64(to_index(self.period.end)) - np.timedelta64(1, "s")
        arrays = self.plant.log.dataset().sel(time=slice(None, last))
        return Lived(arrays, self.outages, tuple(self.diary.faults))


def horizons_of(options: RunOptions, end: datetime, *, rule: bool) -> Horizons:
    """Return how far plans look: a day ahead, or to the end where everything is known; a rule looks at the present step."""
    if rule:
        return Horizons(quarters=1, hours=0)
    hourly = options.step == "hour"
    if options.mode == "operate":
        fine = 0 if hourly else 16
        return Horizons(quarters=fine, hours=24 - fine // 4, ends=AS_AT_START, until=end)
    quarters, hours = (0, WHOLE) if hourly else (WHOLE, 0)
    return Horizons(quarters, hours, integer_h=24.0, ends=AS_AT_START, until=end)
