"""The optimizer with its network proof: no plan leaves it that was not replayed on the grid."""

import time
from dataclasses import replace

from models.carriers import Carrier
from models.dispatch import DispatchProblem, Plan, SecurityProof
from models.errors import CertificateError, InfeasiblePlanError, SolverCrashError, SolverTimeoutError
from models.findings import Finding, warning
from models.security import Report
from optimizers.dispatch import Dispatcher
from optimizers.explain import Reason
from optimizers.secured import SecuredProblem
from scenarios.pool import Pool
from scenarios.proof import replayed_cost
from scenarios.secure import SecureResult, SecureStatus, Tolerances, secure
from twin.secure import GridCheck

CLEAN, WITHOUT_ROWS = "clean", "without_rows"
FREE_SHARE = 1e-6
"""Security that costs less than this share of the plan's cost costs nothing."""
RESERVE_SHARE = 0.3
"""Share of the deadline kept back for a plan without the networks' rows."""


class SecuredOptimizer:
    """A planner whose plans the grid has accepted; close it when the run is over.

    Every plan learns the losses and, where they come near, the limits of its grid, beginning with the rows of the plans before. Where that
    cannot be done in time, the plan is made without rows, replayed all the same, and says so.
    """

    def __init__(
        self,
        check: GridCheck,
        dispatcher: Dispatcher | None = None,
        *,
        deadline_s: float = 20.0,
        tolerances: Tolerances | None = None,
    ) -> None:
        self.check = check
        self.dispatcher = dispatcher or Dispatcher()
        self.deadline_s = deadline_s
        self.tolerances = tolerances or Tolerances(deadline_s=(1.0 - RESERVE_SHARE) * deadline_s)
        self.pool = Pool(check.revision)

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return a plan with the proof of its replay; raises what the dispatcher raises."""
        end_s = time.monotonic() + self.deadline_s
        try:
            return self._secured(problem)
        except (SolverTimeoutError, SolverCrashError, CertificateError, InfeasiblePlanError) as problem_met:
            why = str(problem_met)
        return self._without_rows(problem, why, max(end_s - time.monotonic(), RESERVE_SHARE * self.deadline_s))

    def why(self, plan: Plan, asset: str, step: int) -> tuple[Reason, ...]:
        """Return what holds ``asset`` where it is at ``step`` of the plan made last; see :meth:`Dispatcher.why`."""
        return self.dispatcher.why(plan, asset, step)

    def close(self) -> None:
        """End the solver's process."""
        self.dispatcher.close()

    def _secured(self, problem: DispatchProblem) -> Plan:
        """Return the plan that the loop of rows ends with, its yes-or-no decisions taken under the rows."""
        self.pool.enter(self.check.revision)
        planner = SecuredProblem(
            _without_grid_losses(problem),
            self.check.ports,
            self.check.revision,
            self.dispatcher,
            deadline_s=(1.0 - RESERVE_SHARE) * self.deadline_s,
        )
        first = secure(planner, self.check, pool=self.pool.rows_on(problem.horizon), tolerances=self.tolerances)
        relaxed = planner.objective
        last = first
        if planner.commit():
            last = secure(planner, self.check, held=planner.held, tolerances=self.tolerances)
        self.pool.keep(last.pool, problem.horizon)
        made, rounds = planner.plan(_words(first, last)), _count(first) + (_count(last) if last is not first else 0)
        proof = SecurityProof(
            status=str(last.status.value),
            rounds=rounds,
            rows=len(last.pool),
            worst=last.worst,
            loss_kwh=float(last.losses_kw[Carrier.ELECTRICITY] @ problem.horizon.step_h),
            lower_bound=planner.lower_bound(),
            security_cost=max(relaxed - planner.cost_of_losses_alone(), 0.0),
            revision=self.check.revision,
            replayed_cost=replayed_cost(problem, made, last.losses_kw[Carrier.ELECTRICITY]),
            margins=last.margins,
        )
        if last.clean and proof.security_cost <= FREE_SHARE * abs(made.total_cost):
            proof = replace(proof, status=CLEAN, security_cost=0.0)
        return replace(made, proof=proof, findings=(*made.findings, *_left(last)))

    def _without_rows(self, problem: DispatchProblem, why: str, deadline_s: float) -> Plan:
        """Return the dispatcher's own plan, replayed; the dispatcher explains what cannot be planned at all."""
        plan = self.dispatcher.dispatch(problem, deadline_s=deadline_s)
        report = self.check.check(self.check.plan_ports(plan), gradients=False)
        lost_kw = report.losses_kw[Carrier.ELECTRICITY]
        proof = SecurityProof(
            status=CLEAN if _kept(report, self.tolerances) else WITHOUT_ROWS,
            rounds=1,
            rows=0,
            worst=report.worst,
            loss_kwh=float(lost_kw @ problem.horizon.step_h),
            lower_bound=plan.solver.bound,
            security_cost=0.0,
            revision=report.revision,
            replayed_cost=replayed_cost(problem, plan, lost_kw),
            margins=report.margins,
        )
        told = warning(self.check.network.id, f"the plan was made without rows from the networks: {why}")
        return replace(plan, proof=proof, findings=(*plan.findings, told))


def _kept(report: Report, limits: Tolerances) -> bool:
    return not report.status.any() and all(report.worst.get(k, 0.0) <= v for k, v in limits.violation.items())


def _count(result: SecureResult) -> int:
    return len(result.rounds) + len(result.polish)


def _words(first: SecureResult, last: SecureResult) -> str:
    decided = "" if last is first else f", {_count(last)} more with its yes-or-no decisions taken"
    return f"{last.status} after {_count(first)} rounds with the grid{decided}"


def _without_grid_losses(problem: DispatchProblem) -> DispatchProblem:
    """Return the problem without given losses of the grid: the rows bring them."""
    if problem.losses_kw is None or Carrier.ELECTRICITY.value not in problem.losses_kw["carrier"].values:
        return problem
    losses = problem.losses_kw.copy()
    losses.loc[{"carrier": Carrier.ELECTRICITY.value}] = 0.0
    return replace(problem, losses_kw=losses)


def _left(result: SecureResult) -> tuple[Finding, ...]:
    return () if result.status is SecureStatus.SECURE else result.findings
