"""Running a case: the operating loop on the twin as a plant, or one plan with perfect foresight, judged by the twin's own log."""

import asyncio
import hashlib
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.metadata import version

import numpy as np
import xarray as xr

from models.actuals import Actuals
from models.carriers import Carrier
from models.components import GridConnection
from models.dispatch import DispatchProblem, EmissionBudget, Plan, ReductionEvent
from models.findings import Finding, Severity
from models.forecast.naive import Forecaster, NaiveForecaster, PerfectForecaster
from models.horizon import HOUR, QUARTER, Horizon, to_index
from models.labelled import labelled, named, time_axis
from models.site import Site
from models.tariffs.time_of_use import BillingPeriod, PeriodFinder, monthly
from scenarios.cases.case import Case, RunOptions, setting_of
from scenarios.cases.figures import available_kwh, figures
from scenarios.cases.results import Result
from scenarios.cases.setting import ErringForecaster, ImportLimit, Setting, Steps, World
from scenarios.cases.sizing import run_sizing
from scenarios.day import AS_AT_START, JumpingClock
from scenarios.events import Event, Fault, SnapshotTaken
from scenarios.kpis import horizon_of
from scenarios.loop_settings import LoopSettings, at_once
from scenarios.operate import OperatingLoop
from scenarios.planners import Optimizer, planner_for
from scenarios.problem import Horizons, Planner
from scenarios.rules import RulePlanner
from scenarios.tuning import tune
from twin.inprocess import TwinPlant
from twin.judge_networks import judge_network
from twin.networks import SiteNetworks
from twin.simulate import Outage, available_share
from twin.state import powers_of, start_snapshot
from twin.sync import Synchroniser
from twin.verify import Verifier
from twin.words import Speaker

Progress = Callable[[float, str], None]
"""Told the share that is done and what is being done."""
MONTH = timedelta(days=31)
WHOLE = 100_000
"""More steps than any run has."""
PACKAGES = ("jouletwin", "numpy", "pyomo", "highspy", "pandapower", "simpy", "xarray")


def silent(share: float, words: str) -> None:
    """Tell nobody."""


def run_case(case: Case, *, progress: Progress = silent) -> Result:
    """Return what comes of a case.

    Raises
    ------
    SiteError
        With every finding when a change cannot be made to the site.
    """
    setting = setting_of(case)
    if case.sizing is not None:
        return run_sizing(case.sizing, setting.site, lambda **made: _result(case, setting.site, **made), progress)
    began = time.perf_counter()
    course = CaseCourse(case, setting, progress)
    course.operate()
    arrays, networks, findings = course.judged()
    kpis = course.figures(arrays, networks)
    kpis |= {
        "violations": float(sum(f.severity is Severity.ERROR for f in findings)),
        "outage_h": sum(((o.end - o.start) / HOUR for o in course.outages), 0.0),
        "plans_failed": float(len(course.diary.faults)),
    }
    made = _result(case, setting.site, kpis, findings, arrays, time.perf_counter() - began)
    return replace(made, networks=networks, events=course.events())


def _result(
    case: Case, site: Site, kpis: Mapping[str, float], findings: tuple[Finding, ...], arrays: xr.Dataset, seconds: float
) -> Result:
    """Return the record of a run on a changed site."""
    return Result(
        case=case.name,
        title=case.title,
        currency=site.currency,
        kpis=kpis,
        findings=findings,
        arrays=arrays,
        networks={},
        provenance=provenance_of(case, site) | {"seconds": round(seconds, 3)},
        kinds={a.id: a.kind for a in site.assets},
        time_zone=site.location.time_zone,
        notice=site.notice,
        values=case.values,
    )


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
    """One run from its setting to its log."""

    def __init__(self, case: Case, setting: Setting, progress: Progress) -> None:
        self.case, self.setting, self.options = case, setting, case.run
        site = setting.site
        self.period = case.period(site.location.time_zone)
        whole_months = self.period.end - self.period.start > MONTH
        self.billing: PeriodFinder = monthly(site.location.time_zone) if whole_months else self._one_period
        actuals = Actuals(site, case.run.seed, calm=not case.run.lively)
        beginning = case.beginning
        outside = actuals if beginning is None else beginning.world(actuals, case.days)
        self.world = World(outside, setting.shifts)
        self.known = tuple(window.outage(asset, self.period.start) for asset, window in setting.outages)
        initial = (beginning.snapshot if beginning else start_snapshot)(site, self.period.start)
        self.clock = JumpingClock(self.period.start)
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
        self.diary = CaseDiary(self.period.end, progress, self.period.start, rates=rates)
        self.synchroniser = Synchroniser(site, initial=initial, billing_period=self.billing)

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

    def operate(self) -> None:
        """Run the loop until the period ends, and let the plant finish its last step."""
        planner = self._planner()
        try:
            asyncio.run(self._to_the_end(self._loop(planner)))
        finally:
            close = getattr(planner, "close", None)
            if close is not None:
                close()

    async def _to_the_end(self, loop: OperatingLoop) -> None:
        await loop.run(until=self.period.end)
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
        informed = Informed(planner_for(site) if self.options.proof == "each_plan" else Optimizer(), self)
        return Foreseeing(informed, self) if self.options.mode == "optimise" else informed

    def judged(self) -> tuple[xr.Dataset, dict[str, xr.Dataset], tuple[Finding, ...]]:
        """Return the plant's log, the networks' states over it, and everything that they break."""
        log = self.plant.log.dataset()
        last = np.datetime64(to_index(self.period.end)) - np.timedelta64(1, "s")
        arrays = log.sel(time=slice(None, last))
        states, findings = network_check(self.setting.site, arrays)
        return arrays, states, tuple(findings)

    def figures(self, arrays: xr.Dataset, networks: Mapping[str, xr.Dataset]) -> dict[str, float]:
        """Return the run's figures."""
        site, horizon = self.setting.site, horizon_of(arrays)
        could = available_kwh(site, self.world.means(horizon), horizon)
        return figures(self.setting, arrays, networks, could, self.period, self.billing, self.stored_before_kwh)

    def events(self) -> tuple[str, ...]:
        """Return what happened beside the plan, in words."""
        happened = [
            f"{o.start:%Y-%m-%d %H:%M} UTC {o.asset}: out of service for {(o.end - o.start) / HOUR:.1f} h"
            for o in self.outages
        ]
        faults = [f"{f.at:%Y-%m-%d %H:%M} UTC {f.place}: {f.message}" for f in self.diary.faults]
        return tuple(sorted(happened + faults))


class Informed:
    """A planner that knows what the case knows: outages, events, what carbon costs and may."""

    def __init__(self, inner: Planner, course: CaseCourse) -> None:
        self.inner, self.course = inner, course
        self._period: BillingPeriod | None = None

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return the inner planner's plan for the problem with the case's circumstances."""
        self._enter(problem.horizon.start)
        setting = self.course.setting
        return self.inner.plan(
            replace(
                problem,
                available_share=self._available(problem.horizon),
                co2_price_per_kg=setting.co2_price_per_kg,
                co2_cap=self._cap(problem.horizon),
                events=self._events(problem.horizon),
                losses_kw=self._losses(problem),
            )
        )

    def close(self) -> None:
        """End the inner planner."""
        close = getattr(self.inner, "close", None)
        if close is not None:
            close()

    def _enter(self, at: datetime) -> None:
        """Begin each billing period afresh, so that it comes out the same whoever ran the one before."""
        period = self.course.billing(at)
        if period != self._period and isinstance(self.inner, Optimizer):
            self.inner.forget()
        self._period = period

    def _events(self, horizon: Horizon) -> tuple[ReductionEvent, ...]:
        """Return the paid calls that a horizon meets."""
        events = (c.event(self.course.period.start) for c in self.course.setting.calls)
        return tuple(e for e in events if e.end > horizon.start and e.start < horizon.end)

    def _losses(self, problem: DispatchProblem) -> xr.DataArray | None:
        """Return the losses to plan with: those of a replay, or those that the networks have now; dims (carrier, time)."""
        if problem.losses_kw is not None or self.course.proven:
            return problem.losses_kw
        losses = self.course.plant.losses_kw
        rows = np.tile(np.array(list(losses.values()))[:, None], len(problem.horizon))
        return labelled(rows, named("carrier", [c.value for c in losses]), time_axis(problem.horizon))

    def _cap(self, horizon: Horizon) -> EmissionBudget | None:
        cap, start = self.course.setting.co2_cap_kg_per_day, self.course.period.start
        if cap is None:
            return None
        days = (horizon.end - start) / timedelta(days=1)
        return EmissionBudget(max(cap * days - self.course.diary.emitted_kg, 0.0))

    def _available(self, horizon: Horizon) -> xr.DataArray | None:
        """Return what is in service over a horizon; a unit that has just failed is taken to stand for a usual repair."""
        course, setting = self.course, self.course.setting
        standing = [
            Outage(a, horizon.start, horizon.start + setting.failures[a].mean_repair_h * HOUR)
            for a in course.plant.simulation.out_of_service
            if a in setting.failures
        ]
        known = [o for o in (*course.known, *standing) if o.end > horizon.start and o.start < horizon.end]
        share = available_share(known, horizon)
        limits = [limited(limit, horizon, course) for limit in setting.limits]
        parts = [share, *limits]
        return xr.concat(parts, "asset").groupby("asset").min() if len(share["asset"]) or limits else None


def limited(limit: ImportLimit, horizon: Horizon, course: CaseCourse) -> xr.DataArray:
    """Return what a limited connection may import as a share of what it can, dims (asset, time)."""
    grid = next(g for g in course.setting.site.of_kind(GridConnection) if g.id == limit.grid)
    inside = limit.window.share_of(horizon, course.period.start)
    share = 1.0 - np.where(inside > 0, 1.0, 0.0) * (1.0 - limit.import_max_kw / grid.import_max_kw)
    return xr.DataArray(share[None, :], {"asset": [limit.grid], "time": horizon.times}, ("asset", "time"))


class Foreseeing:
    """A planner that planned once, knowing everything, and reads its plan out from then on."""

    def __init__(self, inner: Informed, course: CaseCourse) -> None:
        self.inner, self.course = inner, course
        self._plan: Plan | None = None

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return the one plan; it reaches from the run's start to its end."""
        if self._plan is None:
            self._plan = self.inner.plan(problem)
        return self._plan

    def close(self) -> None:
        """End the inner planner."""
        self.inner.close()


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


def network_check(site: Site, arrays: xr.Dataset) -> tuple[dict[str, xr.Dataset], Iterator[Finding]]:
    """Return every network's state at every step of a run, and what the states break."""
    times = arrays["time"].to_numpy()
    power = arrays["power_kw"].transpose("asset", "carrier", "time").to_numpy()
    row = {str(a): i for i, a in enumerate(arrays["asset"].to_numpy())}
    column = {Carrier(str(c)): i for i, c in enumerate(arrays["carrier"].to_numpy())}
    flows = {(a.id, c): np.ascontiguousarray(power[row[a.id], column[c]]) for a in site.assets for c in a.ports()}
    networks = SiteNetworks.of(site)
    states = {**networks.pipes(flows, times).states, **networks.grids(flows, times).states}
    speaker = Speaker(horizon_of(arrays))
    return states, (f for _, n in site.networks for f in judge_network(n, states[n.id], speaker) if n.id in states)


def provenance_of(case: Case, site: Site) -> dict[str, object]:
    """Return what a run was made from: hashes of its inputs, the versions of what computed it, its seed."""
    files = [case.site_file]
    if site.profiles is not None:
        files.append(site.folder / site.profiles.file)
    return {
        "site": site.name,
        "site_sha256": [hashlib.sha256(f.read_bytes()).hexdigest() for f in files],
        "case_sha256": hashlib.sha256(
            repr((case.changes, case.run, case.start, case.days, case.sizing)).encode()
        ).hexdigest(),
        "seed": case.run.seed,
        "start": case.beginning.at.isoformat() if case.beginning else case.start.isoformat(),
        "days": case.days,
        "run": {"mode": case.run.mode, "step": case.run.step, "forecast": case.run.forecast},
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
    }
