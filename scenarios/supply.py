"""The supply temperature of a heat network as a lever: plan, replay, rows that look back, plan again, and keep only what is worth its price.

A move of the schedule is promised by rows around the present one, and judged by planning anew at its replay, where broken limits have their
price. One that does not cost less there is dropped, and the next may go less far.
"""

import time
from dataclasses import dataclass, replace

from models.dispatch import DispatchProblem, Plan
from models.errors import DataError
from models.findings import Finding, Severity, error
from optimizers.supply import Priced, SupplyProblem, SupplyRange
from scenarios.planners import Optimizer
from scenarios.secured import SecuredOptimizer
from twin.supply import SupplyCheck

TRUST_K = 10.0
SHRINK = 2.5
TRUST_MIN_K = 0.2
WORTH_SHARE = 1e-6
"""A move that promises, or brings, less than this share of the day's cost is none."""
ROUNDS_MAX = 12


@dataclass(frozen=True, slots=True)
class Move:
    """One try: how far it was allowed to go, what its rows promised, what its replay cost, broken limits included, and whether it was kept."""

    trust_k: float
    promised: float
    cost: float
    kept: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """Where the supply temperature ended, the cost of keeping it constant, and every try; yes-or-no decisions are relaxed in all costs."""

    constant: Priced
    best: Priced
    moves: tuple[Move, ...]

    @property
    def saving(self) -> float:
        """What the schedule saves, at its replay."""
        return self.constant.cost - self.best.cost

    @property
    def promised(self) -> float:
        """What the last kept try was promised to save in all, 0 without one."""
        kept = [m for m in self.moves if m.kept]
        return self.constant.cost + self.constant.fine - kept[-1].promised if kept else 0.0

    @property
    def moved(self) -> bool:
        """Whether anything was better than the constant temperature."""
        return any(m.kept for m in self.moves)


def supply_schedule(planner: SupplyProblem, check: SupplyCheck, allowed: SupplyRange, *, deadline_s: float) -> Schedule:
    """Return the best schedule found from the constant one on; dearer than that only where the constant one breaks limits."""
    end_s, trust, moves = time.monotonic() + deadline_s, TRUST_K, list[Move]()
    own = check.constant()
    constant = here = planner.priced(own, check.check(own))
    worth = WORTH_SHARE * abs(constant.cost)
    while trust >= TRUST_MIN_K and len(moves) < ROUNDS_MAX and time.monotonic() < end_s:
        wanted, promised = planner.moved(here, allowed, trust)
        if here.cost + here.fine - promised <= worth:
            break
        schedule = check.plan(wanted)
        there = planner.priced(schedule, check.check(schedule, gradients=False))
        kept = there.cost + there.fine < here.cost + here.fine - worth and not there.report.status.any()
        moves.append(Move(trust, promised, there.cost + there.fine, kept))
        if kept:
            here = replace(there, report=check.check(schedule))
        else:
            trust /= SHRINK
    return Schedule(constant, here, tuple(moves))


def plan_with_supply(
    planner: Optimizer | SecuredOptimizer, problem: DispatchProblem, allowed: SupplyRange, *, deadline_s: float
) -> Plan:
    """Return a plan with the supply temperature of the site's heat network as a lever, or at its own temperature where moving it gains nothing.

    Either way the water on its way is followed, so the two compare. The plan tells in a finding what the schedule saves.

    Raises
    ------
    DataError
        If the site has not just one heat network, or that one cannot be planned this way; and what the planner raises.
    """
    networks = problem.site.networks.heat
    if len(networks) != 1:
        words = f"is planned for one heat network, the site has {len(networks)}; plan without it"
        raise DataError([error("supply temperature", words)])
    network, supply = networks[0], SupplyProblem(problem, networks[0].id, planner.dispatcher, deadline_s=deadline_s)
    check = SupplyCheck(problem.site, network, problem.horizon, problem.forecast)
    found = supply_schedule(supply, check, allowed, deadline_s=deadline_s)
    constant = planner.plan(found.constant.problem)
    moving = planner.plan(found.best.problem) if found.moved else constant
    if moving.total_cost >= constant.total_cost and not found.constant.fine > found.best.fine:
        words = f"moving the supply temperature gains nothing over {network.supply_degc:g} degC all day"
        return _told(constant, network.id, f"{words} ({len(found.moves)} tries)")
    sent = found.best.schedule.values
    gain = "saves" if found.saving >= 0 else "keeps the network's limits and costs"
    words = (
        f"sends {sent.min():.1f} to {sent.max():.1f} degC instead of {network.supply_degc:g} all day, which {gain} "
        f"{abs(found.saving):.0f} {problem.site.currency} in its replay (rows promised {found.promised:.0f}; {len(found.moves)} tries)"
    )
    return _told(moving, network.id, words)


def _told(plan: Plan, network: str, words: str) -> Plan:
    return replace(plan, findings=(*plan.findings, Finding(Severity.INFO, network, words, (network,))))
