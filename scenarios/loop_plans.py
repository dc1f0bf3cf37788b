"""The plans of a loop: made from the measured present, checked by the twin, adopted, or the one before goes on."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from models.dispatch import DemandTerms, DispatchProblem, Plan, PlanCheck
from models.errors import DataError, FlowError, PlanningError
from models.findings import errors_in
from models.forecast import Forecast
from models.forecast.naive import Forecaster
from models.horizon import HOUR
from models.ports import Clock
from models.site import Site
from models.state import Snapshot
from models.tariffs.time_of_use import BillingPeriod
from models.told import told
from scenarios.events import Fault, Listener, PlanMade
from scenarios.floor import FINE, import_by_step, period_floor_kw
from scenarios.following import Following
from scenarios.guard import planned_peak_kw
from scenarios.loop_settings import LoopSettings
from scenarios.problem import Checker, Planner, billed_so_far, demand_terms, demand_windows, losses_on
from scenarios.setpoints import setpoints_kw

FLOOR_EVERY = timedelta(days=1)
NONE_FINE = timedelta(0)
"""Who acts by the hour meets no peak that is shorter."""
TRUSTED = timedelta(hours=1)
"""So long an accepted plan goes on in place of newer ones that the twin objects to; what is older knows the present too little."""


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
    planned_import_kw: float | None = None
    """What the plan in force buys in the running step; None without a plan."""
    planned_kw: dict[str, float] = field(default_factory=dict)
    in_force_kw: dict[str, float] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    """Assets whose last command may or may not have landed, or could not be sent."""
    commands: int = 0


class Planning:
    """Makes the plans of one loop and keeps its course; ``site`` may change between two plans."""

    def __init__(
        self,
        site: Site,
        course: Course,
        following: Following,
        clock: Clock,
        planner: Planner,
        forecaster: Forecaster,
        *,
        checker: Checker | None,
        floor_planner: Planner | None,
        settings: LoopSettings,
        listener: Listener,
    ) -> None:
        self.site, self.course, self.following, self.clock = site, course, following, clock
        self.planner, self.forecaster, self.checker = planner, forecaster, checker
        self.floor_planner, self.settings, self.listener = floor_planner, settings, listener

    async def plan(self, snapshot: Snapshot, present: Mapping[str, float]) -> None:
        """Make, check and adopt a plan; where there is none, the last one goes on as long as it reaches.

        ``present`` is what the series of the forecast are measured to be now.
        """
        self.course.planned_at, self.course.asked = snapshot.at, ""
        try:
            await self._refresh_floor(snapshot)
            problem = self._problem(snapshot, present)
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
            pattern = "{objection}; no accepted plan is young enough, so it is used under protest"
            self._fault("twin", told("under_protest", pattern, objection=objection))
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
                    fine=FINE if self.settings.replan < HOUR else NONE_FINE,
                )
            )
        except (PlanningError, DataError) as problem:
            pattern = "the rest of the period could not be planned ({problem}); {kw:.0f} kW stay"
            self._fault("floor", told("rest_unplanned", pattern, problem=str(problem), kw=course.floor_kw))

    def _problem(self, snapshot: Snapshot, present: Mapping[str, float]) -> DispatchProblem:
        horizons, period = self.settings.horizons, self.course.period
        horizon = horizons.starting(snapshot.at)
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
            pattern = "plan {plan} could not be replayed ({problem})"
            self._fault("check", told("not_replayed", pattern, plan=plan.id, problem=str(problem_found)))
            return None
        return check

    def _adopt(self, plan: Plan, check: PlanCheck | None, problem: DispatchProblem) -> None:
        course, at = self.course, problem.initial.at
        course.plan, course.forecast = plan, problem.forecast
        self.following.plan(plan)
        course.check = check or course.check
        course.planned_kw = setpoints_kw(self.site, plan, problem.forecast, at)
        bought_kw = import_by_step(self.site, plan)
        course.planned_import_kw = bought_kw[plan.horizon.start]
        if course.period is not None and problem.demand is not None:
            planned = planned_peak_kw(bought_kw, course.period)
            course.cap_kw = max(problem.demand.free_kw, planned) + course.margin_kw
        self.listener(PlanMade(at, plan, check, problem.forecast, course.floor_kw, course.cap_kw))

    def _keep_going(self, snapshot: Snapshot, why: str) -> None:
        """Follow the last plan as long as it reaches; behind its end the last set-points stay."""
        course = self.course
        words = told("no_earlier_plan", "there is no earlier plan; set-points stay as they are")
        if course.plan is not None and course.forecast is not None and snapshot.at < course.plan.horizon.end:
            course.planned_kw = setpoints_kw(self.site, course.plan, course.forecast, snapshot.at)
            running = (kw for at, kw in import_by_step(self.site, course.plan).items() if at <= snapshot.at)
            course.planned_import_kw = deque(running, maxlen=1)[0]
            words = told("plan_goes_on", "plan {plan} goes on", plan=course.plan.id)
        self._fault("planner", told("no_new_plan", "no plan ({why}); {then}", why=why, then=words))

    def _fault(self, place: str, message: str) -> None:
        self.listener(Fault(self.clock.now(), place, message))
