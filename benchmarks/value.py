"""What the operating loop is worth: closed loops over weeks and months on the emulated park, kept between runs of this command."""

import os
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most

if TYPE_CHECKING:
    from scenarios.value.run import Outcome
    from scenarios.value.summary import Study
    from scenarios.value.variants import Stretch, Variant

PACKAGES = ("highspy", "scikit-learn", "numpy")
FOLDER = "JOULETWIN_VALUE"
"""Where results are kept; a stretch that is there is not run again. ``build/value`` when it is not set."""
WORKERS = 2
SAMPLED_PLANS = 12


def folder() -> Path:
    """Return where results are kept."""
    return Path(os.environ.get(FOLDER, Path(__file__).parents[1] / "build" / "value"))


def study_of(stretches: "Sequence[Stretch]", variants: "Sequence[Variant]") -> "tuple[Study, float]":
    """Return the study, and the seconds that it took; those of kept results are added up from when they were made."""
    from scenarios.value.study import run_study
    from scenarios.value.summary import Study
    from service.places import PARK

    began = time.perf_counter()
    outcomes: list[Outcome] = run_study(PARK, stretches, variants, folder(), workers=WORKERS)
    spent = time.perf_counter() - began
    work = sum(o.seconds for o in outcomes) / WORKERS
    return Study(outcomes), max(spent, work)


@case("value", "weeks", packages=PACKAGES)
def weeks(bench: Bench) -> Iterator[Row]:
    """Give what every operator of four seasonal weeks costs and keeps; a quick run takes two days of spring."""
    from scenarios.value.variants import MAIN, OWN, PERFECT, WEEKS, Stretch

    stretches = (Stretch("two days", date(2015, 4, 21), 2),) if bench.quick else WEEKS
    study, seconds = study_of(stretches, MAIN)
    yield bench.figure(seconds / 60.0, "min", target=value_at_most(10.0), phase="four weeks, five operators")
    yield from rows_of(bench, study)
    names = [s.name for s in stretches]
    yield bench.figure(
        100.0 * study.kept(PERFECT.name, "tuned rule", names),
        "% kept",
        target=value_at_least(95.0),
        phase="all weeks, perfect forecasts, tuned",
    )
    for rule in ("tuned", "common"):
        yield bench.figure(
            100.0 * study.kept(OWN.name, f"{rule} rule", names), "% kept", phase=f"all weeks, own forecasts, {rule}"
        )


@case("value", "months", packages=PACKAGES)
def months(bench: Bench) -> Iterator[Row]:
    """Give what every operator of two whole months costs and keeps, months that training never saw; a quick run leaves them out."""
    from scenarios.value.variants import MAIN, MONTHS, OWN

    if bench.quick:
        return
    study, _ = study_of(MONTHS, MAIN)
    yield from rows_of(bench, study)
    names = [s.name for s in MONTHS]
    for rule, goal in (("tuned", 80.0), ("common", 90.0)):
        yield bench.figure(
            100.0 * study.kept(OWN.name, f"{rule} rule", names),
            "% kept",
            target=value_at_least(goal),
            phase=f"both months, own forecasts, {rule}",
        )
    for name in names:
        yield bench.figure(
            100.0 * study.kept(OWN.name, "tuned rule", [name]),
            "% kept",
            target=value_at_least(0.0),
            phase=f"{name}, never below the tuned rule",
        )


def rows_of(bench: Bench, study: "Study") -> Iterator[Row]:
    """Yield cost, peak, emissions and shares of every operator, and that nobody goes short."""
    for line in study.lines():
        words = f"{line.stretch}, {line.operator}"
        yield bench.figure(line.total_cost, "CNY", phase=f"{words}, cost")
        yield bench.figure(line.co2_kg / 1e3, "t", phase=f"{words}, CO2")
        yield bench.figure(line.peak_kw, "kW", phase=f"{words}, peak")
        if line.operator.startswith("loop"):
            yield bench.figure(100.0 * line.kept_tuned, "% kept", phase=f"{words}, against tuned")
            yield bench.figure(100.0 * line.kept_common, "% kept", phase=f"{words}, against common")
            yield bench.figure(line.unserved_kwh, "kWh", target=value_at_most(0.5), phase=f"{words}, unserved")
            yield bench.figure(line.band_breaks, "steps", phase=f"{words}, voltage out of band")


@case("value", "losses", packages=PACKAGES)
def losses(bench: Bench) -> Iterator[Row]:
    """Give where the saving goes: the chain from perfect foresight to the loop, then one thing switched at a time, over days of two seasons."""
    from scenarios.value.variants import DAYS, MAIN, SWITCHED

    if bench.quick:
        return
    study, _ = study_of(DAYS, (*MAIN, *SWITCHED))
    for loss in study.losses():
        yield bench.figure(loss.points, "points of the saving", phase=loss.cause)


@case("value", "network proof", packages=(*PACKAGES, "pandapower"))
def network_proof(bench: Bench) -> Iterator[Row]:
    """Give how many sampled plans of a summer day the networks object to, and what a check costs beside a plan."""
    from datetime import timedelta

    from models.actuals import Actuals
    from models.dispatch import DispatchProblem
    from models.forecast.naive import PerfectForecaster
    from models.site.file import load_site
    from scenarios.planners import Optimizer
    from scenarios.problem import Horizons, demand_terms
    from scenarios.value.variants import WEEKS
    from service.places import PARK
    from twin.state import start_snapshot
    from twin.verify import Verifier

    site = load_site(PARK)
    period, perfect = WEEKS[2].period(site), PerfectForecaster(Actuals(site, 1))
    verifier, planner = Verifier(site), Optimizer()
    objections, planning, checking = 0, 0.0, 0.0
    count = 3 if bench.quick else SAMPLED_PLANS
    try:
        for k in range(count):
            at = period.start + k * timedelta(hours=24 * 7 / count)
            horizon = Horizons().starting(at.replace(minute=0))
            problem = DispatchProblem(
                site,
                horizon,
                perfect.forecast(horizon),
                start_snapshot(site, horizon.start),
                demand_terms(site, period, 3000.0, 0.0),
                Horizons().ends.terms(site),
                integer_h=3.0,
            )
            began = time.perf_counter()
            plan = planner.plan(problem)
            planned = time.perf_counter()
            objections += not verifier(plan, problem.initial, problem.forecast).ok
            planning, checking = planning + planned - began, checking + time.perf_counter() - planned
    finally:
        planner.close()
    yield bench.figure(objections, f"of {count} plans", phase="plans that the networks object to")
    yield bench.figure(1e3 * checking / count, "ms", reference=1e3 * planning / count, phase="a check beside a plan")
