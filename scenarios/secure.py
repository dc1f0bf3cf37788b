"""Plan, replay, rows, plan again, until the networks accept the plan or the loop can say why they never will.

Rows are only added while the loop runs, never replaced: replacing them lets a plan swing between two overloads. When the plan is clean,
one polishing round tries fresh rows for everything that was only locally true, and keeps the result only if its replay is clean too.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np

from models.carriers import Carrier
from models.findings import Finding, error, warning
from models.security import Floats, NetworkCheck, PortPlan, Report, Rows, SecurablePlanner, Shape

LOCAL_KINDS = ("loading_share", "vm_pu")
STALL_FALL = 0.3
STALL_ROUNDS = 2
POLISH_ROUNDS = 3
BINDS_SHARE = 1e-5
HOMOTOPY_STEPS = (0.8, 0.6, 0.4, 0.2)


class SecureStatus(StrEnum):
    """How the loop ended."""

    SECURE = "secure"
    """The replay of the plan is clean."""
    LEVERS_SPENT = "levers_spent"
    """The rows stay bent: nothing the planner may move brings the networks within their limits."""
    NOT_CONVERGED = "not_converged"
    """Rounds or time were up; the plan is the cleanest seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """What counts as clean, and how long to try."""

    violation: Mapping[str, float] = field(default_factory=lambda: {"vm_pu": 1e-4, "loading_share": 1e-3})
    loss_kw: float = 10.0
    slack: float = 1e-5
    rounds: int = 12
    deadline_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Round:
    """One pass: what the plan cost, how far it broke limits, and how much loss it had overlooked."""

    objective: float
    worst: Mapping[str, float]
    loss_error_kw: float
    rows: int
    scale: float
    """Share of the plan that was replayed; below 1 where the networks could not carry all of it."""
    seconds: float


@dataclass(frozen=True, slots=True)
class SecureResult:
    """The proof that goes with a plan: rounds, findings, the rows to start from next time, and the losses of the replay."""

    status: SecureStatus
    plan: PortPlan
    rounds: tuple[Round, ...]
    findings: tuple[Finding, ...]
    pool: Rows
    losses_kw: Mapping[Carrier, Floats]
    objective: float
    polish: tuple[Round, ...] = ()
    """Rounds with fresh rows in place of those that were only locally true, made once the plan was clean."""
    polished: bool = False
    """Whether one of them gave a cheaper plan that is clean too."""
    worst: Mapping[str, float] = field(default_factory=dict)
    """The largest violation that is left in the plan, by kind."""
    margins: Mapping[str, float] = field(default_factory=dict)
    """The least distance to a limit, by kind; negative beyond it."""

    @property
    def clean(self) -> bool:
        """Whether the replay of the plan keeps every limit."""
        return self.status is SecureStatus.SECURE


@dataclass(frozen=True, slots=True)
class _Seen:
    """A replayed plan."""

    plan: PortPlan
    report: Report
    objective: float
    loss_error_kw: float


def secure(
    planner: SecurablePlanner,
    check: NetworkCheck,
    *,
    pool: Rows | None = None,
    held: Rows | None = None,
    tolerances: Tolerances | None = None,
) -> SecureResult:
    """Return a plan that the networks accept, or the cleanest one with the reason.

    Parameters
    ----------
    planner
        Holds the cheapest plan under all rows added so far.
    check
        Replays plans on the networks.
    pool
        Rows of an earlier loop on the same networks; they usually make one round enough.
    held
        Rows that the planner holds already.
    tolerances
        Limits of what counts as clean; the defaults are those of :class:`Tolerances`.
    """
    more, known = pool or Rows.empty(), held or Rows.empty()
    if len(more):
        planner.add_rows(more)
    loop = _Loop(planner, check, tolerances or Tolerances(), known + more)
    loop.held = len(known) > 0
    return loop.run()


class _Loop:
    def __init__(self, planner: SecurablePlanner, check: NetworkCheck, limits: Tolerances, pool: Rows) -> None:
        self.planner, self.check, self.limits, self.pool = planner, check, limits, pool
        self.rounds: list[Round] = []
        self.polish: list[Round] = []
        self.best: _Seen | None = None
        self.begun, self.held = time.monotonic(), False

    def run(self) -> SecureResult:
        """Go round until the plan is clean, stuck, or out of time."""
        while True:
            seen = self._round(self.rounds)
            if self._clean(seen):
                return self._polished(seen)
            if self._stalled() and self._bent():
                return self._result(SecureStatus.LEVERS_SPENT, seen)
            if len(self.rounds) >= self.limits.rounds or time.monotonic() - self.begun > self.limits.deadline_s:
                return self._result(SecureStatus.NOT_CONVERGED, self.best or seen)

    def _round(self, rounds: list[Round]) -> _Seen:
        begun = time.monotonic()
        plan = self.planner.solve()
        seen, scale = self._replayed(plan)
        report = seen.report
        rows = report.balance + report.findings
        self.pool = self.pool + rows
        self.planner.add_rows(rows)
        seconds = time.monotonic() - begun
        rounds.append(Round(seen.objective, report.worst, seen.loss_error_kw, len(self.pool), scale, seconds))
        if scale == 1.0 and (self.best is None or _size(report) < _size(self.best.report)):
            self.best = seen
        return seen

    def _replayed(self, plan: PortPlan) -> tuple[_Seen, float]:
        """Return a replayed plan; where rows are held that are likely to be enough, slopes are only asked for when they are not."""
        if self.held and not self.rounds:
            report = self.check.check(plan, gradients=False)
            seen = _Seen(plan, report, self.planner.objective, self._loss_error_kw(plan, report))
            if self._clean(seen):
                return seen, 1.0
        report, scale = self._replay(plan)
        error = self._loss_error_kw(plan, report) if scale == 1.0 else np.inf
        return _Seen(plan, report, self.planner.objective, error), scale

    def _replay(self, plan: PortPlan) -> tuple[Report, float]:
        """Return the replay; where the networks cannot carry the plan, that of the largest share of it that they can."""
        report = self.check.check(plan)
        for share in HOMOTOPY_STEPS:
            if not report.status.any():
                return report, 1.0
            failed = report.status != 0
            values = plan.values * np.where(failed, share, 1.0)[:, None]
            again = self.check.check(replace(plan, values=values))
            if not again.status.any():
                return again, share
        return report, 0.0

    def _loss_error_kw(self, plan: PortPlan, report: Report) -> float:
        """Return by how much the replayed loss exceeds what the rows so far made the planner expect, at most over all steps."""
        known = self.pool.select(self.pool.kind == "loss_kw")
        expected = np.zeros(len(plan.values))
        if len(known):
            np.maximum.at(expected, known.step, known.at(plan.values))
        actual = report.losses_kw.get(Carrier.ELECTRICITY, np.zeros(len(plan.values)))
        return float(np.max(np.abs(actual - expected), initial=0.0))

    def _clean(self, seen: _Seen) -> bool:
        solved = not seen.report.status.any() and np.isfinite(seen.loss_error_kw)
        kept = all(seen.report.worst.get(kind, 0.0) <= limit for kind, limit in self.limits.violation.items())
        return bool(solved and kept and seen.loss_error_kw <= self.limits.loss_kw)

    def _stalled(self) -> bool:
        """Return whether the largest violation has fallen by less than 30 % in each of the last rounds."""
        sizes = [_share(r.worst, self.limits.violation) for r in self.rounds[-STALL_ROUNDS - 1 :]]
        if len(sizes) <= STALL_ROUNDS:
            return False
        return all(b > (1.0 - STALL_FALL) * a > 0.0 for a, b in pairwise(sizes))

    def _bent(self) -> bool:
        return bool(np.max(self.planner.slack(), initial=0.0) > self.limits.slack)

    def _polished(self, seen: _Seen) -> SecureResult:
        """Try fresh rows in place of the merely local ones where one binds; keep the cheaper plan only when its replay is clean."""
        if not self._local_rows_bind(seen.plan):
            return self._result(SecureStatus.SECURE, seen)
        kept, around = self.pool, self.check.check(seen.plan).findings
        fresh = around.select(around.shape != int(Shape.GLOBAL))
        self.pool = kept.select(kept.shape == int(Shape.GLOBAL)) + fresh
        self.planner.add_rows(fresh, replace=LOCAL_KINDS)
        for _ in range(POLISH_ROUNDS):
            tried = self._round(self.polish)
            if tried.objective >= seen.objective:
                break
            if self._clean(tried):
                return replace(self._result(SecureStatus.SECURE, tried), polished=True)
        self.pool = kept
        return self._result(SecureStatus.SECURE, seen)

    def _local_rows_bind(self, plan: PortPlan) -> bool:
        local = self.pool.select(self.pool.shape != int(Shape.GLOBAL))
        value = local.at(plan.values)
        room = np.minimum(local.upper - value, value - local.lower)
        return bool((room <= BINDS_SHARE * np.maximum(np.abs(value), 1e-6)).any())

    def _result(self, status: SecureStatus, seen: _Seen) -> SecureResult:
        self.planner.restore(seen.plan)
        findings = tuple(_words(seen, self.limits.violation, status))
        losses = seen.report.losses_kw
        return SecureResult(
            status, seen.plan, tuple(self.rounds), findings, self.pool, losses, seen.objective, tuple(self.polish),
            worst=seen.report.worst, margins=seen.report.margins,
        )  # fmt: skip


def _share(worst: Mapping[str, float], limits: Mapping[str, float]) -> float:
    """Return the largest violation in units of what is allowed."""
    return max((worst.get(kind, 0.0) / limit for kind, limit in limits.items()), default=0.0)


def _size(report: Report) -> float:
    return sum(report.worst.values()) + float(np.count_nonzero(report.status))


def _words(seen: _Seen, limits: Mapping[str, float], status: SecureStatus) -> list[Finding]:
    """Return one finding per element that still breaks a limit, with the step and the figure at their worst."""
    make = error if status is SecureStatus.LEVERS_SPENT else warning
    report, found = seen.report, []
    beyond = report.findings.violation()
    for kind, limit in limits.items():
        rows = np.flatnonzero((report.findings.kind == kind) & (beyond > limit))
        for element in sorted(set(report.findings.element[rows].tolist())):
            mine = rows[report.findings.element[rows] == element]
            worst = int(mine[np.argmax(beyond[mine])])
            bound = report.findings.upper[worst]
            bound = bound if np.isfinite(bound) else report.findings.lower[worst]
            value, step = float(report.findings.value[worst]), int(report.findings.step[worst])
            words = f"{kind} is {value:.4g} in step {step}, limit {bound:.4g}; {_way_on(seen, worst)}"
            found.append(make(element, words, element, value=value, limit=float(bound)))
    stranded = np.flatnonzero(report.status).tolist()
    found.extend(
        error(f"step {t}", "the networks cannot carry this step's plan; shed load or feed-in") for t in stranded
    )
    return found


def _way_on(seen: _Seen, row: int) -> str:
    """Return which ports move the violated quantity most."""
    rows = seen.report.findings
    terms = slice(int(rows.start[row]), int(rows.start[row + 1]))
    order = np.argsort(-np.abs(rows.slope[terms]))[:3]
    names = [
        f"{seen.plan.ports[rows.port[terms][i]].key} ({rows.slope[terms][i]:+.2g} per unit)" for i in order.tolist()
    ]
    return f"it answers most to {', '.join(names)}"
