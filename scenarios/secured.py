"""The optimizer with its network proof: no plan leaves it that was not replayed on the grid."""

from dataclasses import replace

import numpy as np

from models.carriers import Carrier
from models.dispatch import DispatchProblem, Plan, SecurityProof
from models.findings import Finding
from models.security import Report, Rows
from optimizers.dispatch import Dispatcher
from optimizers.secured import SecuredProblem
from scenarios.secure import SecureResult, SecureStatus, Tolerances, secure
from twin.secure import GridCheck

CLEAN = "clean"


class SecuredOptimizer:
    """A planner whose plans the grid has accepted; close it when the run is over.

    A plan that the replay finds clean costs one replay. Only a plan that breaks a limit goes through the loop of rows, which starts from
    the rows of earlier loops on the same networks.
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
        self.tolerances = tolerances or Tolerances(deadline_s=deadline_s)
        self._pools: dict[tuple[str, int], Rows] = {}

    def plan(self, problem: DispatchProblem) -> Plan:
        """Return a plan with the proof of its replay; raises what the dispatcher raises."""
        plan = self.dispatcher.dispatch(problem, deadline_s=self.deadline_s)
        report = self.check.check(self.check.plan_ports(plan), gradients=False)
        if _clean(report, self.tolerances):
            return replace(plan, proof=self._proof(CLEAN, plan, report, problem))
        return self._secured(problem, plan)

    def close(self) -> None:
        """End the solver's process."""
        self.dispatcher.close()

    def _secured(self, problem: DispatchProblem, insecure: Plan) -> Plan:
        """Return the plan that the loop of rows ends with, its commitments taken under the rows."""
        planner = SecuredProblem(
            _without_grid_losses(problem),
            self.check.ports,
            self.check.revision,
            self.dispatcher,
            deadline_s=self.deadline_s,
        )
        key = self.check.revision, len(problem.horizon)
        first = secure(planner, self.check, pool=self._pools.get(key), tolerances=self.tolerances)
        planner.commit()
        last = secure(planner, self.check, tolerances=self.tolerances)
        self._pools[key] = _newest(first.pool + last.pool)
        plan = planner.plan(f"{last.status} after {len(first.rounds) + len(last.rounds)} rounds with the grid")
        proof = self._loop_proof(first, last, plan, insecure)
        return replace(plan, proof=proof, findings=(*plan.findings, *_left(last)))

    def _proof(self, status: str, plan: Plan, report: Report, problem: DispatchProblem) -> SecurityProof:
        lost = float(report.losses_kw[Carrier.ELECTRICITY] @ problem.horizon.step_h)
        return SecurityProof(status, 1, 0, report.worst, lost, plan.solver.bound, 0.0, report.revision)

    def _loop_proof(self, first: SecureResult, last: SecureResult, plan: Plan, insecure: Plan) -> SecurityProof:
        lost = float(last.losses_kw[Carrier.ELECTRICITY] @ plan.horizon.step_h)
        return SecurityProof(
            status=str(last.status.value),
            rounds=len(first.rounds) + len(last.rounds),
            rows=len(last.pool),
            worst=last.rounds[-1].worst,
            loss_kwh=lost,
            lower_bound=plan.solver.bound,
            security_cost=plan.total_cost - insecure.total_cost,
            revision=self.check.revision,
        )


def _clean(report: Report, limits: Tolerances) -> bool:
    return not report.status.any() and all(report.worst.get(k, 0.0) <= v for k, v in limits.violation.items())


def _without_grid_losses(problem: DispatchProblem) -> DispatchProblem:
    """Return the problem without given losses of the grid: the rows bring them."""
    if problem.losses_kw is None or Carrier.ELECTRICITY.value not in problem.losses_kw["carrier"].values:
        return problem
    losses = problem.losses_kw.copy()
    losses.loc[{"carrier": Carrier.ELECTRICITY.value}] = 0.0
    return replace(problem, losses_kw=losses)


def _newest(pool: Rows, most: int = 4000) -> Rows:
    """Return the latest rows of a pool; old tangents of a moved horizon only cost time."""
    return pool.select(np.arange(len(pool)) >= len(pool) - most)


def _left(result: SecureResult) -> tuple[Finding, ...]:
    return () if result.status is SecureStatus.SECURE else result.findings
