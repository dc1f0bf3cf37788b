"""The operating loop: measure, estimate, expect, plan, check, command, and measure again.

Every poll takes a snapshot; every quarter-hour a plan is made from the measured present, replayed on the twin and sent to the devices;
in between the guard holds the peak. The plant may be real devices, emulated ones or the twin in process, and the clock real, scaled or
virtual: the loop cannot tell.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from models.carriers import Carrier
from models.components import GridConnection
from models.dispatch import DemandTerms, DispatchProblem, Plan, PlanCheck
from models.errors import DataError, FlowError, JouletwinError, PlanningError
from models.findings import errors_in
from models.forecast import Forecast
from models.forecast.naive import Forecaster
from models.forecast.present import measured_series
from models.horizon import QUARTER
from models.ports import Clock, Command, Outcome, Plant, Reading, Receipt
from models.site import AnyContract, Site
from models.state import Snapshot
from models.tariffs.time_of_use import BillingPeriod, PeriodFinder, monthly
from scenarios.events import CommandsSent, Fault, GuardActed, Listener, PlanMade, ReplanAsked, SnapshotTaken, nobody
from scenarios.floor import import_by_step, period_floor_kw
from scenarios.following import Following
from scenarios.guard import Guard, allowed_kw, planned_peak_kw, rest_of_quarter
from scenarios.measured import Measured
from scenarios.problem import (
    Checker,
    Horizons,
    Planner,
    billed_so_far,
    demand_terms,
    demand_windows,
    losses_on,
    mean_series,
)
from scenarios.repricing import moved_prices, under
from scenarios.setpoints import setpoints_kw

PRESENT = timedelta(minutes=10)
"""Measurements of so long are averaged into the present value of a series."""
SOONEST = timedelta(minutes=5)
"""No forecast that reality has left brings a new plan earlier than this after the last one."""
FLOOR_EVERY = timedelta(days=1)
TRUSTED = timedelta(hours=1)
"""So long an accepted plan goes on in place of newer ones that the twin objects to; what is older knows the present too little."""
DEADBAND_KW = 2.0
"""Between two plans a set-point is sent again only when it has moved by more."""
BROKEN_TURNS = 10
"""So many turns in a row that break off are no accident any more."""
PLAN_ID_NONE = "none"
NOT_TAKEN = ("unreachable", "refused_stale", "refused_journal")
"""Why a command did not even leave: what passes by itself, so it is given again at the next turn."""


class SnapshotSource(Protocol):
    """Something that turns readings into a snapshot."""

    def snapshot(self, readings: Sequence[Reading], now: datetime) -> Snapshot:
        """Return the state of the site at ``now``; lost values are filled in and marked."""
        ...


async def at_once(work: Callable[[], Any]) -> Any:
    """Do the work here and now: under virtual time nothing else may move meanwhile."""
    return work()


def no_margin() -> float:
    """Return no margin: plans use the peak to the last kilowatt."""
    return 0.0


def never(at: datetime, present: Mapping[str, float]) -> bool:
    """Return that no forecast is overtaken: plans are made when it is time."""
    del at, present
    return False


@dataclass(frozen=True)
class LoopSettings:
    """How often the loop measures and plans, and how far it looks.

    ``billing_period`` gives the period whose peak is charged, the calendar month by default; the synchroniser needs the same, since
    it follows that peak. ``floor_kw`` is the peak that it is taken to need anyway where no floor
    planner finds one. ``in_background`` runs a planner so that the loop's thread stays free. ``tracked`` plans anew, before its time,
    when the plant does not do what the plan counts on. ``margin_kw`` says how far below the peak that costs nothing a plan stays:
    what moves inside the quarter-hour, and what the forecast does not know, would otherwise raise it step by step. ``overtaken`` tells
    of an instant and what is measured then whether reality has left the forecast's band, so that a new plan is due before its time.
    """

    poll: timedelta = timedelta(minutes=1)
    replan: timedelta = QUARTER
    horizons: Horizons = field(default_factory=Horizons)
    billing_period: PeriodFinder | None = None
    in_background: Callable[[Callable[[], Any]], Awaitable[Any]] = asyncio.to_thread
    guarded: bool = True
    tracked: bool = True
    floor_kw: float = 0.0
    margin_kw: Callable[[], float] = no_margin
    overtaken: Callable[[datetime, Mapping[str, float]], bool] = never


@dataclass
class Course:
    """What the loop knows from one turn to the next."""

    plan: Plan | None = None
    forecast: Forecast | None = None
    check: PlanCheck | None = None
    period: BillingPeriod | None = None
    planned_at: datetime | None = None
    asked: str = ""
    """Why somebody wants a plan at the next turn, "" while nobody does."""
    accepted_at: datetime | None = None
    """When the plan in force was made, if the twin accepted it."""
    floor_at: datetime | None = None
    floor_kw: float = 0.0
    cap_kw: float = float("inf")
    margin_kw: float = 0.0
    planned_kw: dict[str, float] = field(default_factory=dict)
    in_force_kw: dict[str, float] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    """Assets whose last command may or may not have landed, or could not be sent."""
    commands: int = 0


class OperatingLoop:
    """Operates one site; see the module's first lines. Everything it needs comes in by its constructor, time included."""

    def __init__(
        self,
        site: Site,
        plant: Plant,
        clock: Clock,
        planner: Planner,
        forecaster: Forecaster,
        synchroniser: SnapshotSource,
        *,
        checker: Checker | None = None,
        guard: Guard | None = None,
        listener: Listener = nobody,
        settings: LoopSettings | None = None,
        floor_planner: Planner | None = None,
    ) -> None:
        self.site, self.plant, self.clock = site, plant, clock
        self.planner, self.forecaster, self.synchroniser = planner, forecaster, synchroniser
        self.checker, self.listener = checker, listener
        self.settings = settings or LoopSettings()
        self.guard = guard or Guard(site)
        self.floor_planner = floor_planner
        self.following = Following(site)
        self.course = Course(floor_kw=self.settings.floor_kw)
        self._present: deque[tuple[datetime, Mapping[str, float]]] = deque()
        self._seen: Measured
        self.billing_period = self.settings.billing_period or monthly(site.location.time_zone)
        self._grids = [g.id for g in site.of_kind(GridConnection)]
        self._device = {d.asset: d.id for d in site.devices}

    async def run(self, until: datetime | None = None) -> None:
        """Turn after turn, on whole polls of the clock, until ``until`` (not included) or for ever.

        A turn that breaks off is told, and the next one begins afresh; only when none gets through any more is the problem raised.
        """
        broken = 0
        while until is None or self.clock.now() < until:
            try:
                await self.turn()
                broken = 0
            except (
                Exception
            ) as problem:  # whatever it is, a plant that is operated must not be left alone because of it
                broken += 1
                if broken >= BROKEN_TURNS:
                    raise
                self._fault("loop", f"the turn broke off ({problem!r}); set-points stay, the next turn begins afresh")
            await self._wait_for_next_poll()

    async def turn(self) -> None:
        """Measure once; plan and command when it is time, hold the peak otherwise."""
        snapshot = await self._measure()
        if snapshot is None:
            return
        if self._has_parted(snapshot) or self._plan_is_due(snapshot.at):
            await self._plan(snapshot)
            await self._send(self._target(self._seen), everything=True)
        elif self.course.planned_kw:
            await self._send(self._target(self._seen), everything=False)

    def replan_now(self, reason: str) -> None:
        """Ask for a new plan at the next turn, before its time; ``reason`` is told to the listener."""
        self.course.asked = reason
        self.listener(ReplanAsked(self.clock.now(), reason))

    def change_contracts(self, contracts: Sequence[AnyContract]) -> None:
        """Plan under these contracts, which replace those of the same id, from the next plan on.

        Where that moves a price in what is left of the plan in force by more than :data:`scenarios.repricing.PRICE_SHARE`, a new plan
        is made at the next turn. Raises DataError, and changes nothing, for a contract that the site does not have.
        """
        before, self.site = self.site, under(self.site, contracts)
        self.course.floor_at = None  # the peak that is worth having depends on prices
        plan = self.course.plan
        moved = moved_prices(before, self.site, plan.horizon, self.clock.now()) if plan is not None else []
        if moved:
            self.replan_now(f"prices have changed: {', '.join(moved)}")

    def _has_parted(self, snapshot: Snapshot) -> bool:
        """Return whether the plant does something else than the plan counts on, so that a new plan is due before its time."""
        if not self.settings.tracked:
            return False
        tracked = self.following.observe(snapshot, self.course.planned_at)
        self.listener(tracked)
        return tracked.request is not None

    async def _wait_for_next_poll(self) -> None:
        now, poll_s = self.clock.now(), self.settings.poll.total_seconds()
        await self.clock.sleep(poll_s - now.timestamp() % poll_s)

    async def _measure(self) -> Snapshot | None:
        try:
            readings = await self.plant.read()
        except (JouletwinError, OSError) as problem:
            self._fault("plant", f"cannot be read ({problem}); set-points stay as they are")
            return None
        now = self.clock.now()
        snapshot = self.synchroniser.snapshot(readings, now)
        self._seen = seen = Measured.of(snapshot)
        self._enter_period(now)
        self._present.append((now, measured_series(self.site, seen.powers_kw, self.course.in_force_kw, readings)))
        while now - self._present[0][0] >= PRESENT:
            self._present.popleft()
        self.listener(SnapshotTaken(now, snapshot, readings))
        return snapshot

    def _enter_period(self, now: datetime) -> None:
        """Begin a new billing period when the running one is over."""
        known = self.course.period
        if known is None or not known.start <= now < known.end:
            self.course.period, self.course.floor_at = self.billing_period(now), None

    def _import_kw(self, seen: Measured) -> float:
        return sum(seen.power_kw(g, Carrier.ELECTRICITY) for g in self._grids)

    def _plan_is_due(self, now: datetime) -> bool:
        every = self.settings.replan.total_seconds()
        before = self.course.planned_at
        if before is None or self.course.asked or now.timestamp() // every > before.timestamp() // every:
            return True
        return now - before >= SOONEST and self.settings.overtaken(now, mean_series([s for _, s in self._present]))

    async def _plan(self, snapshot: Snapshot) -> None:
        """Make, check and adopt a plan; where there is none, the last one goes on as long as it reaches."""
        self.course.planned_at, self.course.asked = snapshot.at, ""
        try:
            await self._refresh_floor(snapshot)
            problem = self._problem(snapshot)
            plan = await self.settings.in_background(lambda: self.planner.plan(problem))
        except (PlanningError, DataError) as problem_found:
            self._keep_going(snapshot, str(problem_found))
            return
        check = await self._checked(plan, problem)
        if check is not None and problem.losses_kw is None:
            # the first plan knew no losses; the replay has found them
            plan, check = await self._again(plan, check, problem)
        objection = self._objection(plan, check)
        if objection and self._may_wait(snapshot.at):
            self._keep_going(snapshot, objection)
            return
        if objection:
            self._fault("twin", f"{objection}; no accepted plan is young enough, so it is used under protest")
        else:
            self.course.accepted_at = snapshot.at
        self._adopt(plan, check, problem)

    def _objection(self, plan: Plan, check: PlanCheck | None) -> str:
        """Return why the twin does not let a plan through, "" where it does or nobody checks."""
        if self.checker is None:
            return ""
        if check is None or check.plan_id != plan.id:
            return f"plan {plan.id} was not replayed"
        errors = errors_in(check.findings)
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        return f"the twin objects to plan {plan.id}: {errors[0].place}: {errors[0].message}{more}" if errors else ""

    def _may_wait(self, now: datetime) -> bool:
        """Return whether a plan that the twin accepted is young enough to go on."""
        accepted = self.course.accepted_at
        return accepted is not None and now - accepted <= TRUSTED

    async def _again(self, plan: Plan, check: PlanCheck, problem: DispatchProblem) -> tuple[Plan, PlanCheck]:
        """Plan once more with the losses that the replay found; keep the first plan, which was replayed, where that fails."""
        self.course.check = check
        knowing = replace(problem, losses_kw=losses_on(check, problem.horizon))
        try:
            better = await self.settings.in_background(lambda: self.planner.plan(knowing))
        except (PlanningError, DataError):
            return plan, check
        again = await self._checked(better, knowing)
        return (plan, check) if again is None else (better, again)

    async def _refresh_floor(self, snapshot: Snapshot) -> None:
        """Find, once a day, the peak that the rest of the billing period needs anyway."""
        course, period = self.course, self.course.period
        if self.floor_planner is None or period is None:
            return
        if course.floor_at is not None and snapshot.at - course.floor_at < FLOOR_EVERY:
            return
        ends, planner = self.settings.horizons.ends.terms(self.site), self.floor_planner
        peak = snapshot.peak_import_kw or 0.0
        # one that is found before anybody knows the losses is found again with the next plan
        course.floor_at = None if self.checker is not None and course.check is None else snapshot.at
        try:
            course.floor_kw = await self.settings.in_background(
                lambda: period_floor_kw(
                    self.site,
                    planner,
                    self.forecaster,
                    snapshot,
                    period,
                    peak_so_far_kw=peak,
                    ends=ends,
                    check=course.check,
                )
            )
        except (PlanningError, DataError) as problem:
            self._fault(
                "floor", f"the rest of the period could not be planned ({problem}); {course.floor_kw:.0f} kW stay"
            )

    def _problem(self, snapshot: Snapshot) -> DispatchProblem:
        horizons, period = self.settings.horizons, self.course.period
        horizon = horizons.starting(snapshot.at)
        present = mean_series([seen for _, seen in self._present])
        demand = self._demand(snapshot, period) if period else None
        peaks_kw = snapshot.month.peaks_kw if snapshot.month else {}
        return DispatchProblem(
            site=self.site,
            horizon=horizon,
            forecast=self.forecaster.forecast(horizon, present),
            initial=snapshot,
            demand=demand,
            demand_windows=demand_windows(self.site, period, peaks_kw) if period else {},
            billed=billed_so_far(snapshot),
            ends=horizons.ends.terms(self.site),
            losses_kw=losses_on(self.course.check, horizon),
            available_share=self.following.available_share(horizon),
            integer_h=horizons.integer_h,
        )

    def _demand(self, snapshot: Snapshot, period: BillingPeriod) -> DemandTerms:
        """Return how the peak counts: above what is lost already, less the margin."""
        course = self.course
        course.margin_kw = self.settings.margin_kw()
        free_kw = (snapshot.peak_import_kw or 0.0, course.floor_kw)
        return demand_terms(self.site, period, *(max(kw - course.margin_kw, 0.0) for kw in free_kw))

    async def _checked(self, plan: Plan, problem: DispatchProblem) -> PlanCheck | None:
        checker = self.checker
        if checker is None:
            return None
        try:
            check: PlanCheck = await self.settings.in_background(
                lambda: checker(plan, problem.initial, problem.forecast)
            )
        except (DataError, FlowError) as problem_found:
            self._fault("check", f"plan {plan.id} could not be replayed ({problem_found})")
            return None
        return check

    def _adopt(self, plan: Plan, check: PlanCheck | None, problem: DispatchProblem) -> None:
        course, at = self.course, problem.initial.at
        course.plan, course.forecast = plan, problem.forecast
        self.following.plan(plan)
        course.check = check or course.check
        course.planned_kw = setpoints_kw(self.site, plan, problem.forecast, at)
        if course.period is not None and problem.demand is not None:
            planned = planned_peak_kw(import_by_step(self.site, plan), course.period)
            course.cap_kw = max(problem.demand.free_kw, planned) + course.margin_kw
        self.listener(PlanMade(at, plan, check, problem.forecast, course.floor_kw, course.cap_kw))

    def _keep_going(self, snapshot: Snapshot, why: str) -> None:
        """Follow the last plan as long as it reaches; behind its end the last set-points stay."""
        course = self.course
        words = "there is no earlier plan; set-points stay as they are"
        if course.plan is not None and course.forecast is not None and snapshot.at < course.plan.horizon.end:
            course.planned_kw = setpoints_kw(self.site, course.plan, course.forecast, snapshot.at)
            words = f"plan {course.plan.id} goes on"
        self._fault("planner", f"no plan ({why}); {words}")

    def _target(self, seen: Measured) -> dict[str, float]:
        """Return what every asset should do now: the plan's set-points, moved by the guard where the peak asks for it."""
        planned = self.course.planned_kw
        if not self.settings.guarded or not planned or seen.import_so_far is None:
            return planned
        import_kw, may_kw = self._import_kw(seen), allowed_kw(seen.import_so_far, seen.at, self.course.cap_kw)
        target = self.guard.adjusted(planned, seen, import_kw, may_kw, rest_of_quarter(seen.at))
        moved = {a: target[a] - planned[a] for a in target if target[a] != planned[a]}
        if moved:
            self.listener(GuardActed(seen.at, moved, import_kw, may_kw))
        return target

    async def _send(self, target_kw: Mapping[str, float], *, everything: bool) -> None:
        """Command what has changed, what is in doubt, or everything; each asset has its own device, so all at once."""
        course = self.course
        due = {
            asset: value
            for asset, value in target_kw.items()
            if asset in self._device and (everything or asset in course.doubtful or self._moved(asset, value))
        }
        receipts = await asyncio.gather(*(self._write(asset, value) for asset, value in due.items()))
        if receipts:
            self.following.receipts(receipts)
            self.listener(CommandsSent(self.clock.now(), receipts))
        course.in_force_kw |= due
        course.doubtful -= due.keys()
        again = (a for a, r in zip(due, receipts, strict=True) if r.outcome is Outcome.MAYBE or r.code in NOT_TAKEN)
        course.doubtful.update(again)

    def _moved(self, asset: str, value: float) -> bool:
        before = self.course.in_force_kw.get(asset)
        return before is None or abs(value - before) > DEADBAND_KW

    async def _write(self, asset: str, value: float) -> Receipt:
        course, now = self.course, self.clock.now()
        course.commands += 1
        command = Command(
            id=f"{now:%Y%m%dT%H%M%S}-{course.commands}",
            device=self._device[asset],
            quantity="setpoint_kw",
            value=value,
            issued_at=now,
            issued_by="operating loop",
            deadline=now + 2 * self.settings.replan,
            plan_id=course.plan.id if course.plan is not None else PLAN_ID_NONE,
        )
        try:
            return await self.plant.write(command)
        except (JouletwinError, OSError) as problem:
            self._fault(asset, f"the command could not be given ({problem}); it is sent again")
            return Receipt(command, Outcome.MAYBE, "unknown", str(problem), self.clock.now())

    def _fault(self, place: str, message: str) -> None:
        self.listener(Fault(self.clock.now(), place, message))


def unaccounted(receipts: Iterable[Receipt]) -> list[Receipt]:
    """Return the receipts of commands of which nobody knows whether they landed and which no later command has settled."""
    last: dict[tuple[str, str], Receipt] = {}
    for receipt in receipts:
        last[receipt.command.device, receipt.command.quantity] = receipt
    return [r for r in last.values() if r.outcome is Outcome.MAYBE]
