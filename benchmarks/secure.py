"""Secured plans of the demo site's congested days: violations, rounds and cost against the published figures, and what a round takes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from benchmarks.demo_site import DAYS, congested, with_noise
from benchmarks.measure import measure
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_least, value_at_least, value_at_most

if TYPE_CHECKING:
    from models.security import PortPlan
    from optimizers.dispatch import Dispatcher
    from optimizers.secured import SecuredProblem
    from scenarios.secure import SecureResult
    from twin.secure import GridCheck

PACKAGES = ("highspy", "pandapower")


@dataclass(frozen=True)
class Published:
    """What is known of a day: loading in per cent and voltage violation of the first plan, costs, and the tolerance of the secured cost."""

    loading: float
    voltage_pu: float
    loss_aware: float
    secured: float


PUBLISHED = {
    "winter": Published(47.9, 0.0, 96_366.0, 96_366.0),
    "summer": Published(56.3, 0.0, 49_681.0, 49_681.0),
    "overload": Published(116.4, 0.018, 103_384.0, 104_720.0),
    "pv10": Published(159.5, 0.056, -7_514.0, -4_645.0),
    "ev": Published(106.2, 0.0, 107_737.0, 107_796.0),
}


@case("secure", "congested days", size=5, quick_size=1, packages=PACKAGES)
def congested_days(bench: Bench) -> Iterator[Row]:
    """Secure the days from nothing, then again with five per cent of noise on the forecast and the rows of the first time."""
    from optimizers.dispatch import Dispatcher

    dispatcher = Dispatcher()
    try:
        for name in ["ev"] if bench.quick else list(DAYS):
            yield from _day(bench, name, dispatcher)
    finally:
        dispatcher.close()


def _day(bench: Bench, name: str, dispatcher: "Dispatcher") -> Iterator[Row]:
    from optimizers.secured import SecuredProblem
    from scenarios.secure import secure
    from twin.secure import GridCheck

    known, (problem, network) = PUBLISHED[name], congested(name)
    check = GridCheck(problem.site, network)
    planner = SecuredProblem(problem, check.ports, check.revision, dispatcher, deadline_s=600.0)
    result = secure(planner, check)
    bound, plan = planner.lower_bound(), result.plan
    first, replay = result.rounds[0], check.check(plan)
    loading = 100.0 * float(check.flow(_first_plan(problem, check, dispatcher)[1])["loading_share"].max())
    yield bench.figure(loading, "%", reference=known.loading, phase=f"{name}: loading of the plan without a grid")
    yield bench.figure(first.worst["vm_pu"], "pu", reference=known.voltage_pu, phase=f"{name}: its voltage violation")
    yield bench.figure(len(result.rounds), "rounds", target=value_at_most(10), phase=f"{name}: from nothing")
    yield bench.figure(replay.worst["vm_pu"], "pu", target=value_at_most(1e-4), phase=f"{name}: voltage left")
    yield bench.figure(
        1e2 * replay.worst["loading_share"], "%", target=value_at_most(0.1), phase=f"{name}: loading left"
    )
    yield bench.figure(_last_loss(result), "kW", target=value_at_most(10.0), phase=f"{name}: largest loss error")
    missed = (result.objective - known.secured) / abs(known.loss_aware)
    yield bench.figure(1e2 * missed, "%", target=value_at_most(0.1), phase=f"{name}: secured cost above the published")
    yield bench.figure(
        result.objective - bound, "CNY", reference=known.secured - known.loss_aware, phase=f"{name}: cost of security"
    )
    yield _seeded(bench, name, (problem, check, dispatcher), result)


def _first_plan(problem: Any, check: "GridCheck", dispatcher: "Dispatcher") -> "tuple[SecuredProblem, Any]":
    from optimizers.secured import SecuredProblem

    planner = SecuredProblem(problem, check.ports, check.revision, dispatcher, deadline_s=600.0)
    return planner, planner.solve()


def _last_loss(result: "SecureResult") -> float:
    return (result.polish if result.polished else result.rounds)[-1].loss_error_kw


def _seeded(bench: Bench, name: str, parts: "tuple[Any, GridCheck, Dispatcher]", before: "SecureResult") -> Row:
    from optimizers.secured import SecuredProblem
    from scenarios.secure import secure

    problem, check, dispatcher = parts
    moved = with_noise(problem, 0.05, seed=7)
    planner = SecuredProblem(moved, check.ports, check.revision, dispatcher, deadline_s=600.0)
    again = secure(planner, check, pool=before.pool)
    return bench.figure(len(again.rounds), "rounds", target=value_at_most(2), phase=f"{name}: with the rows of before")


@case("secure", "kept basis", size=5, quick_size=2, packages=PACKAGES)
def kept_basis(bench: Bench) -> Iterator[Row]:
    """Compare solving after each round's rows on the live model with solving the same programs from nothing; equal optima."""
    from optimizers.dispatch import Dispatcher
    from optimizers.session import HighsSession
    from twin.secure import GridCheck

    problem, network = congested("overload")
    check, dispatcher, programs = GridCheck(problem.site, network), Dispatcher(), []
    try:
        planner, plan = _first_plan(problem, check, dispatcher)
        for _ in range(bench.size + 1):
            programs.append(planner.program)
            report = check.check(plan)
            planner.add_rows(report.balance + report.findings)
            plan = planner.solve()
    finally:
        dispatcher.close()

    def warm() -> float:
        session, spent = HighsSession(programs[0]), 0.0
        session.run()
        for program in programs[1:]:
            begun = time.perf_counter()
            session.update(program)
            optima.append(session.run().objective)
            spent += time.perf_counter() - begun
        return spent

    def cold() -> float:
        begun = time.perf_counter()
        optima.extend(HighsSession(p).run().objective for p in programs[1:])
        return time.perf_counter() - begun

    both: list[tuple[float, float]] = []
    for _ in range(bench.repeats):
        optima: list[float] = []
        both.append((warm(), cold()))
        half = len(optima) // 2
        assert all(abs(a - b) <= 1e-6 * abs(b) for a, b in zip(optima[:half], optima[half:], strict=True))
    ours, theirs = (sorted(s)[len(both) // 2] / bench.size for s in zip(*both, strict=True))
    yield bench.figure(
        1e3 * theirs, "ms", reference=1e3 * ours, target=ratio_at_least(3), phase="re-solve, cold / kept"
    )


@case("secure", "one round", size=96, quick_size=96, packages=PACKAGES)
def one_round(bench: Bench) -> Iterator[Row]:
    """Compare a round of the loop (solve, replay, slopes, rows) over a day with one pandapower power flow of one step."""
    import pandapower as pp

    from models.networks.electricity.reference import set_power, to_pandapower
    from optimizers.dispatch import Dispatcher
    from scenarios.secure import secure
    from twin.secure import GridCheck

    problem, network = congested("overload")
    check, dispatcher = GridCheck(problem.site, network), Dispatcher()
    try:
        planner, plan = _first_plan(problem, check, dispatcher)
        result = secure(planner, check)
    finally:
        dispatcher.close()
    seconds = sorted(r.seconds for r in result.rounds[1:])
    net, buses = to_pandapower(network), len(check.buses)
    halves = (plan.values[70, :buses], plan.values[70, buses:])
    set_power(net, network, *(dict(zip(check.buses, h.tolist(), strict=True)) for h in halves))
    pp.runpp(net)
    runpp = measure(lambda: pp.runpp(net), repeats=5 * bench.repeats)
    ours = seconds[len(seconds) // 2]
    yield bench.figure(
        ours / runpp, "power flows", target=value_at_most(3.0), phase="round over a day, in runpp of a step"
    )
    replay = measure(_replays(check, plan), repeats=bench.repeats)
    yield bench.figure(
        96 * runpp / replay, "×", target=value_at_least(50.0), phase="replay with slopes, faster than 96 runpp"
    )
    small = replace(plan, values=plan.values[:1], step_h=plan.step_h[:1])
    yield bench.figure(1e3 * measure(_replays(check, small), repeats=bench.repeats), "ms", phase="replay of one step")


def _replays(check: "GridCheck", plan: "PortPlan") -> Callable[[], object]:
    """Return a replay with slopes that never meets the plan it has just replayed, which the check would remember."""
    scale = count(1)
    return lambda: check.check(replace(plan, values=plan.values * (1.0 + 1e-9 * next(scale))))
